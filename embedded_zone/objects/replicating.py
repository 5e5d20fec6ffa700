"""Replicas of existing objects: replicate, update, move, trim. Sources: ``rsDataObjRepl.cpp``,
``rsDataObjPhymv.cpp``, ``rsDataObjTrim.cpp`` of 5.0.2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedded_zone.catalog import access
from embedded_zone.errors import IrodsError
from embedded_zone.objects import (
    finishing,
    hierarchies,
    hooks,
    lookup,
    opening,
    paths,
    portal,
    removing,
    replicas,
    resources,
    transferring,
    voting,
)
from embedded_zone.objects import keywords as kw
from embedded_zone.objects.descriptors import Descriptor
from embedded_zone.objects.model import GOOD, STALE, Replica, Request
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent


def _reject_together(request: Request, *names: str) -> None:
    if all(request.has(name) for name in names):
        raise IrodsError(codes.USER_INCOMPATIBLE_PARAMS, f"{' and '.join(names)} exclude each other")


def _source_request(request: Request) -> Request:
    return request.variant(without=(kw.DEST_RESC_NAME, kw.DEST_RESC_HIER))


def _target_request(request: Request) -> Request:
    target = request.variant(without=(kw.RESC_NAME, kw.RESC_HIER, kw.REPL_NUM))
    if not target.get(kw.DEST_RESC_HIER) and not target.get(kw.DEST_RESC_NAME) and target.get(kw.DEF_RESC_NAME):
        target.keywords[kw.DEST_RESC_NAME] = target.get(kw.DEF_RESC_NAME)
    return target


def replicate(agent: Agent, request: Request) -> int:
    """Make or update replicas; the bytes of the last one. API 695.

    Keywords: destRescName (where), rescName or replNum (from which), all and updateRepl (every stale one).
    Raises SYS_USER_NO_PERMISSION, SYS_NOT_ALLOWED, SYS_REPLICA_INACCESSIBLE, USER_INCOMPATIBLE_PARAMS.
    """
    paths.check_object(request.path)
    _reject_together(request, kw.DEST_RESC_NAME, kw.ALL)
    _reject_together(request, kw.RESC_NAME, kw.REPL_NUM)
    for first, second in (
        (kw.VERIFY_CHKSUM, kw.NO_COMPUTE),
        (kw.REG_CHKSUM, kw.NO_COMPUTE),
        (kw.VERIFY_CHKSUM, kw.REG_CHKSUM),
    ):
        _reject_together(request, first, second)
    lookup.admin_mode(agent, request)
    request.operation = kw.REPLICATE_OPR
    if request.has(kw.ALL):
        return _update_all(agent, request)
    return _replicate_one(agent, request)


def _source(agent: Agent, request: Request) -> tuple[list[Replica], Replica]:
    """The object's replicas and the one to copy from."""
    source_request = _source_request(request)
    found = lookup.replicas(agent, source_request)
    given = source_request.get(kw.RESC_HIER)
    hierarchy = given or voting.resolve(agent, resources.OPEN, source_request, found).winner
    if not lookup.admin_mode(agent, request) and lookup.object_level(agent, found[0]) < access.MODIFY_OBJECT:
        message = (
            f"User [{agent.client.qualified}] does not have sufficient permission to replicate object [{request.path}]."
        )
        agent.r_error.append((codes.SYS_USER_NO_PERMISSION, message))
        raise IrodsError(codes.SYS_USER_NO_PERMISSION, message)
    replica = _replica_in(found, hierarchy)
    _check_asked(source_request, replica)
    return found, replica


def _replica_in(found: list[Replica], hierarchy: str) -> Replica:
    replica = next((r for r in found if r.hierarchy == hierarchy), None)
    if replica is None:
        raise IrodsError(codes.SYS_REPLICA_DOES_NOT_EXIST, f"no replica found with hierarchy [{hierarchy}]")
    return replica


def _check_asked(request: Request, replica: Replica) -> None:
    """The replica that won must be the one that the client asked for."""
    named, number = request.get(kw.RESC_NAME), request.get(kw.REPL_NUM)
    if named and named not in replica.hierarchy.split(";"):
        raise IrodsError(codes.SYS_REPLICA_INACCESSIBLE, f"{named} has no usable replica")
    if number and int(number) != replica.number:
        raise IrodsError(codes.SYS_REPLICA_INACCESSIBLE, f"replica {number} cannot be used now")


def _replicate_one(agent: Agent, request: Request) -> int:
    found, source = _source(agent, request)
    target_request = _target_request(request)
    hierarchy = target_request.get(kw.DEST_RESC_HIER)
    hierarchy = hierarchy or voting.resolve(agent, resources.CREATE, target_request, found).winner
    named = request.get(kw.DEST_RESC_NAME)
    if named and named not in hierarchy.split(";"):
        raise IrodsError(codes.SYS_REPLICA_INACCESSIBLE, f"{named} has no usable replica")
    existing = next((r for r in found if r.hierarchy == hierarchy), None)
    if existing is not None:
        _check_statuses(source, existing)
        if existing.status == GOOD:
            hooks.signal(agent, "modified", existing, request=request, openType=str(kw.OPEN_FOR_WRITE_TYPE))
            hierarchies.synchronize(agent, existing)
            return 0
    return copy_replica(agent, request, source.hierarchy, hierarchy)


def _check_statuses(source: Replica, target: Replica) -> None:
    if source.status != GOOD:
        raise IrodsError(codes.SYS_NOT_ALLOWED, f"source replica in [{source.hierarchy}] is not good")
    if target.status not in (GOOD, STALE):
        raise IrodsError(codes.SYS_NOT_ALLOWED, f"replica in [{target.hierarchy}] is not at rest")


def _update_all(agent: Agent, request: Request) -> int:
    found, source = _source(agent, request)
    if source.status != GOOD:
        raise IrodsError(codes.SYS_NOT_ALLOWED, "the source replica is not good")
    election = voting.resolve(agent, resources.WRITE, _target_request(request), found)
    moved = 0
    for target in found:
        if target.number != source.number and target.status == STALE and election.votes.get(target.number, 0) > 0:
            moved = copy_replica(agent, request, source.hierarchy, target.hierarchy)
    return moved


def copy_replica(agent: Agent, request: Request, source_hierarchy: str, target_hierarchy: str) -> int:
    """Copy one replica over another or into a new one; the bytes. The source stays what it is, the target equals it."""
    source = open_source(agent, request, source_hierarchy)
    try:
        _check_checksum_wish(agent, request, source.replica)
        target = open_target(agent, request, target_hierarchy)
    except IrodsError:
        finishing.close_only(agent, source)
        raise
    return _fill(agent, request, source, target)


def open_source(agent: Agent, request: Request, hierarchy: str) -> Descriptor:
    keywords = {**_source_request(request).keywords, kw.RESC_HIER: hierarchy}
    keywords.pop(kw.REG_CHKSUM, None)
    keywords.pop(kw.VERIFY_CHKSUM, None)
    inner = request.variant(keywords=keywords, flags=0, operation=kw.REPLICATE_SRC)
    return agent.descriptors.lookup(opening.open_object(agent, inner))


def open_target(agent: Agent, request: Request, hierarchy: str) -> Descriptor:
    keywords = {
        **_target_request(request).keywords,
        kw.RESC_HIER: hierarchy,
        kw.DEST_RESC_HIER: hierarchy,
        kw.REG_REPL: "",
    }
    flags = kw.O_CREAT | kw.O_WRONLY | kw.O_TRUNC
    inner = request.variant(keywords=keywords, flags=flags, operation=kw.REPLICATE_DEST)
    # The right to replicate was checked by its own rule.
    return agent.descriptors.lookup(opening.open_object(agent, inner, level=access.READ_OBJECT))


def _check_checksum_wish(agent: Agent, request: Request, source: Replica) -> None:
    if not source.checksum and request.has(kw.VERIFY_CHKSUM):
        message, code = (
            "Requested to verify checksum, but source replica has no checksum.",
            codes.CAT_NO_CHECKSUM_FOR_REPLICA,
        )
    elif source.checksum and request.has(kw.REG_CHKSUM):
        message, code = (
            "Requested to register checksum without verifying, but source replica has a checksum.",
            codes.SYS_NOT_ALLOWED,
        )
    else:
        return
    agent.r_error.append((code, message))
    raise IrodsError(code, message)


def _fill(agent: Agent, request: Request, source: Descriptor, target: Descriptor) -> int:
    try:
        with portal.copying(agent, source, target, asked=2):
            moved = transferring.copy_all(agent, source, target)
        hooks.static(agent, "acPostProcForDataCopyReceived", target.replica.leaf, replica=target.replica)
        finishing.close_only(agent, source)
        finishing.replica(agent, target, source.replica, request)
    except IrodsError:
        finishing.failed(agent, source, target)
        raise
    return moved


def trim(agent: Agent, request: Request) -> int:
    """Remove surplus replicas; 1 if any was (or, with dryrun, would be) removed, else 0. API 632.

    Keywords: replNum or rescName (which), copies (how many stay, 2 by default). Raises
    USER_INCOMPATIBLE_PARAMS for the last good replica, SYS_REPLICA_DOES_NOT_EXIST.
    """
    paths.check_object(request.path)
    _reject_together(request, kw.RESC_NAME, kw.REPL_NUM)
    plain = request.variant(without=(kw.REPL_NUM,))
    found = lookup.replicas(agent, plain)
    if not request.has(kw.RESC_HIER):
        voting.resolve(agent, resources.UNLINK, plain, found)
    chosen = _to_trim(request, found)
    if not request.has(kw.DRYRUN):
        for replica in chosen:
            removing.remove_replica(agent, replica, request)
    return 1 if chosen else 0


def _minimum(request: Request) -> int:
    text = request.get(kw.COPIES)
    if not request.has(kw.COPIES):
        return 2
    if not text.lstrip("-").isdigit() or int(text) <= 0:
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, f"copies {text!r} is not a positive number")
    return int(text)


def _to_trim(request: Request, found: list[Replica]) -> list[Replica]:
    minimum = _minimum(request)
    if len(found) <= minimum:
        return []
    good = [r for r in found if r.status == GOOD]
    if request.has(kw.REPL_NUM):
        return [_numbered(request.get(kw.REPL_NUM), found, good)]
    replicas.check_unlocked(found)
    named = request.get(kw.RESC_NAME)
    candidates = [r for r in found if not named or r.root == named]
    stale_first = [r for r in candidates if r.status == STALE] + [r for r in candidates if r.status == GOOD][
        : len(good) - 1
    ]
    return stale_first[: len(found) - minimum]


def _numbered(text: str, found: list[Replica], good: list[Replica]) -> Replica:
    if not text.lstrip("-").isdigit():
        raise IrodsError(codes.USER_INVALID_REPLICA_INPUT, f"replica number {text!r}")
    replica = next((r for r in found if r.number == int(text)), None)
    if replica is None:
        raise IrodsError(codes.SYS_REPLICA_DOES_NOT_EXIST, f"there is no replica {text}")
    replicas.check_unlocked(found, replica.hierarchy)
    if replica.status == GOOD and len(good) <= 1:
        raise IrodsError(codes.USER_INCOMPATIBLE_PARAMS, "cannot remove the last good replica")
    return replica
