"""One object of a job: read, encode or decode, write beside, verify, publish."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from python_rules import names
from python_rules.engine import encoding, pipeline
from python_rules.engine.blocks import MIB
from python_rules.engine.codec import Chain, Codec
from python_rules.engine.codec.table import COMPRESSIONS, READERS, shrinkage
from python_rules.engine.encoding import SOURCE_ATTRIBUTE, Change, Encoding
from python_rules.engine.keys import Key, KeySource
from python_rules.engine.parallel import Workers
from python_rules.engine.pipeline import Passed
from python_rules.engine.seal import fitting
from python_rules.engine.seal.table import ENCRYPTIONS
from python_rules.engine.transfer.zone import Existing, Listing, SourceObject, Zone
from python_rules.engine.undoing import undone_by
from python_rules.engine.watch import UNWATCHED, Watch
from python_rules.jobs.errors import JobError
from python_rules.jobs.model import JobRequest
from python_rules.jobs.paths import split
from python_rules.jobs.record import Avu

SAMPLE = MIB  # what 'auto' looks at: so much from the start, the middle and the end

__all__ = ["Converted", "Tools", "Watch", "convert_object", "prepare_target"]


@dataclass(frozen=True)
class Tools:
    """What all objects of a process share."""

    workers: Workers
    keyring: KeySource


@dataclass(frozen=True)
class Converted:
    """What was done to an object: sizes in bytes, hashes as ``sha2:<base64>``, '' and None where not known.

    'stored' is the encoded side, 'plain' the other, whichever of them was read.
    """

    source: str
    target: str
    skipped: bool = False
    plain_size: int | None = None
    plain_sha256: str = ""
    stored_size: int | None = None
    stored_sha256: str = ""
    encoding: str = ""
    key: str = ""
    reason: str = ""  # why 'auto' chose what it did

    def as_json(self) -> dict[str, Any]:
        """As JSON values, without what is not known."""
        return {name: value for name, value in asdict(self).items() if value not in ("", None)}


def prepare_target(zone: Zone, request: JobRequest, listing: Listing) -> None:
    """Make the collections that results go into, or raise JobError if one object's collection does not exist."""
    if not request.target:
        return
    if listing.is_collection:
        zone.make_collections(request.target, listing.collections)
    else:
        zone.require_collection(split(request.target)[0])


def target_looked_at(zone: Zone, request: JobRequest, listing: Listing) -> Listing:
    """The listing with what is at its target by now, if that is a collection of its own."""
    if not (listing.is_collection and request.target.startswith("/") and len(listing.objects) > 1):
        return listing
    return replace(listing, looked_below=request.target, there=zone.paths_below(request.target))


def convert_object(
    zone: Zone,
    request: JobRequest,
    listing: Listing,
    source: SourceObject,
    tools: Tools,
    watch: Watch = UNWATCHED,
    kind: type[Conversion] | None = None,
) -> Converted:
    """Do the job's operation on one object; see the package's docstring. Raises JobError with ``object_path``.

    ``kind`` is the conversion, if it is not of one object into one.
    """
    try:
        watch.check()
        if source.trouble:
            raise source.trouble
        return (kind or Conversion)(zone, request, listing, source, tools, watch).run()
    except JobError as error:
        error.object_path = error.object_path or source.path
        raise


@dataclass(frozen=True)
class Made:
    """A result under its hidden name, with all that belongs to it."""

    hidden: str
    target: str
    source: SourceObject
    change: Change
    after: Encoding
    passed: Passed


class Look:
    """A look into an object of a zone (encoding.Look): two or three round trips."""

    def __init__(self, zone: Zone, source: SourceObject) -> None:
        self._zone = zone
        self._source = source

    def start(self, size: int = encoding.ENOUGH_TO_RECOGNISE) -> bytes:
        """Its first bytes."""
        return self._read([0], size)[0]

    def shrinks_to(self) -> float:
        """What part of its size samples from its start, middle and end shrink to."""
        size = self._source.size
        places = [0] if size <= 3 * SAMPLE else [0, size // 2, size - SAMPLE]
        return shrinkage(self._read(places, SAMPLE))

    def _read(self, offsets: list[int], length: int) -> list[bytes]:
        reader = self._zone.reader(self._source.path)
        found: list[bytes] = []
        with closing(reader.close):
            for offset in offsets:
                if offset:
                    reader.seek(offset)
                buffer = bytearray(length)
                found.append(bytes(buffer[: reader.readinto(buffer)]))
        return found


class Conversion:
    """The steps of one object, in their order."""

    def __init__(
        self, zone: Zone, request: JobRequest, listing: Listing, source: SourceObject, tools: Tools, watch: Watch
    ) -> None:
        self._zone = zone
        self._request = request
        self._listing = listing
        self._source = source
        self._tools = tools
        self._watch = watch

    def run(self) -> Converted:
        """All of it; what is there already is left as it is."""
        begun = self.begin()
        done = self._finished(begun) if isinstance(begun, Made) else begun
        self.dispose_of_original(done)
        return done

    def begin(self) -> Made | Converted:
        """Write the result beside its target, or tell that there is nothing to do."""
        avus = self._zone.attributes(self._source)
        change = encoding.plan(self._request, split(self._source.path)[1], avus, self._look())
        target = self._target(change)
        if target == self._source.path and not change.run:
            return Converted(self._source.path, target, skipped=True, reason=change.why)
        done = self._done_before(target, change)
        if done is None:
            codec, key = self._codec(change, target)
            return self._written(target, change, codec, key, avus)
        return done

    def _target(self, change: Change) -> str:
        """Where the result goes; never onto the source itself."""
        collection, _ = split(self._source.path)
        if self._request.target:
            if not self._listing.is_collection:
                return self._request.target
            below, _, _ = self._source.relative.rpartition("/")
            collection = f"{self._request.target}/{below}".rstrip("/")
        target = f"{collection}/{change.name}"
        if target == self._source.path and change.run:
            raise _exists(target)
        return target

    def _done_before(self, target: str, change: Change) -> Converted | None:
        """The answer, if this object needs no pass; raises JobError ``target_exists``."""
        existing = None if self._listing.is_free(target) else self._existing(target)
        if existing is None:
            return None
        if self._is_ours(existing):
            told = encoding.read(existing.avus) if not change.decodes else change.before
            return Converted(
                self._source.path,
                target,
                plain_size=told.plain_size,
                plain_sha256=told.plain_sha256,
                encoding=str(told),
                key=told.key,
            )
        if self._request.existing == "skip":
            return Converted(self._source.path, target, skipped=True)
        if self._request.existing == "refuse":
            raise _exists(target)
        return None

    def _existing(self, target: str) -> Existing | None:
        return self._zone.existing(target)

    def _is_ours(self, existing: Existing) -> bool:
        """Whether an earlier attempt of this job published it."""
        told = {attribute: value for attribute, value, _ in existing.avus}
        made = (told.get(names.MADE_BY_ATTRIBUTE), told.get(SOURCE_ATTRIBUTE))
        return made == (self._zone.made_by, str(self._source.data_id))

    def _codec(self, change: Change, target: str) -> tuple[Codec, str]:
        """The chain of the change's methods, and the key that an object made by it names."""
        key: Key | None = None
        if change.decodes and set(change.run) & set(ENCRYPTIONS):
            key = self._opening_key(change)
        elif not change.decodes and self._request.encryption:
            key = self._tools.keyring.sealing_key(self._request.key, target)
        chain = Chain(*(self._step(method, change.decodes, key) for method in change.run))
        return chain, key.reference if key and not change.decodes else change.after.key

    def _opening_key(self, change: Change) -> Key:
        """The version that the metadata name; where nothing does, the one that fits."""
        name, version = encoding.key_of(change.before)
        path, keys = self._source.path, self._tools.keyring
        applied = change.before.methods
        if version != encoding.PRESENT or applied[-1] not in ENCRYPTIONS:
            return keys.opening_key(name, version, path)
        start = partial(self._look().start, fitting.ENOUGH)
        return fitting.opening_key(keys, self._tools.workers, name, path, applied, start)

    def _look(self) -> Look:
        return Look(self._zone, self._source)

    def _step(self, method: str, decodes: bool, key: Key | None) -> Codec:
        workers = self._tools.workers
        if key is None or method not in ENCRYPTIONS:
            level = self._request.level or 0
            return READERS[method].decoder(workers) if decodes else COMPRESSIONS[method].encoder(workers, level)
        return (ENCRYPTIONS[method].opener if decodes else ENCRYPTIONS[method].sealer)(workers, key)

    def _made(self, target: str, change: Change, codec: Codec, key: str, avus: list[Avu]) -> Converted:
        return self._finished(self._written(target, change, codec, key, avus))

    def _written(self, target: str, change: Change, codec: Codec, key: str, avus: list[Avu]) -> Made:
        """The one pass, and all that belongs to the result but its name."""
        hidden = self._zone.hidden(target, self._source)
        with undone_by(lambda: self._zone.discard(hidden)):
            passed = self._passed(hidden, change, codec)
            after = measured(change, passed, key)
            self._zone.dress(hidden, [*_kept(avus), *after.avus(), *self._origin(target)], self._source)
        return Made(hidden, target, self._source, change, after, passed)

    def _finished(self, made: Made) -> Converted:
        """Verify what was written, and give it its name."""
        with undone_by(lambda: self._zone.discard(made.hidden)):
            self._zone.verify(made.hidden, made.passed)
            self._zone.check_unchanged(self._source)
            self._watch.check()
            self._watch.publishing()
            return self.publish(made)

    def publish(self, made: Made) -> Converted:
        """Give a verified result its name; whoever calls removes it if that fails."""
        try:
            self._zone.publish(made.hidden, made.target, self._request.existing == "replace")
        except JobError as error:
            if error.code != "target_exists" or self._request.existing != "skip":
                raise
            self._zone.discard(made.hidden)  # somebody was faster
            return Converted(self._source.path, made.target, skipped=True)
        return converted(self._source.path, made.target, made.change, made.after, made.passed)

    def _passed(self, hidden: str, change: Change, codec: Codec) -> Passed:
        """The one pass; what comes out of a decoder must be what went in once, as far as that is known."""
        expected = change.before if change.yields_plain else Encoding()
        reader = self._zone.reader(self._source.path)
        with closing(reader.close):
            writer = self._zone.writer(hidden)
            with closing(writer.close, writer.abandon):
                passed = pipeline.run(
                    reader, codec, writer, size=self._source.size, limit=expected.plain_size, watch=self._watch
                )
        compare("stored bytes", self._source.checksum, passed.read_sha256)
        compare("plain data", expected.plain_sha256, passed.written_sha256)
        if expected.plain_size not in (None, passed.written_size):
            raise _differs("plain data", f"{passed.written_size} of {expected.plain_size} bytes")
        return passed

    def _origin(self, target: str) -> list[Avu]:
        """What recognises the object as this job's."""
        return [(names.MADE_BY_ATTRIBUTE, self._zone.made_by, ""), (SOURCE_ATTRIBUTE, str(self._source.data_id), "")]

    def dispose_of_original(self, done: Converted) -> None:
        """Remove the source, or move it to the trash, if that was asked for and there is a result."""
        if self._request.original != "keep" and not done.skipped:
            self._zone.check_unchanged(self._source)  # what somebody wrote meanwhile is not what the result holds
            self._zone.remove(self._source.path, trash=self._request.original == "trash")


@contextmanager
def closing(close: Callable[[], None], abandon: Callable[[], None] | None = None) -> Iterator[None]:
    """Close a stream after the block, or ``abandon`` it if the block fails; then that is the error to tell."""

    def give_up() -> None:
        with suppress(JobError):
            (abandon or close)()

    with undone_by(give_up):
        yield
    close()


def measured(change: Change, passed: Passed, key: str) -> Encoding:
    """The result's encoding, with what the pass found out about plain data that nobody had described before."""
    after = change.after
    size, sha256 = after.plain_size, after.plain_sha256
    if not change.decodes and not change.before.methods:
        size, sha256 = passed.read_size, passed.read_sha256
    return Encoding(after.methods, key, size, sha256, after.plain_name)


def converted(source: str, target: str, change: Change, after: Encoding, passed: Passed) -> Converted:
    read, written = (passed.read_size, passed.read_sha256), (passed.written_size, passed.written_sha256)
    plain, stored = (written, read) if change.decodes else (read, written)
    told = change.before if change.decodes else after
    return Converted(source, target, False, *plain, *stored, encoding=str(told), key=told.key, reason=change.why)


def _kept(avus: list[Avu]) -> list[Avu]:
    """The source's own metadata: all but ours."""
    return [avu for avu in avus if not avu[0].startswith(encoding.OWN_PREFIX)]


def compare(what: str, known: str, found: str) -> None:
    """Raise JobError if a known SHA-256 is not the one found; hashes of other kinds say nothing here."""
    if known.startswith("sha2:") and known != found:
        raise _differs(what, "their SHA-256 is another")


def _differs(what: str, how: str) -> JobError:
    return JobError(
        "verification_failed",
        f"the {what} are not those that were recorded: {how}",
        remedy="restore the object from a good replica or a copy",
    )


def _exists(target: str) -> JobError:
    return JobError(
        "target_exists",
        f"{target} exists",
        field="target",
        remedy="name another target, or set existing to 'skip' or 'replace'",
    )
