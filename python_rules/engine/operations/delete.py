"""Objects go to the trash or for good, one by one; then the collections that they leave empty."""

from __future__ import annotations

from python_rules.engine.convert import Converted, Tools
from python_rules.engine.transfer import queries
from python_rules.engine.transfer.errors import told
from python_rules.engine.transfer.zone import Listing, SourceObject, Zone
from python_rules.engine.watch import Watch
from python_rules.jobs.errors import JobError
from python_rules.jobs.model import JobRequest


def work_on(
    zone: Zone, request: JobRequest, listing: Listing, source: SourceObject, tools: Tools, watch: Watch
) -> Converted:
    """Delete one object; that it is gone already is no error."""
    watch.publishing()
    try:
        zone.remove(source.path, trash=request.original == "trash")
    except JobError as error:
        if error.code != "source_not_found" or zone.existing(source.path) is not None:
            raise
    watch.advanced(source.size, 0)
    return Converted(source.path, "", stored_size=source.size, reason=f"original: {request.original}")


def finish(zone: Zone, request: JobRequest, listing: Listing) -> None:
    """Remove the source collection once nothing is in it; in the trash its metadata are kept with it."""
    if not listing.is_collection or request.objects:
        return
    session = zone.session
    with told(listing.source):
        if not queries.collection_exists(session, listing.source):
            return
        left = next(queries.replicas_below(session, listing.source), None)
        if left is not None:
            raise JobError(
                "collection_not_empty",
                f"{listing.source} was not removed: {left.path} is in it",
                remedy="somebody writes there, or another job works there: retry when that is over",
                object_path=listing.source,
            )
        if request.original == "trash":
            session.collections.remove(listing.source, recurse=True, force=False)
            return
        # one by one: what somebody puts there at this moment is not removed with it
        for path in [*reversed(queries.collections_below(session, listing.source)), listing.source]:
            session.collections.remove(path, recurse=False, force=True)
