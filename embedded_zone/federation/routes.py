"""The table of calls that may be about another zone, and the function that the API table puts before their handlers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedded_zone.client import Answer
from embedded_zone.errors import IrodsError
from embedded_zone.federation import copying, hints, links, opening, questions
from embedded_zone.federation.calls import Call
from embedded_zone.objects import keywords as kw
from embedded_zone.objects import paths
from embedded_zone.wire import codes
from embedded_zone.wire.packing import Protocol

if TYPE_CHECKING:
    from embedded_zone.agent import Agent

Forwarding = Callable[["Agent", Any, "bytes | memoryview"], "Answer | None"]
Payload = tuple[Any, "bytes | memoryview"]  # the request and the bytes after it
Shapes = tuple[str, str]  # the names of request and reply structure


@dataclass(frozen=True)
class Route:
    """How one API goes to another zone: ``place`` finds the path (or ``/zone``), ``serve`` makes the call."""

    place: Callable[[Any], str]
    serve: Callable[[Call], Answer]


# --- where a request holds its path


def _field(name: str) -> Callable[[Any], str]:
    return lambda request: (request.get(name) or "") if isinstance(request, dict) else ""


_object, _collection, _access = _field("objPath"), _field("collName"), _field("path")


def _info(request: Any) -> str:
    return (request.get("DataObjInfo_PI") or {}).get("objPath") or ""


def _metadata(request: Any) -> str:
    """The path of an AVU call's object; users and resources are always the own zone's."""
    kinds = {"-d": "arg2", "-C": "arg2", "-c": "arg2", "-dw": "arg2"}
    place = "arg3" if request.get("arg0") == "cp" else kinds.get(request.get("arg1") or "", "")
    return (request.get(place) or "") if place else ""


def _several(request: Any) -> str:
    """The path of an atomic call, which is about an object or a collection."""
    if not isinstance(request, dict) or request.get("entity_type") not in ("data_object", "collection"):
        return ""
    return str(request.get("entity_name") or "")


def _pair(request: Any) -> tuple[str, str]:
    source, target = request["DataObjInp_PI"]
    return source.get("objPath") or "", target.get("objPath") or ""


def _sync_pair(request: Any) -> tuple[str, str]:
    return request.get("objPath") or "", (request.get("KeyValPair_PI") or {}).get(kw.RSYNC_DEST_PATH) or ""


# --- how calls go


def _directly(call: Call) -> Answer:
    return call.forward()


def _after_link(call: Call) -> Answer:
    questions.is_linked(call.link, call.path)
    return call.forward()


def _after_resource(call: Call) -> Answer:
    questions.is_linked(call.link, call.path)
    questions.resource(call.link, call.request, "remoteOpen")
    return opening.transfer(call)


def _bulk(call: Call) -> Answer:
    questions.is_linked(call.link, call.path)
    questions.resource(call.link, {"objPath": call.path, "openFlags": kw.O_CREAT | kw.O_WRONLY}, "remoteCreate")
    return call.forward()


def _collection_change(call: Call) -> Answer:
    answer = _after_link(call)
    questions.touch_parent(call.link, call.path)
    return answer


def _collection_removal(call: Call) -> Answer:
    """What was removed is not told: a server takes no summary from another one."""
    return Answer(_collection_change(call).status)


def _rename(call: Call) -> Answer:
    source, target = _pair(call.request)
    for path in (source, target):
        if paths.zone_of(path) == call.link.peer.zone:
            questions.is_linked(call.link, path)
        else:
            questions.forget_unlinked(call.link)
    if paths.zone_of(source) != call.link.peer.zone:
        questions.forget_unlinked(call.link)
        questions.is_linked(call.link, target)
        raise IrodsError(codes.SYS_CROSS_ZONE_MV_NOT_SUPPORTED, f"{source} to {target}")
    answer = call.forward()
    questions.touch_parent(call.link, target)
    return answer


def _touch(call: Call) -> Answer:
    """PRC's JSON has no NUL at its end: after a write on this connection the bytes behind it are no JSON any more."""
    request = {"objPath": call.path, "openFlags": kw.O_CREAT | kw.O_WRONLY}
    questions.resource(call.link, request, "remoteOpen")
    if call.link.has_written and call.agent.protocol is Protocol.XML_PROT:
        raise IrodsError(codes.INPUT_ARG_NOT_WELL_FORMED_ERR, "no JSON arrives there")
    return call.forward()


def _not_here(call: Call) -> Answer:
    """Atomic metadata: this zone's catalogue looks for the object there, finds no right here, and never asks."""
    questions.exists(call.link, paths.parent(call.path))
    raise IrodsError(codes.CAT_NO_ACCESS_PERMISSION, f"{call.path} is in another zone", {})


def _zone(name: str) -> str:
    return f"/{name}" if name else ""


ROUTES: dict[int, Route] = {
    601: Route(_object, opening.create_object),
    602: Route(_object, opening.open_object),
    606: Route(_object, opening.put_object),
    608: Route(_object, _after_resource),
    615: Route(_object, _after_link),
    622: Route(_info, _directly),
    629: Route(_object, _after_resource),
    630: Route(_object, _after_resource),
    632: Route(_object, _after_resource),
    633: Route(_object, _after_link),
    652: Route(_object, _after_resource),
    679: Route(_collection, _collection_removal),
    681: Route(_collection, _collection_change),
    686: Route(_object, _after_link),
    689: Route(_object, _bulk),
    694: Route(_object, _after_link),
    695: Route(_object, _after_resource),
    697: Route(_object, _after_resource),
    702: Route(lambda request: _zone(hints.of_query(request)), _directly),
    706: Route(_metadata, _directly),
    707: Route(_access, _after_link),
    722: Route(lambda request: _zone(hints.of_keyword(request)), _directly),
    802: Route(_object, _after_resource),
    10220: Route(_object, _after_link),
    10221: Route(lambda request: _zone(request.get("zone") or ""), _directly),
    20001: Route(_info, _directly),
    20002: Route(_several, _not_here),
    20003: Route(_object, opening.open_replica),
    20007: Route(_field("logical_path"), _touch),
    20008: Route(_object, _after_resource),
}
# Calls on two paths: either may lie in the other zone.
PAIRS: dict[int, tuple[Callable[[Any], tuple[str, str]], Callable[[Call], Answer]]] = {
    627: (_pair, _rename),
    628: (_sync_pair, copying.synchronize),
    696: (_pair, copying.copy),
}


# --- what the API table asks for


def forwarding(number: int, request_type: str | None, reply_type: str | None) -> Forwarding | None:
    """A function that makes a call of this API in another zone, or answers None for a call that is about this one."""
    shapes = (request_type or "", reply_type or "")
    if number in ROUTES:
        route = ROUTES[number]
        return lambda agent, *call: _routed(agent, (route.place(call[0]),), route.serve, number, call, shapes)
    if number in PAIRS:
        pair, serve = PAIRS[number]
        return lambda agent, *call: _routed(agent, pair(call[0]), serve, number, call, shapes)
    if number in opening.DESCRIPTOR_CALLS:
        return lambda agent, *call: _on_descriptor(agent, number, call, shapes)
    return None


def _routed(
    agent: Agent, given: tuple[str, ...], serve: Callable[[Call], Answer], number: int, call: Payload, shapes: Shapes
) -> Answer | None:
    known = links.of(agent)
    for path in given if known else ():
        link = known.to(paths.zone_of(path)) if known else None
        if known and link:
            return serve(Call(agent, known, link, number, *call, *shapes, path=path))
    return None


def _on_descriptor(agent: Agent, number: int, call: Payload, shapes: Shapes) -> Answer | None:
    known = links.of(agent)
    mine = opening.descriptor(number, call[0])
    if known is None or mine not in known.open:
        return None
    return opening.on_descriptor(Call(agent, known, known.open[mine][0], number, *call, *shapes))
