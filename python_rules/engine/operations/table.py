"""The operations on objects, and the one place that knows which code does which.

    work_on      does the job's operation on one object; work_on_some: on several
    prepare      before the first object; finish: after the last one
    remaining    what of a listing is left to do for a later attempt
    summary      what the job found out as a whole

What is no row of the tables here is a conversion (``packed`` and ``convert``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any

from python_rules.engine.convert import Converted, Tools, prepare_target
from python_rules.engine.group import Outcome, convert_group
from python_rules.engine.operations import delete, duplicate, looking, replicate
from python_rules.engine.packed import work_on as convert
from python_rules.engine.staging import stage
from python_rules.engine.transfer.trees import TreeZone
from python_rules.engine.transfer.zone import Listing, SourceObject, Zone
from python_rules.engine.watch import UNWATCHED, Watch
from python_rules.jobs import methods
from python_rules.jobs.errors import JobError
from python_rules.jobs.model import JobRequest

Work = Callable[[Zone, JobRequest, Listing, SourceObject, Tools, Watch], Converted]

WORK: dict[str, Work] = {
    methods.STAGE: stage.work_on,
    methods.DUPLICATE: duplicate.work_on,
    methods.REPLICATE: replicate.work_on,
    methods.DELETE: delete.work_on,
    methods.VERIFY: looking.verify,
    methods.SIZE: looking.size,
}
PREPARE: dict[str, Callable[[Zone, JobRequest, Listing], None]] = {
    methods.STAGE: stage.prepare,
    methods.DUPLICATE: duplicate.prepare,
    methods.REPLICATE: replicate.prepare,
}
FINISH: dict[str, Callable[[Zone, JobRequest, Listing], None]] = {
    methods.STAGE: stage.finish,
    methods.DELETE: delete.finish,
    methods.REPLICATE: replicate.finish,
}
SUMMARY: dict[str, Callable[[list[dict[str, Any]]], dict[str, Any]]] = {
    methods.VERIFY: looking.verified,
    methods.SIZE: looking.sized,
}
# Of these a later attempt redoes nothing that an earlier one told of; the others see themselves what is done.
_ONCE = (methods.VERIFY, methods.SIZE, methods.REPLICATE, methods.STAGE)


def work_on(
    zone: Zone,
    request: JobRequest,
    listing: Listing,
    source: SourceObject,
    tools: Tools,
    watch: Watch = UNWATCHED,
) -> Converted:
    """Do the job's operation on one object; raises JobError with ``object_path``."""
    try:
        watch.check()
        if source.trouble and request.operation not in (methods.VERIFY, methods.DELETE, methods.REPLICATE):
            raise source.trouble
        work = WORK.get(request.operation, convert)
        if not request.replica or request.operation == methods.REPLICATE:
            return work(zone, request, listing, source, tools, watch)
        # the original goes after all results were made, so the replica comes before that
        done = work(zone, replace(request, original="keep"), listing, source, tools, watch)
        if not done.skipped:
            replicate.follow(zone, request, listing, done, tools, watch)
            _dispose_of(TreeZone.of(zone), request, source)
    except JobError as error:
        error.object_path = error.object_path or source.path
        raise
    return done


def work_on_some(
    zone: Zone,
    request: JobRequest,
    listing: Listing,
    sources: list[SourceObject],
    tools: Tools,
    watch: Watch = UNWATCHED,
) -> Iterator[Outcome]:
    """Do the job's operation on some objects; how each of them ended."""
    if len(sources) > 1 and can_be_split(request) and not request.replica:
        yield from convert_group(zone, request, listing, sources, tools, watch)
        return
    for source in sources:
        try:
            yield source, work_on(zone, request, listing, source, tools, watch)
        except JobError as error:
            yield source, error


def can_be_split(request: JobRequest) -> bool:
    """Whether nothing in the operation is about all objects together, so that several attempts may share them."""
    return request.operation not in WORK and not request.pack


def prepare(zone: Zone, request: JobRequest, listing: Listing) -> None:
    """Make what the results of all objects need; raises JobError."""
    PREPARE.get(request.operation, prepare_target)(zone, request, listing)
    if request.replica and request.operation != methods.REPLICATE:
        replicate.prepare(zone, request, listing)


def finish(zone: Zone, request: JobRequest, listing: Listing) -> None:
    """What comes after the last object, if all went well; raises JobError."""
    if request.operation in FINISH:
        FINISH[request.operation](zone, request, listing)


def remaining(request: JobRequest, listing: Listing, reported: Collection[str]) -> Listing:
    """The listing without what earlier attempts told of as done, where nothing else would show that it is."""
    if request.operation not in _ONCE or request.delete_extra:
        return listing
    return replace(listing, objects=tuple(one for one in listing.objects if one.path not in reported))


def summary(request: JobRequest, lines: Iterable[str]) -> dict[str, Any]:
    """What the results of a job come to, for a row of SUMMARY; of several lines of an object the last one counts."""
    rows = {row["source"]: row for row in map(json.loads, lines)}
    return SUMMARY[request.operation](list(rows.values()))


def _dispose_of(zone: TreeZone, request: JobRequest, source: SourceObject) -> None:
    if request.original != "keep":
        zone.check_unchanged(source)
        zone.remove(source.path, trash=request.original == "trash")
