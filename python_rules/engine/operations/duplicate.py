"""Copies of objects and collections with their metadata and access rights; the bytes stay as they are."""

from __future__ import annotations

from dataclasses import replace

from python_rules import names
from python_rules.engine import encoding
from python_rules.engine.codec import Chain, Codec
from python_rules.engine.convert import Conversion, Converted, Tools, prepare_target
from python_rules.engine.encoding import Change
from python_rules.engine.pipeline import Passed
from python_rules.engine.transfer import copying
from python_rules.engine.transfer.trees import TreeZone
from python_rules.engine.transfer.zone import Listing, SourceObject, Zone
from python_rules.engine.watch import Watch
from python_rules.jobs.model import JobRequest
from python_rules.jobs.paths import split, zone_of
from python_rules.jobs.record import Avu


def work_on(
    zone: Zone, request: JobRequest, listing: Listing, source: SourceObject, tools: Tools, watch: Watch
) -> Converted:
    """Copy one object."""
    return Copy(zone, request, listing, source, tools, watch).run()


def prepare(zone: Zone, request: JobRequest, listing: Listing) -> None:
    """Make the collections that copies go into; they are dressed as their models, but for a policy."""
    prepare_target(zone, request, listing)
    if listing.is_collection:
        copying.dress_collections(TreeZone.of(zone), listing, request.target)


class Copy(Conversion):
    """One object: within the zone the server copies it, between zones it passes through the engine."""

    def run(self) -> Converted:
        """All of it; what is there already is left as it is."""
        avus = self._zone.attributes(self._source)
        before = encoding.read(avus)
        change = Change(before, before, (), False, split(self._source.path)[1])
        target = self._target(change)
        done = self._done_before(target, change)
        if done is None:
            done = self._made(target, change, Chain(), before.key, avus)
        if done.skipped:
            return done
        size = before.plain_size if before.methods else self._source.size
        return replace(done, plain_size=size, plain_sha256=before.plain_sha256)

    def _passed(self, hidden: str, change: Change, codec: Codec) -> Passed:
        if zone_of(hidden) != zone_of(self._source.path):
            return super()._passed(hidden, change, codec)
        passed = copying.copy(self._zone, self._source, hidden)
        self._watch.advanced(passed.read_size, passed.written_size)
        return passed


class ReplicaElsewhere(Copy):
    """A copy that knows its parent: an older one of the same parent is brought up to date."""

    def _done_before(self, target: str, change: Change) -> Converted | None:
        existing = self._existing(target)
        parents = [avu for avu in existing.avus if avu[:2] == (names.REPLICA_OF, self._source.path)] if existing else []
        if not parents:
            return super()._done_before(target, change)
        if parents[0][2] == self._content() or self._has_same_checksum(target):
            return Converted(self._source.path, target, skipped=True, reason="the same data are there already")
        return None

    def _has_same_checksum(self, target: str) -> bool:
        return bool(self._source.checksum) and copying.checksum_of(self._zone, target) == self._source.checksum

    def _content(self) -> str:
        """What tells one content of the parent from another, where no checksum is recorded."""
        return f"{self._source.size} bytes of {self._source.modified}"

    def _made(self, target: str, change: Change, codec: Codec, key: str, avus: list[tuple[str, str, str]]) -> Converted:
        self._request = replace(self._request, existing="replace")
        return super()._made(target, change, codec, key, avus)

    def _origin(self, target: str) -> list[Avu]:
        return [*super()._origin(target), (names.REPLICA_OF, self._source.path, self._content())]
