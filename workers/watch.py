"""One look at all active jobs of a zone: one query for their states, the details of those whose state has changed.

How far a running job is stands in the catalogue, where whoever asks reads it; a round does not.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from irods.session import iRODSSession

from python_rules import names
from python_rules.jobs import beat, model, record, states
from python_rules.jobs.errors import JobError
from workers import catalogue, metrics, webhooks
from workers.rows import Row, Rows
from workers.settings import WebhookSettings
from workers.zone import Zone
from workers.zones import Zones

log = logging.getLogger(__name__)
SERVICE = ""  # the session pool's name for the service account itself


def round_of(zones: Zones, rows: Rows, hooks: WebhookSettings) -> None:
    """Bring the rows of all jobs up to date that have not ended; a zone that cannot be asked holds up no other."""
    known = rows.open()
    metrics.OPEN.set(len(known))
    for zone in zones.served:
        there = [row for row in known if zones.of(row.user, row.content) is zone]
        if there:
            with told(zone.name):
                _look_at(zone, rows, hooks, there)


def _look_at(zone: Zone, rows: Rows, hooks: WebhookSettings, known: list[Row]) -> None:
    active = zone.work(SERVICE, lambda session: catalogue.active(session, zone.ledger, states.ACTIVE))
    moved = [row for row in known if active.get(row.job_id) != row.content.get("state")]
    if not moved:
        return
    found = zone.work(SERVICE, lambda session: _details(session, zone.ledger, moved))
    for row, status in found:
        tell(zone, rows, hooks, row.job_id, _shown(row, status))
    for lost in {row.job_id for row in moved} - {row.job_id for row, _ in found}:
        log.warning("watch: %s: job %s has no record any more; its row goes too", zone.name, lost)
        rows.drop(lost)


@contextmanager
def told(what: str) -> Iterator[None]:
    """A JobError becomes a line in the log: the next round tries again."""
    try:
        yield
    except JobError as error:
        log.warning("watch: %s: %s: %s", what, error.code, error.text)


def tell(zone: Zone, rows: Rows, hooks: WebhookSettings, job_id: str, job: dict[str, Any]) -> None:
    """Show a job in its row; one that has ended is counted, and its event is owed before the row tells the end."""
    if job["state"] in states.FINAL:
        metrics.ended(job, zone.name, _seconds(job))
        webhooks.remember(rows, hooks, webhooks.event_of(job_id, job, zone.name))
    rows.show(job_id, job)


def see_patrol(zone: Zone) -> str:
    """Start the zone's patrol if its heartbeat is old; what an administrator must know, or ''.

    A patrol that waits in the delay queue and is not run: nothing is run there. Raises JobError if the zone is away.
    """
    values = zone.work(SERVICE, lambda session: catalogue.told(session, zone.ledger, beat.ATTRIBUTE))
    last = beat.read(values)
    if beat.is_alive(last, time.time()):
        return ""
    answer = zone.call(SERVICE, names.PATROL_START)
    if "error" in answer:
        raise JobError.from_public(answer["error"])
    if answer["ok"]["started"] or last is None:
        log.warning("watch: %s: the patrol was dead and is started again", zone.name)
        return ""
    silent = f"{zone.name}: nothing in the delay queue has run for {time.time() - last.at:.0f} s"
    log.error("watch: %s", silent)
    return f"{silent}: its delay server is dead, or every executor is taken"


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
