"""One look at all active jobs of a zone: a query for which are active, and the details of those that moved."""

from __future__ import annotations

from irods.session import iRODSSession

from python_rules.jobs import record, states
from workers import catalogue
from workers.rows import Row, Rows
from workers.zone import Zone

SERVICE = ""  # the session pool's name for the service account itself


def round_of(zone: Zone, rows: Rows) -> None:
    """Bring the rows of all jobs that have not ended up to date; raises JobError if the zone cannot be asked."""
    known = rows.open()
    if not known:
        return
    active = zone.work(SERVICE, lambda session: catalogue.active(session, zone.ledger, states.ACTIVE))
    moved = [row for row in known if _moved(row, active)]
    for row, status in zone.work(SERVICE, lambda session: _details(session, zone.ledger, moved)):
        rows.show(row.job_id, _shown(row, status))


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


def _shown(row: Row, status: record.Status) -> dict[str, object]:
    """The row's job with what moves replaced; what was asked never changes."""
    progress = dict(vars(status.progress), seconds_left=status.progress.seconds_left)
    moving = {"state": status.state, "attempt": status.attempt, "progress": progress, "error": status.error}
    return {**row.content, **moving, "waiting": status.waiting or None, "transitions": status.transitions}
