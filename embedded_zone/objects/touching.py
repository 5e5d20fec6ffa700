"""Touch: modify times, and empty data objects. Source: ``touch.cpp`` of 5.0.2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from embedded_zone.errors import IrodsError
from embedded_zone.objects import closing, hooks, lookup, modifying, opening, paths
from embedded_zone.objects import keywords as kw
from embedded_zone.objects.model import GOOD, Replica, Request
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent


def touch(agent: Agent, arguments: Mapping[str, Any]) -> None:
    """Set a modify time, making an empty data object if there is nothing. API 20007.

    ``arguments``: ``logical_path`` and ``options`` (no_create, replica_number, leaf_resource_name,
    seconds_since_epoch, reference). Raises INPUT_ARG_NOT_WELL_FORMED_ERR, USER_INCOMPATIBLE_PARAMS …
    """
    path, options = _touch_arguments(arguments)
    if not lookup.visible_object(agent, path) and lookup.visible_collection(agent, path) is None:
        if options.get("no_create"):
            return
        _touch_create(agent, path, options)
    found = lookup.visible_object(agent, path)
    when = _touch_time(agent, options)
    if found:
        replica = _touched_replica(agent, options, found)
        modifying.write_columns(agent, Request(path), replica, {"dataModify": when})
    else:
        _touch_collection(agent, path, options, when)


def _touch_arguments(arguments: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    path, options = arguments.get("logical_path"), arguments.get("options", {})
    if path is None or path == "" or not isinstance(options, dict):
        raise IrodsError(codes.INPUT_ARG_NOT_WELL_FORMED_ERR, "logical_path is missing, or options is no object")
    types = {
        "no_create": bool,
        "replica_number": int,
        "leaf_resource_name": str,
        "reference": str,
        "seconds_since_epoch": int,
    }
    for name, kind in types.items():
        if name in options and type(options[name]) is not kind:
            raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, f"Incorrect value for [{name}].")
        if name in options and (options[name] == "" or (kind is int and options[name] < 0)):
            raise IrodsError(codes.INPUT_ARG_NOT_WELL_FORMED_ERR, f"[{name}] cannot be empty or less than zero.")
    for pair in (("replica_number", "leaf_resource_name"), ("reference", "seconds_since_epoch")):
        if all(name in options for name in pair):
            raise IrodsError(codes.USER_INCOMPATIBLE_PARAMS, f"[{pair[0]}] and [{pair[1]}] cannot be used together.")
    if not isinstance(path, str):
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, "Incorrect value for [logical_path].")
    return paths.check(path), options


def _touch_create(agent: Agent, path: str, options: Mapping[str, Any]) -> None:
    if "replica_number" in options:
        raise IrodsError(
            codes.OBJ_PATH_DOES_NOT_EXIST, "Replica numbers cannot be used when creating new data objects."
        )
    leaf = options.get("leaf_resource_name")
    keywords = {kw.LEAF_RESC_NAME: leaf} if leaf else {}
    request = Request(path, flags=kw.O_CREAT | kw.O_WRONLY | kw.O_TRUNC, keywords=keywords)
    closing.close(agent, opening.open_object(agent, request), manner=closing.STREAM)


def _touch_time(agent: Agent, options: Mapping[str, Any]) -> str:
    if "seconds_since_epoch" in options:
        return f"{options['seconds_since_epoch']:011d}"
    if "reference" not in options:
        return agent.db.now()
    path = paths.check(options["reference"])
    found = lookup.visible_object(agent, path)
    row = lookup.visible_collection(agent, path)
    if not found and row is None:
        raise IrodsError(codes.OBJ_PATH_DOES_NOT_EXIST, f"{path} does not exist")
    return max(replica.modified for replica in found) if found else str(row["modify_ts"])  # type: ignore[index]


def _touched_replica(agent: Agent, options: Mapping[str, Any], found: list[Replica]) -> Replica:
    if "replica_number" in options or "leaf_resource_name" in options:
        number, leaf = options.get("replica_number"), options.get("leaf_resource_name")
        chosen = [r for r in found if r.number == number or r.leaf == leaf]
        if not chosen:
            raise IrodsError(codes.SYS_REPLICA_DOES_NOT_EXIST, "no such replica")
        return chosen[0]
    good = [r for r in found if r.status == GOOD]
    if not good:
        raise IrodsError(codes.SYS_NO_GOOD_REPLICA, "No good replicas found.")
    return max(good, key=lambda replica: replica.modified)


def _touch_collection(agent: Agent, path: str, options: Mapping[str, Any], when: str) -> None:
    if "replica_number" in options or "leaf_resource_name" in options:
        raise IrodsError(codes.USER_INCOMPATIBLE_PARAMS, "a collection has no replicas")
    if lookup.visible_collection(agent, path) is None:
        raise IrodsError(codes.CAT_NOT_A_DATAOBJ_AND_NOT_A_COLLECTION, f"{path} does not exist")
    set_collection_time(agent, path, when)


def set_collection_time(agent: Agent, path: str, when: str) -> None:
    """Set a collection's modify time, which needs the right to write to it. API 680."""
    with hooks.framed(agent, "ModifyCollMeta"), hooks.database(agent, "mod_coll", hooks.collection_info(path)):
        if not agent.is_admin:
            lookup.collection_for_writing(agent, path)
        agent.db.execute("update R_COLL_MAIN set modify_ts = ? where coll_name = ?", (when, path))
    hooks.commit(agent)
