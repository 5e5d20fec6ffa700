"""Renaming and moving data objects and collections, in the catalogue and in the vaults.

Sources: ``rsDataObjRename.cpp``, ``physPath.cpp``, chlRenameObject and chlMoveObject of 5.0.2. A real server does
all of it in one database transaction; here each step is its own, because policies run between them and may use
a second connection, and a failure undoes the steps before it.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from embedded_zone.catalog import access
from embedded_zone.errors import IrodsError
from embedded_zone.objects import hooks, lookup, paths, registering, removing, replicas, resources, vault
from embedded_zone.objects import keywords as kw
from embedded_zone.objects.model import Replica, Request
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent


def rename(agent: Agent, source: Request, target: Request) -> None:
    """Give a data object (oprType 11), collection (12) or whichever it is (others) another path. API 627.

    Never over something that exists: CAT_NAME_EXISTS_AS_DATAOBJ, CAT_NAME_EXISTS_AS_COLLECTION. Raises
    CAT_NO_ROWS_FOUND, CAT_NO_ACCESS_PERMISSION, CAT_UNKNOWN_COLLECTION (target), CAT_RECURSIVE_MOVE.
    """
    source_path, target_path = paths.collection(source.path), paths.collection(target.path)
    if source_path == target_path:
        raise IrodsError(codes.SAME_SRC_DEST_PATHS_ERR, "source and target are the same")
    if paths.zone_of(source_path) != paths.zone_of(target_path):
        raise IrodsError(codes.SYS_CROSS_ZONE_MV_NOT_SUPPORTED, "the zones differ")
    source.path = source_path
    if source.operation not in (kw.RENAME_DATA_OBJ, kw.RENAME_COLL):
        _make_room(agent, source, target)
    number, is_collection = _find(agent, source)
    _rename_in_catalog(agent, number, is_collection, source_path, target_path)
    hooks.static(agent, "acPostProcForObjRename", source_path, target_path, request=source)
    registering.touch_parent(agent, source_path)
    if paths.parent(source_path) != paths.parent(target_path):
        registering.touch_parent(agent, target_path)


def _make_room(agent: Agent, source: Request, target: Request) -> None:
    """Remove a data object in the way of another, if forceFlag says so."""
    forced = source.has(kw.FORCE) or target.has(kw.FORCE)
    if forced and lookup.visible_object(agent, source.path) and lookup.visible_object(agent, target.path):
        replicas.check_unlocked(lookup.replicas(agent, source, access.DELETE_OBJECT))
        removing.unlink(agent, Request(target.path, keywords={kw.FORCE: ""}))


def _find(agent: Agent, source: Request) -> tuple[int, bool]:
    """The number of what is renamed, and whether it is a collection."""
    if source.operation == kw.RENAME_COLL:
        return _collection_id(agent, source.path), True
    if source.operation != kw.RENAME_DATA_OBJ and not lookup.visible_object(agent, source.path):
        return _collection_id(agent, source.path), True
    found = lookup.replicas(agent, source, access.DELETE_OBJECT)
    if source.operation != kw.RENAME_DATA_OBJ:
        replicas.check_unlocked(found)
    return found[0].data_id, False


def _collection_id(agent: Agent, path: str) -> int:
    row = lookup.visible_collection(agent, path)
    if row is None:
        raise IrodsError(codes.CAT_NO_ROWS_FOUND, f"{path} does not exist")
    return int(row["coll_id"])


def _rename_in_catalog(agent: Agent, number: int, is_collection: bool, source: str, target: str) -> None:
    (source_parent, source_name), (target_parent, target_name) = paths.split(source), paths.split(target)
    with ExitStack() as undo:
        hooks.require(agent, "acPreProcForObjRename", source, target)
        current = source
        if source_name != target_name:
            current = _join(source_parent, target_name)
            with hooks.database(agent, "rename_object", number, target_name):
                _check_free(agent, number, is_collection, current)
                _set_path(agent, number, is_collection, source, current)
            undo.callback(_set_path, agent, number, is_collection, current, source)
        if source_parent != target_parent:
            _move(agent, number, is_collection, current, target)
            undo.callback(_set_path, agent, number, is_collection, target, current)
        _rename_files(agent, number, is_collection, target)
        undo.pop_all()
    hooks.commit(agent)


def _join(collection: str, name: str) -> str:
    return f"{collection.rstrip('/')}/{name}"


def _move(agent: Agent, number: int, is_collection: bool, source: str, target: str) -> None:
    collection = lookup.visible_collection(agent, paths.parent(target))
    if collection is None:
        raise IrodsError(codes.CAT_UNKNOWN_COLLECTION, f"{paths.parent(target)} does not exist")
    with hooks.database(agent, "move_object", number, collection["coll_id"]):
        if not access.may(agent.db, agent.client, collection["coll_id"], access.MODIFY_OBJECT):
            raise IrodsError(codes.CAT_NO_ACCESS_PERMISSION, f"no permission to update {paths.parent(target)}")
        if is_collection:
            lookup.collection_for_writing(agent, paths.parent(source))
        _check_free(agent, number, is_collection, target)
        if is_collection and (target == source or paths.inside(target, source)):
            raise IrodsError(codes.CAT_RECURSIVE_MOVE, "a collection cannot be moved into itself")
        _set_path(agent, number, is_collection, source, target)
        if not is_collection:
            sql = "update R_DATA_MAIN set modify_ts = ? where data_id = ?"
            agent.db.execute(sql, (agent.db.now(), number))


def _check_free(agent: Agent, number: int, is_collection: bool, path: str) -> None:
    """The right to rename (own), and nothing there yet."""
    if not access.may(agent.db, agent.client, number, access.OWN):
        raise IrodsError(codes.CAT_NO_ACCESS_PERMISSION, f"no permission to rename to {path}")
    if lookup.rows_of(agent, path):
        raise IrodsError(codes.CAT_NAME_EXISTS_AS_DATAOBJ, f"{path} is a data object")
    if lookup.collection_row(agent, path) is not None:
        raise IrodsError(codes.CAT_NAME_EXISTS_AS_COLLECTION, f"{path} is a collection")


def _set_path(agent: Agent, number: int, is_collection: bool, source: str, target: str) -> None:
    """Write the new path of an object, or of a collection and all that lies in it."""
    with agent.db.transaction():
        if is_collection:
            _set_collection_path(agent, number, source, target)
            return
        collection, name = paths.split(target)
        sql = """update R_DATA_MAIN set data_name = ?,
            coll_id = (select coll_id from R_COLL_MAIN where coll_name = ?) where data_id = ?"""
        agent.db.execute(sql, (name, collection, number))


def _set_collection_path(agent: Agent, number: int, source: str, target: str) -> None:
    cut, prefix = len(source) + 1, source + "/"
    # By range and not by pattern: names may hold % and _. '0' is the character after '/'.
    sql = """update R_COLL_MAIN set coll_name = ? || substr(coll_name, ?),
        parent_coll_name = ? || substr(parent_coll_name, ?) where coll_name >= ? and coll_name < ?"""
    agent.db.execute(sql, (target, cut, target, cut, prefix, source + "0"))
    sql = "update R_COLL_MAIN set coll_name = ?, parent_coll_name = ?, modify_ts = ? where coll_id = ?"
    agent.db.execute(sql, (target, paths.parent(target), agent.db.now(), number))


# --- the files follow ---


def _rename_files(agent: Agent, number: int, is_collection: bool, target: str) -> None:
    found = _replicas_below(agent, target) if is_collection else lookup.replicas_of_id(agent, number, target)
    with ExitStack() as undo:
        for replica in found:
            old = _rename_file(agent, replica)
            if old:
                undo.callback(_rename_back, agent, replica, old)
        undo.pop_all()


def _replicas_below(agent: Agent, collection: str) -> list[Replica]:
    sql = """select d.*, c.coll_name as collection from R_DATA_MAIN d join R_COLL_MAIN c on c.coll_id = d.coll_id
        where c.coll_name = ? or (c.coll_name >= ? and c.coll_name < ?)
        order by c.coll_name, d.data_name, d.data_repl_num"""
    tree = resources.Tree(agent)
    rows = agent.db.all(sql, (collection, collection + "/", collection + "0"))
    return [
        Replica.from_row(row, _join(row["collection"], row["data_name"]), tree.hierarchy(row["resc_id"]))
        for row in rows
    ]


def _rename_file(agent: Agent, replica: Replica) -> str:
    """Move one replica's file to where its new logical path says; its old path, '' if it stays."""
    hooks.require(agent, "acSetVaultPathPolicy", replica=replica)
    leaf = resources.Tree(agent).leaf(replica.hierarchy)
    if not paths.inside(replica.physical_path, leaf.vault):
        return ""
    resources.live(leaf)
    old, new = replica.physical_path, vault.path_for(agent, replica)
    if old == new:
        return ""
    _check_file_free(agent, replica, new)
    vault.rename(agent, replica, new)
    replica.physical_path = new
    _publish_path(agent, replica)
    return old


def _check_file_free(agent: Agent, replica: Replica, path: str) -> None:
    try:
        vault.status(agent, replica, path)
    except IrodsError:
        return
    raise IrodsError(codes.SYS_PHY_PATH_INUSE, f"{path} is in use")


def _publish_path(agent: Agent, replica: Replica) -> None:
    change = hooks.data_object_info(replica), hooks.key_values({kw.FILE_PATH: replica.physical_path})
    with hooks.framed(agent, "ModifyDataObjMeta", replica), hooks.database(agent, "mod_data_obj_meta", *change):
        sql = "update R_DATA_MAIN set data_path = ? where data_id = ? and data_repl_num = ?"
        agent.db.execute(sql, (replica.physical_path, replica.data_id, replica.number))


def _rename_back(agent: Agent, replica: Replica, old: str) -> None:
    vault.rename(agent, replica, old)
    sql = "update R_DATA_MAIN set data_path = ? where data_id = ? and data_repl_num = ?"
    agent.db.execute(sql, (old, replica.data_id, replica.number))
