"""``sluice-worker``: runs the Celery worker, with the clock of the watch rounds inside."""

from __future__ import annotations

import argparse
import logging
import sys
import threading
from typing import Any

from celery.signals import setup_logging, worker_ready, worker_shutting_down
from kombu.exceptions import OperationalError

from python_rules.jobs.errors import JobError
from workers import logs, metrics, webhooks
from workers.app import SluiceCelery, make_app
from workers.sending import WATCH
from workers.settings import load

log = logging.getLogger(__name__)


class Clock(threading.Thread):
    """Queues a watch round at every interval; rounds that no worker takes in time are dropped."""

    def __init__(self, app: SluiceCelery, seconds: float) -> None:
        super().__init__(name="sluice-clock", daemon=True)
        self._app = app
        self._seconds = seconds
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(self._seconds):
            try:
                self._app.tasks[WATCH].apply_async(expires=self._seconds, retry=False)
            except OperationalError as error:
                log.warning("no watch round: the broker does not answer (%s)", type(error).__name__)

    def end(self) -> None:
        """Queue no further round."""
        self._ended.set()


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM (finishes what it has begun); exit status 2 for wrong settings."""
    options = _parser().parse_args(arguments)
    logs.set_up(options.log_level)
    try:
        app = make_app(load(options.config))
        if app.sluice.webhooks.urls:
            webhooks.secret(app.sluice.webhooks)
    except JobError as error:
        print(f"sluice-worker: {error.text}; {error.remedy}", file=sys.stderr)
        return 2
    setup_logging.connect(_keep_our_logging)
    _start_clock_with(app)
    metrics.serve(app.sluice.celery.metrics_port, "127.0.0.1")
    quiet_boot = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return int(app.worker_main(["worker", "--loglevel", options.log_level, *quiet_boot]) or 0)


def _start_clock_with(app: SluiceCelery) -> None:
    seconds = app.sluice.celery.watch_seconds
    if not seconds:
        return
    clock = Clock(app, seconds)
    worker_ready.connect(lambda **_: clock.start(), weak=False)
    worker_shutting_down.connect(lambda **_: clock.end(), weak=False)


def _keep_our_logging(**_: Any) -> None:
    """Being connected is what keeps Celery from setting up its own."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sluice-worker", description="Forwards jobs into the zone and watches them.")
    parser.add_argument("--config", required=True, metavar="shim.json", help="the settings file")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    return parser
