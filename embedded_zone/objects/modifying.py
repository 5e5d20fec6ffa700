"""System metadata of data objects (times, status, comments …), touch and truncate.

Sources: ``rsModDataObjMeta.cpp``, ``touch.cpp``, ``rsDataObjTruncate.cpp``, ``rs_replica_truncate.cpp`` of 5.0.2.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from embedded_zone.catalog import access
from embedded_zone.errors import IrodsError
from embedded_zone.objects import (
    hierarchies,
    hooks,
    lookup,
    paths,
    replicas,
    resources,
    vault,
    voting,
)
from embedded_zone.objects import keywords as kw
from embedded_zone.objects.model import GOOD, STALE, Replica, Request
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent

# regParam keyword -> column (``db_mod_data_obj_meta_op``)
COLUMNS: dict[str, str] = {
    "collId": "coll_id",
    "dataCreate": "create_ts",
    "chksum": "data_checksum",
    "dataExpiry": "data_expiry_ts",
    "replStatus": "data_is_dirty",
    "dataMode": "data_mode",
    "data_name": "data_name",
    "dataOwner": "data_owner_name",
    "dataOwnerZone": "data_owner_zone",
    "filePath": "data_path",
    "replNum": "data_repl_num",
    "dataSize": "data_size",
    "statusString": "data_status",
    "dataType": "data_type_name",
    "version": "data_version",
    "dataModify": "modify_ts",
    "dataComments": "r_comment",
    "rescId": "resc_id",
    "dataAccessTime": "access_ts",
}
_TIMES = frozenset({"data_expiry_ts", "modify_ts", "access_ts"})
_OPEN_TO_OWNERS = frozenset({"dataComments", "dataExpiry", "dataType", "dataModify"})


def modify_data_object(agent: Agent, info: Mapping[str, Any], changes: dict[str, str]) -> None:
    """Change system metadata of one replica, or of all with the keyword ``all``. API 622 and 20001.

    ``info`` is DataObjInfo_PI (objPath; replNum, rescHier or rescName name the replica), ``changes`` the
    keywords of ``regParam``. What decides where data lies or whose it is takes a rodsadmin.
    """
    path = paths.check_object(info.get("objPath") or "")
    request = Request(path, keywords={k: v for k, v in changes.items() if k == kw.ADMIN})
    admin = lookup.admin_mode(agent, request)
    found = lookup.replicas_of_path(agent, path)
    if not found:
        _unknown(agent, path)
    columns = _columns(agent, changes)
    target = _target(agent, info, changes, found)
    change = hooks.data_object_info(target or found[0]), hooks.key_values(changes)
    with _changing(agent, target or found[0], change):
        _check_rights(agent, found[0], changes, admin)
        _update(agent, found[0].data_id, target, columns)
        _settle_others(agent, target, changes)


@contextmanager
def _changing(agent: Agent, replica: Replica, change: tuple[Any, ...]) -> Iterator[None]:
    """The hooks and the transaction of a change of system metadata."""
    with (
        hooks.framed(agent, "ModifyDataObjMeta", replica),
        hooks.database(agent, "mod_data_obj_meta", *change),
        agent.db.transaction(),
    ):
        yield


def _unknown(agent: Agent, path: str) -> None:
    if lookup.collection_row(agent, paths.parent(path)) is None:
        raise IrodsError(codes.CAT_UNKNOWN_COLLECTION, f"collection '{paths.parent(path)}' is unknown")
    raise IrodsError(codes.CAT_UNKNOWN_FILE, f"{path} does not exist")


def _columns(agent: Agent, changes: Mapping[str, str]) -> dict[str, str]:
    columns = {COLUMNS[name]: value for name, value in changes.items() if name in COLUMNS and name != "replNum"}
    if "resc_hier" in changes:
        columns["resc_id"] = str(resources.Tree(agent).leaf(changes["resc_hier"]).number)
    for name in _TIMES & columns.keys():
        columns[name] = _timestamp(columns[name])
    if "data_type_name" in columns:
        _check_type(agent, columns["data_type_name"])
    if not columns:
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, "nothing to change")
    return columns


def _timestamp(text: str) -> str:
    if len(text) >= 11:
        return text
    return f"{int(text):011d}" if text.lstrip("-").isdigit() else "00000000000"


def _check_type(agent: Agent, name: str) -> None:
    sql = "select 1 from R_TOKN_MAIN where token_namespace = 'data_type' and token_name = ?"
    if agent.db.one(sql, (name,)) is None:
        agent.r_error.append((0, "Invalid data type specified."))
        raise IrodsError(codes.CAT_INVALID_DATA_TYPE, f"there is no data type {name!r}")


def _target(agent: Agent, info: Mapping[str, Any], changes: Mapping[str, str], found: list[Replica]) -> Replica | None:
    """The replica that is meant; None for all of them."""
    if kw.ALL in changes:
        return None
    hierarchy, name = info.get("rescHier") or "", info.get("rescName") or ""
    number = int(info.get("replNum") or 0)
    for replica in found:
        if hierarchy and replica.hierarchy == hierarchy:
            return replica
        if not hierarchy and name and name in replica.hierarchy.split(";"):
            return replica
        if not hierarchy and not name and replica.number == number:
            return replica
    raise IrodsError(codes.CAT_NO_ROWS_FOUND, "no such replica")


def _check_rights(agent: Agent, replica: Replica, changes: Mapping[str, str], admin: bool) -> None:
    if admin:
        return
    level = access.DELETE_OBJECT if "dataExpiry" in changes else access.MODIFY_METADATA
    if not access.may(agent.db, agent.client, replica.data_id, level):
        raise IrodsError(codes.CAT_NO_ACCESS_PERMISSION, f"no permission on {replica.logical_path}")
    named = {name for name in changes if name in COLUMNS or name == "resc_hier"}
    if not agent.is_admin and not named <= _OPEN_TO_OWNERS:
        raise IrodsError(codes.CAT_NO_ACCESS_PERMISSION, f"{sorted(named - _OPEN_TO_OWNERS)} take a rodsadmin")


def _update(agent: Agent, data_id: int, target: Replica | None, columns: Mapping[str, str]) -> None:
    names = ", ".join(f"{column} = ?" for column in columns)
    sql, values = f"update R_DATA_MAIN set {names} where data_id = ?", [*columns.values(), data_id]  # noqa: S608
    if target is not None:
        sql, values = f"{sql} and data_repl_num = ?", [*values, target.number]
    agent.db.execute(sql, values)


def _settle_others(agent: Agent, target: Replica | None, changes: Mapping[str, str]) -> None:
    """The keyword ``allReplStatus``: this replica is good now, and every other one stale."""
    if target is None or "allReplStatus" not in changes:
        return
    sql = "update R_DATA_MAIN set data_is_dirty = case data_repl_num when ? then ? else ? end where data_id = ?"
    agent.db.execute(sql, (target.number, GOOD, STALE, target.data_id))


def write_columns(agent: Agent, request: Request, replica: Replica, changes: dict[str, str]) -> None:
    """Change a replica's system metadata on behalf of an operation, with the hooks of that."""
    change = hooks.data_object_info(replica), hooks.key_values(changes)
    columns = {COLUMNS[name]: value for name, value in changes.items() if name in COLUMNS}
    with _changing(agent, replica, change):
        lookup.require_level(agent, replica, request, access.MODIFY_METADATA)
        _update(agent, replica.data_id, replica, columns)
        _settle_others(agent, replica, changes)


# --- truncate ---


def truncate(agent: Agent, request: Request) -> None:
    """Cut every replica of an object to ``request.size`` bytes. API 652 (deprecated)."""
    paths.check_object(request.path)
    agent.r_error.append(
        (codes.DEPRECATED_API, "rxDataObjTruncate has been deprecated. Use rx_replica_truncate instead.")
    )
    found = lookup.replicas(agent, request, access.MODIFY_OBJECT)
    for replica in found:
        if replica.size != request.size:
            vault.truncate(agent, replica, request.size)
            write_columns(agent, request, replica, {"dataSize": str(request.size), "chksum": ""})


def truncate_replica(agent: Agent, request: Request) -> str:
    """Cut one replica; the JSON text that API 802 answers. Its siblings become stale.

    On failure IrodsError carries the same JSON as its reply.
    """
    chosen: list[Replica] = []
    try:
        message = _truncate_replica(agent, request, chosen)
    except IrodsError as error:
        error.reply = _truncation_report(error.message or str(error.code), chosen)
        raise
    return _truncation_report(message, chosen)


def _truncation_report(message: str, chosen: list[Replica]) -> str:
    replica = chosen[0] if chosen else None
    report = {
        "message": message,
        "resource_hierarchy": replica.hierarchy if replica else None,
        "replica_number": replica.number if replica else None,
    }
    return json.dumps(report, separators=(",", ":"))


def _truncate_replica(agent: Agent, request: Request, chosen: list[Replica]) -> str:
    if request.has(kw.DEST_RESC_NAME, kw.DEST_RESC_HIER) or (request.has(kw.RESC_NAME) and request.has(kw.REPL_NUM)):
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, "these keywords cannot be used here or together")
    paths.check_object(request.path)
    lookup.admin_mode(agent, request)
    request.flags = kw.O_WRONLY
    found, hierarchy = _resolve_for_truncation(agent, request)
    replicas.check_unlocked(found, hierarchy)
    replica = next((r for r in found if r.hierarchy == hierarchy), None)
    if replica is None:
        raise IrodsError(codes.SYS_REPLICA_DOES_NOT_EXIST, f"no replica in {hierarchy}")
    named = request.get(kw.RESC_NAME)
    if named and named not in hierarchy.split(";"):
        raise IrodsError(codes.SYS_REPLICA_INACCESSIBLE, f"{named} holds no usable replica")
    chosen.append(replica)
    if replica.size == request.size:
        return f"Replica of [{request.path}] on [{hierarchy}] already has size [{request.size}]."
    _cut_and_announce(agent, request, replica)
    return ""


def _resolve_for_truncation(agent: Agent, request: Request) -> tuple[list[Replica], str]:
    try:
        found = lookup.replicas(agent, request, access.MODIFY_OBJECT)
    except IrodsError as error:
        if error.code == codes.CAT_NO_ROWS_FOUND:
            raise IrodsError(codes.OBJ_PATH_DOES_NOT_EXIST, f"{request.path} does not exist") from None
        raise
    given = request.get(kw.RESC_HIER)
    return found, given or voting.resolve(agent, resources.WRITE, request, found).winner


def _cut_and_announce(agent: Agent, request: Request, replica: Replica) -> None:
    vault.truncate(agent, replica, request.size)
    changes = {
        "dataSize": str(request.size),
        "chksum": "",
        kw.OPEN_TYPE: str(kw.OPEN_FOR_WRITE_TYPE),
        "allReplStatus": "",
        "dataModify": f"{int(time.time()):011d}",
    }
    write_columns(agent, request, replica, changes)
    replica.size, replica.checksum, replica.status = request.size, "", GOOD
    hooks.signal(agent, "modified", replica, request=request, openType=str(kw.OPEN_FOR_WRITE_TYPE))
    hierarchies.synchronize(agent, replica)
