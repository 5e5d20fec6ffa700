"""APIs 707 (mod_access_control) and 20005 (atomic_apply_acl_operations)."""

from __future__ import annotations

from typing import Any

from embedded_zone.agent import Agent
from embedded_zone.api import Reply, api
from embedded_zone.catalog import acls, atomic, hooks
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes


@api(707, "mod_access_control", request="modAccessControlInp_PI")
def mod_access_control(agent: Agent, request: dict[str, Any], stream: bytes) -> None:
    """Set or remove a user's or group's level on an object, or a collection's inheritance."""
    change = acls.Change(
        request.get("accessLevel") or "",
        request.get("userName") or "",
        request.get("zone") or "",
        request.get("path") or "",
        bool(request.get("recursiveFlag")),
    )
    change_access(agent, change)


def change_access(agent: Agent, change: acls.Change) -> None:
    """The whole of API 707 without its wire form, static hooks included; microservices call it too."""
    if not change.path.startswith("/") and not change.level.startswith(acls.RESOURCE_PREFIX):
        raise IrodsError(codes.SYS_INVALID_FILE_PATH, f"not an absolute path: {change.path!r}")
    with hooks.framed(agent, "ModifyAccessControl", *map(str, change.arguments), post_counts=False):
        acls.modify(agent, change)


@api(20005, "atomic_apply_acl_operations", request="json", reply="json")
def atomic_apply_acl_operations(agent: Agent, request: Any, stream: bytes) -> Reply:
    """Apply several ACL operations to one object, all or none."""
    return Reply(body=atomic.apply_acl(agent, request))
