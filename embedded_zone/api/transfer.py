"""Puts, gets and synchronization as the icommands do them: APIs 606, 608, 626, 628, 689.

Up to 32 MB the data is part of the message. Above that the reply says ``numThreads=0`` and names a descriptor:
the client goes on with ordinary reads or writes on the same connection and ends them with 626. No portal ports.
"""

from __future__ import annotations

from typing import Any

from embedded_zone.agent import Agent
from embedded_zone.api import Reply, api
from embedded_zone.errors import IrodsError
from embedded_zone.objects import closing, hooks, operations, portal, putting
from embedded_zone.objects import keywords as kw
from embedded_zone.objects.model import Request
from embedded_zone.wire import codes

Wire = dict[str, Any]
ALREADY_ANSWERED = codes.SYS_NO_HANDLER_REPLY_MSG
OPR_COMPLETE = 626
OFFSET_COLUMN = 999998  # OFFSET_INX of a bulk put: where each file's data ends
NAME_COLUMN = 403  # COL_DATA_NAME
CHECKSUM_COLUMN = 415  # COL_D_DATA_CHECKSUM


def _portal(number: int = 0) -> Wire:
    return {"status": 0, "l1descInx": number, "numThreads": 0, "chksum": "", "PortList_PI": None}


@api(606, "data_obj_put", request="DataObjInp_PI", reply="PortalOprOut_PI")
def data_obj_put(agent: Agent, request: Wire, stream: bytes) -> Reply:
    """Store a data object, whose bytes came along (dataIncluded) or follow."""
    inner = Request.from_wire(request)
    if inner.has(kw.DATA_INCLUDED):
        operations.put(agent, inner, stream)
        return Reply()
    number = putting.open_for_put(agent, inner)
    entry = agent.descriptors.lookup(number)
    entry.operation, entry.data_size = kw.PUT_OPR, inner.size
    hooks.static(agent, "acSetNumThreads", replica=entry.replica, request=inner)
    portal.begin(agent, entry)
    _go_on(agent, number, 606)
    putting.replicate_put(agent, inner)
    return Reply(ALREADY_ANSWERED, _portal(number))


@api(608, "data_obj_get", request="DataObjInp_PI", reply="PortalOprOut_PI")
def data_obj_get(agent: Agent, request: Wire, stream: bytes) -> Reply:
    """Send a data object, along with the reply or afterwards."""
    inner = Request.from_wire(request)
    number = putting.open_for_get(agent, inner)
    entry = agent.descriptors.lookup(number)
    limit = agent.config.maximum_size_for_single_buffer_in_megabytes << 20
    if entry.replica.size <= limit:
        checksum = entry.replica.checksum
        data = putting.get(agent, number)
        return Reply(0, {**_portal(), "chksum": checksum}, data)
    entry.data_size = entry.replica.size
    hooks.static(agent, "acSetNumThreads", replica=entry.replica, request=inner)
    portal.begin(agent, entry)
    _go_on(agent, number, 608)
    return Reply(ALREADY_ANSWERED, _portal(number))


def _go_on(agent: Agent, number: int, operation: int) -> None:
    """Answer with the descriptor and serve the client's requests until it has ended the transfer."""
    branch = agent.scratch.get("branch")
    if branch is None:
        raise IrodsError(codes.SYS_NOT_SUPPORTED, "this connection cannot continue a transfer")
    branch(Reply(number, _portal(number)), operation)


@api(OPR_COMPLETE, "opr_complete", request="INT_PI")
def opr_complete(agent: Agent, request: Wire | int, stream: bytes) -> int:
    """End a transfer: close its descriptor. A negative number says that the client failed.

    A real server reports the success as an error object of code 0: ``_except`` fires, never ``_post``, and the
    client sees 0.
    """
    number = request if isinstance(request, int) else int(request["myInt"])
    portal.end(agent)
    if number < 0:
        return 0
    status = closing.close(agent, number)
    raise IrodsError(status, "the end of a transfer, reported as a real server does")


@api(689, "bulk_data_obj_put", request="BulkOprInp_PI")
def bulk_data_obj_put(agent: Agent, request: Wire, stream: bytes) -> None:
    """Store several small files of one collection at once."""
    keywords = request.get("KeyValPair_PI") or {}
    columns = _columns(request.get("GenQueryOut_PI") or {})
    collection = (request.get("objPath") or "").rstrip("/")
    checksums = columns.get(CHECKSUM_COLUMN, [])
    items = [
        putting.BulkItem(_full_path(collection, name), int(end), checksums[i] if i < len(checksums) else "")
        for i, (name, end) in enumerate(zip(columns[NAME_COLUMN], columns[OFFSET_COLUMN], strict=True))
    ]
    operations.bulk_put(agent, Request(collection, keywords=keywords), items, memoryview(stream))


def _full_path(collection: str, name: str) -> str:
    return name if name.startswith("/") else f"{collection}/{name}"


def _columns(result: Wire) -> dict[int, list[str]]:
    """The columns of a GenQueryOut_PI by their numbers; raises UNMATCHED_KEY_OR_INDEX without names and offsets."""
    columns = {column["attriInx"]: list(column["value"] or []) for column in result.get("SqlResult_PI") or []}
    if NAME_COLUMN not in columns or OFFSET_COLUMN not in columns:
        raise IrodsError(codes.UNMATCHED_KEY_OR_INDEX, "a bulk put needs names and offsets")
    return columns


@api(628, "data_obj_rsync", request="DataObjInp_PI", reply="MsParamArray_PI")
def data_obj_rsync(agent: Agent, request: Wire, stream: bytes) -> int:
    """Compare with the client's checksum, or make one object like another."""
    return operations.synchronize(agent, Request.from_wire(request))
