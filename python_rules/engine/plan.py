"""The dry run: what a job would do and need, and what would be refused; nothing is created."""

from __future__ import annotations

from itertools import islice
from typing import Any

from irods.session import iRODSSession

from python_rules.config import Config
from python_rules.engine import accept, identity, opening, preflight, sessions, space
from python_rules.engine.codec.table import shrinkage
from python_rules.engine.operations import table as operations
from python_rules.engine.staging import stage
from python_rules.engine.transfer import queries
from python_rules.engine.transfer.listing import Listing, SourceObject
from python_rules.engine.transfer.zone import Zone
from python_rules.jobs import methods, model
from python_rules.jobs.errors import JobError
from python_rules.jobs.model import JobRequest

_SAMPLES = 8  # objects, spread over the listing
_SAMPLE_BYTES = 256 * 1024
_NAMED = 20  # objects that are named; all of them are counted


def of(config: Config, service: iRODSSession, request: dict[str, Any], user: str) -> dict[str, Any]:
    """The plan: objects, bytes, expected size, room, the key, and every reason for which something would be refused."""
    wanted = model.from_json(request)
    refused = _refused(config, service, wanted, user)
    seen: stage.Foreseen | None = None
    plan: dict[str, Any] = {"operation": wanted.operation, "source": wanted.source, "target": wanted.target}
    with sessions.as_user(config, user) as session:
        zone = Zone(session, "")
        try:
            if any(wanted.ends):
                seen = stage.foreseen(config, identity.of(service, user), zone, wanted)
                listing = seen.listing
            else:
                listing = zone.list(wanted.source, only=wanted.objects)
        except JobError as error:
            listing = Listing(wanted.source, True, ())
            refused = refused or [error.public()]
        ratio = _ratio(zone, wanted, listing)
        unusable = [*_unusable(service, wanted, listing, user), *_unopened(config, service, session, wanted, user)]
        taken = seen.there if seen else _taken(session, wanted, listing)
    expected = None if ratio is None else round(listing.size * ratio)
    if seen and wanted.ends[1]:
        resources = [{"name": wanted.ends[1], "is_up": True, "free_bytes": seen.free}]
    else:
        resources = space.resources(service)
    room = [one for one in resources if wanted.replica in ("", one["name"])] or resources
    return {
        **plan,
        "objects": len(listing.objects),
        "bytes": listing.size,
        "expected_bytes": expected,
        "expected_ratio": ratio,
        "key": wanted.key or None,
        "resources": room,
        "fits": _fits(room, listing.size if expected is None else expected),
        "unusable": {"count": len(unusable), "first": unusable[:_NAMED]},
        "existing_targets": {"count": len(taken), "first": taken[:_NAMED], "then": wanted.existing},
        "refused": refused,
        "would_start": not refused,
    }


def _unusable(service: iRODSSession, wanted: JobRequest, listing: Listing, user: str) -> list[dict[str, Any]]:
    """Why objects would fail, as far as that is known before."""
    if wanted.operation != methods.DELETE:
        return [found.trouble.public() for found in listing.objects if found.trouble]
    own = preflight.deletable(service, wanted.source, user)
    remedy = "ask its owner: deleting needs 'own' or 'delete_object'"
    others = [found.path for found in listing.objects if found.path not in own]
    return [JobError("not_permitted", f"{user} may not delete {path}", remedy=remedy).public() for path in others]


def _unopened(
    config: Config, service: iRODSSession, session: iRODSSession, wanted: JobRequest, user: str
) -> list[dict[str, Any]]:
    """Why what is sealed would not be opened: for each key and collection, or for the object, one error."""
    if not opening.asked(wanted):
        return []
    found = opening.refused(identity.keys_for(config, service, user, ""), session, wanted)
    return [error.public() for error in found.values() if error]


def _refused(config: Config, service: iRODSSession, wanted: JobRequest, user: str) -> list[dict[str, Any]]:
    try:
        accept.check(config, service, wanted, user)
    except JobError as error:
        return [error.public()]
    return []


def _ratio(zone: Zone, wanted: JobRequest, listing: Listing) -> float | None:
    """Bytes that will be written for each that is read, by sampling; None where the data decide it (decoding)."""
    if wanted.operation in (methods.DUPLICATE, methods.REPLICATE):
        return 1.0
    if methods.OPERATIONS[wanted.operation].only_looks or wanted.operation == methods.DELETE:
        return 0.0
    if wanted.operation == methods.STAGE and not (wanted.compression or wanted.decode):
        return 1.0
    if wanted.operation in operations.WORK or not methods.OPERATIONS[wanted.operation].encodes:
        return None
    if methods.COMPRESS not in wanted.steps:
        return 1.0
    usable = [found for found in listing.objects if found.size and not found.trouble]
    step = max(1, len(usable) // _SAMPLES)
    samples = [_sample(zone, found) for found in islice(usable, 0, None, step)][: _SAMPLES + 1]
    return round(shrinkage(samples), 4)


def _sample(zone: Zone, source: SourceObject) -> bytes:
    """A piece out of the middle of an object."""
    buffer = bytearray(min(source.size, _SAMPLE_BYTES))
    try:
        reader = zone.reader(source.path)
    except JobError:
        return b""
    try:
        reader.seek(max(0, (source.size - len(buffer)) // 2))
        return bytes(buffer[: reader.readinto(buffer)])
    finally:
        reader.close()


def _taken(session: iRODSSession, wanted: JobRequest, listing: Listing) -> list[str]:
    """Targets that exist already, where names can be foretold: of what is encoded or copied."""
    foretold = methods.OPERATIONS[wanted.operation].encodes or wanted.operation == methods.DUPLICATE
    if not foretold or not listing.objects:
        return []
    if wanted.pack or (not listing.is_collection and wanted.target):
        made = wanted.target or wanted.source + wanted.ending()
        return [made] if queries.replicas(session, made) else []
    place = wanted.target or (wanted.source if listing.is_collection else wanted.source.rpartition("/")[0])
    there = {found.path for found in queries.replicas_below(session, place)}
    names = (f"{place}/{found.relative}{wanted.ending()}" for found in listing.objects)
    return sorted(name for name in names if name in there)


def _fits(room: list[dict[str, Any]], size: int) -> bool | None:
    """Whether some resource that is up has room for it; None if none of them tells."""
    known = [one["free_bytes"] for one in room if one["is_up"] and one["free_bytes"] is not None]
    return any(free >= size for free in known) if known else None
