"""What the catalogue says about jobs: queries as a user or as the service account, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, NamedTuple

from irods.column import In, Like
from irods.models import Collection, CollectionMeta, DataObject, DataObjectMeta
from irods.session import iRODSSession

from python_rules.jobs import record

SUFFIX = ".json"
# A condition with more names than this could outgrow what a real server takes for one query.
NAMES_IN_ONE_QUERY = 20


class Listed(NamedTuple):
    """One line of a user's list of jobs; ``created`` is in seconds since 1970."""

    created: int
    job_id: str
    state: str


def status_of(session: iRODSSession, collection: str, job_id: str) -> record.Status | None:
    """A job's status by one query; None if there is no such record, or none that this user may see."""
    return statuses_of(session, collection, [job_id]).get(job_id)


def statuses_of(session: iRODSSession, collection: str, job_ids: list[str]) -> dict[str, record.Status]:
    """The status of each job in ``collection`` that has one."""
    avus: dict[str, list[record.Avu]] = {}
    for some in _chunks(job_ids):
        wanted = [job_id + SUFFIX for job_id in some]
        query = session.query(DataObject.name, DataObjectMeta.name, DataObjectMeta.value, DataObjectMeta.units)
        name = DataObject.name == wanted[0] if len(wanted) == 1 else In(DataObject.name, wanted)
        for row in query.filter(Collection.name == collection, name, Like(DataObjectMeta.name, "sluice::%")):
            avu = (row[DataObjectMeta.name], row[DataObjectMeta.value], row[DataObjectMeta.units] or "")
            avus.setdefault(_job_id(row), []).append(avu)
    return {job_id: record.Status.from_avus(rows) for job_id, rows in avus.items()}


def newest_first(
    session: iRODSSession, collection: str, states: Iterable[str] = (), before: tuple[int, str] | None = None
) -> Iterator[Listed]:
    """A user's jobs from the newest; only those in ``states`` if any, and after the job ``before`` (created, id)."""
    query = session.query(DataObject.name, DataObject.create_time, DataObjectMeta.value)
    query = query.filter(Collection.name == collection, DataObjectMeta.name == record.STATE)
    if wanted := sorted(states):
        query = query.filter(In(DataObjectMeta.value, wanted))
    if before:
        query = query.filter(DataObject.create_time <= datetime.fromtimestamp(before[0], UTC))
    for created, tied in groupby(map(_listed, query.order_by(DataObject.create_time, order="desc")), _created):
        # The server sorts by whole seconds only; within one the id decides, so that a cursor has one meaning.
        for row in sorted(tied, key=lambda listed: listed.job_id):
            if not before or (-created, row.job_id) > (-before[0], before[1]):
                yield row


def active(session: iRODSSession, ledger: str, states: Iterable[str]) -> dict[str, str]:
    """The state of every job of the zone that is in one of them, by one query."""
    query = session.query(DataObject.name, DataObjectMeta.value).filter(
        Like(Collection.name, record.collection(ledger, "%")),
        DataObjectMeta.name == record.STATE,
        In(DataObjectMeta.value, sorted(states)),
    )
    return {_job_id(row): row[DataObjectMeta.value] for row in query}


def told(session: iRODSSession, collection: str, attribute: str) -> list[str]:
    """The values of a collection's AVU."""
    query = session.query(CollectionMeta.value).filter(Collection.name == collection, CollectionMeta.name == attribute)
    return [row[CollectionMeta.value] for row in query]


def body_of(session: iRODSSession, ledger: str, user: str, job_id: str) -> record.Body:
    """A job's body; raises ValueError if this release cannot read it."""
    with session.data_objects.open(record.body_path(ledger, user, job_id), "r") as file:
        return record.Body.from_text(file.read().decode("utf-8"))


def _listed(row: dict[Any, Any]) -> Listed:
    created = row[DataObject.create_time].replace(tzinfo=UTC)
    return Listed(int(created.timestamp()), _job_id(row), row[DataObjectMeta.value])


def _created(listed: Listed) -> int:
    return listed.created


def _job_id(row: dict[Any, Any]) -> str:
    return str(row[DataObject.name]).removesuffix(SUFFIX)


def _chunks(items: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(items), NAMES_IN_ONE_QUERY):
        yield items[start : start + NAMES_IN_ONE_QUERY]
