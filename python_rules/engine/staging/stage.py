"""A staging job as a whole: its two ends, what there is to move, and what comes before and after the files."""

from __future__ import annotations

from dataclasses import dataclass

from python_rules.config import Config
from python_rules.engine import identity, sessions
from python_rules.engine.convert import Converted, Tools, Watch
from python_rules.engine.keys.grants import Who
from python_rules.engine.staging import within_zone
from python_rules.engine.staging.ends import End, Places
from python_rules.engine.staging.moving import Moving, Stage, StagedObject
from python_rules.engine.staging.patterns import wanted
from python_rules.engine.systems.place import FOLDER, LINK, Item, Place
from python_rules.engine.threads import Zones
from python_rules.engine.transfer.zone import Listing, SourceObject, Zone
from python_rules.jobs.errors import JobError
from python_rules.jobs.model import JobRequest
from python_rules.jobs.paths import split


@dataclass(frozen=True)
class StagedListing(Listing):
    """The files that a job moves, and the folders; ``kept`` is all that the target may hold below its path."""

    stage: Stage | None = None
    links: tuple[Item, ...] = ()


def listing(config: Config, zones: Zones, request: JobRequest, attempt: int) -> Listing:
    """What there is to move; raises JobError ``source_not_found``, ``system_not_found``."""
    zone = zones.mine()
    if not any(request.ends):
        return within_zone.listing(zone, zones.session(), request, attempt)
    with sessions.as_service(config) as service:
        who = identity.of(service, zones.user)
    stage = _held(config, who, request, attempt)
    zones.keep(stage.places.close)
    try:
        return _listed(stage, stage.places.at(stage.source, zone), request)
    finally:
        stage.places.release()


def looked_at(config: Config, who: Who, zone: Zone, request: JobRequest) -> Listing:
    """What a job would move, for its plan; raises JobError as ``listing`` does."""
    stage = _held(config, who, request, 1)
    try:
        return _listed(stage, stage.places.at(stage.source, zone), request)
    finally:
        stage.places.release()
        stage.places.close()


def _held(config: Config, who: Who, request: JobRequest, attempt: int) -> Stage:
    ends = [End.of(config, getattr(request, name), who, name) for name in ("source", "target")]
    return Stage(ends[0], ends[1], Places(config, tuple(ends)), attempt)


def _listed(stage: Stage, place: Place, request: JobRequest) -> StagedListing:
    found = place.find(stage.source.path) if stage.source.path else Item("", FOLDER)
    if found is None:
        raise JobError(
            "source_not_found",
            f"{request.source} does not exist, or may not be read",
            field="source",
            remedy="check the path",
        )
    if found.kind != FOLDER:
        one = _staged(stage, found, split("/" + found.path)[1], request)
        return StagedListing(request.source, False, (one,), stage=stage)
    return _tree(stage, place, request)


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
            objects.append(_staged(stage, item, relative, request))
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


def _staged(stage: Stage, item: Item, relative: str, request: JobRequest) -> StagedObject:
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
        return within_zone.prepare(zone, request, listed)
    try:
        return _prepared(zone, request, listed, listed.stage)
    finally:
        listed.stage.places.release()


def _prepared(zone: Zone, request: JobRequest, listed: StagedListing, stage: Stage) -> None:
    place = stage.places.at(stage.target, zone)
    free, largest = place.free(), stage.target.system.settings["largest"] if stage.target.system else 0
    if free is not None and not (request.decode or request.compression) and listed.size > free:
        text = f"{listed.size} bytes are to be written and {free} are free"
        raise JobError("no_space", f"{request.target}: {text}", field="target", remedy="make room there")
    if largest and (too_large := [one.path for one in listed.objects if one.size > largest]):
        text = f"{too_large[0]} is larger than the {largest} bytes that {request.target} takes"
        raise JobError("no_space", text, field="source", remedy="leave it out with exclude")
    if listed.is_collection and not request.pack:
        _prepare_folders(place, stage, request, listed)
    elif stage.target.system is None:
        zone.require_collection(split(request.target)[0])
    elif "/" in stage.target.path:
        place.make_folder(stage.target.path.rpartition("/")[0])
    return


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
    try:
        return Moving(zone, request, listed, source, tools, watch, listed.stage).run()
    finally:
        listed.stage.places.release()


def finish(zone: Zone, request: JobRequest, listed: Listing) -> None:
    """Remove what only the target holds, if that was asked for, and the folders that a move left empty."""
    if not isinstance(listed, StagedListing) or listed.stage is None:
        return within_zone.finish(zone, request, listed)
    try:
        return _finished(zone, request, listed, listed.stage)
    finally:
        listed.stage.places.release()


def _finished(zone: Zone, request: JobRequest, listed: StagedListing, stage: Stage) -> None:
    if not listed.is_collection:
        return
    if request.delete_extra:
        _delete_extra(stage.places.at(stage.target, zone), stage, request, listed)
    if request.original != "keep":
        place = stage.places.at(stage.source, zone)
        for folder in [*sorted(listed.collections, reverse=True), ""]:
            path = stage.source.below(folder)
            if path and next(place.walk(path), None) is None:
                place.remove(path)
    return


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
