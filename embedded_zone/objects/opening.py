"""Opening data objects: create, overwrite, append, read; the L1 descriptor that comes of it.

Source: ``rsDataObjOpen.cpp`` of 5.0.2, whose order of steps (and so of hooks) this follows.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from embedded_zone.catalog import access
from embedded_zone.errors import IrodsError
from embedded_zone.objects import (
    descriptors,
    hooks,
    lookup,
    paths,
    registering,
    replicas,
    resources,
    ticketing,
    vault,
    voting,
)
from embedded_zone.objects import keywords as kw
from embedded_zone.objects.descriptors import Descriptor
from embedded_zone.objects.model import AT_REST, INTERMEDIATE, Replica, Request
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent

ACCESS_TIME_RESOLUTION = 86400  # seconds; R_GRID_CONFIGURATION access_time resolution_in_seconds


def open_object(agent: Agent, request: Request, *, level: int = 0) -> int:
    """Open (or create) the request's data object; the descriptor's number, 3 or more. API 602.

    ``level`` is the access level asked for, unless 0: then modify_object for writing, else read_object.

    Raises OBJ_PATH_DOES_NOT_EXIST, CAT_NO_ACCESS_PERMISSION, HIERARCHY_ERROR (no replica can be used now), and
    what creating raises. The keyword ``replicaToken`` lets a second connection write the same replica.
    """
    paths.check_object(request.path)
    if request.flags & kw.O_TRUNC and not request.writes:
        raise IrodsError(codes.USER_INCOMPATIBLE_OPEN_FLAGS, "O_TRUNC needs a writing mode")
    if request.writes and agent.client.auth_flag <= 1:
        raise IrodsError(codes.SYS_NO_API_PRIV, "anonymous users without rights cannot write")
    request.keywords.pop(kw.FILE_PATH, None)
    existed = bool(lookup.rows_of(agent, request.path))
    entry = _open(agent, request, level or (access.MODIFY_OBJECT if request.writes else access.READ_OBJECT))
    if not existed:
        registering.touch_parent(agent, request.path)
    return entry.number


def _open(agent: Agent, request: Request, level: int) -> Descriptor:
    found, missing = _find(agent, request, level)
    hierarchy = _hierarchy(agent, request, found, missing)
    request.keywords.setdefault(kw.RESC_HIER, hierarchy)
    request.keywords[kw.SELECTED_HIERARCHY] = hierarchy
    chosen = next((r for r in found if r.hierarchy == hierarchy), None)
    if chosen is None and request.creates:
        return _create(agent, request, found, hierarchy)
    if chosen is None:
        raise IrodsError(codes.SYS_REPLICA_DOES_NOT_EXIST, f"no replica in {hierarchy}")
    return _open_existing(agent, request, found, chosen)


def _find(agent: Agent, request: Request, level: int) -> tuple[list[Replica], IrodsError | None]:
    """The replicas, or why there are none; an object that exists but may not be written is refused at once."""
    try:
        return lookup.replicas(agent, request, level, by_ticket=True), None
    except IrodsError as error:
        if error.code != codes.CAT_NO_ROWS_FOUND:
            raise
    if request.creates and lookup.rows_of(agent, request.path):
        # It is invisible; what a client may know of it depends on its rights to the collection.
        lookup.collection_for_writing(agent, paths.parent(request.path))
        raise IrodsError(codes.CAT_NO_ACCESS_PERMISSION, f"no permission on {request.path}")
    return [], IrodsError(codes.OBJ_PATH_DOES_NOT_EXIST, f"{request.path} does not exist")


def _hierarchy(agent: Agent, request: Request, found: list[Replica], missing: IrodsError | None) -> str:
    given = request.get(kw.RESC_HIER)
    if given:
        resources.Tree(agent).leaf(given)
        return given
    if request.get(kw.LEAF_RESC_NAME):
        return resources.Tree(agent).leaf_hierarchy(request.get(kw.LEAF_RESC_NAME))
    operation = resources.CREATE if request.creates else resources.WRITE if request.writes else resources.OPEN
    return voting.resolve(agent, operation, request, found, missing).winner


# --- new replicas ---


def _create(agent: Agent, request: Request, siblings: list[Replica], hierarchy: str) -> Descriptor:
    """Register a new object, or a new replica of an existing one, and make its file."""
    leaf = resources.Tree(agent).leaf(hierarchy)
    replica = _unregistered(request, siblings, hierarchy, leaf.number)
    replica.physical_path = vault.path_for(agent, replica)
    request.keywords[kw.OPEN_TYPE] = str(kw.CREATE_TYPE)
    _register(agent, request, siblings, replica)
    entry = _descriptor(agent, request, replica, kw.CREATE_TYPE)
    entry.data_size = request.size
    try:
        entry.file = vault.create(agent, replica, request)
    except IrodsError:
        agent.descriptors.free(entry.number)
        _undo_create(agent, request, siblings, replica)
        raise
    entry.token = replicas.hold_token(agent, replica)
    return entry


def _unregistered(request: Request, siblings: list[Replica], hierarchy: str, resource_id: int) -> Replica:
    if siblings:
        return registering.new_replica(siblings[0], hierarchy, resource_id)
    return Replica(
        logical_path=request.path,
        hierarchy=hierarchy,
        resc_id=resource_id,
        type_name=request.get(kw.DATA_TYPE) or "generic",
        status=INTERMEDIATE,
        mode=str(request.mode),
    )


def _register(agent: Agent, request: Request, siblings: list[Replica], replica: Replica) -> None:
    if not siblings:
        return registering.data_object(agent, replica, request)
    replicas.check_unlocked(siblings, replica.hierarchy)
    replicas.lock(agent, replica)
    try:
        registering.replica_of(agent, siblings[0], replica, request)
    except IrodsError:
        replicas.unlock(agent, replica, replicas.RESTORE, replicas.RESTORE, quiet=True)
        raise


def _undo_create(agent: Agent, request: Request, siblings: list[Replica], replica: Replica) -> None:
    if siblings:
        replicas.unlock(agent, replica, 0, replicas.RESTORE)
    registering.unregister(agent, replica, request)


def _descriptor(agent: Agent, request: Request, replica: Replica, open_type: int) -> Descriptor:
    entry = agent.descriptors.add(request, replica, open_type)
    if request.has(kw.REG_CHKSUM):
        entry.checksum_flag, entry.checksum = descriptors.REGISTER_CHECKSUM, request.get(kw.REG_CHKSUM)
    elif request.has(kw.VERIFY_CHKSUM):
        entry.checksum_flag, entry.checksum = descriptors.VERIFY_CHECKSUM, request.get(kw.VERIFY_CHKSUM)
    return entry


# --- existing replicas ---


def _open_existing(agent: Agent, request: Request, found: list[Replica], replica: Replica) -> Descriptor:
    token = request.get(kw.REPLICA_TOKEN)
    joined = replica.status == INTERMEDIATE and replicas.token_is_valid(agent, token, replica)
    replicas.check_unlocked(found, replica.hierarchy, joined)
    level = access.access_level(agent.db, agent.client.user_id, replica.data_id)
    if not joined:
        ticketing.use(agent, replica.logical_path, replica.data_id, level=level, writing=request.writes)
    locked = request.writes and replica.status in AT_REST
    if locked:
        replicas.lock(agent, replica)
    try:
        hooks.require(agent, "acPreprocForDataObjOpen", replica=replica, request=request)
        entry = _open_file(agent, request, replica)
    except IrodsError:
        if locked:
            replicas.unlock(agent, replica, replicas.RESTORE, replicas.RESTORE)
        raise
    if request.writes:
        entry.token = replicas.hold_token(agent, replica, token if joined else "")
    _note_access(agent, request, replica)
    return entry


def _open_file(agent: Agent, request: Request, replica: Replica) -> Descriptor:
    open_type = kw.OPEN_FOR_WRITE_TYPE if request.writes else kw.OPEN_FOR_READ_TYPE
    request.keywords[kw.OPEN_TYPE] = str(open_type)
    entry = _descriptor(agent, request, replica, open_type)
    try:
        entry.file = vault.open_file(agent, replica, _local_flags(request), request)
        if request.truncates:
            replicas.publish_truncation(agent, replica)
    except IrodsError:
        if entry.file >= 0:
            os.close(entry.file)
        agent.descriptors.free(entry.number)
        raise
    return entry


def _local_flags(request: Request) -> int:
    """This system's open flags; O_CREAT is ours alone (see ``vault.create``)."""
    mode = {0: os.O_RDONLY, kw.O_WRONLY: os.O_WRONLY, kw.O_RDWR: os.O_RDWR}.get(request.flags & kw.O_ACCMODE, os.O_RDWR)
    return mode | (os.O_TRUNC if request.truncates else 0)


def _note_access(agent: Agent, request: Request, replica: Replica) -> None:
    """Keep the access time, as coarsely as a real server does (its queue writes it a moment later)."""
    now = int(time.time())
    if request.flags & kw.O_ACCMODE == kw.O_WRONLY:
        return
    if replica.accessed >= replica.modified and now - int(replica.accessed or 0) < ACCESS_TIME_RESOLUTION:
        return
    sql = "update R_DATA_MAIN set access_ts = ? where data_id = ? and data_repl_num = ?"
    agent.db.execute(sql, (f"{now:011d}", replica.data_id, replica.number))
