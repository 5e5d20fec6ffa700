"""The resource tree: hierarchies, who gets a new replica, which replica is read or written.

A resource votes between 0 (no) and 1 for an operation; coordinating resources decide among their children.
Sources: ``voting.cpp``, ``irods_resource_redirect.cpp`` and the resource plugins of 5.0.2.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

if TYPE_CHECKING:
    import sqlite3

    from embedded_zone.agent import Agent
    from embedded_zone.objects.model import Replica

CREATE = "CREATE"
WRITE = "WRITE"
OPEN = "OPEN"
UNLINK = "UNLINK"

BUNDLE_CLASS = "bundle"


@dataclass
class Resource:
    """One row of R_RESC_MAIN."""

    number: int
    name: str
    kind: str
    resource_class: str
    host: str
    vault: str
    status: str
    context: dict[str, str]
    free_space: str
    parent: int
    parent_context: dict[str, str]
    children: list[Resource] = field(default_factory=list)

    @property
    def is_down(self) -> bool:
        return self.status == "down"


def parse_context(text: str | None) -> dict[str, str]:
    """``a=b;c=d`` as a mapping; a part without a value is its own key."""
    pairs = (part.partition("=") for part in (text or "").split(";") if part.strip())
    return {key.strip(): value.strip() for key, _, value in pairs}


class Tree:
    """All resources of the zone, as they are now."""

    def __init__(self, agent: Agent) -> None:
        rows = agent.db.all("select * from R_RESC_MAIN where zone_name = ?", (agent.config.zone_name,))
        self.by_id = {row["resc_id"]: _resource(row) for row in rows}
        self.by_name = {resource.name: resource for resource in self.by_id.values()}
        for resource in self.by_id.values():
            parent = self.by_id.get(resource.parent)
            if parent is not None:
                parent.children.append(resource)

    def named(self, name: str) -> Resource:
        """The resource; raises SYS_RESC_DOES_NOT_EXIST."""
        if name not in self.by_name:
            raise IrodsError(codes.SYS_RESC_DOES_NOT_EXIST, f"there is no resource {name!r}")
        return self.by_name[name]

    def root(self, name: str) -> Resource:
        """A resource that clients may name; raises DIRECT_CHILD_ACCESS for a child."""
        resource = self.named(name)
        if resource.parent:
            raise IrodsError(codes.DIRECT_CHILD_ACCESS, f"{name} is a child of another resource")
        return resource

    def hierarchy(self, number: int | None) -> str:
        """The names from the root to the resource, joined by semicolons; '' for an unknown number."""
        names: list[str] = []
        resource = self.by_id.get(number or 0)
        while resource is not None:
            names.append(resource.name)
            resource = self.by_id.get(resource.parent)
        return ";".join(reversed(names))

    def leaf_hierarchy(self, name: str) -> str:
        """The hierarchy of a storage resource; raises USER_INVALID_RESC_INPUT for a coordinating one."""
        resource = self.named(name)
        if resource.children:
            raise IrodsError(codes.USER_INVALID_RESC_INPUT, f"{name} is not a leaf resource")
        return self.hierarchy(resource.number)

    def leaf(self, hierarchy: str) -> Resource:
        """The storage resource at the end of a hierarchy; raises SYS_RESC_DOES_NOT_EXIST."""
        return self.named(hierarchy.rpartition(";")[2])


def _resource(row: sqlite3.Row) -> Resource:
    value = row.__getitem__
    return Resource(
        number=value("resc_id"),
        name=value("resc_name"),
        kind=value("resc_type_name"),
        resource_class=value("resc_class_name") or "",
        host=value("resc_net"),
        vault=value("resc_def_path"),
        status=value("resc_status") or "",
        context=parse_context(value("resc_context")),
        free_space=(value("free_space") or "").strip(),
        parent=int(value("resc_parent") or 0),
        parent_context={"": (value("resc_parent_context") or "").strip()},
    )


def live(resource: Resource) -> Resource:
    """The resource; raises SYS_RESC_IS_DOWN if it is marked down."""
    if resource.is_down:
        raise IrodsError(codes.SYS_RESC_IS_DOWN, f"{resource.name} is down")
    return resource


def has_space(resource: Resource, size: int) -> bool:
    """Whether ``size`` more bytes keep the resource above its ``minimum_free_space_for_create_in_bytes``.

    As on a real server a limit or a free space that is not a number refuses everything.
    """
    limit = resource.context.get("minimum_free_space_for_create_in_bytes")
    if limit is None or size < 0:
        return True
    if not limit.isdigit() or not resource.free_space.isdigit():
        return False
    return int(resource.free_space) - int(limit) >= size


def replica_on(resource: Resource, replicas: Iterable[Replica]) -> Replica | None:
    return next((r for r in replicas if r.leaf == resource.name), None)


def holding_children(resource: Resource, replicas: Iterable[Replica]) -> list[Resource]:
    """The children that have a replica somewhere below them."""
    names = {name for replica in replicas for name in replica.hierarchy.split(";")}
    return [child for child in resource.children if child.name in names]


def shuffled(resources: Iterable[Resource]) -> list[Resource]:
    """In random order, as the random resource tries its children."""
    chosen = list(resources)
    random.shuffle(chosen)
    return chosen


def with_role(resource: Resource, role: str) -> Resource | None:
    """The child that a compound resource uses as its ``cache`` or ``archive``."""
    return next((child for child in resource.children if child.parent_context[""] == role), None)
