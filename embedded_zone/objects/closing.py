"""Closing data objects: size, checksum, final status of all replicas, and the hooks of a finished write.

Sources: ``rsDataObjClose.cpp``, ``replica_close.cpp``, ``rsDataObjPut.cpp`` of 5.0.2.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedded_zone.errors import IrodsError
from embedded_zone.objects import enclosures, hierarchies, hooks, replicas, ticketing, vault
from embedded_zone.objects import keywords as kw
from embedded_zone.objects.descriptors import REGISTER_CHECKSUM, VERIFY_CHECKSUM, Descriptor
from embedded_zone.objects.model import GOOD, STALE
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent


@dataclass(frozen=True)
class Manner:
    """What distinguishes the ways to close: who is told, and whose static hooks run."""

    notify: bool = True  # pep_resource_notify before the close
    announce: bool = True  # pep_resource_modified after it
    static: bool = True  # acPostProcFor…


ORDINARY = Manner()
SINGLE_BUFFER = Manner(notify=False)
STREAM = Manner(notify=False, static=False)


def close(agent: Agent, number: int, *, bytes_written: int = 0, manner: Manner = ORDINARY) -> int:
    """Close a descriptor. API 673.

    The replica's new size comes from its file. Raises UNIX_FILE_STAT_ERR minus errno (the file was renamed
    meanwhile), USER_CHKSUM_MISMATCH; the replica is then stale. Answers 0, or the failure recorded before.
    """
    entry = agent.descriptors.lookup(number)
    try:
        if not entry.writes:
            return _close_read(agent, entry, manner)
        if bytes_written > 0 >= entry.bytes_written:
            entry.bytes_written = bytes_written  # another zone's server wrote them
        return _close_write(agent, entry, manner)
    finally:
        agent.descriptors.free(number)


def close_file(agent: Agent, entry: Descriptor) -> None:
    descriptor, entry.file = entry.file, -1
    if descriptor >= 0:
        vault.close_file(agent, entry.replica, descriptor, entry.request)


def _close_read(agent: Agent, entry: Descriptor, manner: Manner) -> int:
    close_file(agent, entry)
    if manner.static:
        static_hooks(agent, entry)
    return entry.status


def _close_write(agent: Agent, entry: Descriptor, manner: Manner) -> int:
    if manner.notify:
        hooks.signal(agent, "notify", entry.replica, "WRITE", request=entry.request)
    try:
        close_file(agent, entry)
        _measure(agent, entry)
        _checksum(agent, entry)
        enclosures.apply(agent, entry.request)
    except IrodsError:
        give_up(agent, entry)
        raise
    if entry.status < 0:
        give_up(agent, entry)
        return entry.status
    return finalize(agent, entry, manner)


def _measure(agent: Agent, entry: Descriptor) -> None:
    """Take the replica's size from its file; SYS_COPY_LEN_ERR if the client announced another one."""
    entry.replica.size = vault.status(agent, entry.replica).st_size
    announced = entry.data_size
    if announced > 0 and announced != entry.replica.size and not entry.request.has(kw.NO_CHECK_COPY_LENGTH):
        raise IrodsError(codes.SYS_COPY_LEN_ERR, f"{entry.replica.size} bytes arrived, {announced} were announced")


def _checksum(agent: Agent, entry: Descriptor) -> None:
    """Register or verify the checksum as asked at open; any write without that loses the old one."""
    replica = entry.replica
    if entry.bytes_written >= 0:
        replica.checksum = ""
    if entry.checksum_flag not in (REGISTER_CHECKSUM, VERIFY_CHECKSUM):
        return
    if entry.checksum_flag == VERIFY_CHECKSUM and not entry.checksum and entry.operation != kw.COPY_DEST:
        return  # nothing to compare with
    replica.checksum = vault.checksum(agent, replica, like=entry.checksum)
    if entry.checksum_flag == VERIFY_CHECKSUM and entry.checksum and replica.checksum != entry.checksum:
        raise IrodsError(codes.USER_CHKSUM_MISMATCH, f"computed {replica.checksum}, the client sent {entry.checksum}")


def give_up(agent: Agent, entry: Descriptor) -> None:
    """End a write that failed: stale, siblings as they were."""
    if entry.file >= 0:
        os.close(entry.file)
        entry.file = -1
    settle(agent, entry, STALE, replicas.RESTORE)


def settle(agent: Agent, entry: Descriptor, status: int, siblings: int) -> None:
    replicas.release_token(agent, entry.token)
    replicas.unlock(agent, entry.replica, status, siblings)


def finalize(agent: Agent, entry: Descriptor, manner: Manner = ORDINARY) -> int:
    """Write the outcome to the catalogue, tell the resources and the policies."""
    replica = entry.replica
    changed = entry.open_type == kw.CREATE_TYPE or entry.bytes_written > 0
    if changed:
        replica.modified = agent.db.now()
        ticketing.count_bytes(agent, replica.logical_path, replica.data_id, replica.size)
    settle(agent, entry, GOOD if changed else replicas.RESTORE, STALE if changed else replicas.RESTORE)
    entry.bytes_written = replica.size  # as iRODS does; decides whether acPostProcForPut runs
    if manner.announce:
        announce(agent, entry)
    if manner.static:
        static_hooks(agent, entry)
    return 0


def announce(agent: Agent, entry: Descriptor) -> None:
    """Fire pep_resource_modified and let coordinating resources make or update their other replicas."""
    entry.request.keywords[kw.OPEN_TYPE] = str(entry.open_type)
    hooks.signal(agent, "modified", entry.replica, request=entry.request, openType=str(entry.open_type))
    hierarchies.synchronize(agent, entry.replica)


def static_hooks(agent: Agent, entry: Descriptor) -> None:
    """acPostProcForCreate or …Open, then …Copy or …Put; their failures are logged by the host and ignored."""
    opened = "acPostProcForCreate" if entry.open_type == kw.CREATE_TYPE else "acPostProcForOpen"
    names = [opened]
    if entry.operation == kw.COPY_DEST:
        names.append("acPostProcForCopy")
    elif entry.operation == kw.PUT_OPR or (
        entry.writes and (entry.open_type == kw.CREATE_TYPE or entry.bytes_written > 0)
    ):
        names.append("acPostProcForPut")
    for name in names:
        hooks.static(agent, name, replica=entry.replica, request=entry.request)


def close_replica(agent: Agent, number: int, options: dict[str, object]) -> None:
    """Close one of several descriptors of a replica, or a stream. API 20004.

    ``options`` are the JSON members ``update_size``, ``update_status``, ``send_notifications`` (all true unless
    given) and ``compute_checksum``. With neither update the catalogue stays as it is: the primary descriptor's
    close settles everything.
    """
    entry = agent.descriptors.lookup(number)
    try:
        close_file(agent, entry)
        if entry.writes:
            _close_stream(agent, entry, options)
    finally:
        agent.descriptors.free(number)


def _close_stream(agent: Agent, entry: Descriptor, options: dict[str, object]) -> None:
    update_size, update_status = options.get("update_size", True), options.get("update_status", True)
    if not update_size and not update_status:
        replicas.release_token(agent, entry.token)
        return
    recorded = entry.replica.size
    try:
        size = vault.status(agent, entry.replica).st_size
    except IrodsError:
        give_up(agent, entry)
        raise
    changed = entry.open_type == kw.CREATE_TYPE or size != recorded or entry.bytes_written > 0
    if update_size:
        entry.replica.size = size
    if changed:
        entry.replica.checksum, entry.replica.modified = "", agent.db.now()
    status = (GOOD if changed else replicas.RESTORE) if update_status else entry.replica.status
    settle(agent, entry, status, STALE if changed else replicas.RESTORE)
    if options.get("compute_checksum"):
        _register_checksum(agent, entry)
    if options.get("send_notifications", True):
        announce(agent, entry)


def _register_checksum(agent: Agent, entry: Descriptor) -> None:
    replica = entry.replica
    replica.checksum = vault.checksum(agent, replica)
    sql = "update R_DATA_MAIN set data_checksum = ? where data_id = ? and data_repl_num = ?"
    agent.db.execute(sql, (replica.checksum, replica.data_id, replica.number))


def abandon(agent: Agent, entry: Descriptor) -> None:
    """The client is gone: close the file and leave a written replica stale with the bytes that arrived.

    A descriptor that shares its replica with others (by token) leaves it to the last of them.
    """
    try:
        close_file(agent, entry)
        if not entry.writes:
            return
        entry.replica.size = vault.status(agent, entry.replica).st_size
        entry.replica.checksum, entry.replica.modified = "", agent.db.now()
    except IrodsError as error:
        agent.log.warning("closing %s for a lost client: %s", entry.replica.logical_path, error)
    replicas.release_token(agent, entry.token)
    if entry.request.get(kw.REPLICA_TOKEN) and replicas.others_hold_token(agent, entry.token):
        return
    try:
        replicas.unlock(agent, entry.replica, STALE, replicas.RESTORE)
    except IrodsError:
        agent.log.exception("unlocking %s for a lost client", entry.replica.logical_path)
