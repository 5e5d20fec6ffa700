"""Removing, renaming, copying and describing data objects: APIs 615, 622, 627, 629, 630, 652, 696, 802, 20001,
20007, 20008."""

from __future__ import annotations

from typing import Any

from embedded_zone.agent import Agent
from embedded_zone.api import Reply, api
from embedded_zone.objects import keywords as kw
from embedded_zone.objects import operations
from embedded_zone.objects.model import Request

Wire = dict[str, Any]


@api(615, "data_obj_unlink", request="DataObjInp_PI")
def data_obj_unlink(agent: Agent, request: Wire, stream: bytes) -> None:
    """Remove a data object: to the trash, for good, or only from the catalogue (oprType 26)."""
    operations.unlink(agent, Request.from_wire(request))


def _pair(request: Wire) -> tuple[Request, Request]:
    source, target = request["DataObjInp_PI"]
    return Request.from_wire(source), Request.from_wire(target)


@api(627, "data_obj_rename", request="DataObjCopyInp_PI")
def data_obj_rename(agent: Agent, request: Wire, stream: bytes) -> None:
    """Rename or move a data object or collection; with forceFlag an existing object in the way is removed first."""
    operations.rename(agent, *_pair(request))


@api(696, "data_obj_copy", request="DataObjCopyInp_PI", reply="TransferStat_PI")
def data_obj_copy(agent: Agent, request: Wire, stream: bytes) -> Reply:
    """Copy a data object within the zone."""
    return transferred(operations.copy(agent, *_pair(request)))


def transferred(count: int) -> Reply:
    """TransferStat_PI of one stream."""
    return Reply(body={"numThreads": 0, "flags": 0, "bytesWritten": count})


@api(629, "data_obj_chksum", request="DataObjInp_PI", reply="STR_PI")
def data_obj_chksum(agent: Agent, request: Wire, stream: bytes) -> Reply:
    """The checksum; with verifyChksum no body, or the findings with CHECK_VERIFICATION_RESULTS."""
    inner = Request.from_wire(request)
    text = operations.checksum(agent, inner)
    return Reply() if inner.has(kw.VERIFY_CHKSUM) else Reply(body=text)


@api(630, "phy_path_reg", request="DataObjInp_PI")
def phy_path_reg(agent: Agent, request: Wire, stream: bytes) -> None:
    """Register an existing file or directory."""
    operations.register(agent, Request.from_wire(request))


@api(20008, "register_physical_path", request="DataObjInp_PI", reply="json")
def register_physical_path(agent: Agent, request: Wire, stream: bytes) -> Reply:
    """As 630, answering the registered replica as JSON."""
    inner = Request.from_wire(request)
    operations.register(agent, inner)
    return Reply(body=operations.stat_object(agent, Request(inner.path)))


@api(622, "mod_data_obj_meta", request="ModDataObjMeta_PI")
def mod_data_obj_meta(agent: Agent, request: Wire, stream: bytes) -> None:
    """Change system metadata of replicas."""
    _modify(agent, request)


@api(20001, "data_object_modify_info", request="ModDataObjMeta_PI")
def data_object_modify_info(agent: Agent, request: Wire, stream: bytes) -> None:
    """The same for ``isysmeta``."""
    _modify(agent, request)


def _modify(agent: Agent, request: Wire) -> None:
    changes = request.get("KeyValPair_PI") or {}
    operations.modify_data_object(agent, request.get("DataObjInfo_PI") or {}, changes)


@api(652, "data_obj_truncate", request="DataObjInp_PI")
def data_obj_truncate(agent: Agent, request: Wire, stream: bytes) -> None:
    """Cut all replicas to ``dataSize`` (deprecated)."""
    operations.truncate(agent, Request.from_wire(request))


@api(802, "replica_truncate", request="DataObjInp_PI", reply="STR_PI")
def replica_truncate(agent: Agent, request: Wire, stream: bytes) -> Reply:
    """Cut one replica to ``dataSize``; the body says which, also on failure."""
    return Reply(body=operations.truncate_replica(agent, Request.from_wire(request)))


@api(20007, "touch", request="json")
def touch(agent: Agent, request: Any, stream: bytes) -> None:
    """Set a modify time; makes an empty data object where there is nothing."""
    operations.touch(agent, request if isinstance(request, dict) else {})
