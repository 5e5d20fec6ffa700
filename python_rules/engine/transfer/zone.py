"""One user's way into a zone: list, read, write beside, verify, publish.

A result is written to a hidden sibling of its target, checked against what the server says about it, dressed with
metadata and access rights, and only then renamed. Nothing half-made ever has a final name.
"""

from __future__ import annotations

import builtins
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from irods.access import iRODSAccess
from irods.api_number import api_number
from irods.exception import (
    CAT_INVALID_GROUP,
    CAT_INVALID_USER,
    CAT_NAME_EXISTS_AS_DATAOBJ,
    CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME,
)
from irods.message import FileOpenRequest, ObjCopyRequest, StringStringMap, iRODSMessage
from irods.meta import AVUOperation, iRODSMeta
from irods.models import DataObject
from irods.session import iRODSSession

from python_rules.engine.pipeline import Passed, Tally, read_blocks
from python_rules.engine.transfer import queries
from python_rules.engine.transfer.errors import told
from python_rules.engine.transfer.listing import Listing, SourceObject, list_source
from python_rules.engine.transfer.queries import GOOD, Replica
from python_rules.engine.transfer.streams import Reader, Writer, write_over
from python_rules.engine.undoing import undone_by
from python_rules.engine.watch import UNWATCHED
from python_rules.jobs.errors import JobError
from python_rules.jobs.paths import HIDDEN_PREFIX, split, zone_of
from python_rules.jobs.record import LONGEST_VALUE, Avu
from python_rules.names import REPLACED_ATTRIBUTE

__all__ = ["Listing", "SourceObject", "Zone"]

OLD = ".old"  # ends the hidden name of what 'replace' takes away until the new object is in place
_TRASH_RACES = 3  # so many of an object's collections are met half-made at most, one after the other
_RENAME = 11  # oprType RENAME_DATA_OBJ


@dataclass(frozen=True)
class Existing:
    """What is at a target already."""

    data_id: int
    avus: list[Avu]


class Zone:
    """A session of the job's user, for one thread at a time; every method raises JobError alone."""

    def __init__(self, session: iRODSSession, job_id: str, attempt: int = 0, made_by: str = "") -> None:
        self._session = session
        self.job_id = job_id
        self.made_by = made_by or job_id  # what results say: the job's id, also where a part of it made them
        self.attempt = attempt
        self._users: dict[tuple[int, str], tuple[str, str] | None] = {}
        self._avus: dict[int, builtins.list[Avu]] = {}  # of the objects that it has learnt of, by data id
        self._access: dict[int, dict[int, int]] = {}
        self._inherited: dict[str, dict[int, int]] = {}  # what a new object in a collection has, for the same objects

    @property
    def session(self) -> iRODSSession:
        """Whose way it is."""
        return self._session

    def list(self, source: str, only: tuple[str, ...] = ()) -> Listing:
        """The objects of a source; raises JobError ``source_not_found``."""
        with told(source):
            return list_source(self._session, source, only)

    def learn(self, sources: builtins.list[SourceObject]) -> None:
        """Ask for the AVUs and access rights of objects of one zone, in one query each; forget those of others."""
        ids, zone = [source.data_id for source in sources], zone_of(sources[0].path)
        self._inherited = {}
        with told(split(sources[0].path)[0]):
            self._avus = queries.attributes_of(self._session, ids, zone)
            self._access = queries.accesses_of(self._session, ids, zone)

    def attributes(self, source: SourceObject) -> builtins.list[Avu]:
        """The AVUs of an object."""
        if source.data_id in self._avus:
            return self._avus[source.data_id]
        with told(source.path):
            return queries.attributes(self._session, source.data_id, zone_of(source.path))

    def reader(self, path: str) -> Reader:
        """Open an object to be read; whoever opens it closes it."""
        return Reader(self._session, path)

    def writer(self, path: str, offset: int = 0) -> Writer:
        """Make an object, or begin it anew, or (with an offset in bytes) go on with it; whoever opens it closes it."""
        return Writer(self._session, path, offset)

    def hidden(self, target: str, source: SourceObject) -> str:
        """The sibling of a target that a result is written to; each attempt has its own: none publishes another's."""
        name = f"{HIDDEN_PREFIX}{self.job_id}-{source.data_id}"
        return f"{split(target)[0]}/{name}-{self.attempt}" if self.attempt else f"{split(target)[0]}/{name}"

    def existing(self, target: str) -> Existing | None:
        """What is at a target; raises JobError ``target_exists`` if that is a collection."""
        with told(target):
            found = queries.replicas(self._session, target)
            if found:
                return Existing(found[0].data_id, queries.attributes(self._session, found[0].data_id, zone_of(target)))
            if queries.collection_exists(self._session, target):
                raise _taken(target, "a collection")
        return None

    def paths_below(self, collection: str) -> frozenset[str]:
        """The paths of all that is in a collection and below it."""
        with told(collection):
            objects = {found.path for found in queries.replicas_below(self._session, collection)}
            return frozenset(objects.union(queries.collections_below(self._session, collection)))

    def make_collections(self, root: str, below: Iterable[str]) -> None:
        """Make a collection and those below it (relative paths, parents first) that are not there yet."""
        with told(root):
            if queries.replicas(self._session, root):
                raise _taken(root, "a data object")
            there = set(queries.collections_below(self._session, root))
            if queries.collection_exists(self._session, root):
                there.add(root)
            for path in [root, *(f"{root}/{name}" for name in below)]:
                if path not in there:
                    self._session.collections.create(path, recurse=True)

    def require_collection(self, path: str) -> None:
        """Raise JobError ``target_collection_not_found`` unless there is such a collection."""
        with told(path):
            if queries.collection_exists(self._session, path):
                return
        raise JobError(
            "target_collection_not_found",
            f"the collection {path} does not exist, or may not be seen",
            field="target",
            remedy="make the collection first (imkdir)",
        )

    def check_unchanged(self, source: SourceObject) -> int:
        """How many replicas an object has; raises JobError ``source_changed`` if it changed since it was listed."""
        with told(source.path):
            found = queries.replicas_of(self._session, [source.data_id], zone_of(source.path))
        _check_unchanged(source, found)
        return len(found)

    def verify(self, path: str, passed: Passed) -> None:
        """Compare what the server stored with what was sent; raises JobError ``verification_failed``."""
        with told(path):
            found = queries.replicas(self._session, path)
        self._verify(path, passed, found)

    def check(self, written: builtins.list[tuple[str, Passed, SourceObject]]) -> dict[str, JobError]:
        """``verify`` and ``check_unchanged`` for several hidden siblings and their sources, in two queries; the errors
        by hidden path."""
        hidden, source = written[0][0], written[0][2].path
        with told(split(hidden)[0]):
            made = queries.replicas_named(self._session, (split(path)[1] for path, _, _ in written), zone_of(hidden))
        with told(split(source)[0]):
            ids = (source.data_id for _, _, source in written)
            read = queries.replicas_of(self._session, ids, zone_of(source))
        wrong: dict[str, JobError] = {}
        for path, passed, one in written:
            try:
                self._verify(path, passed, [replica for replica in made if replica.path == path])
                _check_unchanged(one, [replica for replica in read if replica.data_id == one.data_id])
            except JobError as error:
                wrong[path] = error
        return wrong

    def _verify(self, path: str, passed: Passed, found: builtins.list[Replica]) -> None:
        good = [replica for replica in found if replica.status == GOOD]
        if not good:
            raise _unverified(path, "no replica of it is good")
        for replica in good:
            if replica.size != passed.written_size:
                raise _unverified(path, f"it has {replica.size} of {passed.written_size} bytes")
            if self._checksum(replica) != passed.written_sha256:
                raise _unverified(path, "its checksum is not that of what was sent")

    def sha256_of(self, path: str, size: int) -> str:
        """The SHA-256 of what the server gives back of an object of this size, in bytes."""
        reader, tally = self.reader(path), Tally()
        try:
            for _ in tally.over(read_blocks(reader, size, UNWATCHED)):
                pass
        finally:
            reader.close()
        return tally.sha256

    def dress(self, path: str, avus: Iterable[Avu], source: SourceObject) -> None:
        """Give an object its AVUs, all or none, and the access rights of the source."""
        with told(path):
            # A catalogue may hold longer ones from elsewhere; written again they would make the object unreadable.
            self._add(path, [avu for avu in avus if all(len(part.encode()) <= LONGEST_VALUE for part in avu)])
            self._copy_access(path, source)

    def give(self, path: str, avus: Iterable[Avu]) -> None:
        """Give an object AVUs, all or none."""
        with told(path):
            if wanted := list(avus):
                self._add(path, wanted)

    def touch(self, path: str, modified: float) -> None:
        """Set an object's modify time, in seconds since 1970; the catalogue keeps whole ones."""
        with told(path):
            self._session.data_objects.touch(path, no_create=True, seconds_since_epoch=max(0, int(modified)))

    def publish(self, hidden: str, target: str, replace: bool, aside: str = "") -> None:
        """Give a verified object its final name; ``replace`` takes away what has it, once the new one is there.

        Meanwhile that has the hidden name ``aside``, and a note where it belongs, which ``clean`` follows.
        """
        with told(target):
            try:
                return self._rename(hidden, target)
            except CAT_NAME_EXISTS_AS_DATAOBJ:
                if not replace:
                    raise
            old, note = aside or hidden + OLD, iRODSMeta(REPLACED_ATTRIBUTE, split(target)[1])
            self._session.metadata.set(DataObject, target, note)
            self._rename(target, old)

            def put_back() -> None:
                self._rename(old, target)
                self._session.metadata.remove(DataObject, target, note)

            with undone_by(put_back):
                self._rename(hidden, target)
            return self._session.data_objects.unlink(old, force=True)

    def write_start(self, path: str, start: bytes) -> None:
        """Write over the first bytes of an object, as many as are given, and have the server make its checksum anew."""
        write_over(self._session, path, start)

    def change_avus(self, path: str, remove: Iterable[Avu], add: Iterable[Avu]) -> None:
        """Take AVUs from an object and give it others, all or none."""
        operations = [AVUOperation(operation="remove", avu=iRODSMeta(a, v, u or None)) for a, v, u in remove]
        operations += [AVUOperation(operation="add", avu=iRODSMeta(a, v, u or None)) for a, v, u in add]
        with told(path):
            self._session.metadata.apply_atomic_operations(DataObject, path, *operations)

    def remove(self, path: str, trash: bool = False) -> None:
        """Remove an object, or move it to the trash."""
        with told(path):
            for _ in range(_TRASH_RACES):
                # two connections may make a collection of the trash at the same moment; then one of them is told this
                with contextlib.suppress(CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME):
                    return self._session.data_objects.unlink(path, force=not trash)
            return self._session.data_objects.unlink(path, force=not trash)

    def discard(self, hidden: str) -> None:
        """Remove what was not published; that it is not there, or cannot be removed now, is no error: ``clean``
        comes after."""
        try:
            self.remove(hidden)
        except JobError:
            return

    def clean(self, collections: Iterable[str], kept: Callable[[str], bool] = lambda path: False) -> tuple[str, ...]:
        """Undo what broken attempts of this job left in these collections and below: hidden siblings go (but those to
        be ``kept``), what 'replace' took away comes back unless its place is taken. The paths that could not be
        removed."""
        left: builtins.list[str] = []
        for collection in collections:
            with told(collection):
                prefix = f"{HIDDEN_PREFIX}{self.job_id}-"
                found = {row.path: row.data_id for row in queries.replicas_below(self._session, collection, prefix)}
            mine = sorted(row for row in found.items() if not kept(row[0]))
            left += [path for path, data_id in mine if not self._undone(path, data_id)]
        return tuple(left)

    def _undone(self, path: str, data_id: int) -> bool:
        try:
            if path.endswith(OLD) and (target := self._belongs_to(path, data_id)):
                with told(target):
                    self._rename(path, target)
                    self._session.metadata.remove(DataObject, target, iRODSMeta(REPLACED_ATTRIBUTE, split(target)[1]))
            else:
                self.remove(path)
        except JobError:
            return False
        return True

    def _belongs_to(self, old: str, data_id: int) -> str | None:
        """The place of an object that 'replace' took away, if it is free."""
        with told(old):
            avus = queries.attributes(self._session, data_id, zone_of(old))
        name = next((value for attribute, value, _ in avus if attribute == REPLACED_ATTRIBUTE), "")
        target = f"{split(old)[0]}/{name}"
        return target if name and self.existing(target) is None else None

    def _checksum(self, replica: Replica) -> str:
        """The server's SHA-256; where the zone prefers another hash, that of what it gives back."""
        known = replica.checksum or str(self._session.data_objects.chksum(replica.path))
        return known if known.startswith("sha2:") else self.sha256_of(replica.path, replica.size)

    def _add(self, path: str, avus: builtins.list[Avu]) -> None:
        if zone_of(path) == self._session.pool.account.proxy_zone:  # that of the server
            operations = [AVUOperation(operation="add", avu=iRODSMeta(a, v, u or None)) for a, v, u in avus]
            self._session.metadata.apply_atomic_operations(DataObject, path, *operations)
            return
        for attribute, value, unit in avus:  # atomic operations do not cross zones
            self._session.metadata.add(DataObject, path, iRODSMeta(attribute, value, unit or None))

    def _copy_access(self, path: str, source: SourceObject) -> None:
        own = (self._session.pool.account.client_user, self._session.pool.account.client_zone)
        zone = zone_of(source.path)
        # A user of one zone need not be known in the other, and has no rights there then.
        unknown = () if zone == zone_of(path) else (CAT_INVALID_USER, CAT_INVALID_GROUP)
        known = self._access.get(source.data_id)
        wanted = queries.accesses(self._session, source.data_id, zone) if known is None else known
        for user_id, access in wanted.items():
            user = self._user(user_id, zone)
            if user is None or user == own or access not in iRODSAccess.strings:
                continue
            if known is not None and self._has_already(path, zone).get(user_id) == access:
                continue
            with contextlib.suppress(*unknown):
                self._session.acls.set(iRODSAccess(iRODSAccess.to_string(access), path, *user))

    def _has_already(self, path: str, zone: str) -> dict[int, int]:
        """What rights a new object has by inheritance; ids of another zone mean nothing there."""
        collection = split(path)[0]
        if zone_of(path) != zone:
            return {}
        if collection not in self._inherited:
            number = queries.replicas(self._session, path)[0].data_id
            self._inherited[collection] = queries.accesses(self._session, number, zone)
        return self._inherited[collection]

    def _user(self, user_id: int, zone: str) -> tuple[str, str] | None:
        if (user_id, zone) not in self._users:
            self._users[user_id, zone] = queries.user_named(self._session, user_id, zone)
        return self._users[user_id, zone]

    def _rename(self, source: str, target: str) -> None:
        """The bare call: python-irodsclient's ``move`` first asks whether the target is a collection, and if it is
        moves the object into it."""
        message = ObjCopyRequest(srcDataObjInp_PI=rename_end(source), destDataObjInp_PI=rename_end(target))
        with self._session.pool.get_connection() as connection:
            connection.send(iRODSMessage("RODS_API_REQ", msg=message, int_info=api_number["DATA_OBJ_RENAME_AN"]))
            connection.recv()


def rename_end(path: str) -> FileOpenRequest:
    """One end of the call that renames."""
    return FileOpenRequest(
        objPath=path,
        createMode=0,
        openFlags=0,
        offset=0,
        dataSize=0,
        numThreads=0,
        oprType=_RENAME,
        KeyValPair_PI=StringStringMap(),
    )


def _check_unchanged(source: SourceObject, found: Iterable[Replica]) -> None:
    for replica in found:
        seen = (replica.path, replica.size, replica.modified)
        same = not source.checksum or replica.checksum == source.checksum  # times are whole seconds
        if replica.status == GOOD and same and seen == (source.path, source.size, source.modified):
            return
    raise JobError(
        "source_changed",
        f"{source.path} was changed while it was read",
        remedy="submit the job again when nobody writes to it",
        object_path=source.path,
    )


def _taken(path: str, by: str) -> JobError:
    return JobError("target_exists", f"{path} is {by}", field="target", remedy="name another target", object_path=path)


def _unverified(path: str, what: str) -> JobError:
    return JobError(
        "verification_failed",
        f"the zone did not store what was sent: {what}",
        remedy="retry the job; if it stays so, the storage resource is damaged",
        object_path=path,
    )
