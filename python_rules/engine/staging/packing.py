"""``pack``: a tree of one end becomes one packed file at the other in the same pass, and such a file a tree again."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing as closes
from dataclasses import dataclass, field, replace

from python_rules.engine import encoding, pipeline
from python_rules.engine.blocks import Block
from python_rules.engine.codec import Codec
from python_rules.engine.codec.table import shrinkage
from python_rules.engine.convert import SAMPLE, Converted, closing, compare
from python_rules.engine.encoding import TAR, Change, Encoding
from python_rules.engine.pack import COLLECTION, FILE, HARD_LINK, LINK, ROOT, Member, packing, unpacking
from python_rules.engine.pipeline import Passed, Sink, Tally
from python_rules.engine.staging import persistent
from python_rules.engine.staging.moving import Moving, Stage, StagedListing, StagedObject, exists
from python_rules.engine.staging.reading import Contents
from python_rules.engine.systems.place import FOLDER, Item, Outgoing, Place
from python_rules.engine.systems.zone import ZonePlace
from python_rules.engine.transfer import trees
from python_rules.engine.transfer.trees import HiddenTree, SourceCollection, TreeZone
from python_rules.engine.transfer.zone import Zone
from python_rules.engine.undoing import undone_by
from python_rules.jobs.errors import JobError
from python_rules.jobs.paths import split
from python_rules.jobs.record import Avu


@dataclass(frozen=True)
class StagedTree(StagedObject):
    """A folder that is packed; its item has the time of its newest file. ``collection`` is the same in the zone."""

    tree: StagedListing = field(default=StagedListing("", True, ()), compare=False)
    collection: SourceCollection | None = field(default=None, compare=False)


def as_one(stage: Stage, zone: Zone, listed: StagedListing) -> StagedTree:
    """All of a listing as one source."""
    times = [one.item.modified or 0.0 for one in listed.objects if isinstance(one, StagedObject)]
    newest = max(times) if times else None
    item = Item(stage.source.path, FOLDER, listed.size, newest)
    name = split("/" + stage.source.path)[1] or "all"
    collection = None if stage.source.system else _in_zone(zone, listed)
    return StagedTree(
        listed.source, name, listed.size, 0, "", str(newest), item=item, tree=listed, collection=collection
    )


def _in_zone(zone: Zone, listed: StagedListing) -> SourceCollection:
    found, wanted = zone.list(listed.source), {one.relative for one in listed.objects}
    objects = tuple(one for one in found.objects if one.relative in wanted)
    meant = replace(found, objects=objects, collections=tuple(listed.collections))
    number = TreeZone.of(zone).collection_id(listed.source) or 0
    return SourceCollection(listed.source, split(listed.source)[1], meant.size, number, listing=meant)


class Packing(Moving):
    """A tree into one file."""

    _source: StagedTree

    def run(self) -> Converted:
        """All of it; what an earlier attempt published is left as it is."""
        for found in self._source.tree.objects:
            if found.trouble:
                raise found.trouble
        return super().run()

    def _zone_avus(self) -> list[Avu]:
        return []

    def _change(self, avus: list[Avu]) -> Change:
        name, request = self._source.relative, self._request
        operation = "_".join(
            word for word, asked in (("compress", request.compression), ("encrypt", request.encryption)) if asked
        )
        if not operation:
            return Change(Encoding(), Encoding((TAR,), plain_name=name), (), False, f"{name}.tar")
        look = _TreeLook(self._source, self._source_place())
        change = encoding.plan(replace(request, operation=operation), f"{name}.tar", (), look)
        return replace(change, after=Encoding((TAR, *change.run), plain_name=name))

    def _is_same(self, item: Item, change: Change) -> bool:
        return self._stage.attempt > 1 and self._is_of_earlier_attempt(item)

    def _passed_through(self, sink: persistent.Sink, change: Change, codec: Codec) -> Passed:
        if self._source.collection is not None:
            zone = TreeZone.of(self._zone)
            members = list(zone.members(self._source.collection))
            contents: trees.Contents | Contents = trees.Contents(zone, self._source.collection, members)
        else:
            members = list(_members(self._source, self._stage.source.path))
            contents = Contents(self._stage, self._lent, members, self._watch)
        reader = packing.Packing(members, contents.open)
        with closing(contents.close), closing(reader.close):
            return pipeline.run(reader, codec, sink, watch=self._watch)

    def _check_unchanged(self) -> None:
        if self._source.collection is not None:
            TreeZone.of(self._zone).check_unchanged(self._source.collection)
            return
        now = {item.path: (item.size, item.modified) for item in self._source_place().walk(self._stage.source.path)}
        for one in staged_in(self._source):
            if now.get(one.item.path) != (one.item.size, one.item.modified):
                raise _changed(one.path)

    def _dispose_of_original(self) -> None:
        """Remove what was packed, and the folders that are empty then."""
        if self._request.original == "keep":
            return
        self._check_unchanged()
        place, trash = self._source_place(), self._request.original == "trash"
        files = [one.item.path for one in staged_in(self._source)]
        for path in [*files, *(link.path for link in self._source.tree.links)]:
            _remove(place, path, trash)
        for folder in [*sorted(self._source.tree.collections, reverse=True), ""]:
            path = self._stage.source.below(folder)
            if path and next(place.walk(path), None) is None:
                _remove(place, path, trash)


class Unpacking(Moving):
    """One file into a tree: in the zone a hidden collection that gets its name when it is whole; on a system, where
    folders are not renamed, the whole archive is read and verified before its first file is written."""

    def _there_already(self, path: str, change: Change, avus: list[Avu]) -> Converted | None:
        address = self._stage.target.address(path)
        if not path or (self._target_place().find(path) is not None and self._stage.attempt == 1):
            raise exists(address, "a tree is unpacked into a new folder alone")
        if isinstance(self._target_place(), ZonePlace) and not self._stage.target.system:
            found = TreeZone.of(self._zone).existing_collection(address)
            if found is not None and not self._is_ours(found):
                raise exists(address, "a collection is never replaced")
            if found is not None:
                return Converted(self._source.path, address, skipped=True, reason="an earlier attempt made it")
        return None

    def _change(self, avus: list[Avu]) -> Change:
        change = super()._change(avus)
        if change.after.methods not in ((), (TAR,)):
            raise encoding.wrong(f"it cannot be unpacked: it is still {change.after}", "leave pack out")
        return replace(change, after=Encoding())

    def _moved(self, path: str, change: Change, codec: Codec, key: str) -> Passed:
        if not self._stage.target.system:
            return self._into_zone(self._stage.target.address(path), change, codec)
        checked = self._taken_apart(_Look(self._request.links), change, codec)
        again, _ = self._codec(change, self._source.path)
        tree = _Tree(self._begin_member, self._request.links, path)
        with undone_by(tree.abandon):
            passed = self._taken_apart(tree, change, again)
        compare("bytes that were read twice", checked.read_sha256, passed.read_sha256)
        self._check_unchanged()
        tree.finish(self._target_place())
        return passed

    def _begin_member(self, path: str, member: Member | None) -> _Member:
        """A folder (None), or a file that goes to the target."""
        if member is None:
            self._target_place().make_folder(path)
            return _Member(None, None)
        digest = hashlib.sha256(path.encode()).hexdigest()[:16]
        token = f"{self._zone.job_id}-{digest}.{self._stage.attempt}"
        used: list[bool] = []

        def begun() -> Outgoing:
            place = self._lent.reopen(self._stage.target) if used else self._target_place()
            used.append(True)
            return place.write(path, member.size, token)

        sink = persistent.Sink(begun, self._watch, self._pay(self._stage.target))
        return _Member(sink, functools.partial(self._publish_member, sink, member))

    def _publish_member(self, sink: persistent.Sink, member: Member, tally: Tally) -> None:
        fence = functools.partial(self._stage.fence, self._watch)
        sink.publish(tally.size, tally.sha256, member.modified or None, fence)

    def _into_zone(self, target: str, change: Change, codec: Codec) -> Passed:
        zone = TreeZone.of(self._zone)
        tree = HiddenTree(zone, zone.hidden(target, self._source))
        with undone_by(tree.discard):
            passed = self._taken_apart(tree, change, codec)
            tree.finish()
            self._check_unchanged()
            zone.dress_collection(tree.path, self._origin(target))
            self._watch.check()
            self._stage.fence(self._watch)
            zone.publish_collection(tree.path, target)
        return passed

    def _taken_apart(self, place: unpacking.Place, change: Change, codec: Codec) -> Passed:
        sink, expected = unpacking.Unpacking(place), change.before
        size = None if self._source.item.size < 0 else self._source.item.size
        pay = self._pay(self._stage.source)
        with closes(persistent.Source(self._opened, self._watch, pay)) as source:
            passed = pipeline.run(source, codec, sink, size=size, limit=expected.plain_size, watch=self._watch)
        sink.finish()
        compare("stored bytes", self._source.checksum, passed.read_sha256)
        compare("plain data", expected.plain_sha256, passed.written_sha256)
        return passed


class _Member:
    """A pipeline's sink for one member, hashed on the way; without ``sink`` its content goes nowhere."""

    def __init__(self, sink: persistent.Sink | None, publish: Callable[[Tally], None] | None) -> None:
        self.sink = sink
        self._publish = publish
        self._tally = Tally()

    def write(self, block: Block) -> None:
        """As pipeline.Sink."""
        if self.sink is not None:
            self._tally.add(block)
            self.sink.write(bytes(block))  # it is kept until the far side has it, and the block is used again

    def end(self) -> None:
        """The content is complete."""
        if self._publish is not None:
            self._publish(self._tally)


class _Look:
    """An unpacking.Place that makes nothing; raises JobError for a member that the target cannot have."""

    def __init__(self, links: str) -> None:
        self._links = links

    def begin(self, member: Member) -> Sink:
        """As unpacking.Place."""
        if member.kind == HARD_LINK:
            text = f"{member.name!a} is a hard link, which is not unpacked here"
            raise JobError("unsafe_archive", text, remedy="leave pack out, and untar it there")
        if member.kind == LINK and self._links == "refuse":
            remedy = "set links to 'skip', or to 'keep' where the target can hold links"
            raise JobError("bad_value", f"{member.name!a} is a symbolic link", field="links", remedy=remedy)
        return _Member(None, None)

    def end(self) -> None:
        """As unpacking.Place."""


class _Tree(_Look):
    """An unpacking.Place on a system; each file is verified, and then gets its name."""

    def __init__(self, begin: Callable[[str, Member | None], _Member], links: str, root: str) -> None:
        super().__init__(links)
        self._begin_member = begin
        self._root = root
        self._folders: set[str] = set()
        self._kept: list[tuple[str, str]] = []
        self._member: _Member | None = None

    def begin(self, member: Member) -> Sink:
        """As unpacking.Place."""
        super().begin(member)
        path = self._root if member.name == ROOT else f"{self._root}/{member.name}"
        self._folder(path if member.kind == COLLECTION else path.rpartition("/")[0])
        if member.kind == LINK and self._links == "keep":
            self._kept.append((path, member.link))
        self._member = self._begin_member(path, member) if member.kind == FILE else _Member(None, None)
        return self._member

    def end(self) -> None:
        """As unpacking.Place."""
        if self._member is not None:
            self._member.end()
            self._member = None

    def finish(self, place: Place) -> None:
        """Make the links: before, a file could have gone through one."""
        for path, link in self._kept:
            place.make_link(path, link)

    def abandon(self) -> None:
        """Remove what is not complete."""
        if self._member is not None and self._member.sink is not None:
            self._member.sink.abandon(keep=False)

    def _folder(self, path: str) -> None:
        if path and path not in self._folders:
            self._begin_member(path, None)
            self._folders.add(path)


class _TreeLook:
    """encoding.Look into a tree: its largest files stand for it."""

    def __init__(self, source: StagedTree, place: Place) -> None:
        self._place = place
        self._items = [one.item for one in sorted(staged_in(source), key=lambda one: one.size)[-3:]]

    def start(self) -> bytes:
        """Nothing: a tree has no first bytes."""
        return b""

    def shrinks_to(self) -> float:
        """As encoding.Look."""
        return shrinkage([self._sample(item) for item in self._items])

    def _sample(self, item: Item) -> bytes:
        with closes(self._place.read(item.path)) as reader:
            buffer = bytearray(SAMPLE)
            return bytes(buffer[: reader.readinto(buffer)])


def staged_in(source: StagedTree) -> Iterator[StagedObject]:
    """The files of a tree."""
    return (one for one in source.tree.objects if isinstance(one, StagedObject))


def _members(source: StagedTree, root: str) -> Iterator[Member]:
    """What a tar is made of, parents first; raises JobError ``bad_path`` about a name that it cannot hold."""
    start = len(root) + 1 if root else 0
    found = [Member(name, COLLECTION, mode=0o755) for name in source.tree.collections]
    found += [
        Member(one.relative, FILE, one.size, one.item.mode or 0o644, one.item.modified or 0, place=one.item.path)
        for one in staged_in(source)
    ]
    found += [
        Member(link.path[start:], LINK, mode=0o777, modified=link.modified or 0, link=link.link)
        for link in source.tree.links
    ]
    yield Member(ROOT, COLLECTION, mode=0o755)
    for member in sorted(found, key=lambda one: one.name.split("/")):
        try:
            f"{member.name}{member.link}".encode()
        except UnicodeEncodeError:
            text = f"{ascii(member.name)[:80]} is not valid Unicode"
            raise JobError("bad_path", text, remedy="rename it, or leave it out with exclude") from None
        yield member


def _remove(place: Place, path: str, trash: bool) -> None:
    if isinstance(place, ZonePlace):
        place.remove(path, trash)
    else:
        place.remove(path)


def _changed(path: str) -> JobError:
    text = f"{path} was changed while the tree was packed"
    return JobError("source_changed", text, remedy="submit the job again when nobody writes there", object_path=path)
