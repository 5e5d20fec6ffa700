"""The Celery application of the shim and the workers, made from the settings."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from celery import Celery

from workers import spool
from workers.rows import Rows
from workers.settings import SQLITE_NAME, Settings
from workers.zone import Zone
from workers.zones import Zones

_WEEK = 7 * 24 * 3600
# How long a message may take to reach the broker before the request is answered without it, in seconds.
_BROKER_TIMEOUT = 2


class SluiceCelery(Celery):
    """Celery that knows the zones and the rows of its result backend; tasks find them as ``self.app``."""

    def __init__(self, settings: Settings, zones: Zones) -> None:
        super().__init__("sluice", set_as_current=True, include=["workers.tasks"])
        self.sluice = settings
        self.zones = zones
        self.patrol_due = 0.0  # when a watch round looks again whether the zones' patrols live
        self.forget_due = 0.0  # when it drops old rows
        self.conf.update(_configuration(settings))
        self.rows = Rows(self, settings.results_url)

    @property
    def zone(self) -> Zone:
        """The service's own zone."""
        return self.zones.own


def make_app(settings: Settings) -> SluiceCelery:
    """The application; makes the data folder. Opens no connection. Raises JobError ``configuration``."""
    _make_folders(settings)
    spool.register()
    return SluiceCelery(settings, Zones(settings.zone, settings.celery))


def is_spooled(settings: Settings) -> bool:
    """Whether the queue is files on this machine."""
    return settings.celery.broker.startswith("filesystem:")


def _configuration(settings: Settings) -> dict[str, Any]:
    spooled = is_spooled(settings)
    return {
        "broker_url": f"{spool.SCHEME}://localhost//" if spooled else settings.celery.broker,
        "broker_transport_options": _spool_options(settings) if spooled else {},
        "broker_connection_timeout": _BROKER_TIMEOUT,
        "broker_connection_retry_on_startup": True,
        "result_backend": settings.results_url,
        "result_expires": _WEEK,
        "database_engine_options": _engine_options(settings.results_url),
        # Each thread has a backend of its own, and each would look for the tables first: 0.1 s for its first request.
        "database_create_tables_at_setup": False,
        "task_default_queue": settings.celery.queue,
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        # Tasks wait for the zone and compute nothing. Threads share sessions, and a signal to the whole process
        # group ends them in order, where forked children would die under the parent and leave it waiting.
        "worker_pool": "threads",
        "worker_concurrency": settings.celery.threads,
        # Remote control is a fan-out: in a spool it would leave files that nobody takes.
        "worker_enable_remote_control": not spooled,
        "worker_send_task_events": False,
    }


def _spool_options(settings: Settings) -> dict[str, Any]:
    queue = str(Path(settings.celery.data).absolute() / "queue")
    return {
        "data_folder_in": queue,
        "data_folder_out": queue,
        "control_folder": Path(settings.celery.data).absolute() / "control",
        "processed_folder": str(Path(settings.celery.data).absolute() / "taken"),
        "polling_interval": settings.celery.poll_seconds,
    }


def _engine_options(url: str) -> dict[str, Any]:
    """SQLite waits for its lock; a database elsewhere is asked whether it still listens."""
    return {"connect_args": {"timeout": 30}} if "sqlite" in url else {"pool_pre_ping": True, "pool_recycle": 3600}


def _make_folders(settings: Settings) -> None:
    data = Path(settings.celery.data)
    for folder in (data, data / "queue", data / "control", data / "taken"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if settings.celery.results:
        return
    path = data / SQLITE_NAME
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    with sqlite3.connect(path, timeout=30) as database:
        # Kept in the file: readers that poll for a result do not block the workers that write one.
        database.execute("PRAGMA journal_mode=WAL")
    database.close()
