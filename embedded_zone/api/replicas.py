"""Replicas of existing objects: APIs 632, 695, 697, 10220, 686, 694."""

from __future__ import annotations

import json
from typing import Any

from embedded_zone.agent import Agent
from embedded_zone.api import Reply, api
from embedded_zone.api.object_changes import transferred
from embedded_zone.errors import IrodsError
from embedded_zone.objects import keywords as kw
from embedded_zone.objects import lookup, operations, resources, voting
from embedded_zone.objects.model import Request
from embedded_zone.wire import codes

Wire = dict[str, Any]


@api(695, "data_obj_repl", request="DataObjInp_PI", reply="TransferStat_PI")
def data_obj_repl(agent: Agent, request: Wire, stream: bytes) -> Reply:
    """Make or update replicas."""
    return transferred(operations.replicate(agent, Request.from_wire(request)))


@api(697, "data_obj_phymv", request="DataObjInp_PI", reply="TransferStat_PI")
def data_obj_phymv(agent: Agent, request: Wire, stream: bytes) -> Reply:
    """Move a replica to another resource."""
    return transferred(operations.physical_move(agent, Request.from_wire(request)))


@api(632, "data_obj_trim", request="DataObjInp_PI")
def data_obj_trim(agent: Agent, request: Wire, stream: bytes) -> int:
    """Remove surplus replicas; the status is 1 if there were any."""
    return operations.trim(agent, Request.from_wire(request))


def _resolve(agent: Agent, inner: Request, operation: str) -> tuple[str, str]:
    """The host and the hierarchy that an operation would use."""
    hierarchy = inner.get(kw.RESC_HIER)
    if not hierarchy:
        found = lookup.visible_object(agent, inner.path)
        missing = None if found else IrodsError(codes.CAT_NO_ROWS_FOUND, f"{inner.path} does not exist")
        hierarchy = voting.resolve(agent, operation, inner, found, missing).winner
    return resources.Tree(agent).leaf(hierarchy).host, hierarchy


@api(10220, "get_resource_info_for_operation", request="DataObjInp_PI", reply="STR_PI")
def get_resource_info_for_operation(agent: Agent, request: Wire, stream: bytes) -> Reply:
    """Where an operation would take place, as JSON."""
    inner = Request.from_wire(request)
    operation = inner.get(kw.RESOURCE_INFO_OPERATION)
    if not inner.has(kw.RESOURCE_INFO_OPERATION):
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, f"{kw.RESOURCE_INFO_OPERATION} is missing")
    if operation not in (resources.CREATE, resources.OPEN, resources.WRITE, resources.UNLINK):
        raise IrodsError(codes.INVALID_OPERATION, f"operation {operation!r}")
    host, hierarchy = _resolve(agent, inner, operation)
    return Reply(body=json.dumps({"host": host, "resource_hierarchy": hierarchy}, separators=(",", ":")))


@api(694, "get_host_for_get", request="DataObjInp_PI", reply="STR_PI")
def get_host_for_get(agent: Agent, request: Wire, stream: bytes) -> Reply:
    """The host to read a data object from."""
    return Reply(body=_resolve(agent, Request.from_wire(request), resources.OPEN)[0])


@api(686, "get_host_for_put", request="DataObjInp_PI", reply="STR_PI")
def get_host_for_put(agent: Agent, request: Wire, stream: bytes) -> Reply:
    """The host to write a data object to."""
    return Reply(body=_resolve(agent, Request.from_wire(request), resources.CREATE)[0])
