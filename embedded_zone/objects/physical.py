"""Registering files that exist already, singly or by directory. Source: ``register_physical_path.cpp`` of 5.0.2."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Any

from embedded_zone.catalog import access
from embedded_zone.errors import IrodsError
from embedded_zone.objects import collections, hooks, lookup, paths, registering, resources, vault, voting
from embedded_zone.objects import keywords as kw
from embedded_zone.objects.model import GOOD, Replica, Request
from embedded_zone.structures.types import irods_type
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent


def register(agent: Agent, request: Request) -> None:
    """Make a data object (or with ``collection`` a tree of them) of what lies at ``filePath``. API 630.

    Keywords: destRescName (a root or a leaf), regRepl (one more replica of an existing object), regChksum,
    verifyChksum, dataSize, dataModify, dataType. Raises SYS_INVALID_FILE_PATH, UNIX_FILE_STAT_ERR minus errno,
    PATH_REG_NOT_ALLOWED for anyone but a rodsadmin (unless acSetChkFilePathPerm answers 0, "no check"),
    CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME.
    """
    paths.check_object(request.path)
    hierarchy = request.get(kw.RESC_HIER) or _hierarchy(agent, request)
    request.keywords[kw.RESC_HIER] = hierarchy
    file_path = request.get(kw.FILE_PATH)
    if not file_path.startswith("/") or ".." in file_path.split("/") or "\0" in file_path:
        raise IrodsError(codes.SYS_INVALID_FILE_PATH, "the file's path is not absolute, or missing")
    _check_allowed(agent, request, hierarchy)
    if request.has(kw.COLLECTION):
        _register_directory(agent, request, hierarchy, file_path.rstrip("/"))
    elif request.has(kw.REG_REPL):
        _register_replica(agent, request, hierarchy)
    else:
        _register_file(agent, request, hierarchy)


def _hierarchy(agent: Agent, request: Request) -> str:
    tree = resources.Tree(agent)
    name = request.get(kw.DEST_RESC_NAME)
    if name:
        resource = tree.named(name)
        if resource.parent and resource.children:
            raise IrodsError(codes.HIERARCHY_ERROR, f"{name} is neither a root nor a leaf")
        if not resource.children:
            hierarchy = tree.hierarchy(resource.number)
            request.keywords[kw.DEST_RESC_NAME] = hierarchy.partition(";")[0]
            return hierarchy
    return voting.resolve(agent, resources.CREATE, request, []).winner


def _check_allowed(agent: Agent, request: Request, hierarchy: str) -> None:
    """Only a rodsadmin registers, unless the policy says that paths are not checked at all."""
    if agent.is_admin:
        return
    checked = not agent.rules.has("acSetChkFilePathPerm")
    if not checked:
        hooks.static(agent, "acSetChkFilePathPerm", request=request)
        checked = hooks.policy(agent, "check_file_path") != "noChkPathPerm"
    if checked:
        raise IrodsError(codes.PATH_REG_NOT_ALLOWED, "only a rodsadmin registers files")


def _described(agent: Agent, request: Request, hierarchy: str) -> Replica:
    """The replica that a file will be: its size is what ``dataSize`` says, else what the file has."""
    replica = Replica(
        logical_path=request.path,
        hierarchy=hierarchy,
        resc_id=resources.Tree(agent).leaf(hierarchy).number,
        type_name=request.get(kw.DATA_TYPE) or "generic",
        physical_path=request.get(kw.FILE_PATH),
        status=GOOD,
        mode=str(request.mode),
    )
    given = request.get(kw.DATA_SIZE)
    if given.isdigit():
        replica.size = int(given)
    else:
        _measure(agent, replica)
    if request.get(kw.DATA_MODIFY):
        replica.modified = request.get(kw.DATA_MODIFY).rjust(11, "0")
    return replica


def _measure(agent: Agent, replica: Replica) -> None:
    found = vault.status(agent, replica)
    if not stat.S_ISREG(found.st_mode):
        raise IrodsError(codes.SYS_PATH_IS_NOT_A_FILE, f"{replica.physical_path} is not a file")
    replica.size, replica.mode = found.st_size, str(stat.S_IMODE(found.st_mode))
    replica.modified = f"{int(found.st_mtime):011d}"


def _register_file(agent: Agent, request: Request, hierarchy: str) -> None:
    replica = _described(agent, request, hierarchy)
    if request.has(kw.REG_CHKSUM, kw.VERIFY_CHKSUM):
        replica.checksum = vault.checksum(agent, replica)
    registering.data_object(agent, replica, request)


def _register_replica(agent: Agent, request: Request, hierarchy: str) -> None:
    found = lookup.replicas(agent, request.variant(without=(kw.RESC_HIER,)), access.READ_OBJECT)
    source = next((r for r in found if r.status == GOOD), found[0])
    if any(r.hierarchy == hierarchy for r in found):
        raise IrodsError(codes.CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME, f"{hierarchy} holds a replica already")
    replica = registering.new_replica(source, hierarchy, resources.Tree(agent).leaf(hierarchy).number, GOOD)
    described = _described(agent, request, hierarchy)
    replica.physical_path, replica.size = described.physical_path, described.size
    if request.has(kw.REG_CHKSUM, kw.VERIFY_CHKSUM):
        replica.checksum = vault.checksum(agent, replica)
    registering.replica_of(agent, source, replica, request)


def _register_directory(agent: Agent, request: Request, hierarchy: str, directory: str) -> None:
    """Register what a directory holds; with forceFlag what is known already is left as it is."""
    if lookup.visible_collection(agent, request.path) is None:
        inner = Request(request.path)
        collections.make_collection(agent, inner)
    probe = Replica(request.path, hierarchy, 0, physical_path=directory)
    with hooks.resource(agent, "opendir", probe):
        try:
            names = sorted(os.listdir(directory))
        except OSError as error:
            raise vault.failure(codes.UNIX_FILE_OPENDIR_ERR, error) from None
    for name in (".", *names, ".."):
        _told_entry(agent, probe, name)
        if name in names:
            _register_entry(agent, request, hierarchy, directory, name)
    with contextlib.suppress(IrodsError):
        _told_entry(agent, probe, "")
    hooks.signal(agent, "closedir", probe)


def _told_entry(agent: Agent, probe: Replica, name: str) -> None:
    """The hooks of reading one directory entry; the end is an error to a real server, and to its hooks."""
    output: list[Any] = [None]

    def make_args(phase: str) -> list[Any]:
        return [probe.leaf, {"physical_path": probe.physical_path, "resc_hier": probe.hierarchy}, "", output[0]]

    with agent.rules.around("resource_readdir", make_args):
        if not name:
            raise IrodsError(-1, "no more entries")
        output[0] = irods_type("RodsDirent", {"d_name": name})


def _register_entry(agent: Agent, request: Request, hierarchy: str, directory: str, name: str) -> None:
    inner = request.variant(path=f"{request.path}/{name}")
    inner.keywords[kw.FILE_PATH] = f"{directory}/{name}"
    probe = Replica(inner.path, hierarchy, 0, physical_path=f"{directory}/{name}")
    mode = vault.status(agent, probe).st_mode
    if stat.S_ISDIR(mode):
        _register_directory(agent, inner, hierarchy, f"{directory}/{name}")
    elif stat.S_ISREG(mode) and not (request.has(kw.FORCE) and lookup.rows_of(agent, inner.path)):
        _register_member(agent, inner, hierarchy)


def _register_member(agent: Agent, request: Request, hierarchy: str) -> None:
    """One file of a directory; a failure is told in the reply and does not stop the others."""
    try:
        if request.has(kw.REG_REPL):
            _register_replica(agent, request, hierarchy)
        else:
            _register_file(agent, request, hierarchy)
    except IrodsError as error:
        agent.r_error.append((error.code, f"dirPathReg: failed for {request.path}, status = {error.code}"))
