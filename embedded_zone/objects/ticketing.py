"""What a ticket opens: the session's ticket against a path, and the counting of its uses.

The rows of R_TICKET_MAIN are made by ``catalog/tickets.py``; here they are only applied to data.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from embedded_zone.catalog import access
from embedded_zone.errors import IrodsError
from embedded_zone.objects import paths
from embedded_zone.wire import codes

if TYPE_CHECKING:
    import sqlite3

    from embedded_zone.agent import Agent


def _ticket(agent: Agent) -> sqlite3.Row | None:
    if not agent.ticket:
        return None
    return agent.db.one("select * from R_TICKET_MAIN where ticket_string = ?", (agent.ticket,))


def _covers(agent: Agent, ticket: sqlite3.Row, path: str, object_id: int) -> bool:
    if ticket["object_id"] == object_id:
        return True
    name = agent.db.value("select coll_name from R_COLL_MAIN where coll_id = ?", (ticket["object_id"],))
    return name is not None and paths.inside(path, name)


def grants(agent: Agent, path: str, object_id: int, *, writing: bool) -> bool:
    """Whether the session's ticket makes an object readable (or writable).

    A ticket that covers the object but has expired or is restricted to others raises its own error (CAT_TICKET_*).
    How often it may be used is counted by ``use`` alone: a single open asks here several times.
    """
    ticket = _ticket(agent)
    if ticket is None or (writing and ticket["ticket_type"] != "write"):
        return False
    if not _covers(agent, ticket, path, object_id):
        return False
    _check_expiry(ticket)
    _check_restrictions(agent, ticket)
    return True


def _limit(ticket: sqlite3.Row, name: str) -> tuple[int, int]:
    return int(ticket[f"{name}_limit"] or 0), int(ticket[f"{name}_count"] or 0)


def _check_expiry(ticket: sqlite3.Row) -> None:
    expiry = (ticket["ticket_expiry_ts"] or "").strip()
    if expiry and int(expiry) and int(expiry) < time.time():
        raise IrodsError(codes.CAT_TICKET_EXPIRED, "the ticket has expired")


def _members(agent: Agent, table: str, column: str, ticket_id: int) -> set[str]:
    rows = agent.db.all(f"select {column} from {table} where ticket_id = ?", (ticket_id,))  # noqa: S608
    return {row[0] for row in rows}


def _check_restrictions(agent: Agent, ticket: sqlite3.Row) -> None:
    number = ticket["ticket_id"]
    hosts = _members(agent, "R_TICKET_ALLOWED_HOSTS", "host", number)
    if hosts and agent.client_address not in hosts:
        raise IrodsError(codes.CAT_TICKET_HOST_EXCLUDED, "the ticket is not for this host")
    users = _members(agent, "R_TICKET_ALLOWED_USERS", "user_name", number)
    if users and not {agent.client.name, agent.client.qualified} & users:
        raise IrodsError(codes.CAT_TICKET_USER_EXCLUDED, "the ticket is not for this user")
    groups = _members(agent, "R_TICKET_ALLOWED_GROUPS", "group_name", number)
    if groups and not groups & _group_names(agent):
        raise IrodsError(codes.CAT_TICKET_GROUP_EXCLUDED, "the ticket is not for this user's groups")


def _group_names(agent: Agent) -> set[str]:
    sql = """select user_name from R_USER_MAIN where user_id in
        (select group_user_id from R_USER_GROUP where user_id = ?)"""
    return {row[0] for row in agent.db.all(sql, (agent.client.user_id,))}


def use(agent: Agent, path: str, object_id: int, *, level: int, writing: bool) -> None:
    """Count an access that only the ticket allows; raises the ticket's own errors (CAT_TICKET_*)."""
    ticket = _ticket(agent)
    if ticket is None or level >= (access.MODIFY_OBJECT if writing else access.READ_OBJECT):
        return
    if not grants(agent, path, object_id, writing=writing):
        return
    uses_limit, uses = _limit(ticket, "uses")
    if uses_limit and uses >= uses_limit:
        raise IrodsError(codes.CAT_TICKET_USES_EXCEEDED, "the ticket is used up")
    changes = "uses_count = uses_count + 1"
    if writing:
        files_limit, files = _limit(ticket, "write_file")
        if files_limit and files >= files_limit:
            raise IrodsError(codes.CAT_TICKET_WRITE_USES_EXCEEDED, "the ticket's files are used up")
        changes += ", write_file_count = write_file_count + 1"
    agent.db.execute(f"update R_TICKET_MAIN set {changes} where ticket_id = ?", (ticket["ticket_id"],))  # noqa: S608


def count_bytes(agent: Agent, path: str, object_id: int, size: int) -> None:
    """Count bytes written under a write ticket; raises CAT_TICKET_WRITE_BYTES_EXCEEDED."""
    ticket = _ticket(agent)
    if ticket is None or ticket["ticket_type"] != "write" or not _covers(agent, ticket, path, object_id):
        return
    limit, count = _limit(ticket, "write_byte")
    if limit and count + size > limit:
        raise IrodsError(codes.CAT_TICKET_WRITE_BYTES_EXCEEDED, "the ticket's bytes are used up")
    sql = "update R_TICKET_MAIN set write_byte_count = write_byte_count + ? where ticket_id = ?"
    agent.db.execute(sql, (size, ticket["ticket_id"]))
