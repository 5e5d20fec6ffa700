"""Staging from the zone into the zone: a rename where that does it, the server's own copy, or a conversion."""

from __future__ import annotations

from dataclasses import replace

from irods.session import iRODSSession

from python_rules.engine import convert, encoding
from python_rules.engine.convert import Converted, Tools, Watch
from python_rules.engine.leftovers import listing as listing_of
from python_rules.engine.operations import duplicate
from python_rules.engine.seal.table import ENCRYPTIONS
from python_rules.engine.staging.patterns import wanted
from python_rules.engine.transfer.trees import SourceCollection, TreeZone
from python_rules.engine.transfer.zone import OLD, Listing, SourceObject, Zone
from python_rules.jobs import methods
from python_rules.jobs.errors import JobError
from python_rules.jobs.model import JobRequest
from python_rules.jobs.paths import split, zone_of


def listing(zone: Zone, session: iRODSSession, request: JobRequest, attempt: int) -> Listing:
    """The objects that the job means; a collection that is moved as it is, is one."""
    try:
        found = listing_of(zone, session, _plain(request), first=attempt == 1)
    except JobError as error:
        if attempt == 1 or error.code != "source_not_found" or not _is_there(zone, request.target):
            raise
        return Listing(request.source, False, ())  # an earlier attempt moved it
    objects = tuple(one for one in found.objects if wanted(request, one.relative, True))
    if (
        found.is_collection
        and _is_rename(request)
        and not _is_filtered(request)
        and not _is_there(zone, request.target)
    ):
        number = TreeZone.of(zone).collection_id(found.source) or 0
        whole = SourceCollection(found.source, split(found.source)[1], found.size, number, listing=found)
        return Listing(found.source, False, (whole,))
    folders = tuple(name for name in found.collections if wanted(request, name, False))
    return replace(found, objects=objects, collections=folders)


def prepare(zone: Zone, request: JobRequest, listed: Listing) -> None:
    """Make the collections that results go into."""
    if _transform(request) or not listed.is_collection:
        return convert.prepare_target(zone, request, listed)
    return duplicate.prepare(zone, request, listed)


def work_on(
    zone: Zone, request: JobRequest, listed: Listing, source: SourceObject, tools: Tools, watch: Watch
) -> Converted:
    """Move, copy or convert one object; metadata and access rights follow."""
    if isinstance(source, SourceCollection):
        watch.publishing()
        TreeZone.of(zone).publish_collection(source.path, request.target)
        watch.advanced(source.size, 0)
        return Converted(source.path, request.target, stored_size=source.size, reason="renamed")
    operation = _transform(request) or (_decoding(zone, source) if request.decode else "")
    if operation:
        asked = replace(request, operation=operation)
        return convert.convert_object(zone, asked, listed, source, tools, watch)
    if _is_rename(request):
        return _Rename(zone, request, listed, source, tools, watch).run()
    done = duplicate.work_on(zone, request, listed, source, tools, watch)
    if request.original != "keep" and not done.skipped:
        zone.check_unchanged(source)
        zone.remove(source.path, trash=request.original == "trash")
    return done


def finish(zone: Zone, request: JobRequest, listed: Listing) -> None:
    """Remove the collections that a move left empty."""
    if not listed.is_collection or request.original == "keep":
        return
    if zone.list(listed.source).objects:
        return
    TreeZone.of(zone).remove(listed.source, trash=request.original == "trash")


class _Rename(duplicate.Copy):
    """One object gets another path; it stays the same object."""

    def run(self) -> Converted:
        """All of it; raises JobError ``target_exists``."""
        change = encoding.Change(encoding.Encoding(), encoding.Encoding(), (), False, split(self._source.path)[1])
        target = self._target(change)
        done = self._done_before(target, change)
        if done is not None:
            return done
        self._watch.check()
        self._watch.publishing()
        aside = self._zone.hidden(target, self._source) + OLD  # the source has no hidden name to derive it from
        self._zone.publish(self._source.path, target, self._request.existing == "replace", aside)
        self._watch.advanced(self._source.size, 0)
        return Converted(self._source.path, target, stored_size=self._source.size, reason="renamed")


def _transform(request: JobRequest) -> str:
    words = (("compress", request.compression), ("encrypt", request.encryption))
    return "_".join(word for word, asked in words if asked)


def _decoding(zone: Zone, source: SourceObject) -> str:
    """The operation that takes off all of an object's encoding; '' for a plain one."""
    applied = encoding.read(zone.attributes(source)).methods
    sealed = any(method in ENCRYPTIONS for method in applied)
    packed = any(method not in ENCRYPTIONS for method in applied)
    return "_".join(word for word, is_so in (("decrypt", sealed), ("decompress", packed)) if is_so)


def _is_rename(request: JobRequest) -> bool:
    same = zone_of(request.source) == zone_of(request.target)
    return same and request.original == "remove" and not (_transform(request) or request.decode)


def _is_filtered(request: JobRequest) -> bool:
    return bool(request.include or request.exclude or request.objects)


def _is_there(zone: Zone, path: str) -> bool:
    tree = TreeZone.of(zone)
    return tree.collection_id(path) is not None or tree.existing(path) is not None


def _plain(request: JobRequest) -> JobRequest:
    """The request as a listing needs it: nothing is packed."""
    return replace(request, operation=methods.DUPLICATE, pack=False)
