"""Open data objects of another zone: opens become API 669, and descriptors there get numbers here."""

from __future__ import annotations

from typing import Any

from embedded_zone.client import Answer
from embedded_zone.errors import IrodsError
from embedded_zone.federation import questions
from embedded_zone.federation.calls import Call
from embedded_zone.federation.links import AgentEnds, Link
from embedded_zone.objects import keywords as kw
from embedded_zone.wire import codes

OPEN_AND_STAT, DESCRIPTOR_INFO, CLOSE, REPLICA_CLOSE, OPR_COMPLETE = 669, 20000, 673, 20004, 626
_CLOSING = (CLOSE, REPLICA_CLOSE, OPR_COMPLETE)
_UNREACHABLE = range(codes.CROSS_ZONE_SOCK_CONNECT_ERR - 999, codes.CROSS_ZONE_SOCK_CONNECT_ERR + 1)


def open_there(link: Link, request: dict[str, Any]) -> Answer:
    """Open an object there; the status is the descriptor there, the body an OpenStat_PI."""
    questions.status(link, request["objPath"])
    questions.resource(link, request, "remoteOpen")
    link.has_written |= bool((request.get("openFlags") or 0) & (kw.O_WRONLY | kw.O_RDWR))
    return link.call(OPEN_AND_STAT, request, request_type="DataObjInp_PI", reply_type="OpenStat_PI")


def _opened(call: Call, **changes: Any) -> int:
    try:
        return open_there(call.link, {**call.request, **changes}).status
    except IrodsError as error:
        # A real server's agent dies of an open where it cannot reach the zone; other calls only fail.
        if error.code in _UNREACHABLE or error.code == codes.SYS_HEADER_READ_LEN_ERR:
            raise AgentEnds from None
        raise


def open_object(call: Call) -> Answer:
    """API 602."""
    return Answer(call.links.remember(call.link, _opened(call)))


def create_object(call: Call) -> Answer:
    """API 601."""
    flags = kw.O_CREAT | kw.O_RDWR | kw.O_TRUNC
    return Answer(call.links.remember(call.link, _opened(call, openFlags=flags)))


def open_replica(call: Call) -> Answer:
    """API 20003: an open, and what API 20000 says of it."""
    number = _opened(call)
    answer = call.link.call(DESCRIPTOR_INFO, {"fd": number}, request_type="json", reply_type="json")
    return Answer(call.links.remember(call.link, number), answer.body)


def transfer(call: Call) -> Answer:
    """API 606 and 608: what is too large for one message goes on with a descriptor."""
    answer = call.forward()
    if answer.status > 0 and answer.body:
        answer.status = answer.body["l1descInx"] = call.links.remember(call.link, answer.status)
    return answer


def put_object(call: Call) -> Answer:
    """API 606; that an object exists already is noticed here, before anything is sent."""
    exists = questions.status(call.link, call.path) == questions.DATA_OBJECT
    if exists and kw.FORCE not in (call.request.get("KeyValPair_PI") or {}):
        raise IrodsError(codes.OVERWRITE_WITHOUT_FORCE_FLAG, f"{call.path} exists")
    questions.resource(call.link, call.request, "remoteCreate")
    return transfer(call)


# --- calls on descriptors: where the request holds the number

_FIELD_OF: dict[int, str] = {
    CLOSE: "l1descInx",
    674: "l1descInx",
    675: "l1descInx",
    676: "l1descInx",
    DESCRIPTOR_INFO: "fd",
    REPLICA_CLOSE: "fd",
    OPR_COMPLETE: "myInt",
}
DESCRIPTOR_CALLS = tuple(_FIELD_OF)


def descriptor(number: int, request: Any) -> int:
    """The descriptor that a call is about, 0 for none."""
    if isinstance(request, int):
        return request
    found = request.get(_FIELD_OF[number]) if isinstance(request, dict) else 0
    return found if isinstance(found, int) else 0


def on_descriptor(call: Call) -> Answer:
    """Pass a call on with the descriptor's number there."""
    mine = descriptor(call.number, call.request)
    link, theirs = call.links.open[mine]
    call.link = link
    try:
        if isinstance(call.request, int):
            call.request = {}
        return call.forward(**{_FIELD_OF[call.number]: theirs})
    finally:
        if call.number in _CLOSING:
            call.links.open.pop(mine, None)
