"""The table of microservices and how one is run.

A microservice is ``f(call, args) -> int | None``: it reads its arguments from the list ``args`` (an unset output is
``''`` or another placeholder from Python, ``None`` from native text), puts results into it, and raises IrodsError.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedded_zone.errors import IrodsError
from embedded_zone.wire.codes import (
    ACTION_ARG_COUNT_MISMATCH,
    INVALID_ANY_CAST,
    NO_MICROSERVICE_FOUND_ERR,
    SYS_NOT_SUPPORTED,
    USER_PARAM_TYPE_ERR,
)

if TYPE_CHECKING:
    from embedded_zone.agent import Agent
    from embedded_zone.rules.frame import Frame
    from embedded_zone.rules.host import RuleHost

Function = Callable[["Call", list[Any]], "int | None"]


@dataclass(frozen=True)
class Call:
    """Who calls: the host and the execution that the microservice belongs to."""

    host: RuleHost
    frame: Frame

    @property
    def agent(self) -> Agent:
        """The connection."""
        return self.host.agent

    def api(self, number: int, request: Any, stream: bytes = b"") -> Any:
        """Run an API as the connection's user without its ``pep_api_*`` hooks; the Reply, or IrodsError."""
        return self.host.server_call(number, request, stream)


@dataclass(frozen=True)
class Microservice:
    """One row of the table."""

    name: str
    count: int
    function: Function
    supported: bool = True


MICROSERVICES: dict[str, Microservice] = {}


def microservice(name: str, count: int) -> Callable[[Function], Function]:
    """Register a function as microservice ``name`` with ``count`` arguments."""

    def register(function: Function) -> Function:
        MICROSERVICES[name] = Microservice(name, count, function)
        return function

    return register


def run_microservice(host: RuleHost, frame: Frame, name: str, values: list[Any], *, strict: bool = True) -> int:
    """Run one; ``values`` is updated in place. Raises IrodsError.

    ``strict`` is the way through the rule engine framework (Python callbacks, native calls with strings only): an
    output must have the type of its placeholder, else INVALID_ANY_CAST; the status itself is not passed on.
    """
    found = MICROSERVICES.get(name)
    if found is None:
        raise IrodsError(NO_MICROSERVICE_FOUND_ERR, f"default_microservice_manager: no microservice found {name}")
    if len(values) != found.count:
        raise IrodsError(ACTION_ARG_COUNT_MISMATCH, "execMicroService3: wrong number of arguments")
    results = list(values)
    status = found.function(Call(host, frame), results) or 0
    if status < 0:
        raise IrodsError(status, "exec_microservice_adapter failed")
    if not strict:
        values[:] = results
        return status
    for index, (old, new) in enumerate(zip(values, results, strict=True)):
        values[index] = _converted(name, old, new)
    return 0


def _converted(name: str, old: Any, new: Any) -> Any:
    if new is old:
        return old
    if isinstance(new, str):
        return new if isinstance(old, str) else old
    if isinstance(old, str):
        raise IrodsError(INVALID_ANY_CAST, f"{name}: a string placeholder cannot take a {type(new).__name__}")
    return new


def text_argument(value: Any) -> str:
    """A string argument; numbers and char arrays are taken by their text, None is ''."""
    return "" if value is None else str(value)


def number_argument(value: Any) -> int:
    """An integer argument given as int, float or text; raises USER_PARAM_TYPE_ERR."""
    try:
        return int(value)
    except (TypeError, ValueError):
        raise IrodsError(USER_PARAM_TYPE_ERR, f"not a number: {value!r}") from None


def not_supported(name: str, count: int) -> None:
    """Register a microservice that a real server has and this zone lacks: it fails at once and says so."""

    def fail(call: Call, args: list[Any]) -> int:
        call.host.log_error(f"microservice {name} is not provided by the embedded zone")
        raise IrodsError(SYS_NOT_SUPPORTED, f"{name} is not provided by the embedded zone")

    MICROSERVICES[name] = Microservice(name, count, fail, supported=False)
