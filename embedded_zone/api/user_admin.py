"""API 714 (user_admin): what users may change of themselves, and what group administrators may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from embedded_zone.agent import Agent
from embedded_zone.api import api
from embedded_zone.catalog import hooks, passwords, users
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

Arguments = list[str]


def _change_user(agent: Agent, args: Arguments) -> None:
    """``ipasswd``: arg1 user, arg2 ``password``, arg3 the scrambled new one."""
    hooks.fire(agent, "acPreProcForModifyUser", *args[1:4])
    try:
        users.change(agent, *args[1:4])
    finally:
        hooks.fire(agent, "acPostProcForModifyUser", *args[1:4])


def _make_user(agent: Agent, args: Arguments) -> None:
    """A rodsuser with, optionally, a first password that is scrambled with the caller's own."""
    users.create(agent, args[1], "rodsuser", args[3])
    if len(args[2]) > passwords.MAX_LENGTH:
        raise IrodsError(codes.PASSWORD_EXCEEDS_MAX_SIZE, "the password is too long")
    if args[2]:
        users.change(agent, args[1], "password", args[2])


def _make_group(agent: Agent, args: Arguments) -> None:
    if args[2] != users.GROUP:
        # iRODS would take any type here, and so let a group admin make a rodsadmin.
        raise IrodsError(codes.SYS_NOT_ALLOWED, "mkgroup makes groups only")
    users.create(agent, args[1], args[2], args[3])


def _modify(agent: Agent, args: Arguments) -> None:
    if args[1] != "group":
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, f"cannot modify {args[1]!r}")
    users.modify_group(agent, *args[2:6])


OPERATIONS: dict[str, Callable[[Agent, Arguments], None]] = {
    "userpw": _change_user,
    "mkuser": _make_user,
    "mkgroup": _make_group,
    "modify": _modify,
}


@api(714, "user_admin", request="userAdminInp_PI")
def user_admin(agent: Agent, request: dict[str, Any], stream: bytes) -> None:
    """Run one command; CAT_INVALID_ARGUMENT for one that is not known."""
    args = [request.get(f"arg{i}") or "" for i in range(10)]
    operation = OPERATIONS.get(args[0])
    if operation is None:
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, f"no command {args[0]!r}")
    operation(agent, args)
