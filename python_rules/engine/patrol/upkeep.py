"""What is left over: hidden siblings of jobs that do not run, claims, and records past their time."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import islice

from irods.column import Criterion, In, Like
from irods.exception import PycommandsException, iRODSException
from irods.models import Collection, DataObject, DataObjectMeta
from irods.session import iRODSSession

from python_rules.config import Config
from python_rules.engine import leftovers, sessions
from python_rules.engine.ledger import Ledger
from python_rules.engine.transfer import mending, queries
from python_rules.jobs import model, record, states
from python_rules.jobs.errors import JobError
from python_rules.jobs.paths import split
from python_rules.jobs.record import Status

_DAY = 24 * 3600.0
_A_ROUND = 200  # records that one round removes at most


def clean(config: Config, service: iRODSSession, book: Ledger) -> int:
    """Remove what jobs left that do not run; finish or undo their broken replacements. Removes old claims too."""
    found = leftovers.hidden(service)
    jobs = sorted({leftovers.job_of(path) for path in found if model.is_job_id(leftovers.job_of(path))})
    cleaned = sum(_clean(config, service, book, job_id, found) for job_id in jobs)
    _release_claims(book)
    return cleaned


def mend_replicas(config: Config, service: iRODSSession, book: Ledger) -> int:
    """Free objects whose replication a killed agent left in flight."""
    return mending.mend(service)


def _clean(config: Config, service: iRODSSession, book: Ledger, job_id: str, found: list[str]) -> bool:
    entry = book.find(job_id)
    if entry is not None and entry.status.state in states.ACTIVE:
        return False  # its next attempt begins with this
    own = [path for path in found if leftovers.job_of(path) == job_id]
    user = entry.body.user if entry else _owner(service, own[0])
    if not user:
        return False
    with sessions.as_user(config, user) as session:
        try:
            leftovers.clean(service, session, job_id)
        except (JobError, iRODSException, PycommandsException):
            return False
    return True


def _owner(service: iRODSSession, path: str) -> str:
    """Whose object it is, if its job's record is gone for more than a day."""
    collection, name = split(path)
    wanted = service.query(DataObject.owner_name, DataObject.owner_zone, DataObject.modify_time)
    rows = wanted.filter(queries.equal(Collection.name, collection), queries.equal(DataObject.name, name))
    old = datetime.fromtimestamp(time.time() - _DAY, UTC).replace(tzinfo=None)
    row = next((row for row in rows if row[DataObject.modify_time].replace(tzinfo=None) < old), None)
    return f"{row[DataObject.owner_name]}#{row[DataObject.owner_zone]}" if row else ""


def _release_claims(book: Ledger) -> None:
    """Claims of jobs that ended, or are gone, are of no use any more."""
    active = {path.rpartition("/")[2].removesuffix(".json") for path, _ in book.in_states(states.ACTIVE)}
    for name in book.claims():
        job_id = name.partition(".")[0]
        if model.is_job_id(job_id) and job_id not in active:
            book.release(name)


def age_out(config: Config, service: iRODSSession, book: Ledger) -> int:
    """Remove the records of jobs that ended longer ago than ``jobs.retention_days``.

    When a job ended only its own transitions tell: the catalogue has one row for all AVUs that are equal, as old as
    the first of them.
    """
    if not config["jobs.retention_days"]:
        return 0
    before = time.time() - config["jobs.retention_days"] * _DAY
    old = (path for path in _made_before(service, book, before) if _ended_before(book, path, before))
    removed = list(islice(old, _A_ROUND))
    for path in removed:
        book.remove(path)
    return len(removed)


def _made_before(service: iRODSSession, book: Ledger, when: float) -> list[str]:
    """The records of jobs that have ended and were submitted before a time (seconds since 1970)."""
    found = service.query(Collection.name, DataObject.name).filter(
        Like(Collection.name, f"{book.collection}/%"),
        Criterion("<", DataObject.create_time, datetime.fromtimestamp(when, UTC)),
        Criterion("=", DataObjectMeta.name, record.STATE),
        In(DataObjectMeta.value, sorted(states.FINAL)),
    )
    return sorted({f"{row[Collection.name]}/{row[DataObject.name]}" for row in queries.rows(service, found)})


def _ended_before(book: Ledger, path: str, when: float) -> bool:
    status = Status.from_avus(book.avus(path))
    ended = status.time_of(*states.FINAL)
    limit = time.strftime(model.TIME_FORMAT, time.gmtime(when))
    return status.state in states.FINAL and ended is not None and ended < limit
