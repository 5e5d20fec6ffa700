"""Replicas of a data object on named resources: where they are, and one more, verified."""

from __future__ import annotations

from typing import NamedTuple

import irods.keywords as kw
from irods.models import Collection, DataObject, Resource
from irods.session import iRODSSession

from python_rules.engine.transfer import checksums, mending, queries
from python_rules.engine.transfer.errors import told
from python_rules.engine.transfer.queries import GOOD
from python_rules.jobs.errors import JobError
from python_rules.jobs.paths import split


class Place(NamedTuple):
    """One replica and the resources it lies below, the root first."""

    number: int
    status: str
    resources: tuple[str, ...]
    checksum: str


def places(session: iRODSSession, path: str) -> list[Place]:
    """Where the replicas of an object are."""
    columns = (DataObject.replica_number, DataObject.replica_status, DataObject.resc_hier, DataObject.checksum)
    collection, name = split(path)
    wanted = session.query(Collection.name, DataObject.name, *columns).filter(
        queries.equal(Collection.name, collection), queries.equal(DataObject.name, name)
    )
    with told(path):
        rows = list(queries.rows(session, wanted))
    same = (row for row in rows if f"{row[Collection.name]}/{row[DataObject.name]}" == path)
    return [
        Place(row[columns[0]], row[columns[1]], tuple(row[columns[2]].split(";")), row[columns[3]] or "")
        for row in same
    ]


def is_resource(session: iRODSSession, name: str) -> bool:
    """Whether the zone has a resource of this name."""
    return any(True for _ in session.query(Resource.name).filter(queries.equal(Resource.name, name)))


def ensure(session: iRODSSession, path: str, resource: str, job_id: str) -> bool:
    """See that one good, verified replica of an object is on a resource; whether it had to be made.

    The new replica is read by the server and compared with the checksum of the others; one that differs goes away.
    """
    found = places(session, path)
    there = next((one for one in found if one.status == GOOD and resource in one.resources), None)
    if there is None:
        _replicate(session, path, resource, job_id, any(one.checksum for one in found if one.status == GOOD))
    after = next((one for one in places(session, path) if one.status == GOOD and resource in one.resources), None)
    if after is None:
        raise JobError(
            "zone_error",
            f"{path}: the zone said that it replicated, but there is no good replica on {resource}",
            remedy="see the replicas with ils -l, and the state of the resource with ilsresc -l",
            object_path=path,
        )
    _verify(session, path, resource, after, is_new=there is None)
    return there is None


def _replicate(session: iRODSSession, path: str, resource: str, job_id: str, has_checksum: bool) -> None:
    note = mending.noted(session, path, resource, job_id)
    try:
        with told(path):
            if not has_checksum:
                session.data_objects.chksum(path)
            session.data_objects.replicate(path, resource=resource)
    except JobError as error:
        if error.code != "zone_unavailable":  # the server's own answer: it has put everything in order
            mending.forget(session, note)
        raise
    mending.forget(session, note)


def _verify(session: iRODSSession, path: str, resource: str, one: Place, is_new: bool) -> None:
    with told(path):
        if not one.checksum:
            session.data_objects.chksum(path, **{kw.CHKSUM_ALL_KW: ""})
    wrong = checksums.verified(session, path, one.number).wrong
    if not wrong:
        return
    remedy = "retry the job; if it stays so, the storage resource is damaged"
    if is_new:
        with told(path):
            session.data_objects.trim(path, **{kw.REPL_NUM_KW: str(one.number), kw.COPIES_KW: "1"})
    else:
        remedy = f"see that another replica is good (verify), then: itrim -n {one.number} -N 1; and retry the job"
    raise JobError(
        "verification_failed",
        f"{path}: its replica on {resource} is not what was recorded: {'; '.join(wrong)}",
        remedy=remedy,
        object_path=path,
    )
