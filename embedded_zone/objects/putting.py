"""Puts and gets in one message, bulk puts, and synchronization, for the icommands.

Sources: ``rsDataObjPut.cpp``, ``rsDataObjGet.cpp``, ``rsBulkDataObjPut.cpp``, ``rsDataObjRsync.cpp`` of 5.0.2.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embedded_zone.errors import IrodsError
from embedded_zone.objects import (
    checksums,
    closing,
    copying,
    lookup,
    opening,
    paths,
    registering,
    replicating,
    resources,
    transferring,
    vault,
    voting,
)
from embedded_zone.objects import keywords as kw
from embedded_zone.objects.model import Replica, Request
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent

PUT_ACTION = 99999990  # SYS_SVR_TO_CLI_PUT_ACTION
GET_ACTION = 99999991  # SYS_SVR_TO_CLI_GET_ACTION
BULK_DIRECTORY = "tmpPhyBunDir"


def open_for_put(agent: Agent, request: Request) -> int:
    """Open the target of a put; OVERWRITE_WITHOUT_FORCE_FLAG if it exists and may not be replaced."""
    paths.check_object(request.path)
    if lookup.visible_object(agent, request.path) and not request.has(kw.FORCE):
        raise IrodsError(codes.OVERWRITE_WITHOUT_FORCE_FLAG, f"{request.path} exists")
    request.flags = kw.O_CREAT | kw.O_RDWR | kw.O_TRUNC
    request.operation = kw.PUT_OPR
    return opening.open_object(agent, request)


def put(agent: Agent, request: Request, data: bytes | memoryview) -> None:
    """Store a whole data object that came with the request. API 606 up to 32 MB."""
    number = open_for_put(agent, request)
    entry = agent.descriptors.lookup(number)
    try:
        transferring.write(agent, number, data)
    except IrodsError as error:
        entry.status = error.code
    if not data:
        entry.bytes_written = 1  # an overwrite with nothing is a change too
    closing.close(agent, number, manner=closing.SINGLE_BUFFER)
    if entry.status < 0:
        raise IrodsError(entry.status, "the data could not be written")
    replicate_put(agent, request)
    registering.touch_parent(agent, request.path)


def replicate_put(agent: Agent, request: Request) -> None:
    """Update the object's other replicas after a put, if the keyword ``all`` asks for it."""
    if request.has(kw.ALL):
        rest = request.variant(without=(kw.DEST_RESC_NAME, kw.RESC_HIER, kw.REG_CHKSUM, kw.VERIFY_CHKSUM))
        rest.keywords[kw.UPDATE_REPL] = ""
        replicating.replicate(agent, rest)


def open_for_get(agent: Agent, request: Request) -> int:
    """Open what a get asks for."""
    request.flags = 0
    return opening.open_object(agent, request)


def get(agent: Agent, number: int) -> memoryview:
    """The whole content of an opened data object; closes it. The view is valid until the next read."""
    entry = agent.descriptors.lookup(number)
    try:
        return transferring.read(agent, number, entry.replica.size)
    finally:
        closing.close(agent, number)


@dataclass(frozen=True)
class BulkItem:
    """One file of a bulk put; ``end`` is where its bytes end in the message."""

    path: str
    end: int
    checksum: str = ""


def bulk_put(agent: Agent, request: Request, items: Sequence[BulkItem], data: memoryview) -> None:
    """Store several data objects of one collection. API 689."""
    hierarchy = request.get(kw.RESC_HIER) or _bulk_hierarchy(agent, request)
    start = 0
    for item in items:
        keywords = {**request.keywords, kw.DATA_INCLUDED: "", kw.RESC_HIER: hierarchy}
        if item.checksum and request.has(kw.VERIFY_CHKSUM):
            keywords[kw.VERIFY_CHKSUM] = item.checksum
        put(agent, Request(item.path, keywords=keywords, size=item.end - start), data[start : item.end])
        start = item.end


def _bulk_hierarchy(agent: Agent, request: Request) -> str:
    """Where the files of a bulk put go; makes their directory, as a real server does before the first of them."""
    # The real one first unpacks into this directory: hooks see it being made, policies do not see it again.
    probe = request.variant(path=f"{request.path}/{BULK_DIRECTORY}.{secrets.randbits(32)}/file", operation=kw.PUT_OPR)
    hierarchy = voting.resolve(agent, resources.CREATE, probe, []).winner
    lookup.collection_for_writing(agent, request.path)
    replica = Replica(probe.path, hierarchy, 0)
    replica.physical_path = vault.path_for(agent, replica)
    vault.make_parents(agent, replica)
    os.rmdir(os.path.dirname(replica.physical_path))
    return hierarchy


def synchronize(agent: Agent, request: Request) -> int:
    """What to do to make two things equal: 0 nothing, PUT_ACTION, GET_ACTION; copies within the zone. API 628."""
    mode = request.get(kw.RSYNC_MODE)
    if mode == "IRODS_TO_IRODS":
        return _synchronize_objects(agent, request)
    if mode not in ("IRODS_TO_LOCAL", "LOCAL_TO_IRODS"):
        raise IrodsError(codes.USER_RSYNC_NO_MODE_INPUT_ERR, f"rsyncMode {mode!r}")
    theirs = request.get(kw.RSYNC_CHKSUM)
    if not theirs:
        raise IrodsError(codes.CHKSUM_EMPTY_IN_STRUCT_ERR, "rsyncChksum is missing")
    ours = _checksum(agent, request)
    if ours == theirs:
        return 0
    # Every irsync names the mode the other way round: IRODS_TO_LOCAL is what it sends for a local source.
    return PUT_ACTION if mode == "IRODS_TO_LOCAL" else GET_ACTION


def _checksum(agent: Agent, request: Request) -> str:
    try:
        return checksums.checksum(agent, request)
    except IrodsError as error:
        if error.code in (codes.CAT_NO_ACCESS_PERMISSION, codes.CAT_NO_ROWS_FOUND):
            return ""
        raise


def _same_place(request: Request, existing: Sequence[Replica]) -> str:
    """The hierarchy of an object's replica on the resource that a request names, '' if there is none."""
    named = request.get(kw.DEST_RESC_NAME)
    return next((replica.hierarchy for replica in existing if named in ("", replica.root)), "")


def _synchronize_objects(agent: Agent, request: Request) -> int:
    target_path = request.get(kw.RSYNC_DEST_PATH)
    if not target_path:
        raise IrodsError(codes.USER_RSYNC_NO_MODE_INPUT_ERR, "rsyncDestPath is missing")
    plain = request.variant(without=(kw.RESC_HIER, kw.DEST_RESC_NAME))
    source = voting.resolve(agent, resources.OPEN, plain, lookup.visible_object(agent, plain.path)).winner
    ours = checksums.checksum(agent, Request(request.path))
    existing = lookup.visible_object(agent, target_path)
    if existing and _checksum(agent, Request(target_path)) == ours:
        return 0
    target = request.variant(
        without=(kw.RESC_HIER, kw.RSYNC_MODE, kw.RSYNC_CHKSUM, kw.RSYNC_DEST_PATH), path=target_path
    )
    target.keywords.update({kw.FORCE: "", kw.REG_CHKSUM: ours})
    if hierarchy := _same_place(request, existing):
        target.keywords[kw.RESC_HIER] = hierarchy  # an update does not ask again where to write
    copying.copy(agent, Request(request.path, keywords={kw.RESC_HIER: source}), target)
    return 0
