"""Objects whose replication a killed server agent left in flight: nobody can read them as they are.

Seen on 5.0.2: the new replica stays in state 2 and the old ones in state 4 for ever. So whoever replicates first notes
it at the object; a note that stays tells what is to be freed. Whether an agent is still at work shows in its file.
"""

from __future__ import annotations

import json
import os
import time
from typing import NamedTuple

import irods.keywords as kw
from irods.column import Criterion
from irods.meta import iRODSMeta
from irods.models import Collection, DataObject, DataObjectMeta
from irods.session import iRODSSession

from python_rules.engine.transfer import queries
from python_rules.engine.transfer.errors import told
from python_rules.engine.transfer.queries import GOOD
from python_rules.names import REPLICATING_ATTRIBUTE

QUIET = 60.0  # seconds in which a living agent writes something, or at least ends what it began
_SLOWEST = 10_000_000  # bytes per second, where the file is on another host
_NEW, _OTHERS = "2", ("3", "4")  # intermediate; read-locked, write-locked
_STALE = "0"


class Note(NamedTuple):
    """That an object is being replicated to a resource: by which job, since when (seconds since 1970)."""

    path: str
    resource: str
    unit: str

    @property
    def begun(self) -> float:
        number = self.unit.rpartition(" ")[2]
        return float(number) if number.isdigit() else 0.0

    def meta(self) -> iRODSMeta:
        return iRODSMeta(REPLICATING_ATTRIBUTE, self.resource, self.unit)


class _Replica(NamedTuple):
    number: int
    status: str
    was: str  # the status before it was locked, if the catalogue knows it
    resources: list[str]
    file: str
    size: int


def noted(session: iRODSSession, path: str, resource: str, job_id: str) -> Note:
    """Note that an object is about to be replicated."""
    note = Note(path, resource, f"{job_id} {int(time.time())}")
    with told(path):
        session.metadata.add(DataObject, path, note.meta())
    return note


def forget(session: iRODSSession, note: Note) -> None:
    """Take a note away: the server has answered, so nothing is in flight."""
    with told(note.path):
        session.metadata.remove(DataObject, note.path, note.meta())


def mend(service: iRODSSession, job_id: str = "") -> int:
    """Free what dead agents left in flight, of all jobs or of one; how many objects. Needs a rodsadmin."""
    return sum(_mended(service, note) for note in _notes(service, job_id) if time.time() - note.begun > QUIET)


def _notes(service: iRODSSession, job_id: str) -> list[Note]:
    columns = (Collection.name, DataObject.name, DataObjectMeta.value, DataObjectMeta.units)
    wanted = service.query(*columns).filter(Criterion("=", DataObjectMeta.name, REPLICATING_ATTRIBUTE))
    rows = queries.rows(service, wanted)
    found = [Note(f"{row[columns[0]]}/{row[columns[1]]}", row[columns[2]], row[columns[3]] or "") for row in rows]
    return [note for note in found if note.unit.startswith(job_id)]


def _mended(service: iRODSSession, note: Note) -> bool:
    found = _replicas(service, note.path)
    new = [one for one in found if one.status == _NEW and note.resource in one.resources]
    if any(not _is_over(one, note.begun) for one in new):
        return False
    for one in new:
        _set(service, note.path, one.number, _STALE)
    for one in found:
        if new and one.status in _OTHERS and one.was:
            _set(service, note.path, one.number, one.was)
    service.metadata(admin=True).remove(DataObject, note.path, note.meta())
    return bool(new)


def _is_over(one: _Replica, begun: float) -> bool:
    """Whether no agent can be at work any more."""
    try:
        return time.time() - os.stat(one.file).st_mtime > QUIET
    except OSError:  # another host's, or not to be seen
        return time.time() - begun > QUIET + one.size / _SLOWEST


def _set(service: iRODSSession, path: str, number: int, status: str) -> None:
    changes = {"replStatus": status, kw.ADMIN_KW: ""}
    service.data_objects.modDataObjMeta({"objPath": path, "replNum": number}, changes)


def _replicas(service: iRODSSession, path: str) -> list[_Replica]:
    collection, _, name = path.rpartition("/")
    columns = (
        DataObject.replica_number,
        DataObject.replica_status,
        DataObject.status,
        DataObject.resc_hier,
        DataObject.path,
        DataObject.size,
    )
    wanted = service.query(Collection.name, DataObject.name, *columns).filter(
        queries.equal(Collection.name, collection), queries.equal(DataObject.name, name)
    )
    rows = (r for r in queries.rows(service, wanted) if f"{r[Collection.name]}/{r[DataObject.name]}" == path)
    return [
        _Replica(
            r[columns[0]], r[columns[1]], _was(r[columns[2]]), r[columns[3]].split(";"), r[columns[4]], r[columns[5]]
        )
        for r in rows
    ]


def _was(told: str | None) -> str:
    try:
        status = str(json.loads(told or "{}").get("original_status", ""))
    except (ValueError, AttributeError):
        return ""
    return status if status in (_STALE, GOOD) else ""
