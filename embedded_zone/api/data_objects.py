"""Opening, reading, writing and closing data objects: APIs 601, 602, 673 to 676, 20000, 20003, 20004."""

from __future__ import annotations

from typing import Any

from embedded_zone.agent import Agent
from embedded_zone.api import Reply, api
from embedded_zone.errors import IrodsError
from embedded_zone.objects import keywords as kw
from embedded_zone.objects import operations
from embedded_zone.objects.model import Request
from embedded_zone.wire import codes

Wire = dict[str, Any]


@api(602, "data_obj_open", request="DataObjInp_PI")
def data_obj_open(agent: Agent, request: Wire, stream: bytes) -> int:
    """Open or create a data object; the status is the descriptor."""
    return operations.open_object(agent, opened_request(request))


@api(601, "data_obj_create", request="DataObjInp_PI")
def data_obj_create(agent: Agent, request: Wire, stream: bytes) -> int:
    """Create a data object and open it for writing; an existing one needs forceFlag only if it cannot be reused."""
    inner = opened_request(request)
    inner.flags = kw.O_CREAT | kw.O_RDWR | kw.O_TRUNC
    return operations.open_object(agent, inner)


def opened_request(request: Wire) -> Request:
    """The request of an open; of the operation types only a put is a client's to say."""
    inner = Request.from_wire(request)
    if inner.operation != kw.PUT_OPR:
        inner.operation = 0
    return inner


@api(674, "data_obj_lseek", request="OpenedDataObjInp_PI", reply="fileLseekOut_PI")
def data_obj_lseek(agent: Agent, request: Wire, stream: bytes) -> Reply:
    """Move the position of a descriptor."""
    offset = operations.seek(agent, request["l1descInx"], request["offset"], request["whence"])
    return Reply(body={"offset": offset})


@api(675, "data_obj_read", request="OpenedDataObjInp_PI")
def data_obj_read(agent: Agent, request: Wire, stream: bytes) -> Reply:
    """Read; the status is the number of bytes, which follow."""
    data = operations.read(agent, request["l1descInx"], request["len"])
    return Reply(status=len(data), stream=data)


@api(676, "data_obj_write", request="OpenedDataObjInp_PI")
def data_obj_write(agent: Agent, request: Wire, stream: bytes) -> int:
    """Write the bytes that came with the request; the status is their number."""
    return operations.write(agent, request["l1descInx"], stream)


@api(673, "data_obj_close", request="OpenedDataObjInp_PI")
def data_obj_close(agent: Agent, request: Wire, stream: bytes) -> int:
    """Close a descriptor and settle what was written."""
    return operations.close(agent, request["l1descInx"], bytes_written=request.get("bytesWritten") or 0)


@api(20000, "get_file_descriptor_info", request="json", reply="json")
def get_file_descriptor_info(agent: Agent, request: Any, stream: bytes) -> Reply:
    """Everything about a descriptor, with the token that lets other connections write the same replica."""
    return Reply(body=agent.descriptors.lookup(descriptor_of(request)).as_json())


def descriptor_of(request: Any) -> int:
    """The member ``fd`` of a JSON request; raises SYS_INVALID_INPUT_PARAM."""
    number = request.get("fd") if isinstance(request, dict) else None
    if not isinstance(number, int):
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, "fd is missing")
    return number


@api(20003, "replica_open", request="DataObjInp_PI", reply="json")
def replica_open(agent: Agent, request: Wire, stream: bytes) -> Reply:
    """Open, and answer what API 20000 would."""
    number = operations.open_object(agent, opened_request(request))
    return Reply(number, agent.descriptors.lookup(number).as_json())


@api(20004, "replica_close", request="json")
def replica_close(agent: Agent, request: Any, stream: bytes) -> None:
    """Close one of several descriptors of a replica, or a stream."""
    operations.close_replica(agent, descriptor_of(request), request)
