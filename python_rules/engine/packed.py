"""Jobs with ``pack``: a collection becomes one object in the same pass, and such an object a collection again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from python_rules.engine import encoding, pipeline, rekey
from python_rules.engine.codec import Codec
from python_rules.engine.codec.table import shrinkage
from python_rules.engine.convert import (
    SAMPLE,
    Conversion,
    Converted,
    Tools,
    Watch,
    closing,
    compare,
    convert_object,
    converted,
)
from python_rules.engine.encoding import TAR, Change, Encoding
from python_rules.engine.pack.packing import Packing
from python_rules.engine.pack.unpacking import Unpacking
from python_rules.engine.pipeline import Passed
from python_rules.engine.transfer.trees import Contents, HiddenTree, SourceCollection, TreeZone
from python_rules.engine.transfer.zone import Existing, Listing, SourceObject, Zone
from python_rules.engine.undoing import undone_by
from python_rules.engine.watch import UNWATCHED
from python_rules.jobs import methods
from python_rules.jobs.errors import JobError
from python_rules.jobs.model import JobRequest
from python_rules.jobs.paths import split
from python_rules.jobs.record import Avu


def as_one(zone: Zone, request: JobRequest, listing: Listing) -> Listing:
    """The listing as a job works on it: where it packs, the whole of it is one source."""
    if not (request.pack and methods.OPERATIONS[request.operation].encodes):
        return listing
    number = TreeZone.of(zone).collection_id(listing.source) if listing.is_collection else None
    if number is None:
        raise JobError("bad_value", f"{listing.source} is no collection", field="pack", remedy="leave pack out")
    whole = SourceCollection(listing.source, split(listing.source)[1], listing.size, number, listing=listing)
    return Listing(listing.source, False, (whole,))


def work_on(
    zone: Zone,
    request: JobRequest,
    listing: Listing,
    source: SourceObject,
    tools: Tools,
    watch: Watch = UNWATCHED,
) -> Converted:
    """Do any operation on one source, packing and unpacking among them; raises JobError with ``object_path``."""
    kind: type[Conversion] = rekey.kind_of(request)
    if request.pack:
        kind, zone = _Packing if isinstance(source, SourceCollection) else _Unpacking, TreeZone.of(zone)
    return convert_object(zone, request, listing, source, tools, watch, kind)


class _Packing(Conversion):
    """A collection into one object."""

    _zone: TreeZone
    _source: SourceCollection

    def run(self) -> Converted:
        """All of it; what an earlier attempt published is left as it is."""
        for found in self._source.listing.objects:
            if found.trouble:
                raise found.trouble
        look = _PackLook(self._zone, self._source)
        compressed = encoding.plan(self._request, self._source.relative + ".tar", (), look)
        after = Encoding((TAR, *compressed.run), plain_name=self._source.relative)
        change = replace(compressed, after=after)
        target = self._target(change)
        done = self._done_before(target, change)
        if done is None:
            codec, key = self._codec(change, target)
            done = self._made(target, change, codec, key, self._zone.attributes(self._source))
        self.dispose_of_original(done)
        return done

    def _passed(self, hidden: str, change: Change, codec: Codec) -> Passed:
        members = list(self._zone.members(self._source))
        contents = Contents(self._zone, self._source, members)
        reader = Packing(members, contents.open)
        with closing(contents.close), closing(reader.close):
            writer = self._zone.writer(hidden)
            with closing(writer.close, writer.abandon):
                return pipeline.run(reader, codec, writer, watch=self._watch)


class _Unpacking(Conversion):
    """One object into a collection."""

    _zone: TreeZone

    def run(self) -> Converted:
        """All of it; what an earlier attempt published is left as it is."""
        avus = self._zone.attributes(self._source)
        change = self._change(avus)
        target = self._target(change)
        done = self._done_before(target, change)
        if done is None:
            codec, _ = self._codec(change, target)
            done = self._unpacked(target, change, codec)
        self.dispose_of_original(done)
        return done

    def _change(self, avus: list[Avu]) -> Change:
        name = split(self._source.path)[1]
        before = encoding.read(avus)
        if before.methods == (TAR,):
            change = Change(before, Encoding(), (), True, name)
        else:
            change = encoding.plan(self._request, name, avus, self._look())
        if change.after.methods not in ((), (TAR,)):
            raise encoding.wrong(f"it cannot be unpacked: it is still {change.after}", "use decrypt_decompress")
        bare = before.plain_name or change.name.removesuffix(encoding.SUFFIXES[TAR])
        return replace(change, after=Encoding(), name=bare)

    def _existing(self, target: str) -> Existing | None:
        found = self._zone.existing_collection(target)
        if found and self._request.existing == "replace" and not self._is_ours(found):
            raise JobError(
                "target_exists", f"{target} exists", field="target", remedy="a collection is never replaced: remove it"
            )
        return found

    def _unpacked(self, target: str, change: Change, codec: Codec) -> Converted:
        tree = HiddenTree(self._zone, self._zone.hidden(target, self._source))
        with undone_by(tree.discard):
            passed = self._taken_apart(tree, change, codec)
            tree.finish()
            self._zone.check_unchanged(self._source)
            self._zone.dress_collection(tree.path, self._origin(target))
            self._watch.check()
            self._watch.publishing()
            self._zone.publish_collection(tree.path, target)
        return converted(self._source.path, target, change, change.after, passed)

    def _taken_apart(self, tree: HiddenTree, change: Change, codec: Codec) -> Passed:
        expected = change.before
        reader, sink = self._zone.reader(self._source.path), Unpacking(tree)
        with closing(reader.close):
            passed = pipeline.run(
                reader, codec, sink, size=self._source.size, limit=expected.plain_size, watch=self._watch
            )
        sink.finish()
        compare("stored bytes", self._source.checksum, passed.read_sha256)
        compare("plain data", expected.plain_sha256, passed.written_sha256)
        return passed


class _PackLook:
    """encoding.Look into a collection: its largest members stand for it."""

    def __init__(self, zone: Zone, source: SourceCollection) -> None:
        self._zone = zone
        self._objects = sorted(source.listing.objects, key=lambda one: one.size)[-3:]

    def start(self) -> bytes:
        """Nothing: a collection has no first bytes."""
        return b""

    def shrinks_to(self) -> float:
        """As encoding.Look."""
        return shrinkage([self._sample(one) for one in self._objects])

    def _sample(self, one: SourceObject) -> bytes:
        reader: Any = self._zone.reader(one.path)
        with closing(reader.close):
            buffer = bytearray(SAMPLE)
            return bytes(buffer[: reader.readinto(buffer)])
