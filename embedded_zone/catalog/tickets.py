"""Tickets: strings that give whoever supplies them access to one object (API 723).

Here their rows are made, changed and removed; ``objects/ticketing.py`` applies the session's ticket to data
and the query engine to queries.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime

from embedded_zone.agent import Agent
from embedded_zone.catalog import access, entities, hooks
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

_LIMITS = {"uses": "uses_limit", "write-file": "write_file_limit", "write-bytes": "write_byte_limit"}
_INSERT = """insert into R_TICKET_MAIN
    (ticket_id, ticket_string, ticket_type, user_id, object_id, object_type, modify_ts, create_ts)
    values (?, ?, ?, ?, ?, ?, ?, ?)"""
# What a ticket may be restricted to: table and column of the list.
_LISTS = {
    "host": ("R_TICKET_ALLOWED_HOSTS", "host"),
    "user": ("R_TICKET_ALLOWED_USERS", "user_name"),
    "group": ("R_TICKET_ALLOWED_GROUPS", "group_name"),
}


def administer(agent: Agent, args: list[str], keywords: dict[str, str]) -> None:
    """Run ``args`` = operation, ticket string and up to three more (the wire's arg1 to arg5)."""
    operation = args[0]
    if operation == "session":
        hooks.fire(agent, "acTicketPolicy")
    with hooks.database(agent, "mod_ticket", *args[:5], keywords):
        run = _OPERATIONS.get(operation)
        if run is None:
            raise IrodsError(codes.CAT_INVALID_ARGUMENT, f"no ticket operation {operation!r}")
        run(agent, args, keywords)


def _session(agent: Agent, args: list[str], _keywords: dict[str, str]) -> None:
    """Use the ticket from now on; whether it is any good shows when it is needed."""
    agent.ticket = args[1]


def _create(agent: Agent, args: list[str], _keywords: dict[str, str]) -> None:
    _, ticket, kind, path, *_ = args
    if re.fullmatch(r"\d*", ticket):
        raise IrodsError(codes.CAT_TICKET_INVALID, "ticket string cannot be a number")
    object_id, object_type = _owned(agent, path)
    with agent.db.transaction() as db:
        now = db.now()
        mode = "write" if kind.startswith("write") else "read"
        row = (db.next_id(), ticket, mode, agent.client.user_id, object_id, object_type, now, now)
        db.execute(_INSERT, row)


def _owned(agent: Agent, path: str) -> tuple[int, str]:
    data_id = access.data_id(agent.db, path)
    if data_id is not None and access.may(agent.db, agent.client, data_id, access.OWN):
        return data_id, "data"
    collection_id = access.collection_id(agent.db, path)
    if collection_id is None:
        raise IrodsError(codes.CAT_UNKNOWN_COLLECTION, f"{path} is not yours or does not exist")
    if not access.may(agent.db, agent.client, collection_id, access.OWN):
        raise IrodsError(codes.CAT_NO_ACCESS_PERMISSION, f"{path} is not yours")
    return collection_id, "collection"


def find(agent: Agent, ticket: str, *, admin: bool) -> int:
    """The ticket_id of a ticket by string or id: the client's own, any in admin mode; else CAT_TICKET_INVALID."""
    for column in ("ticket_string", "ticket_id"):
        sql = f"select ticket_id from R_TICKET_MAIN where {column} = ? and (user_id = ? or ?)"  # noqa: S608
        found: int | None = agent.db.value(sql, (ticket, agent.client.user_id, admin))
        if found is not None:
            return found
    raise IrodsError(codes.CAT_TICKET_INVALID, f"no ticket {ticket} of yours")


def _delete(agent: Agent, args: list[str], keywords: dict[str, str]) -> None:
    number = find(agent, args[1], admin=entities.admin_mode(agent, keywords))
    with agent.db.transaction() as db:
        for table in ("R_TICKET_MAIN", *(table for table, _ in _LISTS.values())):
            db.execute(f"delete from {table} where ticket_id = ?", (number,))  # noqa: S608


def _modify(agent: Agent, args: list[str], keywords: dict[str, str]) -> None:
    number = find(agent, args[1], admin=entities.admin_mode(agent, keywords))
    _, _, what, value, member = args[:5]
    with agent.db.transaction() as db:
        if what in _LIMITS:
            _set(agent, number, _LIMITS[what], _number(value))
        elif what == "expire":
            _set(agent, number, "ticket_expiry_ts", expiry(value))
        elif what in ("add", "remove") and value in _LISTS:
            _change_list(agent, number, what, value, member)
            db.execute("update R_TICKET_MAIN set modify_ts = ? where ticket_id = ?", (db.now(), number))
        else:
            raise IrodsError(codes.CAT_INVALID_ARGUMENT, f"cannot modify {what} {value} of a ticket")


def _number(text: str) -> int:
    if not re.fullmatch(r"-?\d+", text):
        raise IrodsError(codes.CAT_SQL_ERR, f"not a number: {text!r}")
    return int(text)


def _set(agent: Agent, number: int, column: str, value: object) -> None:
    sql = f"update R_TICKET_MAIN set {column} = ?, modify_ts = ? where ticket_id = ?"  # noqa: S608
    agent.db.execute(sql, (value, agent.db.now(), number))


def expiry(text: str) -> str:
    """A point in time as the catalogue keeps it, from seconds since 1970 or ``YYYY-MM-DD.hh:mm:ss`` (UTC); 0 clears."""
    if text in ("", "0"):
        return ""
    if re.fullmatch(r"-?\d+", text):
        return f"{int(text):011d}"
    try:
        moment = datetime.strptime(text, "%Y-%m-%d.%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise IrodsError(codes.SYS_INTERNAL_ERR, f"not a time: {text!r}") from None
    return f"{int(moment.timestamp()):011d}"


def _change_list(agent: Agent, number: int, what: str, kind: str, member: str) -> None:
    table, column = _LISTS[kind]
    value = _MEMBERS[kind](agent, member)
    if what == "add":
        agent.db.execute(f"insert into {table} (ticket_id, {column}) values (?, ?)", (number, value))  # noqa: S608
        return
    sql = f"delete from {table} where ticket_id = ? and {column} = ?"  # noqa: S608
    if agent.db.execute(sql, (number, value)).rowcount == 0:
        raise IrodsError(codes.CAT_SUCCESS_BUT_WITH_NO_INFO, f"{member} is not on the list")


def _host(_agent: Agent, name: str) -> str:
    try:
        return socket.gethostbyname(name)
    except (OSError, UnicodeError):
        raise IrodsError(codes.CAT_HOSTNAME_INVALID, f"host {name} is unknown") from None


def _user(agent: Agent, text: str) -> str:
    _require(agent, text, "user_type_name != 'rodsgroup'", codes.CAT_INVALID_USER)
    return text


def _group(agent: Agent, text: str) -> str:
    _require(agent, text, "user_type_name = 'rodsgroup'", codes.CAT_INVALID_GROUP)
    return text


def _require(agent: Agent, text: str, condition: str, missing: int) -> None:
    name, zone = entities.parse_user_name(text)
    sql = f"select 1 from R_USER_MAIN where user_name = ? and zone_name = ? and {condition}"  # noqa: S608
    if agent.db.value(sql, (name, zone or agent.config.zone_name)) is None:
        raise IrodsError(missing, f"{text} is unknown")


_MEMBERS: dict[str, Callable[[Agent, str], str]] = {"host": _host, "user": _user, "group": _group}

_OPERATIONS: dict[str, Callable[[Agent, list[str], dict[str, str]], None]] = {
    "session": _session,
    "create": _create,
    "delete": _delete,
    "mod": _modify,
}
