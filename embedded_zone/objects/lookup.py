"""Finding data objects and collections as the connection's user may see them.

Strict access control: what the user holds no read access to, on the object and on its collection, does not
exist for them. A rodsadmin sees every name, but touches content only with a right of their own or the admin
keyword, as on a real server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedded_zone.catalog import access
from embedded_zone.errors import IrodsError
from embedded_zone.objects import keywords as kw
from embedded_zone.objects import paths, resources, ticketing
from embedded_zone.objects.model import Replica, Request
from embedded_zone.wire import codes

if TYPE_CHECKING:
    import sqlite3

    from embedded_zone.agent import Agent


def admin_mode(agent: Agent, request: Request) -> bool:
    """Whether the admin keyword was given by someone who may; raises CAT_INSUFFICIENT_PRIVILEGE_LEVEL otherwise."""
    if not request.has(kw.ADMIN, kw.ADMIN_RMTRASH):
        return False
    if not agent.is_admin:
        raise IrodsError(codes.CAT_INSUFFICIENT_PRIVILEGE_LEVEL, "the admin keyword is for a rodsadmin")
    return True


def collection_row(agent: Agent, path: str) -> sqlite3.Row | None:
    return agent.db.one("select * from R_COLL_MAIN where coll_name = ?", (path,))


def visible_collection(agent: Agent, path: str) -> sqlite3.Row | None:
    """The collection if this user can see it."""
    row = collection_row(agent, path)
    if row is None or agent.is_admin or ticketing.grants(agent, path, row["coll_id"], writing=False):
        return row
    level = access.access_level(agent.db, agent.client.user_id, row["coll_id"])
    return row if level >= access.READ_OBJECT else None


def collection_for_writing(agent: Agent, path: str, level: int = access.MODIFY_OBJECT) -> sqlite3.Row:
    """The collection if something may be made in it; CAT_UNKNOWN_COLLECTION or CAT_NO_ACCESS_PERMISSION."""
    row = collection_row(agent, path)
    if row is None:
        agent.r_error.append((0, f"collection '{path}' is unknown"))
        raise IrodsError(codes.CAT_UNKNOWN_COLLECTION, f"collection '{path}' is unknown")
    allowed = access.may(agent.db, agent.client, row["coll_id"], level)
    if not allowed and not ticketing.grants(agent, path, row["coll_id"], writing=True):
        agent.r_error.append((0, f"no permission to update collection '{path}'"))
        raise IrodsError(codes.CAT_NO_ACCESS_PERMISSION, f"no permission to update collection '{path}'")
    return row


def rows_of(agent: Agent, path: str) -> list[sqlite3.Row]:
    """Every replica's row, whoever may see it, by replica number."""
    collection, name = paths.split(path)
    sql = """select * from R_DATA_MAIN where data_name = ? and
        coll_id = (select coll_id from R_COLL_MAIN where coll_name = ?) order by data_repl_num"""
    return agent.db.all(sql, (name, collection))


def replicas_of_path(agent: Agent, path: str) -> list[Replica]:
    """Every replica of a data object, without any check; empty if there is none."""
    rows = rows_of(agent, path)
    if not rows:
        return []
    tree = resources.Tree(agent)
    return [Replica.from_row(row, path, tree.hierarchy(row["resc_id"])) for row in rows]


def replicas_of_id(agent: Agent, data_id: int, path: str) -> list[Replica]:
    """The replicas by the object's number: what a rename meanwhile cannot confuse."""
    rows = agent.db.all("select * from R_DATA_MAIN where data_id = ? order by data_repl_num", (data_id,))
    tree = resources.Tree(agent)
    return [Replica.from_row(row, path, tree.hierarchy(row["resc_id"])) for row in rows]


def replicas(
    agent: Agent, request: Request, level: int = access.READ_OBJECT, *, by_ticket: bool = False
) -> list[Replica]:
    """The replicas of the request's object, if this user holds ``level`` on it.

    A ticket makes an object visible; it lets its content be changed only where ``by_ticket`` says so (open).
    Raises CAT_NO_ROWS_FOUND for what is missing or invisible, CAT_NO_ACCESS_PERMISSION for what is visible.
    """
    found = replicas_of_path(agent, request.path)
    if not found:
        raise IrodsError(codes.CAT_NO_ROWS_FOUND, f"{request.path} does not exist")
    if admin_mode(agent, request):
        return found
    held = object_level(agent, found[0], by_ticket=by_ticket)
    if held >= level and (agent.is_admin or collection_is_visible(agent, found[0])):
        return found
    if agent.is_admin or (held >= access.READ_OBJECT and collection_is_visible(agent, found[0])):
        raise IrodsError(codes.CAT_NO_ACCESS_PERMISSION, f"no permission on {request.path}")
    raise IrodsError(codes.CAT_NO_ROWS_FOUND, f"{request.path} does not exist")


def object_level(agent: Agent, replica: Replica, *, by_ticket: bool = False) -> int:
    """The user's level on a data object, raised by the connection's ticket if that covers it."""
    level = access.access_level(agent.db, agent.client.user_id, replica.data_id)
    path, number = replica.logical_path, replica.data_id
    if by_ticket and level < access.MODIFY_OBJECT and ticketing.grants(agent, path, number, writing=True):
        return access.MODIFY_OBJECT
    if level < access.READ_OBJECT and ticketing.grants(agent, path, number, writing=False):
        return access.READ_OBJECT
    return level


def collection_is_visible(agent: Agent, replica: Replica) -> bool:
    level = access.access_level(agent.db, agent.client.user_id, replica.coll_id)
    return level >= access.READ_OBJECT or ticketing.grants(agent, replica.logical_path, replica.data_id, writing=False)


def visible_object(agent: Agent, path: str) -> list[Replica]:
    """The replicas if the user can see the object, else an empty list."""
    found = replicas_of_path(agent, path)
    if not found or agent.is_admin:
        return found
    seen = object_level(agent, found[0]) >= access.READ_OBJECT and collection_is_visible(agent, found[0])
    return found if seen else []


def require_level(agent: Agent, replica: Replica, request: Request, level: int) -> None:
    """Raise CAT_NO_ACCESS_PERMISSION unless the user holds ``level`` or acts in admin mode."""
    if not admin_mode(agent, request) and object_level(agent, replica) < level:
        raise IrodsError(codes.CAT_NO_ACCESS_PERMISSION, f"no permission on {replica.logical_path}")
