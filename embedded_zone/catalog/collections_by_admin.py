"""Collections that administrative calls make and remove without the rights a user needs (homes, zone roots)."""

from __future__ import annotations

from embedded_zone.agent import Agent
from embedded_zone.catalog import access, acls, entities, hooks
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

_COLUMNS = """coll_id, parent_coll_name, coll_name, coll_owner_name, coll_owner_zone, coll_inheritance, coll_type,
    coll_info1, coll_info2, create_ts, modify_ts"""
_CONTENT = """
    select 1 from R_COLL_MAIN where parent_coll_name = ? and coll_name != parent_coll_name
    union select 1 from R_DATA_MAIN where coll_id = (select coll_id from R_COLL_MAIN where coll_name = ?) limit 1
"""


def create(agent: Agent, path: str, owner: str) -> int:
    """Make a collection owned by ``owner`` (``name[#zone]``); CAT_NO_ROWS_FOUND when its parent is missing."""
    with hooks.database(agent, "reg_coll_by_admin", hooks.collection(path, owner)):
        db, now = agent.db, agent.db.now()
        parent, name = entities.split_path(path)
        if access.collection_id(db, parent) is None:
            agent.r_error.append((0, f"collection '{parent}' is unknown, cannot create {name} under it"))
            raise IrodsError(codes.CAT_NO_ROWS_FOUND, f"{parent} does not exist")
        owner_name, zone = entities.parse_user_name(owner)
        zone = zone or agent.config.zone_name
        owner_id = access.user_id(db, owner_name, zone)
        with db.transaction():
            number = db.next_id()
            row = (number, parent, path, owner_name, zone, "", "", "", "", now, now)
            db.execute(f"insert into R_COLL_MAIN ({_COLUMNS}) values (?,?,?,?,?,?,?,?,?,?,?)", row)  # noqa: S608
            if owner_id is None:
                raise IrodsError(codes.CAT_SQL_ERR, f"owner {owner} does not exist")
            acls.set_level(db, number, owner_id, access.OWN)
    return number


def remove(agent: Agent, path: str) -> None:
    """Remove an empty collection; CAT_COLLECTION_NOT_EMPTY, or CAT_NO_ROWS_FOUND when there is none."""
    with hooks.database(agent, "del_coll_by_admin", hooks.collection(path)):
        db, number = agent.db, access.collection_id(agent.db, path)
        if db.value(_CONTENT, (path, path)) is not None:
            agent.r_error.append((0, f"collection '{path}' is not empty"))
            raise IrodsError(codes.CAT_COLLECTION_NOT_EMPTY, f"{path} is not empty")
        if number is None:
            raise IrodsError(codes.CAT_NO_ROWS_FOUND, f"{path} does not exist")
        with db.transaction():
            forget(agent, number)
            db.execute("delete from R_COLL_MAIN where coll_id = ?", (number,))


def remove_if_present(agent: Agent, path: str) -> None:
    """As ``remove``, but a missing collection is no error."""
    try:
        remove(agent, path)
    except IrodsError as error:
        if error.code != codes.CAT_NO_ROWS_FOUND:
            raise


def forget(agent: Agent, object_id: int) -> None:
    """Drop the access list and the metadata of an object that is going away."""
    agent.db.execute("delete from R_OBJT_ACCESS where object_id = ?", (object_id,))
    agent.db.execute("delete from R_OBJT_METAMAP where object_id = ?", (object_id,))
