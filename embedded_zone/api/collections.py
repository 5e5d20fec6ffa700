"""Collections: APIs 681, 679, 633, 678, 713, 661."""

from __future__ import annotations

from typing import Any

from embedded_zone.agent import Agent
from embedded_zone.api import Reply, api
from embedded_zone.errors import IrodsError
from embedded_zone.objects import operations
from embedded_zone.objects.model import Request
from embedded_zone.wire import codes

Wire = dict[str, Any]


def _request(request: Wire) -> Request:
    keywords = request.get("KeyValPair_PI")
    return Request(
        request.get("collName") or "",
        keywords={} if keywords is None else keywords,
        operation=request.get("oprType") or 0,
        flags=request.get("flags") or 0,
    )


@api(681, "coll_create", request="CollInpNew_PI")
def coll_create(agent: Agent, request: Wire, stream: bytes) -> None:
    """Make a collection."""
    operations.make_collection(agent, _request(request))


@api(679, "rm_coll", request="CollInpNew_PI", reply="CollOprStat_PI")
def rm_coll(agent: Agent, request: Wire, stream: bytes) -> Reply:
    """Remove a collection; progress messages to the client are left out, the summary is not."""
    inner = _request(request)
    count = operations.remove_collection(agent, inner)
    return Reply(body={"filesCnt": count, "totalFileCnt": count, "bytesWritten": 0, "lastObjPath": inner.path})


@api(633, "obj_stat", request="DataObjInp_PI", reply="RodsObjStat_PI")
def obj_stat(agent: Agent, request: Wire, stream: bytes) -> Reply:
    """What a path is; the status is 1 for a data object and 2 for a collection."""
    found = operations.stat_object(agent, Request.from_wire(request))
    return Reply(found["objType"], found)


def _handles(agent: Agent) -> dict[int, Any]:
    handles: dict[int, Any] = agent.scratch.setdefault("collection_handles", {})
    return handles


@api(678, "open_collection", request="CollInpNew_PI")
def open_collection(agent: Agent, request: Wire, stream: bytes) -> int:
    """Begin to list a collection; the status is a handle."""
    inner = _request(request)
    entries = operations.entries(agent, inner.path, inner.flags)
    handles = _handles(agent)
    number = next(n for n in range(len(handles) + 1) if n not in handles)
    handles[number] = entries
    return number


def _handle(request: Wire | int) -> int:
    return request if isinstance(request, int) else int(request["myInt"])


@api(713, "read_collection", request="INT_PI", reply="CollEnt_PI")
def read_collection(agent: Agent, request: Wire, stream: bytes) -> Reply:
    """The next entry; CAT_NO_ROWS_FOUND at the end."""
    entries = _handles(agent).get(_handle(request))
    if entries is None:
        raise IrodsError(codes.SYS_FILE_DESC_OUT_OF_RANGE, "no such collection handle")
    entry = next(entries, None)
    if entry is None:
        raise IrodsError(codes.CAT_NO_ROWS_FOUND, "the end of the collection")
    return Reply(body=entry)


@api(661, "close_collection", request="INT_PI", pep="close_collection")
def close_collection(agent: Agent, request: Wire, stream: bytes) -> None:
    """End a listing."""
    if _handles(agent).pop(_handle(request), None) is None:
        raise IrodsError(codes.SYS_FILE_DESC_OUT_OF_RANGE, "no such collection handle")
