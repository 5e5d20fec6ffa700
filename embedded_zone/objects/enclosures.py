"""Metadata and access rights that travel with a put (keywords ``metadataIncluded`` and ``aclIncluded``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedded_zone.catalog import access, acls, entities, metadata
from embedded_zone.errors import IrodsError
from embedded_zone.objects import hooks
from embedded_zone.objects import keywords as kw
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent
    from embedded_zone.objects.model import Request


def apply(agent: Agent, request: Request) -> None:
    """Apply what the request's keywords enclose; raises SYS_INVALID_INPUT_PARAM for a malformed list."""
    if request.get(kw.METADATA_INCLUDED):
        _apply_metadata(agent, request.path, request.get(kw.METADATA_INCLUDED))
    if request.get(kw.ACL_INCLUDED):
        _apply_acls(agent, request.path, request.get(kw.ACL_INCLUDED))


def _apply_metadata(agent: Agent, path: str, text: str) -> None:
    """``a;v;u;a;v;u…``; the last unit may be left out."""
    parts = text.split(";")
    if parts and not parts[-1]:
        parts.pop()
    if len(parts) % 3 == 2:
        parts.append("")
    if len(parts) % 3:
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, "metadata comes in threes")
    object_id = entities.data_object(agent, path, access.CREATE_METADATA)
    with agent.db.transaction():
        for i in range(0, len(parts), 3):
            metadata.attach(agent.db, object_id, metadata.Avu(*parts[i : i + 3]))


def _apply_acls(agent: Agent, path: str, text: str) -> None:
    """``level user;level user…``."""
    for pair in filter(None, text.split(";")):
        level, _, name = pair.strip().partition(" ")
        user, _, zone = name.strip().partition("#")
        change = acls.Change(level, user, zone, path)
        args = ("0", level, user, zone, path)
        hooks.require(agent, "acPreProcForModifyAccessControl", *args)
        acls.modify(agent, change)
        hooks.static(agent, "acPostProcForModifyAccessControl", *args)
