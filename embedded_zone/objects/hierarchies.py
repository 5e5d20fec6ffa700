"""What coordinating resources do after a write: replication resources fill and update their other children,
compound resources copy from the cache to the archive. Source: ``librepl.cpp``, ``compound.cpp``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedded_zone.errors import IrodsError
from embedded_zone.objects import keywords as kw
from embedded_zone.objects import resources
from embedded_zone.objects.model import GOOD, Replica, Request
from embedded_zone.objects.resources import Resource, Tree

if TYPE_CHECKING:
    from embedded_zone.agent import Agent


def _leaves(tree: Tree, resource: Resource, found: list[Replica]) -> list[Resource]:
    """The storage resources that shall hold a replica for ``resource``: one below each child of a replication."""
    if not resource.children:
        return [resource]
    if resource.kind in ("replication", "compound"):
        return [leaf for child in resource.children for leaf in _leaves(tree, child, found)]
    holding = resources.holding_children(resource, found)
    usable = [child for child in resource.children if not child.is_down]
    chosen = (holding or resources.shuffled(usable) if resource.kind == "random" else holding or usable)[:1]
    return [leaf for child in chosen for leaf in _leaves(tree, child, found)]


def targets(agent: Agent, replica: Replica, found: list[Replica]) -> list[str]:
    """The hierarchies that must follow a write to ``replica``, besides its own."""
    tree = Tree(agent)
    wanted: list[str] = []
    for name in replica.hierarchy.split(";")[:-1]:
        resource = tree.named(name)
        if resource.kind in ("replication", "compound"):
            wanted += [tree.hierarchy(leaf.number) for leaf in _leaves(tree, resource, found) if not leaf.is_down]
    return [h for h in dict.fromkeys(wanted) if h != replica.hierarchy]


def synchronize(agent: Agent, replica: Replica) -> None:
    """Make or update the replicas that the hierarchy of a just written one asks for.

    A failure is logged and remembered in the reply, as a failed automatic replication is on a real server.
    """
    if ";" not in replica.hierarchy or replica.status != GOOD or agent.scratch.get("synchronizing"):
        return
    from embedded_zone.objects import lookup

    found = lookup.replicas_of_id(agent, replica.data_id, replica.logical_path)
    agent.scratch["synchronizing"] = True
    try:
        for hierarchy in targets(agent, replica, found):
            _follow(agent, replica, hierarchy)
    finally:
        agent.scratch["synchronizing"] = False


def _follow(agent: Agent, replica: Replica, hierarchy: str) -> None:
    from embedded_zone.objects import replicating  # it announces its own writes here

    keywords = {kw.RESC_HIER: replica.hierarchy, kw.DEST_RESC_HIER: hierarchy}
    request = Request(replica.logical_path, keywords=keywords, operation=kw.REPLICATE_OPR)
    try:
        replicating.copy_replica(agent, request, replica.hierarchy, hierarchy)
    except IrodsError:
        agent.log.exception("automatic replication of %s to %s", replica.logical_path, hierarchy)
        raise
