"""What broken attempts left: hidden siblings, an object that 'replace' took away, replicas in flight."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import replace

from irods.column import Criterion
from irods.models import Collection, CollectionMeta, DataObject, DataObjectMeta
from irods.session import iRODSSession

from python_rules.config import Config
from python_rules.engine import sessions
from python_rules.engine.ledger import Entry, Ledger
from python_rules.engine.packed import as_one
from python_rules.engine.transfer import healing, mending, queries, trees
from python_rules.engine.transfer.zone import Listing, SourceObject, Zone
from python_rules.jobs import methods
from python_rules.jobs.errors import JobError
from python_rules.jobs.model import JobRequest
from python_rules.jobs.paths import HIDDEN_PREFIX, is_hidden, split
from python_rules.names import MADE_BY_ATTRIBUTE

_UNFINISHED = re.compile(re.escape(HIDDEN_PREFIX) + r"[0-9a-f-]{36}-[0-9a-f]{16}\.[0-9]+")  # place.write's token


def undo(config: Config, entry: Entry) -> set[str]:
    """Undo what earlier attempts left half-made; the sources that their results tell of as done."""
    with sessions.as_service(config) as service, sessions.as_user(config, entry.body.user) as user:
        clean(service, user, entry.body.id, is_unfinished)
        mending.mend(service, entry.body.id)
        return Ledger(service, config.ledger).mend_results(entry)


def clean(
    service: iRODSSession, user: iRODSSession, job_id: str, kept: Callable[[str], bool] = lambda path: False
) -> list[str]:
    """Remove a job's hidden siblings (but those to be ``kept``), finish or undo its broken replacements; the paths that
    stay."""
    found = hidden(service, f"{HIDDEN_PREFIX}{job_id}-")
    for path in found:
        healing.heal(service, path)
    trees.clear(service, user, job_id)
    places = {split(path)[0] for path in found}
    return list(Zone(user, job_id).clean(sorted(places), kept))


def hidden(service: iRODSSession, prefix: str = HIDDEN_PREFIX) -> list[str]:
    """The paths of all data objects with such a hidden name."""
    wanted = service.query(Collection.name, DataObject.name).filter(queries.begins(DataObject.name, prefix))
    rows = queries.rows(service, wanted)
    found = {f"{row[Collection.name]}/{row[DataObject.name]}" for row in rows}
    return sorted(path for path in found if split(path)[1].startswith(prefix))


def is_unfinished(path: str) -> bool:
    """Whether a hidden sibling is a staged file that a later attempt goes on with."""
    return bool(_UNFINISHED.fullmatch(split(path)[1]))


def job_of(path: str) -> str:
    """The id of the job that a hidden sibling belongs to."""
    return split(path)[1][len(HIDDEN_PREFIX) :][:36]


def listing(zone: Zone, session: iRODSSession, request: JobRequest, first: bool) -> Listing:
    """The objects of the request; none where an earlier attempt published the only one and removed the original, or
    deleted it."""
    try:
        found = zone.list(request.source, only=request.objects)
        return as_one(zone, request, found if first else _without_results(session, zone.made_by, request, found))
    except JobError as error:
        if first or error.code != "source_not_found":
            raise
        if not (request.operation == methods.DELETE or _published(session, zone.made_by) or _unpacked(session, zone)):
            raise
        return Listing(request.source, False, ())


def _without_results(session: iRODSSession, job_id: str, request: JobRequest, found: Listing) -> Listing:
    """The listing without what earlier attempts made beside their sources, which is no source though it lies among
    them, and without the names of sources that they took away once their results were there."""
    if not found.is_collection or methods.REKEY in request.steps:
        return found
    made = _published(session, job_id)
    root = request.target or found.source
    names = sorted(path[len(root) + 1 :] for path in made if path.startswith(root + "/"))
    paths = set(made)
    left = (one for one in found.objects if one.path not in paths and not (one.is_gone and _is_made(one, names)))
    return replace(found, objects=tuple(left))


def _is_made(source: SourceObject, names: list[str]) -> bool:
    """Whether a result is among these (sorted) that has the source's name, longer or shorter by a suffix."""
    longer = source.relative + "."
    if _following(names, longer).startswith(longer):
        return True
    folder, last = split(source.relative)
    parts = last.split(".")
    shorter = (f"{folder}/{'.'.join(parts[:end])}".lstrip("/") for end in range(1, len(parts)))
    return any(_following(names, name) == name for name in shorter)


def _following(names: list[str], name: str) -> str:
    """The first of the sorted names that is not before ``name``; '' if there is none."""
    at = bisect_left(names, name)
    return names[at] if at < len(names) else ""


def _published(session: iRODSSession, job_id: str) -> list[str]:
    """The objects that a job has given their final names."""
    wanted = session.query(Collection.name, DataObject.name).filter(
        Criterion("=", DataObjectMeta.name, MADE_BY_ATTRIBUTE), Criterion("=", DataObjectMeta.value, job_id)
    )
    return _visible(f"{row[Collection.name]}/{row[DataObject.name]}" for row in queries.rows(session, wanted))


def _unpacked(session: iRODSSession, zone: Zone) -> bool:
    """Whether the job has given an unpacked collection its final name."""
    wanted = session.query(Collection.name).filter(
        Criterion("=", CollectionMeta.name, MADE_BY_ATTRIBUTE), Criterion("=", CollectionMeta.value, zone.made_by)
    )
    return bool(_visible(row[Collection.name] for row in queries.rows(session, wanted)))


def _visible(paths: Iterable[str]) -> list[str]:
    return sorted(path for path in paths if not is_hidden(path))
