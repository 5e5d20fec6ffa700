"""What a path is, and what a collection holds (for the icommands)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from embedded_zone.catalog import access
from embedded_zone.errors import IrodsError
from embedded_zone.objects import keywords as kw
from embedded_zone.objects import lookup, paths, resources
from embedded_zone.objects.model import GOOD, Request
from embedded_zone.wire import codes

if TYPE_CHECKING:
    import sqlite3

    from embedded_zone.agent import Agent

DATA_OBJECT = 1
COLLECTION = 2
DATA_QUERY_FIRST = 0x8
RECURSIVE_QUERY = 0x4
NO_TRIM_REPLICAS = 0x10


def stat_object(agent: Agent, request: Request) -> dict[str, Any]:
    """RodsObjStat_PI of a data object or collection; objType 1 or 2. API 633.

    The keyword ``selObjType`` asks for one kind only. Raises USER_FILE_DOES_NOT_EXIST, also for what this user
    cannot see.
    """
    path = "/" + "/".join(part for part in request.path.split("/") if part)
    wanted = request.get(kw.SEL_OBJ_TYPE)
    if wanted in ("", "dataObj"):
        found = lookup.visible_object(agent, path)
        if found:
            return _object_stat(found)
    if wanted in ("", "collection"):
        row = lookup.visible_collection(agent, path)
        if row is not None:
            return _collection_stat(row)
    raise IrodsError(codes.USER_FILE_DOES_NOT_EXIST, f"{path} does not exist")


def _object_stat(found: list[Any]) -> dict[str, Any]:
    replica = next((r for r in found if r.status == GOOD), found[0])
    return {
        "objSize": replica.size,
        "objType": DATA_OBJECT,
        "dataMode": int(replica.mode) if replica.mode.isdigit() else 0,
        "dataId": str(replica.data_id),
        "chksum": replica.checksum,
        "ownerName": replica.owner_name,
        "ownerZone": replica.owner_zone,
        "createTime": replica.created,
        "modifyTime": replica.modified,
        "SpecColl_PI": None,
        "rescHier": replica.hierarchy,
    }


def _collection_stat(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "objSize": 0,
        "objType": COLLECTION,
        "dataMode": 0,
        "dataId": str(row["coll_id"]),
        "chksum": "",
        "ownerName": row["coll_owner_name"],
        "ownerZone": row["coll_owner_zone"],
        "createTime": row["create_ts"],
        "modifyTime": row["modify_ts"],
        "SpecColl_PI": None,
        "rescHier": "",
    }


def entries(agent: Agent, path: str, flags: int) -> Iterator[dict[str, Any]]:
    """CollEnt_PI of everything in a collection that this user can see; raises as ``stat_object``."""
    path = paths.collection(path) if path != "/" else path
    if stat_object(agent, Request(path))["objType"] != COLLECTION:
        raise IrodsError(codes.CAT_NAME_EXISTS_AS_DATAOBJ, f"{path} is a data object")
    return _entries(agent, path, flags)


def _entries(agent: Agent, path: str, flags: int) -> Iterator[dict[str, Any]]:
    parts = [_objects(agent, path, flags), _collections(agent, path, flags)]
    if not flags & DATA_QUERY_FIRST:
        parts.reverse()
    for part in parts:
        yield from part


def _where(path: str, flags: int, column: str) -> tuple[str, tuple[str, ...]]:
    if not flags & RECURSIVE_QUERY:
        return f"{column} = ?", (path,)
    return f"({column} = ? or ({column} >= ? and {column} < ?))", (path, path + "/", path + "0")


def _visible(agent: Agent, column: str) -> tuple[str, tuple[int, ...]]:
    if agent.is_admin:
        return "1", ()
    groups = sorted(access.user_group_ids(agent.db, agent.client.user_id))
    marks = ",".join("?" * len(groups))
    held = f"access_type_id >= {access.READ_OBJECT} and user_id in ({marks})"
    sql = f"{column} in (select object_id from R_OBJT_ACCESS where {held})"  # noqa: S608
    return sql, tuple(groups)


def _collections(agent: Agent, path: str, flags: int) -> Iterator[dict[str, Any]]:
    where, bounds = _where(path, flags, "parent_coll_name")
    visible, groups = _visible(agent, "coll_id")
    sql = f"select * from R_COLL_MAIN where {where} and {visible} and coll_name <> '/' order by coll_name"  # noqa: S608
    for row in agent.db.all(sql, (*bounds, *groups)):
        yield _entry(
            objType=COLLECTION,
            collName=row["coll_name"],
            dataId=str(row["coll_id"]),
            ownerName=row["coll_owner_name"],
            createTime=row["create_ts"],
            modifyTime=row["modify_ts"],
        )


def _objects(agent: Agent, path: str, flags: int) -> Iterator[dict[str, Any]]:
    where, bounds = _where(path, flags, "c.coll_name")
    visible, groups = _visible(agent, "d.data_id")
    sql = f"""select d.*, c.coll_name from R_DATA_MAIN d join R_COLL_MAIN c on c.coll_id = d.coll_id
        where {where} and {visible} order by c.coll_name, d.data_name, d.data_repl_num"""  # noqa: S608
    tree, last = resources.Tree(agent), 0
    for row in agent.db.all(sql, (*bounds, *groups)):
        if row["data_id"] == last and not flags & NO_TRIM_REPLICAS:
            continue
        last = row["data_id"]
        yield _object_entry(row, tree.hierarchy(row["resc_id"]))


def _object_entry(row: sqlite3.Row, hierarchy: str) -> dict[str, Any]:
    return _entry(
        objType=DATA_OBJECT,
        replNum=row["data_repl_num"],
        replStatus=row["data_is_dirty"],
        dataMode=int(row["data_mode"]) if (row["data_mode"] or "").isdigit() else 0,
        dataSize=row["data_size"],
        collName=row["coll_name"],
        dataName=row["data_name"],
        dataId=str(row["data_id"]),
        createTime=row["create_ts"],
        modifyTime=row["modify_ts"],
        chksum=row["data_checksum"] or "",
        resource=hierarchy.rpartition(";")[2],
        resc_hier=hierarchy,
        phyPath=row["data_path"],
        ownerName=row["data_owner_name"],
        dataType=row["data_type_name"],
    )


def _entry(**fields: Any) -> dict[str, Any]:
    texts = (
        "collName",
        "dataName",
        "dataId",
        "createTime",
        "modifyTime",
        "chksum",
        "resource",
        "resc_hier",
        "phyPath",
        "ownerName",
        "dataType",
    )
    numbers = ("objType", "replNum", "replStatus", "dataMode", "dataSize")
    return {**dict.fromkeys(texts, ""), **dict.fromkeys(numbers, 0), "SpecColl_PI": {}, **fields}
