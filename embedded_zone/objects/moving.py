"""Moving a replica to another storage resource. Source: ``rsDataObjPhymv.cpp`` of 5.0.2."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from embedded_zone.catalog import access
from embedded_zone.errors import IrodsError
from embedded_zone.objects import (
    finishing,
    hooks,
    lookup,
    paths,
    portal,
    replicas,
    replicating,
    resources,
    transferring,
    vault,
)
from embedded_zone.objects import keywords as kw
from embedded_zone.objects.model import GOOD, Replica, Request
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent


def physical_move(agent: Agent, request: Request) -> int:
    """Move a replica to another storage resource; the bytes. It keeps its number, times and status. API 697.

    Keywords: resc_hier, rescName or replNum (which), dest_resc_hier or destRescName (where; leaves or
    hierarchies). Raises USER__NULL_INPUT_ERR if one is not said, USER_INVALID_RESC_INPUT for a coordinating
    resource, SYS_REPLICA_DOES_NOT_EXIST, SYS_NOT_ALLOWED if the target has a good replica.
    """
    paths.check_object(request.path)
    found = lookup.replicas(agent, request, access.MODIFY_OBJECT)
    tree = resources.Tree(agent)
    source = _source(tree, request, found)
    # A real server first tries whether it may write to the file that it is going to remove.
    vault.close_file(agent, source, vault.open_file(agent, source, os.O_RDWR))
    hierarchy = _leaf(tree, request, kw.DEST_RESC_HIER, kw.DEST_RESC_NAME)
    target = next((r for r in found if r.hierarchy == hierarchy), None)
    if target is not None and target.status == GOOD:
        raise IrodsError(codes.SYS_NOT_ALLOWED, f"{hierarchy} has a good replica")
    replicas.check_unlocked(found)
    return _move(agent, request, source, hierarchy)


def _leaf(tree: resources.Tree, request: Request, hierarchy_keyword: str, name_keyword: str) -> str:
    name = request.get(hierarchy_keyword) or request.get(name_keyword)
    if not name:
        raise IrodsError(codes.USER__NULL_INPUT_ERR, f"{name_keyword} is missing")
    return tree.leaf_hierarchy(name.rpartition(";")[2])


def _source(tree: resources.Tree, request: Request, found: list[Replica]) -> Replica:
    if request.get(kw.REPL_NUM) and not request.get(kw.RESC_NAME):
        matching = [r for r in found if str(r.number) == request.get(kw.REPL_NUM)]
    else:
        hierarchy = _leaf(tree, request, kw.RESC_HIER, kw.RESC_NAME)
        matching = [r for r in found if r.hierarchy == hierarchy]
    if not matching:
        raise IrodsError(codes.SYS_REPLICA_DOES_NOT_EXIST, "no such source replica")
    return matching[0]


def _move(agent: Agent, request: Request, source: Replica, hierarchy: str) -> int:
    entry = replicating.open_source(agent, request, source.hierarchy)
    try:
        target = replicating.open_target(agent, request, hierarchy)
    except IrodsError:
        finishing.close_only(agent, entry)
        raise
    try:
        with portal.copying(agent, entry, target, asked=2):
            moved = transferring.copy_all(agent, entry, target)
        hooks.static(agent, "acPostProcForDataCopyReceived", target.replica.leaf, replica=target.replica)
        finishing.close_only(agent, entry)
        finishing.move(agent, target, entry.replica, request)
    except IrodsError:
        finishing.failed(agent, entry, target)
        raise
    return moved
