"""One more of each object: a replica on a resource of the zone, or a copy in another collection or zone."""

from __future__ import annotations

from dataclasses import replace

from python_rules import names
from python_rules.engine.convert import Converted, Tools, prepare_target
from python_rules.engine.operations.duplicate import ReplicaElsewhere
from python_rules.engine.transfer import copying, replicas
from python_rules.engine.transfer.trees import TreeZone
from python_rules.engine.transfer.zone import Listing, SourceObject, Zone
from python_rules.engine.watch import Watch
from python_rules.jobs.errors import JobError
from python_rules.jobs.model import JobRequest
from python_rules.jobs.paths import is_within, split


def work_on(
    zone: Zone, request: JobRequest, listing: Listing, source: SourceObject, tools: Tools, watch: Watch
) -> Converted:
    """See that one object has its replica."""
    if source.trouble:
        noted = any(avu[0] == names.REPLICATING_ATTRIBUTE for avu in zone.attributes(source))
        raise _still_replicated(source.path) if noted else source.trouble
    if not request.replica_is_path:
        made = replicas.ensure(zone.session, source.path, request.replica, zone.job_id)
        watch.advanced(source.size, source.size if made else 0)
        reason = "" if made else f"a good replica is on {request.replica} already"
        return Converted(source.path, source.path, skipped=not made, stored_size=source.size, reason=reason)
    asked = replace(request, target=f"{request.replica}/{source.relative}")
    return ReplicaElsewhere(zone, asked, replace(listing, is_collection=False), source, tools, watch).run()


def prepare(zone: Zone, request: JobRequest, listing: Listing) -> None:
    """Make the collections that copies go into, dressed as their models."""
    if not request.replica_is_path:
        return
    if not listing.is_collection:
        zone.make_collections(request.replica, ())
        return
    prepare_target(zone, replace(request, target=request.replica), listing)
    tree = TreeZone.of(zone)
    copying.dress_collections(tree, listing, request.replica)
    copying.add_missing(tree, request.replica, [(names.REPLICA_OF, listing.source, "")])


def finish(zone: Zone, request: JobRequest, listing: Listing) -> None:
    """Note at the parent where its copy is; who may only read the parent has no place to note it."""
    if not request.replica_is_path:
        return
    tree, note = TreeZone.of(zone), (names.REPLICA, request.replica, "")
    try:
        if listing.is_collection:
            copying.add_missing(tree, listing.source, [note])
        else:
            zone.change_avus(listing.source, [], [note])
    except JobError as error:
        if error.code != "not_permitted":
            raise


def follow(zone: Zone, request: JobRequest, listing: Listing, done: Converted, tools: Tools, watch: Watch) -> None:
    """Give a job's result its replica: the object, or all objects of the collection that was unpacked."""
    root = request.target or listing.source
    for made in zone.list(done.target).objects:
        relative = made.path[len(root) + 1 :] if is_within(made.path, root + "/") else split(made.path)[1]
        if request.replica_is_path:
            target = f"{request.replica}/{relative}"
            zone.make_collections(split(target)[0], ())
            own = Listing(made.path, False, (made,))
            ReplicaElsewhere(zone, replace(request, target=target, pack=False), own, made, tools, watch).run()
        else:
            replicas.ensure(zone.session, made.path, request.replica, zone.job_id)


def _still_replicated(path: str) -> JobError:
    return JobError(
        "zone_unavailable",
        f"{path} is still being replicated for an earlier attempt, or the agent that did so was killed",
        remedy="the patrol frees the object when nobody has written to its new replica for a minute",
        object_path=path,
    )
