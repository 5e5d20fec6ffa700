"""Removing data objects: to the trash, or for good. Source: ``rsDataObjUnlink.cpp`` of 5.0.2."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from embedded_zone.catalog import access
from embedded_zone.errors import IrodsError
from embedded_zone.objects import hooks, lookup, paths, registering, replicas, resources, vault, voting
from embedded_zone.objects import keywords as kw
from embedded_zone.objects.model import Replica, Request
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent

NAME_TAKEN = (codes.CAT_NAME_EXISTS_AS_DATAOBJ, codes.CAT_NAME_EXISTS_AS_COLLECTION, codes.SYS_PHY_PATH_INUSE)


def in_trash(agent: Agent, path: str) -> bool:
    return paths.inside(path, f"/{agent.config.zone_name}/trash")


def unlink(agent: Agent, request: Request) -> None:
    """Remove a data object: into the trash, or for good with forceFlag, or only its row with oprType 26. API 615.

    Raises CAT_NO_ROWS_FOUND (missing or invisible), CAT_NO_ACCESS_PERMISSION, HIERARCHY_ERROR or
    LOCKED_DATA_OBJECT_ACCESS while it is written, SYS_RESC_IS_DOWN.
    """
    paths.check_object(request.path)
    _unlink(agent, request)
    if lookup.collection_row(agent, paths.parent(request.path)) is not None:
        registering.touch_parent(agent, request.path)


def _unlink(agent: Agent, request: Request) -> None:
    rmtrash = request.has(kw.RMTRASH, kw.ADMIN_RMTRASH)
    if rmtrash and not in_trash(agent, request.path):
        raise IrodsError(codes.SYS_INVALID_FILE_PATH, "not in the trash")
    _resolve(agent, request)
    found = lookup.replicas(agent, request, access.MODIFY_OBJECT)
    if rmtrash and younger_than_asked(request, found[0].modified):
        return
    if request.operation == kw.UNREG_OPR or rmtrash or request.has(kw.FORCE) or not trash_wanted(agent, request):
        remove_object(agent, request, found)
    else:
        _to_trash(agent, request)


def _resolve(agent: Agent, request: Request) -> None:
    """Vote, as a real server does even here: its only effect is the error for an object that is being written."""
    if request.has(kw.RESC_HIER):
        return
    found = lookup.replicas(agent, request)
    try:
        request.keywords[kw.RESC_HIER] = voting.resolve(agent, resources.UNLINK, request, found).winner
    except IrodsError:
        if all(resources.Tree(agent).leaf(replica.hierarchy).is_down for replica in found):
            raise IrodsError(codes.SYS_RESC_IS_DOWN, "the resource is down") from None
        if not request.has(kw.FORCE):
            raise


def younger_than_asked(request: Request, modified: str) -> bool:
    """Whether the keyword ``age`` (minutes) keeps something that was changed at ``modified``."""
    age = request.get(kw.AGE)
    return bool(age) and time.time() - int(modified or 0) < int(age) * 60


def is_home(agent: Agent, path: str) -> bool:
    """Whether a collection is some user's home."""
    return paths.parent(path) == f"/{agent.config.zone_name}/home"


def trash_wanted(agent: Agent, request: Request) -> bool:
    agent.scratch.get("policy", {}).pop("no_trash", None)
    hooks.require(agent, "acTrashPolicy", request=request)
    return not hooks.policy(agent, "no_trash")


def check_deletable(agent: Agent, request: Request, found: list[Replica]) -> None:
    """Ask acDataDeletePolicy for each replica; raises its code or SYS_DELETE_DISALLOWED."""
    for replica in found:
        agent.scratch.get("policy", {}).pop("no_delete", None)
        hooks.require(agent, "acDataDeletePolicy", replica=replica, request=request)
        if hooks.policy(agent, "no_delete"):
            raise IrodsError(codes.SYS_DELETE_DISALLOWED, f"a policy keeps {replica.logical_path}")


def check_collection_deletable(agent: Agent, request: Request) -> None:
    """As ``check_deletable`` for all objects in a collection; each must be the user's to delete."""
    sql = """select distinct d.data_id, c.coll_name || '/' || d.data_name as path from R_DATA_MAIN d
        join R_COLL_MAIN c on c.coll_id = d.coll_id
        where c.coll_name = ? or (c.coll_name >= ? and c.coll_name < ?) order by 2"""
    path = request.path
    for row in agent.db.all(sql, (path, path + "/", path + "0")):
        found = lookup.replicas(agent, Request(row["path"], keywords=request.keywords), access.DELETE_OBJECT)
        check_deletable(agent, request, found[:1])


def remove_object(agent: Agent, request: Request, found: list[Replica]) -> None:
    """Remove every replica for good."""
    check_deletable(agent, request, found)
    replicas.check_unlocked(found)
    first_error: IrodsError | None = None
    for replica in found:
        try:
            remove_replica(agent, replica, request)
        except IrodsError as error:
            first_error = first_error or error
    hooks.static(agent, "acPostProcForDelete", replica=found[0], request=request)
    if first_error is not None:
        raise first_error


def remove_replica(agent: Agent, replica: Replica, request: Request) -> None:
    """Remove one replica's row, and its file if that lies in the vault and the request is not to unregister."""
    leaf = resources.Tree(agent).leaf(replica.hierarchy)
    inside = paths.inside(replica.physical_path, leaf.vault)
    keep_file = request.operation == kw.UNREG_OPR or not inside
    if request.operation == kw.UNREG_OPR and inside and not agent.is_admin:
        raise IrodsError(codes.CANT_UNREG_IN_VAULT_FILE, "only a rodsadmin unregisters what lies in a vault")
    registering.unregister(agent, replica, request)
    if keep_file or leaf.resource_class == resources.BUNDLE_CLASS:
        return
    resources.live(leaf)
    try:
        vault.unlink(agent, replica)
    except IrodsError as error:
        # A file that is gone already, or out of reach, does not bring the object back.
        if error.code not in (codes.UNIX_FILE_UNLINK_ERR - 2, codes.UNIX_FILE_UNLINK_ERR - 13):
            raise


def trash_path(agent: Agent, path: str) -> str:
    """Where something goes when it is removed: ``/z/home/u/c/a`` to ``/z/trash/home/u/c/a``.

    The user's own home is left out of it, other homes are not.
    """
    zone, user = agent.config.zone_name, agent.client.name
    parts = path.split("/")[2:]
    if parts[0] == "home" and len(parts) > 1:
        del parts[0]
        if len(parts) > 1 and (parts[0] == user or parts[0].startswith(f"{user}#")):
            del parts[0]
    owner = user if agent.client.zone == zone else agent.client.qualified
    return "/".join((f"/{zone}/trash/home/{owner}", *parts))


def make_trash_collections(agent: Agent, target: str) -> None:
    from embedded_zone.objects import collections

    collections.make_each(agent, paths.parent(target), f"/{agent.config.zone_name}/trash/home")


def _to_trash(agent: Agent, request: Request) -> None:
    from embedded_zone.objects import renaming

    level = access.DELETE_OBJECT
    found = lookup.replicas(agent, request, level)
    check_deletable(agent, request, found)
    replicas.check_unlocked(found)
    target = trash_path(agent, request.path)
    make_trash_collections(agent, target)
    while True:
        try:
            source = Request(request.path, keywords=request.keywords, operation=kw.RENAME_DATA_OBJ)
            return renaming.rename(agent, source, Request(target, operation=kw.RENAME_DATA_OBJ))
        except IrodsError as error:
            if error.code not in NAME_TAKEN:
                raise
            target = f"{trash_path(agent, request.path)}.{secrets.randbelow(10**10)}"
