"""A staging job as a whole: its two ends, what there is to move, and what comes before and after the files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

from python_rules.config import Config
from python_rules.engine import identity, sessions
from python_rules.engine.convert import Converted, Tools, Watch
from python_rules.engine.keys.grants import Who
from python_rules.engine.staging import packing, within_zone
from python_rules.engine.staging.ends import End, Lent, Places
from python_rules.engine.staging.moving import Moving, Stage, StagedListing, StagedObject
from python_rules.engine.staging.patterns import wanted
from python_rules.engine.systems.place import FOLDER, LINK, Item, Place
from python_rules.engine.threads import Zones
from python_rules.engine.transfer.zone import Listing, SourceObject, Zone
from python_rules.jobs.errors import JobError
from python_rules.jobs.model import JobRequest
from python_rules.jobs.paths import split


def listing(config: Config, zones: Zones, request: JobRequest, attempt: int) -> Listing:
    """What there is to move; raises JobError ``source_not_found``, ``system_not_found``."""
    zone = zones.mine()
    if not any(request.ends):
        return within_zone.listing(zone, zones.session(), request, attempt)
    with sessions.as_service(config) as service:
        who = identity.of(service, zones.user)
    stage = _held(config, who, request, attempt)
    zones.keep(stage.places.close)
    with _lent(stage, zone) as lent:
        return _listed(stage, lent.at(stage.source), zone, request)


class Foreseen(NamedTuple):
    """What a job would move: ``there`` are its targets that exist already, ``free`` the bytes that may be written."""

    listing: Listing
    there: list[str]
    free: int | None


def foreseen(config: Config, who: Who, zone: Zone, request: JobRequest) -> Foreseen:
    """What a job would do, for its plan; raises JobError as ``listing`` and ``prepare`` do."""
    stage = _held(config, who, request, 1)
    try:
        with _lent(stage, zone) as lent:
            listed = _listed(stage, lent.at(stage.source), zone, request)
            place = lent.at(stage.target)
            return Foreseen(_without_large(stage, listed), _there(stage, place, request, listed), place.free())
    finally:
        stage.places.close()


def _there(stage: Stage, place: Place, request: JobRequest, listed: StagedListing) -> list[str]:
    """The targets that are there, by their addresses, as far as their names can be foretold."""
    end = stage.target
    if not listed.is_collection:
        return [end.address(end.path)] if not end.path or place.find(end.path) else []
    if end.path and place.find(end.path) is None:
        return []
    found = {item.path for item in place.walk(end.path) if item.kind != FOLDER}
    ending = "" if request.decode else _ending(request)
    wanted = (end.below(one.relative + ending) for one in listed.objects)
    return [end.address(path) for path in wanted if path in found]


def _ending(request: JobRequest) -> str:
    """What the transforms append to a name."""
    words = (("compress", request.compression), ("encrypt", request.encryption))
    operation = "_".join(word for word, asked in words if asked)
    return replace(request, operation=operation).ending() if operation else ""


def _without_large(stage: Stage, listed: StagedListing) -> StagedListing:
    """The listing with what the target does not take marked as such."""
    largest = stage.target.system.settings["largest"] if stage.target.system else 0
    if not largest:
        return listed
    return replace(
        listed,
        objects=tuple(
            replace(one, trouble=_too_large(one, largest)) if one.size > largest and not one.trouble else one
            for one in listed.objects
        ),
    )


def _too_large(one: SourceObject, largest: int) -> JobError:
    text = f"{one.path} is larger than the {largest} bytes that the target takes"
    return JobError("no_space", text, field="source", remedy="leave it out with exclude", object_path=one.path)


def _held(config: Config, who: Who, request: JobRequest, attempt: int) -> Stage:
    ends = [End.of(config, getattr(request, name), who, name) for name in ("source", "target")]
    return Stage(ends[0], ends[1], Places(config, *ends), attempt)


@contextmanager
def _lent(stage: Stage, zone: Zone) -> Iterator[Lent]:
    lent = Lent(stage.places, zone)
    try:
        yield lent
    finally:
        lent.release()


def _listed(stage: Stage, place: Place, zone: Zone, request: JobRequest) -> StagedListing:
    found = place.find(stage.source.path) if stage.source.path else Item("", FOLDER)
    if found is None:
        raise JobError(
            "source_not_found",
            f"{request.source} does not exist, or may not be read",
            field="source",
            remedy="check the path",
        )
    is_tree = found.kind == FOLDER
    if request.pack and is_tree == request.decode:
        text = f"{request.source} is {'a folder' if is_tree else 'no folder'}"
        remedy = "leave decode out to pack it" if is_tree else "give decode to unpack it, or leave pack out"
        raise JobError("bad_value", text, field="pack", remedy=remedy)
    if not is_tree:
        one = _staged(stage, found, split("/" + found.path)[1])
        return StagedListing(request.source, False, (one,), stage=stage)
    listed = _tree(stage, place, request)
    if not request.pack:
        return listed
    whole = packing.as_one(stage, zone, listed)
    return StagedListing(request.source, False, (whole,), stage=stage)


def _tree(stage: Stage, place: Place, request: JobRequest) -> StagedListing:
    objects: list[SourceObject] = []
    folders: list[str] = []
    links: list[Item] = []
    start = len(stage.source.path) + 1 if stage.source.path else 0
    for item in place.walk(stage.source.path):
        relative = item.path[start:]
        if not wanted(request, relative, item.kind != FOLDER) or (request.objects and relative not in request.objects):
            continue
        if item.kind == FOLDER:
            folders.append(relative)
        elif item.kind == LINK and request.links != "refuse":
            links += [item] if request.links == "keep" else []
        else:
            objects.append(_staged(stage, item, relative))
    if request.include or request.objects:
        folders = _above(objects)
    return StagedListing(request.source, True, tuple(objects), tuple(folders), stage, tuple(links))


def _above(objects: list[SourceObject]) -> list[str]:
    """The folders that files lie in, parents first."""
    found: set[str] = set()
    for one in objects:
        folder = one.relative.rpartition("/")[0]
        while folder:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return sorted(found)


def _staged(stage: Stage, item: Item, relative: str) -> StagedObject:
    address, trouble = stage.source.address(item.path), None
    if item.kind == LINK:
        trouble = JobError(
            "bad_value",
            f"{address} is a symbolic link",
            field="links",
            remedy="set links to 'skip', or to 'keep' where the target can hold links",
        )
    return StagedObject(address, relative, max(0, item.size), 0, item.checksum, str(item.modified), trouble, item=item)


def prepare(zone: Zone, request: JobRequest, listed: Listing) -> None:
    """Make sure of room and folders; raises JobError ``no_space``, ``target_exists``."""
    if not isinstance(listed, StagedListing) or listed.stage is None:
        within_zone.prepare(zone, request, listed)
        return
    with _lent(listed.stage, zone) as lent:
        _prepared(zone, lent.at(listed.stage.target), request, listed, listed.stage)


def _prepared(zone: Zone, place: Place, request: JobRequest, listed: StagedListing, stage: Stage) -> None:
    free = place.free()
    if free is not None and not (request.decode or request.compression) and listed.size > free:
        text = f"{listed.size} bytes are to be written and {free} are free"
        raise JobError("no_space", f"{request.target}: {text}", field="target", remedy="make room there")
    largest = stage.target.system.settings["largest"] if stage.target.system else 0
    if largest and (too_large := [one for one in listed.objects if one.size > largest]):
        raise _too_large(too_large[0], largest)
    if listed.is_collection:
        _prepare_folders(place, stage, request, listed)
    elif stage.target.system is None:
        zone.require_collection(split(request.target)[0])
    elif "/" in stage.target.path:
        place.make_folder(stage.target.path.rpartition("/")[0])


def _prepare_folders(place: Place, stage: Stage, request: JobRequest, listed: StagedListing) -> None:
    found = place.find(stage.target.path) if stage.target.path else None
    if found is not None and (found.kind != FOLDER or (request.existing == "refuse" and stage.attempt == 1)):
        raise JobError(
            "target_exists",
            f"{request.target} exists",
            field="target",
            remedy="name another target, or set existing to 'skip' or 'replace'",
        )
    if found is None and stage.target.path:
        place.make_folder(stage.target.path)
    is_there = found is not None or not stage.target.path
    stage.there = {item.path: item for item in place.walk(stage.target.path)} if is_there else {}
    for folder in listed.collections:
        path = stage.target.below(folder)
        if (known := stage.there.get(path)) is None or known.kind != FOLDER:
            place.make_folder(path)
    for link in listed.links:
        relative = link.path[len(stage.source.path) :].lstrip("/")
        place.make_link(stage.target.below(relative), link.link)


def work_on(
    zone: Zone, request: JobRequest, listed: Listing, source: SourceObject, tools: Tools, watch: Watch
) -> Converted:
    """Move one file; raises JobError with ``object_path``."""
    if not isinstance(listed, StagedListing) or listed.stage is None or not isinstance(source, StagedObject):
        return within_zone.work_on(zone, request, listed, source, tools, watch)
    kind = Moving if not request.pack else packing.Unpacking if request.decode else packing.Packing
    with _lent(listed.stage, zone) as lent:
        return kind(zone, request, listed, source, tools, watch, listed.stage, lent).run()


def finish(zone: Zone, request: JobRequest, listed: Listing) -> None:
    """Remove what only the target holds, if that was asked for, and the folders that a move left empty."""
    if not isinstance(listed, StagedListing) or listed.stage is None:
        within_zone.finish(zone, request, listed)
        return
    with _lent(listed.stage, zone) as lent:
        _finished(lent, request, listed, listed.stage)


def _finished(lent: Lent, request: JobRequest, listed: StagedListing, stage: Stage) -> None:
    if not listed.is_collection:
        return
    if request.delete_extra:
        _delete_extra(lent.at(stage.target), stage, request, listed)
    if request.original != "keep":
        place = lent.at(stage.source)
        for folder in [*sorted(listed.collections, reverse=True), ""]:
            path = stage.source.below(folder)
            if path and next(place.walk(path), None) is None:
                place.remove(path)


def _delete_extra(place: Place, stage: Stage, request: JobRequest, listed: StagedListing) -> None:
    """Remove files that the source does not have, then folders; what patterns leave out stays."""
    kept = stage.made | {stage.target.below(folder) for folder in listed.collections}
    kept |= {stage.target.below(link.path[len(stage.source.path) :].lstrip("/")) for link in listed.links}
    start = len(stage.target.path) + 1 if stage.target.path else 0
    extra = [item for item in place.walk(stage.target.path) if item.path not in kept]
    for item in reversed(extra):
        if (item.kind != FOLDER and wanted(request, item.path[start:], True)) or (
            item.kind == FOLDER and next(place.walk(item.path), None) is None
        ):
            place.remove(item.path)
