"""Computing, looking up and verifying checksums. Source: ``rsDataObjChksum.cpp`` of 5.0.2."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from embedded_zone.catalog import access
from embedded_zone.errors import IrodsError
from embedded_zone.objects import hooks, lookup, paths, resources, vault, voting
from embedded_zone.objects import keywords as kw
from embedded_zone.objects.model import AT_REST, GOOD, Replica, Request
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent

Results = list[dict[str, Any]]


def checksum(agent: Agent, request: Request) -> str:
    """The checksum of a replica, computed and registered if there is none (or forced). API 629.

    Keywords: replNum or rescName (which replica), ChksumAll, forceChksum; with verifyChksum nothing is registered
    and CHECK_VERIFICATION_RESULTS carries the findings as a JSON list. '' where replicas differ.
    """
    paths.check_object(request.path)
    number, named = request.has(kw.REPL_NUM), request.has(kw.RESC_NAME)
    verify = request.has(kw.VERIFY_CHKSUM)
    if (
        (number and named)
        or (request.has(kw.CHKSUM_ALL) and (number or named))
        or (verify and request.has(kw.FORCE_CHKSUM))
    ):
        raise IrodsError(codes.USER_INCOMPATIBLE_PARAMS, "these keywords exclude each other")
    lookup.admin_mode(agent, request)
    found = lookup.replicas(agent, request)
    hierarchy = _hierarchy(agent, request, found)
    if verify:
        _verify(agent, request, found, hierarchy if number or named else "")
        return ""
    if request.has(kw.CHKSUM_ALL):
        return _all(agent, request, found)
    return _one(agent, request, _accessible(found, hierarchy))


def _hierarchy(agent: Agent, request: Request, found: Sequence[Replica]) -> str:
    if request.get(kw.LEAF_RESC_NAME):
        return resources.Tree(agent).leaf_hierarchy(request.get(kw.LEAF_RESC_NAME))
    given = request.get(kw.RESC_HIER)
    if given:
        return given
    hierarchy = voting.resolve(agent, resources.OPEN, request, found).winner
    named = request.get(kw.RESC_NAME)
    if named and named not in hierarchy.split(";"):
        raise IrodsError(codes.SYS_REPLICA_DOES_NOT_EXIST, f"{named} holds no replica")
    return hierarchy


def _accessible(found: Sequence[Replica], hierarchy: str) -> Replica:
    replica = next((r for r in found if r.hierarchy == hierarchy), None)
    if replica is None:
        raise IrodsError(codes.SYS_REPLICA_DOES_NOT_EXIST, f"no replica in {hierarchy}")
    if replica.status not in AT_REST:
        raise IrodsError(codes.SYS_REPLICA_INACCESSIBLE, "the replica is being written")
    return replica


def _good(found: Sequence[Replica]) -> list[Replica]:
    good = [r for r in found if r.status == GOOD]
    if not good:
        raise IrodsError(codes.SYS_NO_GOOD_REPLICA, "there is no good replica")
    return good


def _one(agent: Agent, request: Request, replica: Replica) -> str:
    if replica.checksum and not request.has(kw.FORCE_CHKSUM):
        return replica.checksum
    return register(agent, request, replica)


def register(agent: Agent, request: Request, replica: Replica) -> str:
    """Compute a replica's checksum and write it to the catalogue."""
    text = vault.checksum(agent, replica)
    change = hooks.data_object_info(replica), hooks.key_values({kw.CHKSUM: text})
    with hooks.framed(agent, "ModifyDataObjMeta", replica), hooks.database(agent, "mod_data_obj_meta", *change):
        lookup.require_level(agent, replica, request, access.MODIFY_METADATA)
        sql = "update R_DATA_MAIN set data_checksum = ? where data_id = ? and data_repl_num = ?"
        agent.db.execute(sql, (text, replica.data_id, replica.number))
    return text


def _all(agent: Agent, request: Request, found: Sequence[Replica]) -> str:
    sums = [_one(agent, request, replica) for replica in _good(found)]
    if len(set(sums)) == 1:
        return sums[0]
    agent.r_error.append((codes.USER_CHKSUM_MISMATCH, "WARNING: Data object has replicas with different checksums."))
    return ""


# --- verification ---


def _finding(severity: str, code: int, text: str) -> dict[str, Any]:
    return {"error_code": code, "message": f"{severity.upper()}: {text}", "severity": severity}


def _verify(agent: Agent, request: Request, found: Sequence[Replica], hierarchy: str) -> None:
    """Raise CHECK_VERIFICATION_RESULTS if there is anything to report."""
    if hierarchy:
        results = _verify_one(agent, request, _accessible(found, hierarchy))
    else:
        results = _verify_good(agent, request, found)
    if results:
        text = json.dumps(results, separators=(",", ":"))
        raise IrodsError(codes.CHECK_VERIFICATION_RESULTS, "see the results", reply=text)


def _verify_one(agent: Agent, request: Request, replica: Replica) -> Results:
    results = _size_findings(agent, replica)
    if not replica.checksum:
        return [*results, _missing(replica)]
    if not request.has(kw.NO_COMPUTE):
        results += _checksum_findings(agent, replica)
    return results


def _verify_good(agent: Agent, request: Request, found: Sequence[Replica]) -> Results:
    good = _good(found)
    results: Results = []
    if len(found) > len(good):
        results.append(_finding("info", 0, f"Number of replicas skipped: {len(found) - len(good)}"))
    for replica in good:
        results += _size_findings(agent, replica)
    missing = [_missing(replica) for replica in good if not replica.checksum]
    if missing:
        return results + missing
    if not request.has(kw.NO_COMPUTE):
        for replica in good:
            results += _checksum_findings(agent, replica)
    if len({replica.checksum for replica in good}) > 1:
        text = "Data object has replicas with different checksums."
        results.append(_finding("warning", codes.USER_CHKSUM_MISMATCH, text))
    return results


def _missing(replica: Replica) -> dict[str, Any]:
    text = f"No checksum available for replica [{replica.number}]."
    return _finding("warning", codes.CAT_NO_CHECKSUM_FOR_REPLICA, text)


def _size_findings(agent: Agent, replica: Replica) -> Results:
    try:
        size = vault.status(agent, replica).st_size
    except IrodsError as error:
        return [_finding("error", error.code, f"Could not verify size for replica [{replica.number}].")]
    if size == replica.size:
        return []
    text = f"Physical size does not match size in catalog for replica [{replica.number}]."
    return [_finding("error", codes.USER_FILE_SIZE_MISMATCH, text)]


def _checksum_findings(agent: Agent, replica: Replica) -> Results:
    try:
        computed = vault.checksum(agent, replica, like=replica.checksum)
    except IrodsError as error:
        return [_finding("error", error.code, f"Could not verify checksum for replica [{replica.number}].")]
    if computed == replica.checksum:
        return []
    text = f"Computed checksum does not match what is in the catalog for replica [{replica.number}]."
    return [_finding("error", codes.USER_CHKSUM_MISMATCH, text)]
