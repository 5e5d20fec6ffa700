"""One file of a staging job: read, transform, write beside, verify, publish; and the original goes, if it is a move."""

from __future__ import annotations

import functools
import hashlib
import threading
import time
from contextlib import closing as closes
from dataclasses import dataclass, field, replace

from python_rules import names
from python_rules.engine import encoding, pipeline
from python_rules.engine.codec import Codec
from python_rules.engine.codec.table import recognised
from python_rules.engine.convert import Conversion, Converted, Look, Tools, compare, converted, measured
from python_rules.engine.encoding import SOURCE_ATTRIBUTE, TAR, Change, Encoding
from python_rules.engine.pipeline import Passed, Tally, read_blocks
from python_rules.engine.staging import older, persistent
from python_rules.engine.staging.ends import End, Lent, Places
from python_rules.engine.systems.place import FOLDER, Comparing, Incoming, Item, Outgoing, Place
from python_rules.engine.systems.zone import ZonePlace, ZoneWriting
from python_rules.engine.transfer.zone import Listing, SourceObject, Zone
from python_rules.engine.undoing import undone_by
from python_rules.engine.watch import Watch
from python_rules.jobs.errors import PASSING, JobError
from python_rules.jobs.model import JobRequest
from python_rules.jobs.record import Avu

_KEPT = (*PASSING, "lease_lost")  # after these another attempt goes on with what is there


@dataclass
class Stage:
    """What all threads of a staging job share."""

    source: End
    target: End
    places: Places
    attempt: int
    there: dict[str, Item] | None = None  # what the target held before the first file; None: nobody looked
    made: set[str] = field(default_factory=set)  # paths of the target that the job wrote, or found as they should be
    _asking: threading.Lock = field(default_factory=threading.Lock)
    _asked: float = 0.0  # when the last look at the record began that found the job to be this attempt's

    def fence(self, watch: Watch) -> None:
        """Raise JobError unless the job is this attempt's. One look is enough for all who came before it began."""
        came = time.monotonic()
        with self._asking:
            if self._asked < came:
                begins = time.monotonic()
                watch.publishing()
                self._asked = begins


@dataclass(frozen=True)
class StagedObject(SourceObject):
    """A file to be moved; ``path`` is its address."""

    item: Item = field(default=Item(""), compare=False)


@dataclass(frozen=True)
class StagedListing(Listing):
    """The files that a job moves, the folders, and the links that are kept."""

    stage: Stage | None = None
    links: tuple[Item, ...] = ()


class Moving(Conversion):
    """The steps of one file, in their order."""

    _source: StagedObject

    def __init__(
        self,
        zone: Zone,
        request: JobRequest,
        listing: Listing,
        source: StagedObject,
        tools: Tools,
        watch: Watch,
        stage: Stage,
        lent: Lent,
    ) -> None:
        super().__init__(zone, request, listing, source, tools, watch)
        self._source = source
        self._stage = stage
        self._lent = lent
        self._used: set[str] = set()  # ends where a file was opened
        self._same_by = "checksum"  # what a target was found by not to need anything
        self._older: Item | None = None  # what the target has, if it can be compared with what is read

    def run(self) -> Converted:
        """All of it; what is there already is left as it is."""
        avus = self._zone_avus()
        change = self._change(avus)
        path = self._path(change)
        address = self._stage.target.address(path)
        done = self._there_already(path, change, avus)
        if done is None:
            codec, key = self._codec(change, address)
            passed = self._moved(path, change, codec, key)
            done = converted(self._source.path, address, change, measured(change, passed, key), passed)
        self._stage.made.add(path)
        if not done.skipped or self._request.original == "remove":
            self._dispose_of_original()
        return done

    def _zone_avus(self) -> list[Avu]:
        """The metadata of a source in the zone; they matter to transforms alone."""
        if self._stage.source.system or not (self._request.decode or self._request.compression or self._request.key):
            return []
        row = self._zone.list(self._source.path).objects[0]
        return self._zone.attributes(row)

    def _change(self, avus: list[Avu]) -> Change:
        name = self._source.relative.rpartition("/")[2]
        request = self._request
        if request.decode:
            told = encoding.read(avus)
            return _decoded(name, told if told.methods else self._guessed(name))
        operation = "_".join(
            word for word, asked in (("compress", request.compression), ("encrypt", request.encryption)) if asked
        )
        if not operation:
            return Change(Encoding(), Encoding(), (), False, name)
        change = encoding.plan(replace(request, operation=operation), name, avus, self._look())
        return change if request.suffix else replace(change, name=name)

    def _guessed(self, name: str) -> Encoding:
        """How a file without metadata is encoded: by its first bytes, and by its name where the request names a key.
        What a user compressed in the zone himself stays so, unless it is to be unpacked."""
        if self._source.item.size == 0:
            return Encoding()
        start = self._look().start()
        if self._request.key and (sealed := encoding.sealed_as(name, start)):
            return Encoding(sealed, f"{self._request.key}:{encoding.PRESENT}")
        found = recognised(start) if self._stage.source.system or self._request.pack else None
        return Encoding((found,)) if found else Encoding()

    def _look(self) -> Look:
        return _PlaceLook(self._zone, self._source, self._source_place())

    def _path(self, change: Change) -> str:
        """Where the result goes, as a path of the target's end."""
        end = self._stage.target
        if not self._listing.is_collection:
            return end.path
        folder = self._source.relative.rpartition("/")[0]
        return end.below(f"{folder}/{change.name}" if folder else change.name)

    def _source_place(self) -> Place:
        return self._lent.at(self._stage.source)

    def _target_place(self) -> Place:
        return self._lent.at(self._stage.target)

    def _there_already(self, path: str, change: Change, avus: list[Avu]) -> Converted | None:
        """The answer if nothing is to be moved; raises JobError ``target_exists``."""
        there = self._stage.there
        item = self._target_place().find(path) if there is None else there.get(path)
        if item is None:
            return None
        address = self._stage.target.address(path)
        if item.kind == FOLDER:
            raise exists(address, "it is a folder")
        if self._is_same(item, change):
            if self._request.existing == "refuse" and self._stage.attempt == 1:
                raise exists(address, "it exists, with the same content")
            return Converted(self._source.path, address, skipped=True, reason=f"the same size and {self._same_by}")
        if self._request.existing == "replace" or self._is_of_earlier_attempt(item):
            self._older = None if change.run else item
            return None
        raise exists(address, "it exists, with other content")

    def _is_same(self, item: Item, change: Change) -> bool:
        """Whether the target has what this job would write there."""
        source, place = self._source.item, self._target_place()
        if change.run and not change.decodes:
            if not isinstance(place, ZonePlace):
                return False  # what it would come to is not known before it is made
            told = place.encoding(item.path)
            same = told.methods == change.after.methods and told.plain_size == source.size
            return same and told.plain_sha256 == self._sha256_of(self._source_place(), source)
        size, sha256 = source.size, ""
        if change.decodes and change.run:
            size, sha256 = change.before.plain_size or -1, change.before.plain_sha256
        if size != item.size:
            return False
        if not change.run and older.unchanged(self._source_place(), place, source, item):
            self._same_by = "modify time"
            return True
        return self._sha256_of(place, item) == (sha256 or self._sha256_of(self._source_place(), source))

    def _is_of_earlier_attempt(self, item: Item) -> bool:
        """Whether an attempt that was killed before it told of it may have made this: it has the source's time."""
        own, its = self._source.item.modified, item.modified
        return self._stage.attempt > 1 and None not in (own, its) and int(own or 0) == int(its or 0)

    def _sha256_of(self, place: Place, item: Item) -> str:
        if item.checksum.startswith("sha2:"):
            return item.checksum
        if isinstance(place, Comparing) and (told := place.sha256(item)):
            return told
        tally = Tally()
        with closes(place.read(item.path)) as reader:
            for _ in tally.over(read_blocks(reader, item.size if item.size >= 0 else None, self._watch)):
                pass
        return tally.sha256

    def _moved(self, path: str, change: Change, codec: Codec, key: str) -> Passed:
        sink = persistent.Sink(lambda: self._begun(path, change), self._watch, self._pay(self._stage.target))
        kept = False

        def give_up() -> None:
            sink.abandon(kept)

        with undone_by(give_up):
            try:
                passed = self._passed_through(sink, change, codec)
                self._check_unchanged()
                self._dress(sink.inner, path, change, passed, key)
                self._watch.check()
                fence = functools.partial(self._stage.fence, self._watch)
                sink.publish(passed.written_size, passed.written_sha256, self._source.item.modified, fence)
            except JobError as error:
                kept = error.code in _KEPT
                raise
        return passed

    def _passed_through(self, sink: persistent.Sink, change: Change, codec: Codec) -> Passed:
        expected = change.before if change.yields_plain else Encoding()
        size = None if self._source.item.size < 0 else self._source.item.size
        pay = self._pay(self._stage.source)
        with closes(persistent.Source(self._opened, self._watch, pay)) as source:
            passed = pipeline.run(source, codec, sink, size=size, limit=expected.plain_size, watch=self._watch)
        compare("stored bytes", self._source.checksum, passed.read_sha256)
        compare("plain data", expected.plain_sha256, passed.written_sha256)
        return passed

    def _pay(self, end: End) -> persistent.Pay:
        return lambda size: self._stage.places.pay(end, size, self._watch.check)

    def _opened(self, offset: int) -> Incoming:
        place, item = self._fresh(self._stage.source), self._source.item
        return place.read(item.path, offset) if offset else older.incoming(place, item, self._target_place, self._older)

    def _begun(self, path: str, change: Change) -> Outgoing:
        size = self._source.item.size if not change.run and self._source.item.size >= 0 else None
        return self._fresh(self._stage.target).write(path, size, self._token(change))

    def _fresh(self, end: End) -> Place:
        """The place of an end; from the second time on it is opened again, for what was open there broke."""
        if end.role in self._used:
            return self._lent.reopen(end)
        self._used.add(end.role)
        return self._lent.at(end)

    def _token(self, change: Change) -> str:
        """The name of this content of this job in this attempt."""
        item = self._source.item
        told = "\n".join(map(str, (self._source.path, item.size, item.modified, item.checksum, change.run)))
        digest = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return f"{self._zone.job_id}-{digest}.{self._stage.attempt}"

    def _dress(self, outgoing: Outgoing, path: str, change: Change, passed: Passed, key: str) -> None:
        """Have an object of the zone say how it is encoded and who made it."""
        if isinstance(outgoing, ZoneWriting):
            made = (names.MADE_BY_ATTRIBUTE, self._zone.job_id, path.rpartition("/")[2])
            origin = (SOURCE_ATTRIBUTE, self._source.path, "")
            outgoing.avus = [*measured(change, passed, key).avus(), made, origin]

    def _check_unchanged(self) -> None:
        before = self._source.item
        now = self._source_place().find(before.path)
        if now is None or _seen(now) != _seen(before):
            raise JobError(
                "source_changed",
                f"{self._source.path} was changed while it was read",
                remedy="submit the job again when nobody writes to it",
                object_path=self._source.path,
            )

    def _dispose_of_original(self) -> None:
        if self._request.original == "keep":
            return
        self._check_unchanged()
        place = self._source_place()
        if isinstance(place, ZonePlace):
            place.remove(self._source.item.path, trash=self._request.original == "trash")
        else:
            place.remove(self._source.item.path)


class _PlaceLook(Look):
    """A look into a file of any place."""

    def __init__(self, zone: Zone, source: StagedObject, place: Place) -> None:
        super().__init__(zone, source)
        self._place = place
        self._item = source.item

    def _read(self, offsets: list[int], length: int) -> list[bytes]:
        found: list[bytes] = []
        for offset in offsets:
            with closes(self._place.read(self._item.path, offset)) as reader:
                buffer = bytearray(length)
                found.append(bytes(buffer[: reader.readinto(buffer)]))
        return found


def _decoded(name: str, before: Encoding) -> Change:
    """Take off all that can be taken off; an archive stays one."""
    left, taken = list(before.methods), []
    while left and left[-1] != TAR:
        taken.append(left.pop())
    after = replace(before, methods=tuple(left), key="")
    if before.plain_name:
        return Change(before, after, tuple(taken), True, before.plain_name + after.suffix)
    for method in taken:
        name = name.removesuffix(encoding.SUFFIXES[method])
    return Change(before, after, tuple(taken), True, name)


def _seen(item: Item) -> tuple[int, float | None, str]:
    return item.size, item.modified, item.checksum


def exists(address: str, how: str) -> JobError:
    """The error about a target that is taken."""
    return JobError(
        "target_exists",
        f"{address}: {how}",
        field="target",
        remedy="name another target, or set existing to 'skip' or 'replace'",
    )
