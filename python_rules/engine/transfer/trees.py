"""Whole collections of a zone: packed from, and unpacked to beside their final name, as the session's user."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from irods.access import iRODSAccess
from irods.api_number import api_number
from irods.column import Criterion
from irods.message import ObjCopyRequest, iRODSMessage
from irods.meta import iRODSMeta
from irods.models import Collection, CollectionAccess, CollectionMeta, DataAccess, DataObject, DataObjectMeta
from irods.session import iRODSSession

from python_rules import names
from python_rules.engine.blocks import MIB, Block
from python_rules.engine.pack import COLLECTION, FILE, ROOT, Member
from python_rules.engine.pack.packing import Content
from python_rules.engine.pipeline import Sink, Tally
from python_rules.engine.transfer import healing, queries
from python_rules.engine.transfer.errors import told
from python_rules.engine.transfer.listing import Listing, SourceObject
from python_rules.engine.transfer.queries import GOOD
from python_rules.engine.transfer.streams import Reader, Writer
from python_rules.engine.transfer.zone import Existing, Zone, rename_end
from python_rules.jobs.errors import JobError
from python_rules.jobs.paths import HIDDEN_PREFIX, checked, split, zone_of
from python_rules.jobs.record import Avu

SMALL = MIB  # members up to this size are read ahead, over several connections: each costs three round trips
CONNECTIONS = 4
_AHEAD = 16
_RENAME_COLLECTION = 12  # oprType RENAME_COLL
_OF_ITS_OWN = {names.MADE_BY_ATTRIBUTE, "sluice::source", names.ARRIVED_ATTRIBUTE, names.TAKEN_ATTRIBUTE}


@dataclass(frozen=True)
class SourceCollection(SourceObject):
    """A collection that is packed: one source, whose ``data_id`` is the collection's id."""

    listing: Listing = field(default=Listing("", True, ()), compare=False)


class TreeZone(Zone):
    """A Zone for jobs that pack and unpack: where a Zone works on an object, this also works on a collection."""

    @classmethod
    def of(cls, zone: Zone) -> TreeZone:
        """The same session and job."""
        return cls(zone.session, zone.job_id, zone.attempt, zone.made_by)

    def collection_id(self, path: str) -> int | None:
        """The id of a collection; None if there is none."""
        wanted = self._session.query(Collection.id, Collection.name).filter(queries.equal(Collection.name, path))
        with told(path):
            found = [row for row in queries.rows(self._session, wanted) if row[Collection.name] == path]
        return int(found[0][Collection.id]) if found else None

    def existing_collection(self, path: str) -> Existing | None:
        """The collection at a target; raises JobError ``target_exists`` if that is a data object."""
        number = self.collection_id(path)
        if number is not None:
            return Existing(number, list(self._collection_avus(path)))
        super().existing(path)
        with told(path):
            if queries.replicas(self._session, path):
                raise JobError("target_exists", f"{path} is a data object", field="target", remedy="name another")
        return None

    def attributes(self, source: SourceObject) -> list[Avu]:
        """As Zone.attributes."""
        if isinstance(source, SourceCollection):
            return list(self._collection_avus(source.path))
        return super().attributes(source)

    def check_unchanged(self, source: SourceObject) -> int:
        """As Zone.check_unchanged; of a collection nothing may have come, gone or changed."""
        if not isinstance(source, SourceCollection):
            return super().check_unchanged(source)
        now = self.list(source.path, tuple(found.relative for found in source.listing.objects))
        if [_seen(one) for one in now.objects] != [_seen(one) for one in source.listing.objects]:
            raise JobError(
                "source_changed",
                f"{source.path} was changed while it was packed",
                remedy="submit the job again when nobody writes there",
            )
        return 0

    def remove(self, path: str, trash: bool = False) -> None:
        """As Zone.remove; a collection goes with all that is in it."""
        if self.collection_id(path) is None:
            return super().remove(path, trash)
        with told(path):
            self._session.collections.remove(path, recurse=True, force=not trash)
        return None

    def members(self, source: SourceCollection) -> Iterator[Member]:
        """What is in a collection, parents first, with AVUs and ACLs."""
        below: dict[str, list[SourceObject]] = {}
        for found in source.listing.objects:
            below.setdefault(found.relative.rpartition("/")[0], []).append(found)
        for name in sorted({"", *source.listing.collections, *below}):
            path = f"{source.path}/{name}".rstrip("/")
            with told(path):
                yield self._collection_member(name or ROOT, path)
                avus, access = self._avus_in(path), self._access_in(path)
            for found in below.get(name, ()):
                own = split(found.path)[1]
                yield Member(
                    found.relative,
                    FILE,
                    found.size,
                    modified=_seconds(found.modified),
                    avus=tuple(avus.get(own, ())),
                    access=tuple(access.get(own, ())),
                    place=found.path,
                )

    def publish_collection(self, hidden: str, target: str) -> None:
        """Give an unpacked collection its final name."""
        ends = []
        for path in (hidden, target):
            ends.append(rename_end(path))
            ends[-1].oprType = _RENAME_COLLECTION
        message = ObjCopyRequest(srcDataObjInp_PI=ends[0], destDataObjInp_PI=ends[1])
        with told(target), self._session.pool.get_connection() as connection:
            connection.send(iRODSMessage("RODS_API_REQ", msg=message, int_info=api_number["DATA_OBJ_RENAME_AN"]))
            connection.recv()

    def dress_member(self, path: str, member: Member) -> None:
        """Give what was unpacked its AVUs, the access rights of those who are in this zone, and its time."""
        model = Collection if member.kind == COLLECTION else DataObject
        with told(path):
            if member.avus and model is DataObject:
                self._add(path, list(member.avus))
            if model is Collection:
                self.dress_collection(path, list(member.avus))
            if model is DataObject and member.modified:
                self._session.data_objects.touch(path, no_create=True, seconds_since_epoch=int(member.modified))
        for user, access in member.access:
            self._grant(path, user, access)

    def dress_collection(self, path: str, avus: list[Avu]) -> None:
        """Give a collection its AVUs."""
        with told(path):
            for attribute, value, unit in avus:
                self._session.metadata.add(Collection, path, iRODSMeta(attribute, value, unit or None))

    def collection_avus(self, path: str) -> list[Avu]:
        """The AVUs of a collection."""
        with told(path):
            return list(self._collection_avus(path))

    def copy_collection_access(self, model: str, made: str) -> None:
        """Give a collection the access rights of another, inheritance included."""
        with told(model):
            access = list(self._collection_access(model))
            inherits = self._session.collections.get(model).inheritance
        for user, level in access:
            self._grant(made, user, level)
        if inherits:
            with told(made):
                self._session.acls.set(iRODSAccess("inherit", made))

    def _grant(self, path: str, user: str, access: str) -> None:
        account = self._session.pool.account
        name, _, zone = user.partition("#")
        if (name, zone) == (account.client_user, account.client_zone) or access not in iRODSAccess.strings.values():
            return
        try:
            with told(path):
                self._session.acls.set(iRODSAccess(access, path, name, zone))
        except JobError as error:
            if error.code != "zone_error":  # a user who is not known here
                raise

    def _copy_access(self, path: str, source: SourceObject) -> None:
        if not isinstance(source, SourceCollection):
            return super()._copy_access(path, source)
        for user, access in self._collection_access(source.path):
            self._grant(path, user, access)
        return None

    def _collection_member(self, name: str, path: str) -> Member:
        avus = tuple(avu for avu in self._collection_avus(path) if avu[0] not in _OF_ITS_OWN)
        return Member(name, COLLECTION, mode=0o755, avus=avus, access=tuple(self._collection_access(path)))

    def _collection_avus(self, path: str) -> Iterator[Avu]:
        columns = (CollectionMeta.name, CollectionMeta.value, CollectionMeta.units)
        wanted = self._session.query(Collection.name, *columns).filter(queries.equal(Collection.name, path))
        for row in queries.rows(self._session, wanted):
            if row[Collection.name] == path:
                yield row[columns[0]], row[columns[1]], row[columns[2]] or ""

    def _collection_access(self, path: str) -> Iterator[tuple[str, str]]:
        columns = (Collection.name, CollectionAccess.user_id, CollectionAccess.type)
        wanted = self._session.query(*columns).filter(queries.equal(Collection.name, path))
        for row in queries.rows(self._session, wanted):
            if row[Collection.name] == path:
                yield from self._named_access(path, row[columns[1]], row[columns[2]])

    def _avus_in(self, path: str) -> dict[str, list[Avu]]:
        """The AVUs of the objects in a collection, by name."""
        columns = (DataObject.name, DataObjectMeta.name, DataObjectMeta.value, DataObjectMeta.units)
        wanted = self._session.query(Collection.name, *columns).filter(queries.equal(Collection.name, path))
        found: dict[str, list[Avu]] = {}
        for row in queries.rows(self._session, wanted):
            if row[Collection.name] == path and row[columns[1]] not in _OF_ITS_OWN:
                avu = (row[columns[1]], row[columns[2]], row[columns[3]] or "")
                found.setdefault(row[columns[0]], []).append(avu)
        return found

    def _access_in(self, path: str) -> dict[str, list[tuple[str, str]]]:
        """The access rights of the objects in a collection, by name."""
        columns = (DataObject.name, DataAccess.user_id, DataAccess.type)
        wanted = self._session.query(Collection.name, *columns).filter(queries.equal(Collection.name, path))
        found: dict[str, list[tuple[str, str]]] = {}
        for row in queries.rows(self._session, wanted):
            if row[Collection.name] == path:
                found.setdefault(row[columns[0]], []).extend(self._named_access(path, row[columns[1]], row[columns[2]]))
        return found

    def _named_access(self, path: str, user_id: int, access: int) -> Iterator[tuple[str, str]]:
        user = self._user(user_id, zone_of(path))
        if user and access in iRODSAccess.strings:
            yield "#".join(user), iRODSAccess.to_string(access)


class Contents:
    """Opens the members of a collection in their order; small ones were read ahead by then."""

    def __init__(self, zone: TreeZone, source: SourceCollection, members: list[Member]) -> None:
        self._session = zone.session
        self._small = iter([one for one in members if one.kind == FILE and 0 < one.size <= SMALL])
        self._pool = ThreadPoolExecutor(CONNECTIONS, "member")
        self._pending: deque[Future[bytes]] = deque()

    def open(self, member: Member) -> Content:
        """As Packing asks for."""
        if member.size > SMALL:
            return Reader(self._session, member.place)
        while len(self._pending) < _AHEAD and (following := next(self._small, None)):
            self._pending.append(self._pool.submit(self._fetched, following))
        return io.BytesIO(self._pending.popleft().result())

    def close(self) -> None:
        """Nothing more is wanted."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _fetched(self, member: Member) -> bytes:
        """The whole of a small member; a byte more where it has grown, so that this is noticed."""
        reader, buffer, filled = Reader(self._session, member.place), bytearray(member.size + 1), 0
        try:
            while count := reader.readinto(memoryview(buffer)[filled:]):
                filled += count
                if filled >= member.size:
                    break
        finally:
            reader.close()
        return bytes(buffer[:filled])


class HiddenTree:
    """An unpacking.Place: a hidden collection beside the target. What it holds is verified before it is published."""

    def __init__(self, zone: TreeZone, path: str) -> None:
        self._zone = zone
        self.path = path
        self._made: set[str] = set()
        self._written: dict[str, Tally] = {}
        self._dressed: list[tuple[str, Member]] = []
        self._writer: Writer | None = None
        self._collection(path)

    def begin(self, member: Member) -> Sink:
        """As unpacking.Place."""
        path = self.path if member.name == ROOT else checked(f"{self.path}/{member.name}", "source")
        if member.avus or member.access or (member.kind == FILE and member.modified):
            self._dressed.append((path, member))
        if member.kind == COLLECTION:
            self._collection(path)
            return _Counted(None, Tally())
        if member.kind != FILE:
            raise JobError("unsafe_archive", f"{member.name!a} is a link, which a zone cannot keep", remedy="untar it")
        self._collection(split(path)[0])
        self._writer = Writer(self._zone.session, path)
        self._written[path] = Tally()
        return _Counted(self._writer, self._written[path])

    def end(self) -> None:
        """As unpacking.Place."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def finish(self) -> None:
        """Compare what the server stored with what was sent, then give it metadata, rights and times."""
        with told(self.path):
            found = {one.path: one for one in queries.replicas_below(self._zone.session, self.path)}
        for path, tally in self._written.items():
            one = found.get(path)
            if one is None or one.status != GOOD or one.size != tally.size:
                raise _unverified(path, "its size is another, or no replica is good")
            if one.checksum.startswith("sha2:") and one.checksum != tally.sha256:
                raise _unverified(path, "its checksum is not that of what was sent")
        for path, member in self._dressed:
            self._zone.dress_member(path, member)

    def discard(self) -> None:
        """Remove all of it; what cannot be removed now is ``clear``'s."""
        try:
            self.end()
            self._zone.remove(self.path)
        except JobError:
            return

    def _collection(self, path: str) -> None:
        if path not in self._made:
            with told(path):
                self._zone.session.collections.create(path, recurse=True)
            self._made.add(path)


class _Counted:
    """A sink that hashes what goes to a writer."""

    def __init__(self, writer: Writer | None, tally: Tally) -> None:
        self._writer = writer
        self._tally = tally

    def write(self, block: Block) -> None:
        """As pipeline.Sink."""
        for piece in self._tally.over((block,)):
            if self._writer is not None:
                self._writer.write(piece)


def clear(service: iRODSSession, user: iRODSSession, job_id: str) -> None:
    """Remove the hidden collections that broken attempts of a job left."""
    begins = f"/{HIDDEN_PREFIX}{job_id}-"
    wanted = service.query(Collection.name).filter(Criterion("like", Collection.name, f"%{begins}%"))
    found = sorted(row[Collection.name] for row in queries.rows(service, wanted))
    for path in found:
        if not path.rpartition("/")[0].count(begins) and begins in path:
            for replica in queries.replicas_below(service, path):
                healing.heal(service, replica.path)
            TreeZone(user, job_id).remove(path)


def _seen(one: SourceObject) -> tuple[str, int, str]:
    return one.relative, one.size, one.modified


def _seconds(modified: str) -> float:
    """A time of the catalogue as seconds since 1970; 0 if it is none."""
    try:
        return datetime.fromisoformat(modified).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0


def _unverified(path: str, what: str) -> JobError:
    return JobError(
        "verification_failed",
        f"the zone did not store what was sent: {what}",
        remedy="retry the job; if it stays so, the storage resource is damaged",
        object_path=path,
    )
