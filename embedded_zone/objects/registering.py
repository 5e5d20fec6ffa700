"""Rows of data objects and replicas: making them, removing them, and the collection's time.

Permission checks and error codes are those of ``db_plugin.cpp`` (chlRegDataObj, chlRegReplica, chlUnregDataObj).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedded_zone.catalog import access
from embedded_zone.errors import IrodsError
from embedded_zone.objects import hooks, lookup, paths
from embedded_zone.objects.model import COLUMNS, INTERMEDIATE, Replica, Request
from embedded_zone.wire import codes

if TYPE_CHECKING:
    import sqlite3

    from embedded_zone.agent import Agent

_NAMES = ("data_name", "resc_name", "resc_hier", *COLUMNS.values())
_INSERT = f"insert into R_DATA_MAIN ({', '.join(_NAMES)}) values ({', '.join('?' * len(_NAMES))})"  # noqa: S608


def _insert(agent: Agent, replica: Replica) -> None:
    name = paths.split(replica.logical_path)[1]
    values = (getattr(replica, attribute) for attribute in COLUMNS)
    # The names are kept for old queries only: what counts is resc_id.
    agent.db.execute(_INSERT, (name, "EMPTY_RESC_NAME", "EMPTY_RESC_HIER", *values))


def data_object(agent: Agent, replica: Replica, request: Request) -> None:
    """Register a new data object with its first replica, give its creator rights, and tell the policies.

    Fills in the numbers, owner and times of ``replica``. Raises CAT_UNKNOWN_COLLECTION,
    CAT_NO_ACCESS_PERMISSION, CAT_NAME_EXISTS_AS_COLLECTION, CAT_INVALID_DATA_TYPE.
    """
    with hooks.database(agent, "reg_data_obj", hooks.data_object_info(replica)), agent.db.transaction():
        collection = lookup.collection_for_writing(agent, paths.parent(replica.logical_path))
        if lookup.collection_row(agent, replica.logical_path) is not None:
            raise IrodsError(codes.CAT_NAME_EXISTS_AS_COLLECTION, f"{replica.logical_path} is a collection")
        if lookup.rows_of(agent, replica.logical_path):
            raise IrodsError(codes.CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME, f"{replica.logical_path} exists")
        _check_type(agent, replica.type_name)
        _fill(agent, replica, collection["coll_id"])
        _insert(agent, replica)
        _grant(agent, replica, collection)
    hooks.signal(agent, "registered", replica, request=request)
    hooks.static(agent, "acPostProcForFilePathReg", replica=replica, request=request)


def _check_type(agent: Agent, name: str) -> None:
    sql = "select 1 from R_TOKN_MAIN where token_namespace = 'data_type' and token_name = ?"
    if agent.db.one(sql, (name,)) is None:
        raise IrodsError(codes.CAT_INVALID_DATA_TYPE, f"there is no data type {name!r}")


def _fill(agent: Agent, replica: Replica, collection_id: int) -> None:
    now = agent.db.now()
    replica.data_id, replica.coll_id = agent.db.next_id(), collection_id
    replica.owner_name, replica.owner_zone = agent.client.name, agent.client.zone
    replica.created = replica.created or now
    replica.modified = replica.modified or now
    replica.accessed = replica.accessed or now


def _grant(agent: Agent, replica: Replica, collection: sqlite3.Row) -> None:
    if collection["coll_inheritance"] == "1":
        inherit_access(agent, collection["coll_id"], replica.data_id)
    else:
        give_own(agent, replica.data_id)


def inherit_access(agent: Agent, collection_id: int, object_id: int) -> None:
    """Copy a collection's access list to a new object in it."""
    now = agent.db.now()
    sql = """insert into R_OBJT_ACCESS (object_id, user_id, access_type_id, create_ts, modify_ts)
        select ?, user_id, access_type_id, ?, ? from R_OBJT_ACCESS where object_id = ?"""
    agent.db.execute(sql, (object_id, now, now, collection_id))


def give_own(agent: Agent, object_id: int, user_id: int = 0) -> None:
    """Make the connection's user (or another) owner of a new object."""
    now = agent.db.now()
    row = (object_id, user_id or agent.client.user_id, access.OWN, now, now)
    agent.db.execute("insert into R_OBJT_ACCESS values (?,?,?,?,?)", row)


def replica_of(agent: Agent, source: Replica, replica: Replica, request: Request) -> None:
    """Register one more replica of an existing data object; its number is the next free one."""
    info = hooks.data_object_info(source), hooks.data_object_info(replica), hooks.key_values(request.keywords)
    with hooks.database(agent, "reg_replica", *info), agent.db.transaction():
        lookup.require_level(agent, source, request, access.READ_OBJECT)
        sql = "select max(data_repl_num) from R_DATA_MAIN where data_id = ?"
        replica.number = agent.db.value(sql, (source.data_id,)) + 1
        replica.created = replica.modified = replica.accessed = agent.db.now()
        _insert(agent, replica)


def new_replica(source: Replica, hierarchy: str, resource_id: int, status: int = INTERMEDIATE) -> Replica:
    """What a further replica of ``source``'s object starts as; not registered yet (number -1)."""
    return Replica(
        logical_path=source.logical_path,
        hierarchy=hierarchy,
        resc_id=resource_id,
        data_id=source.data_id,
        coll_id=source.coll_id,
        number=-1,
        version=source.version,
        type_name=source.type_name,
        owner_name=source.owner_name,
        owner_zone=source.owner_zone,
        status=status,
        comments=source.comments,
        mode=source.mode,
        expiry=source.expiry,
    )


def unregister(agent: Agent, replica: Replica, request: Request) -> None:
    """Remove a replica's row; with the last one go the object's rights and metadata.

    Raises CAT_NO_ACCESS_PERMISSION without delete_object, CAT_UNKNOWN_FILE if the row is gone.
    """
    info = hooks.data_object_info(replica), hooks.key_values(request.keywords)
    with hooks.database(agent, "unreg_replica", *info), agent.db.transaction():
        lookup.require_level(agent, replica, request, access.DELETE_OBJECT)
        sql = "delete from R_DATA_MAIN where data_id = ? and data_repl_num = ?"
        if not agent.db.execute(sql, (replica.data_id, replica.number)).rowcount:
            raise IrodsError(codes.CAT_UNKNOWN_FILE, f"data object '{replica.logical_path}' is unknown")
        if agent.db.one("select 1 from R_DATA_MAIN where data_id = ?", (replica.data_id,)) is None:
            forget(agent, replica.data_id)
    hooks.signal(agent, "unregistered", replica, request=request)


def forget(agent: Agent, object_id: int) -> None:
    """Remove the access list and the metadata of an object that no longer exists."""
    for table in ("R_OBJT_ACCESS", "R_OBJT_METAMAP"):
        agent.db.execute(f"delete from {table} where object_id = ?", (object_id,))  # noqa: S608


def touch_parent(agent: Agent, path: str) -> None:
    """Set the modify time of the collection that holds ``path``, whoever may write to it."""
    collection = paths.parent(path)
    info = hooks.collection_info(collection)
    with hooks.framed(agent, "ModifyCollMeta"), hooks.database(agent, "mod_coll", info):
        sql = "update R_COLL_MAIN set modify_ts = ? where coll_name = ?"
        agent.db.execute(sql, (agent.db.now(), collection))
    hooks.commit(agent)
