"""Whether the service lives, and what it lacks to serve."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from apiflask import APIBlueprint
from flask import Response
from irods.models import Zone as ZoneTable
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy.exc import SQLAlchemyError

from api_shim.service import Service, service
from python_rules.jobs.errors import JobError
from workers.tasks import BEAT, STALLED

_BEATS_MISSED, _SHORTEST_SILENCE = 5, 20.0
blueprint = APIBlueprint("state", __name__, tag="service")


@blueprint.get("/health")
@blueprint.doc(operation_id="health")
def health() -> Response:
    """Tell that the service is alive."""
    return _json({"alive": True, "version": installed_version()}, 200)


@blueprint.get("/ready")
@blueprint.doc(operation_id="ready")
def ready() -> Response:
    """Tell whether the zones with their delay queues, the queue, the result database and a worker are there."""
    reasons = [(what, check(service())) for what, check in CHECKS.items()]
    missing = [{"what": what, "why": why} for what, why in reasons if why]
    return _json({"ready": not missing, "missing": missing}, 503 if missing else 200)


def installed_version() -> str:
    """The version of the installed package; 0 in a bare source tree."""
    try:
        return version("sluice")
    except PackageNotFoundError:
        return "0"


def _zone(shared: Service) -> str:
    for zone in shared.zones:
        try:
            zone.work("", lambda session: session.query(ZoneTable.name).limit(1).all())
        except JobError as error:
            return error.text if zone is shared.zone else f"{zone.name}: {error.text}"
    return ""


def _queue(shared: Service) -> str:
    try:
        with shared.celery.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0)
    except (BrokerError, OSError) as error:
        return f"the broker does not answer ({type(error).__name__})"
    return ""


def _results(shared: Service) -> str:
    try:
        shared.celery.rows.find("ready")
    except (SQLAlchemyError, OSError) as error:
        return f"the result database does not answer ({type(error).__name__})"
    return ""


def _worker(shared: Service) -> str:
    """A worker shows that it lives at every watch round."""
    every = shared.settings.celery.watch_seconds
    if not every:
        return ""
    try:
        row = shared.celery.rows.find(BEAT)
    except (SQLAlchemyError, OSError):
        return ""  # that the database is away is told already
    silent = time.time() - row.content["at"] if row else None
    if silent is None or silent > max(_BEATS_MISSED * every, _SHORTEST_SILENCE):
        return "no worker has been at work" + (f" for {silent:.0f} s" if silent else "")
    return ""


def _delay_queues(shared: Service) -> str:
    """What the workers saw last of the zones' delay servers."""
    try:
        rows = [shared.celery.rows.find(STALLED + zone.name) for zone in shared.zones]
    except (SQLAlchemyError, OSError):
        return ""
    return "; ".join(row.content["why"] for row in rows if row and row.content["why"])


CHECKS: dict[str, Callable[[Service], str]] = {
    "zone": _zone,
    "queue": _queue,
    "results": _results,
    "worker": _worker,
    "delay queue": _delay_queues,
}


def _json(value: object, status: int) -> Response:
    return Response(json.dumps(value), status, content_type="application/json")
