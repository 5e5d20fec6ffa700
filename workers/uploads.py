"""Uploads that come in pieces: a hidden data object that grows beside its final name, and a row that tells of it.

How much has come is the hidden object's size in the zone, and nothing else: whoever is killed, the next piece goes on
there. Everything is done as the upload's user.
"""

from __future__ import annotations

import base64
import logging
import time
import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import irods.keywords as kw
from irods.models import Collection, DataObject
from irods.session import iRODSSession

from python_rules.jobs import paths
from python_rules.jobs.errors import JobError
from workers import watch
from workers.rows import UPLOAD, UPLOADED, Row, Rows
from workers.zone import Busy, Zone

if TYPE_CHECKING:
    from workers.app import SluiceCelery

PREFIX = f"{paths.HIDDEN_PREFIX}tus-"
_GOOD, _IN_FLIGHT = "1", "2"
log = logging.getLogger(__name__)


class Found(NamedTuple):
    """A data object as the catalogue shows it to a user."""

    size: int
    status: str
    checksum: str
    modified: float


def kept(rows: Rows, upload_id: str, user: str) -> Row | None:
    """The row of one of the user's uploads."""
    row = rows.find(upload_id)
    return row if row and row.user == user and row.state in (UPLOAD, UPLOADED) else None


def begin(zone: Zone, rows: Rows, upload_id: str, content: dict[str, Any]) -> Row:
    """Make the hidden object, then the row; raises JobError, ``target_exists`` among them."""
    hidden = f"{paths.split(content['path'])[0]}/{PREFIX}{upload_id}"

    def make(session: iRODSSession) -> None:
        if not content["partial"]:
            refuse_existing(session, content["path"])
        with session.data_objects.open(hidden, "w"):
            pass

    zone.work(content["user"], make)
    rows.keep(upload_id, {**content, "hidden": hidden}, UPLOAD)
    return Row(upload_id, UPLOAD, content["user"], {**content, "hidden": hidden})


def offset(zone: Zone, row: Row) -> int | None:
    """How many bytes have come; None if the object is gone. Raises Busy while a piece is being written."""
    if row.state == UPLOADED:
        return int(row.content["length"])
    found = zone.work(row.user, lambda session: look(session, row.content["hidden"]))
    if found and found.status == _IN_FLIGHT:
        raise Busy
    return found.size if found else None


def append(zone: Zone, rows: Rows, row: Row, first: int, blocks: Iterable[bytes], keep_seconds: float) -> Row:
    """Write a piece at ``first``, and put off the upload's end."""
    zone.write(row.user, row.content["hidden"], first, blocks)
    content = {**row.content, "expires": time.time() + keep_seconds}
    rows.keep(row.job_id, content, UPLOAD)
    return row._replace(content=content)


def publish(zone: Zone, rows: Rows, row: Row, then: Callable[[Row], None]) -> Row:
    """Check what has come and give it its name, and do what comes ``then``, which may be done twice.

    Raises JobError ``verification_failed`` or ``target_exists``.
    """
    if not row.content["partial"]:
        zone.work(row.user, lambda session: _publish(session, row.content))
        then(row)
    rows.keep(row.job_id, row.content, UPLOADED)
    return row._replace(state=UPLOADED)


def chain_id(upload_id: str) -> str:
    """The chain of jobs that goes on with an upload: the same however often it is begun."""
    return str(uuid.uuid5(uuid.UUID(upload_id), "chain"))


def remove(zone: Zone, rows: Rows, row: Row) -> None:
    """Forget an upload; what was published stays."""
    if row.state == UPLOAD or row.content["partial"]:
        zone.work(row.user, lambda session: _unlink(session, row.content["hidden"], row.job_id))
    rows.drop(row.job_id)


def expire(app: SluiceCelery) -> None:
    """Remove what stood still for too long, as its user."""
    now = time.time()
    for row in app.rows.in_state(UPLOAD):
        if row.content["expires"] < now:
            with watch.told(f"upload {row.job_id}"):
                remove(app.zone, app.rows, row)
                log.info("upload %s has expired", row.job_id)


def look(session: iRODSSession, path: str) -> Found | None:
    """A data object by its best replica; None if there is none that this user may see."""
    collection, name = paths.split(path)
    columns = (DataObject.size, DataObject.replica_status, DataObject.checksum, DataObject.modify_time)
    query = session.query(*columns).filter(Collection.name == collection, DataObject.name == name)
    rows = [[row[column] for column in columns] for row in query]
    found = [Found(int(size), str(status), checksum or "", at.timestamp()) for size, status, checksum, at in rows]
    return min(found, key=lambda one: (one.status != _GOOD, one.status == _IN_FLIGHT), default=None)


def is_good(found: Found) -> bool:
    """Whether a whole replica can be read."""
    return found.status == _GOOD


def _publish(session: iRODSSession, content: dict[str, Any]) -> None:
    hidden, path = content["hidden"], content["path"]
    if look(session, hidden) is None and _is_there(session, content):
        return  # a kill came between the name and the row
    checksum = session.data_objects.chksum(hidden, **{kw.FORCE_CHKSUM_KW: ""})
    found = look(session, hidden)
    wanted = content.get("sha256", "")
    if found is None or found.size != content["length"] or (wanted and checksum != f"sha2:{wanted}"):
        raise JobError("verification_failed", "the zone holds something else than was sent", remedy="upload it again")
    refuse_existing(session, path)
    session.data_objects.move(hidden, path)


def _is_there(session: iRODSSession, content: dict[str, Any]) -> bool:
    found = look(session, content["path"])
    return bool(found and is_good(found) and found.size == content["length"])


def refuse_existing(session: iRODSSession, path: str) -> None:
    """Raise JobError if the name is taken, or its collection is not there."""
    if session.data_objects.exists(path) or session.collections.exists(path):
        raise JobError("target_exists", "there is something of that name", field="path", remedy="name another one")
    if not session.collections.exists(paths.split(path)[0]):
        remedy = "make the collection first"
        raise JobError("target_collection_not_found", "the collection does not exist", field="path", remedy=remedy)


def _unlink(session: iRODSSession, path: str, upload_id: str) -> None:
    """Remove what has come, and the collection that was made for this upload alone."""
    if session.data_objects.exists(path):
        session.data_objects.unlink(path, force=True)
    place = paths.split(path)[0]
    if paths.split(place)[1] == upload_id and session.collections.exists(place):
        session.collections.remove(place, recurse=False, force=True)


def as_checksum(hexadecimal: str) -> str:
    """A SHA-256 as iRODS writes it after ``sha2:``; '' for what is none."""
    try:
        digest = bytes.fromhex(hexadecimal)
    except ValueError:
        return ""
    return base64.b64encode(digest).decode() if len(digest) == 32 else ""
