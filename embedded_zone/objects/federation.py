"""Paths of other zones have no business here: ``embedded_zone.federation`` forwards the calls that are about them.

What comes here all the same, past the API table, fails with SYS_INVALID_ZONE_NAME. A first path component that is no
zone at all is just a collection that does not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from embedded_zone.errors import IrodsError
from embedded_zone.objects import paths
from embedded_zone.objects.model import Request
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent

P = ParamSpec("P")
R = TypeVar("R")


def require_local(agent: Agent, path: str) -> None:
    """Raise SYS_INVALID_ZONE_NAME for a path of a remote zone."""
    zone = paths.zone_of(path)
    if zone == agent.config.zone_name:
        return
    sql = "select 1 from R_ZONE_MAIN where zone_name = ? and zone_type_name = 'remote'"
    if agent.db.one(sql, (zone,)) is not None:
        raise IrodsError(codes.SYS_INVALID_ZONE_NAME, f"{zone} is another zone")


def local(operation: Callable[Concatenate[Agent, P], R]) -> Callable[Concatenate[Agent, P], R]:
    """Make an operation refuse requests for paths of other zones."""

    @wraps(operation)
    def checked(agent: Agent, /, *args: P.args, **kwargs: P.kwargs) -> R:
        for argument in args:
            if isinstance(argument, Request):
                require_local(agent, argument.path)
        return operation(agent, *args, **kwargs)

    return checked
