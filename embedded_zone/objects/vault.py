"""Files in the vaults: where a replica lies, and the operations on it with their ``pep_resource_*`` hooks.

Vault files have mode 0600 and directories 0700; nothing is followed out of a vault by name, because logical
paths with ``..`` never get this far (see ``paths``). Failures are the unixfilesystem plugin's codes minus errno.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from typing import TYPE_CHECKING, Any

from embedded_zone.errors import IrodsError
from embedded_zone.objects import hooks, paths, resources
from embedded_zone.structures.types import irods_type
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent
    from embedded_zone.objects.model import Replica, Request

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700
BLOCK = 1 << 22
SHA2_PREFIX = "sha2:"


def failure(code: int, error: OSError) -> IrodsError:
    """The code of a failed file operation: the plugin's, with the errno subtracted."""
    return IrodsError(code - (error.errno or 0), str(error))


def path_for(agent: Agent, replica: Replica) -> str:
    """The physical path of a new or renamed replica: its logical one without the zone, in the leaf's vault."""
    hooks.require(agent, "acSetVaultPathPolicy", replica=replica)
    vault = resources.Tree(agent).leaf(replica.hierarchy).vault
    relative = replica.logical_path.lstrip("/").partition("/")[2]
    return f"{vault.rstrip('/')}/{relative}"


def in_vault(agent: Agent, replica: Replica) -> bool:
    vault = resources.Tree(agent).leaf(replica.hierarchy).vault
    return paths.inside(replica.physical_path, vault)


def create(agent: Agent, replica: Replica, request: Request) -> int:
    """Make the replica's file and open it; makes missing directories, and moves an orphaned file aside."""
    try:
        return _create_once(agent, replica, request)
    except IrodsError as error:
        if error.code == codes.UNIX_FILE_CREATE_ERR - 2:  # ENOENT
            make_parents(agent, replica)
        elif error.code == codes.UNIX_FILE_CREATE_ERR - 17:  # EEXIST
            _make_room(agent, replica)
        else:
            raise
    return _create_once(agent, replica, request)


def _create_once(agent: Agent, replica: Replica, request: Request) -> int:
    with hooks.resource(agent, "create", replica, request=request, openType=request.get("openType")):
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            return os.open(replica.physical_path, flags, FILE_MODE)
        except OSError as error:
            raise failure(codes.UNIX_FILE_CREATE_ERR, error) from None


def make_parents(agent: Agent, replica: Replica) -> None:
    """Make the missing directories above a replica's file, asking upward and making downward as iRODS does."""
    missing: list[str] = []
    directory = os.path.dirname(replica.physical_path)
    while len(directory) > 1:
        try:
            status(agent, replica, directory)
            break
        except IrodsError:
            missing.append(directory)
            directory = os.path.dirname(directory)
    for name in reversed(missing):
        with hooks.resource(agent, "mkdir", replica):
            try:
                os.mkdir(name, DIRECTORY_MODE)
            except FileExistsError:
                pass  # another agent was faster
            except OSError as error:
                raise failure(codes.UNIX_FILE_MKDIR_ERR, error) from None


def _make_room(agent: Agent, replica: Replica) -> None:
    """Free the replica's path: an orphaned file is moved aside, one that a replica uses makes us take another name."""
    sql = "select 1 from R_DATA_MAIN where data_path = ? and resc_id = ? and not (data_id = ? and data_repl_num = ?)"
    taken = agent.db.one(sql, (replica.physical_path, replica.resc_id, replica.data_id, replica.number))
    if taken is not None or os.path.isdir(replica.physical_path):
        replica.physical_path += f".{replica.number or secrets.randbelow(10**8)}"
        sql = "update R_DATA_MAIN set data_path = ? where data_id = ? and data_repl_num = ?"
        agent.db.execute(sql, (replica.physical_path, replica.data_id, replica.number))
        return
    vault = resources.Tree(agent).leaf(replica.hierarchy).vault
    relative = os.path.relpath(replica.physical_path, vault)
    orphan = os.path.join(vault, "orphan", agent.client.name, f"{relative}.{secrets.randbelow(10**10)}")
    os.makedirs(os.path.dirname(orphan), DIRECTORY_MODE, exist_ok=True)
    os.rename(replica.physical_path, orphan)


def open_file(agent: Agent, replica: Replica, flags: int, request: Request | None = None) -> int:
    """Open the replica's file; raises UNIX_FILE_OPEN_ERR minus errno."""
    flags &= os.O_ACCMODE | os.O_TRUNC
    with hooks.resource(agent, "open", replica, request=request):
        try:
            return os.open(replica.physical_path, flags | os.O_CLOEXEC)
        except OSError as error:
            raise failure(codes.UNIX_FILE_OPEN_ERR, error) from None


def close_file(agent: Agent, replica: Replica, descriptor: int, request: Request | None = None) -> None:
    """Close a file that ``create`` or ``open_file`` gave."""
    with hooks.resource(agent, "close", replica, request=request):
        try:
            os.close(descriptor)
        except OSError as error:
            raise failure(codes.UNIX_FILE_CLOSE_ERR, error) from None


def status(agent: Agent, replica: Replica, path: str = "") -> os.stat_result:
    """What ``stat`` says of the replica's file, or of ``path``; raises UNIX_FILE_STAT_ERR minus errno."""
    shown: dict[str, Any] = {}
    with hooks.resource(agent, "stat", replica, irods_type("Stat", shown)):
        try:
            return os.stat(path or replica.physical_path)
        except OSError as error:
            raise failure(codes.UNIX_FILE_STAT_ERR, error) from None


def unlink(agent: Agent, replica: Replica) -> None:
    """Remove the replica's file; raises UNIX_FILE_UNLINK_ERR minus errno."""
    with hooks.resource(agent, "unlink", replica):
        try:
            os.unlink(replica.physical_path)
        except OSError as error:
            raise failure(codes.UNIX_FILE_UNLINK_ERR, error) from None


def rename(agent: Agent, replica: Replica, target: str) -> None:
    """Move the replica's file to ``target`` in the same vault, never over another file."""
    with hooks.resource(agent, "rename", replica, target):
        try:
            os.makedirs(os.path.dirname(target), DIRECTORY_MODE, exist_ok=True)
            os.rename(replica.physical_path, target)
        except OSError as error:
            raise failure(codes.UNIX_FILE_RENAME_ERR, error) from None


def truncate(agent: Agent, replica: Replica, size: int) -> None:
    """Cut or extend the replica's file to ``size`` bytes."""
    with hooks.resource(agent, "truncate", replica):
        try:
            os.truncate(replica.physical_path, size)
        except OSError as error:
            raise failure(codes.UNIX_FILE_TRUNCATE_ERR, error) from None


def checksum(agent: Agent, replica: Replica, like: str = "") -> str:
    """The checksum of the replica's file: ``sha2:`` and base64 of SHA-256, or MD5 in hex if ``like`` is one."""
    algorithm = "md5" if like and ":" not in like else "sha256"
    descriptor = open_file(agent, replica, os.O_RDONLY)
    digest = hashlib.new(algorithm, usedforsecurity=False)
    buffer = memoryview(bytearray(BLOCK))
    try:
        while True:
            with hooks.resource(agent, "read", replica, None, BLOCK):
                count = os.readv(descriptor, [buffer])
            digest.update(buffer[:count])
            if count < BLOCK:
                break
    finally:
        close_file(agent, replica, descriptor)
    if algorithm == "md5":
        return digest.hexdigest()
    return SHA2_PREFIX + base64.b64encode(digest.digest()).decode("ascii")
