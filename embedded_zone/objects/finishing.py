"""The end of a replication or a physical move: what the new replica becomes, and the hooks of that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedded_zone.errors import IrodsError
from embedded_zone.objects import closing, registering, replicas, vault
from embedded_zone.objects import keywords as kw
from embedded_zone.objects.descriptors import Descriptor
from embedded_zone.objects.model import Replica, Request
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent


def close_only(agent: Agent, entry: Descriptor) -> None:
    """Close a descriptor's file without a word to the catalogue or to static hooks."""
    try:
        closing.close_file(agent, entry)
    finally:
        agent.descriptors.free(entry.number)


def _check(agent: Agent, target: Descriptor, source: Replica) -> None:
    """Size and checksum of the copy; SYS_COPY_LEN_ERR or USER_CHKSUM_MISMATCH if it is not the source's."""
    replica = target.replica
    replica.size = vault.status(agent, replica).st_size
    if replica.size != source.size:
        raise IrodsError(codes.SYS_COPY_LEN_ERR, f"{replica.size} of {source.size} bytes were copied")
    wanted = source.checksum or target.request.has(kw.REG_CHKSUM)
    if not wanted or target.request.has(kw.NO_COMPUTE):
        replica.checksum = ""
        return
    replica.checksum = vault.checksum(agent, replica, like=source.checksum)
    if source.checksum and replica.checksum != source.checksum:
        raise IrodsError(codes.USER_CHKSUM_MISMATCH, f"copied {replica.checksum}, source {source.checksum}")


def replica(agent: Agent, target: Descriptor, source: Replica, request: Request) -> None:
    """Finish a replication: the new replica is as good as its source was."""
    close_only(agent, target)
    _check(agent, target, source)
    target.replica.modified = agent.db.now()
    closing.settle(agent, target, source.status, replicas.RESTORE)
    target.bytes_written = target.replica.size
    request.keywords[kw.OPEN_TYPE] = str(target.open_type)
    closing.announce(agent, target)
    target.operation = kw.PUT_OPR  # as a real server does: acPostProcForPut, not …Repl
    closing.static_hooks(agent, target)


def move(agent: Agent, target: Descriptor, source: Replica, request: Request) -> None:
    """Finish a physical move: the source goes, and the new replica takes its number, times and status."""
    close_only(agent, target)
    _check(agent, target, source)
    registering.unregister(agent, source, request)
    if vault.in_vault(agent, source):
        vault.unlink(agent, source)
    moved = target.replica
    sql = """update R_DATA_MAIN set data_repl_num = ?, create_ts = ? where data_id = ? and data_repl_num = ?"""
    agent.db.execute(sql, (source.number, source.created, moved.data_id, moved.number))
    moved.number, moved.created, moved.modified = source.number, source.created, source.modified
    closing.settle(agent, target, source.status, replicas.RESTORE)
    closing.announce(agent, target)


def failed(agent: Agent, source: Descriptor, target: Descriptor) -> None:
    """Undo the locks of a copy that failed: the target stays stale, the source as it was."""
    for entry in (source, target):
        if entry.file >= 0:
            close_only(agent, entry)
    agent.descriptors.free(target.number)
    try:
        target.replica.size = vault.status(agent, target.replica).st_size
    except IrodsError:
        target.replica.size = 0
    closing.settle(agent, target, 0, replicas.RESTORE)
