"""APIs 706 (mod_avu_metadata) and 20002 (atomic_apply_metadata_operations)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from embedded_zone.agent import Agent
from embedded_zone.api import Reply, api
from embedded_zone.catalog import atomic, hooks, metadata
from embedded_zone.catalog.metadata import BY_ID, EXACT, WILDCARD, Avu, Target
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

# The prefixes that mark a new part in a ``mod`` request, with its place among the new parts.
PART_PREFIXES = {"n:": 0, "v:": 1, "u:": 2}


def _add(agent: Agent, target: Target, args: list[str]) -> None:
    metadata.add(agent, target, Avu(*args[3:6]))


def _set(agent: Agent, target: Target, args: list[str]) -> None:
    metadata.set_value(agent, target, Avu(*args[3:6]))


def _remove(agent: Agent, target: Target, args: list[str]) -> None:
    metadata.remove(agent, target, Avu(*args[3:6]), EXACT)


def _remove_matching(agent: Agent, target: Target, args: list[str]) -> None:
    metadata.remove(agent, target, Avu(*args[3:6]), WILDCARD)


def _remove_by_id(agent: Agent, target: Target, args: list[str]) -> None:
    metadata.remove(agent, target, Avu(*args[3:6]), BY_ID)


def _copy(agent: Agent, target: Target, args: list[str]) -> None:
    source = Target(args[1], args[3], target.keywords)
    metadata.copy(agent, source, Target(args[2], args[4], target.keywords))


def _modify(agent: Agent, target: Target, args: list[str]) -> None:
    has_unit = args[5] != "" and args[5][:2] not in PART_PREFIXES
    old = Avu(args[3], args[4], args[5] if has_unit else "")
    given = new_parts(args[5:9])
    new = Avu(given[0] or old.attribute, given[1] or old.value, old.unit if given[2] is None else given[2])
    metadata.modify(agent, target, old, new)


Operation = Callable[[Agent, Target, list[str]], None]

# ``rmw`` (``%`` wildcards) ended with iRODS 4.3 and is kept for its clients.
OPERATIONS: dict[str, Operation] = {
    "add": _add,
    "set": _set,
    "rm": _remove,
    "rmw": _remove_matching,
    "rmi": _remove_by_id,
    "cp": _copy,
    "mod": _modify,
}


def new_parts(args: list[str]) -> list[str | None]:
    """New attribute, value, unit of a ``mod`` request, None where not given; each at most once and one at least."""
    parts: list[str | None] = [None, None, None]
    for arg in args:
        place = PART_PREFIXES.get(arg[:2])
        if place is None:
            continue
        if parts[place] is not None:
            raise IrodsError(codes.CAT_INVALID_ARGUMENT, f"{arg[:2]} is given more than once")
        parts[place] = arg[2:]
    if not parts[0] and not parts[1] and parts[2] is None:
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, "nothing new is given")
    return parts


def _hook_arguments(args: list[str]) -> list[str]:
    """What acPreProcForModifyAVUMetadata and its counterpart are called with."""
    if args[0] == "cp":
        return args[:5]
    if args[0] != "mod":
        return args[:6]
    new = ["", "", ""]
    for arg in args[5:9]:
        if arg[:2] in PART_PREFIXES:
            new[PART_PREFIXES[arg[:2]]] = arg
    return [*args[:5], "" if args[5][:2] in PART_PREFIXES else args[5], *new]


@api(706, "mod_avu_metadata", request="ModAVUMetadataInp_PI")
def mod_avu_metadata(agent: Agent, request: dict[str, Any], stream: bytes) -> None:
    """Add, set, remove, copy or modify triples; arg0 names the operation, arg1 and arg2 the object."""
    args = [request.get(f"arg{i}") or "" for i in range(10)]
    with hooks.framed(agent, "ModifyAVUMetadata", *_hook_arguments(args)):
        operation = OPERATIONS.get(args[0])
        if operation is None:
            raise IrodsError(codes.CAT_INVALID_ARGUMENT, f"no metadata operation {args[0]!r}")
        operation(agent, Target(args[1], args[2], request.get("KeyValPair_PI") or {}), args)


@api(20002, "atomic_apply_metadata_operations", request="json", reply="json")
def atomic_apply_metadata_operations(agent: Agent, request: Any, stream: bytes) -> Reply:
    """Apply several metadata operations to one object, all or none."""
    return Reply(body=atomic.apply_metadata(agent, request))
