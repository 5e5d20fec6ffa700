"""The registry of the APIs that this zone answers: number, name, structures, privilege, handler.

A handler is one function::

    @api(674, "data_obj_lseek", request="OpenedDataObjInp_PI", reply="fileLseekOut_PI")
    def data_obj_lseek(agent: Agent, request: dict[str, Any], stream: bytes) -> Reply: ...

``request`` is the unpacked structure (``None`` where the API has none, parsed JSON where ``request`` is
``"json"``), ``stream`` the bytes that followed it. It returns a ``Reply``, an int status, or ``None``
for 0, and raises ``IrodsError`` to fail. The dispatcher fires ``pep_api_<name>_*`` around it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from embedded_zone import federation
from embedded_zone.agent import LOCAL_PRIV_USER_AUTH, LOCAL_USER_AUTH, NO_USER_AUTH, REMOTE_USER_AUTH, Agent

__all__ = [
    "LOCAL_PRIV_USER_AUTH",
    "LOCAL_USER_AUTH",
    "NO_USER_AUTH",
    "OPERATIONS",
    "REMOTE_USER_AUTH",
    "Operation",
    "Reply",
    "api",
    "load_all",
]


@dataclass
class Reply:
    """What a handler sends back: the status (intInfo), the reply structure and the raw bytes after it."""

    status: int = 0
    body: Any = None
    stream: bytes | memoryview = b""


Handler = Callable[[Agent, Any, bytes], "Reply | int | None"]


@dataclass(frozen=True)
class Operation:
    """One row of the API table; ``pep`` is the hook's name without ``pep_`` and phase, '' for no hooks."""

    number: int
    name: str
    request: str | None
    reply: str | None
    client_privilege: int
    proxy_privilege: int
    handler: Handler
    pep: str


OPERATIONS: dict[int, Operation] = {}


def api(
    number: int,
    name: str,
    *,
    request: str | None = None,
    reply: str | None = None,
    client: int = REMOTE_USER_AUTH,
    proxy: int = REMOTE_USER_AUTH,
    pep: str | None = None,
) -> Callable[[Handler], Handler]:
    """Register a handler under its API number; privileges are those of iRODS's ``apiTable.hpp``."""

    def register(handler: Handler) -> Handler:
        if number in OPERATIONS:
            raise ValueError(f"API {number} is registered twice: {OPERATIONS[number].name} and {name}")
        served = _unless_elsewhere(handler, federation.forwarding(number, request, reply))
        OPERATIONS[number] = Operation(
            number, name, request, reply, client, proxy, served, f"api_{name}" if pep is None else pep
        )
        return handler

    return register


def _unless_elsewhere(handler: Handler, forward: federation.Forwarding | None) -> Handler:
    """Ask federation first: a handler serves calls about its own zone only."""
    if forward is None:
        return handler

    @wraps(handler)
    def serve(agent: Agent, request: Any, stream: bytes) -> Reply | int | None:
        answer = forward(agent, request, stream)
        return handler(agent, request, stream) if answer is None else Reply(answer.status, answer.body, answer.stream)

    return serve


def load_all() -> dict[int, Operation]:
    """Import every module of this package, so that the table is complete, and return it."""
    from importlib import import_module
    from pkgutil import iter_modules

    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return OPERATIONS
