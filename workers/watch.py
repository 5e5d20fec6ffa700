"""One look at all active jobs of a zone: a query for which are active, the details of those that moved, the patrol."""

from __future__ import annotations

import logging
import time
from datetime import datetime
from typing import Any

from irods.session import iRODSSession

from python_rules import names
from python_rules.jobs import beat, model, record, states
from workers import catalogue, metrics, webhooks
from workers.rows import Row, Rows
from workers.settings import WebhookSettings
from workers.zone import Zone

log = logging.getLogger(__name__)
SERVICE = ""  # the session pool's name for the service account itself


def round_of(zone: Zone, rows: Rows, hooks: WebhookSettings) -> None:
    """Bring the rows of all jobs that have not ended up to date; raises JobError if the zone cannot be asked."""
    known = rows.open()
    metrics.OPEN.set(len(known))
    if not known:
        return
    active = zone.work(SERVICE, lambda session: catalogue.active(session, zone.ledger, states.ACTIVE))
    moved = [row for row in known if _moved(row, active)]
    for row, status in zone.work(SERVICE, lambda session: _details(session, zone.ledger, moved)):
        tell(zone, rows, hooks, row.job_id, _shown(row, status))


def tell(zone: Zone, rows: Rows, hooks: WebhookSettings, job_id: str, job: dict[str, Any]) -> None:
    """Show a job in its row; one that has ended is counted, and its event is owed before the row tells the end."""
    if job["state"] in states.FINAL:
        metrics.ended(job, zone.name, _seconds(job))
        webhooks.remember(rows, hooks, webhooks.event_of(job_id, job, zone.name))
    rows.show(job_id, job)


def see_patrol(zone: Zone) -> None:
    """Start the zone's patrol if its heartbeat is old; raises JobError if the zone cannot be asked."""
    values = zone.work(SERVICE, lambda session: catalogue.told(session, zone.ledger, beat.ATTRIBUTE))
    if not beat.is_alive(beat.read(values), time.time()):
        log.warning("watch: the patrol is dead: %s", zone.call(SERVICE, names.PATROL_START))


def _moved(row: Row, active: dict[str, tuple[str, str]]) -> bool:
    """A queued job that is still queued has no news; one that runs has progress, one that is gone has ended."""
    _, state = active.get(row.job_id, ("", ""))
    return state != states.QUEUED or row.content.get("state") != state


def _details(session: iRODSSession, ledger: str, moved: list[Row]) -> list[tuple[Row, record.Status]]:
    found: list[tuple[Row, record.Status]] = []
    for user in sorted({row.user for row in moved}):
        own = {row.job_id: row for row in moved if row.user == user}
        statuses = catalogue.statuses_of(session, record.collection(ledger, user), sorted(own))
        found += [(own[job_id], status) for job_id, status in statuses.items()]
    return found


def _seconds(job: dict[str, Any]) -> float:
    """From submit to end, as the record tells it."""
    times = [job.get("submitted"), job["transitions"][-1]["time"] if job["transitions"] else None]
    try:
        begun, done = (datetime.strptime(str(text), model.TIME_FORMAT) for text in times)
    except ValueError:
        return 0.0
    return (done - begun).total_seconds()


def _shown(row: Row, status: record.Status) -> dict[str, Any]:
    """The row's job with what moves replaced; what was asked never changes."""
    progress = dict(vars(status.progress), seconds_left=status.progress.seconds_left)
    moving = {"state": status.state, "attempt": status.attempt, "progress": progress, "error": status.error}
    return {**row.content, **moving, "waiting": status.waiting or None, "transitions": status.transitions}
