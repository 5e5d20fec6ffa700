"""What another zone's server asks of this one on behalf of its users: APIs 668, 669, 680 (705 is with the logins)."""

from __future__ import annotations

from typing import Any

from embedded_zone.agent import Agent
from embedded_zone.api import Reply, api
from embedded_zone.errors import IrodsError
from embedded_zone.objects import lookup, operations, resources, touching, voting
from embedded_zone.objects.model import Request
from embedded_zone.wire import codes

Wire = dict[str, Any]


@api(668, "get_remote_zone_resc", request="DataObjInp_PI", reply="RHostAddr_PI")
def get_remote_zone_resc(agent: Agent, request: Wire, stream: bytes) -> Reply:
    """The server that has the resource for an operation on a path of this zone."""
    inner = Request.from_wire(request)
    found = lookup.visible_object(agent, inner.path)
    missing = None if found else IrodsError(codes.OBJ_PATH_DOES_NOT_EXIST, f"{inner.path} does not exist")
    operation = _operation(inner, exists=bool(found))
    # Resources vote even where the client says the hierarchy: a second connection of a parallel transfer.
    host = resources.Tree(agent).leaf(voting.resolve(agent, operation, inner, found, missing).winner).host
    return Reply(body={"hostAddr": host, "rodsZone": agent.config.zone_name, "port": 0, "dummyInt": 0})


def _operation(request: Request, *, exists: bool) -> str:
    if request.get("remoteZoneOpr") == "remoteCreate" or (request.creates and not exists):
        return resources.CREATE
    return resources.WRITE if request.writes else resources.OPEN


@api(669, "data_obj_open_and_stat", request="DataObjInp_PI", reply="OpenStat_PI")
def data_obj_open_and_stat(agent: Agent, request: Wire, stream: bytes) -> Reply:
    """Open for another zone's server: the status is the descriptor; unlike an ordinary open it may be a copy's end."""
    number = operations.open_object(agent, Request.from_wire(request))
    entry = agent.descriptors.lookup(number)
    replica = entry.replica
    body = {
        "dataSize": replica.size,
        "dataType": replica.type_name,
        "dataMode": replica.mode,
        "l3descInx": entry.file,
        "replStatus": replica.status,
        "rescTypeInx": 0,
        "replNum": replica.number,
    }
    return Reply(number, body)


@api(680, "mod_coll", request="CollInpNew_PI")
def mod_coll(agent: Agent, request: Wire, stream: bytes) -> None:
    """Set a collection's modify time (keyword ``collectionMtime``, 11 digits); other properties are refused."""
    keywords = request.get("KeyValPair_PI") or {}
    if set(keywords) != {"collectionMtime"}:
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, "only the modify time can be set")
    touching.set_collection_time(agent, request.get("collName") or "", keywords["collectionMtime"])
