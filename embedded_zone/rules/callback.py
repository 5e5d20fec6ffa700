"""The object that a Python rule gets as ``callback``: any attribute is a rule or microservice to call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from embedded_zone.errors import IrodsError
from embedded_zone.structures.types import CLASSES, BytesBuf, GenQueryOut
from embedded_zone.wire.codes import CAT_NO_ROWS_FOUND, SYS_NOT_SUPPORTED, name_of

if TYPE_CHECKING:
    from embedded_zone.rules.host import RuleHost

# The structures that the plugin can hand to a microservice; str, int and float besides.
PASSABLE = (
    CLASSES["GenQueryInp"],
    GenQueryOut,
    CLASSES["KeyValPair"],
    CLASSES["FileLseekOut_t"],
    CLASSES["RodsObjStat"],
    BytesBuf,
    int,
    float,
)
THREAD_TEXT = (
    "callback.{name} was called from thread {thread!r}: a real iRODS agent holds one lock around the interpreter while "
    "a rule runs, so a callback from a second thread waits for it for ever and the agent hangs. The embedded zone "
    "raises instead. Collect results in the thread and make the call from the rule itself."
)


class Callback:
    """Attribute access gives a callable; ``host`` resolves it (engines in order, then microservices)."""

    def __init__(self, host: RuleHost, frame: Any) -> None:
        object.__setattr__(self, "_parts", (host, frame, threading.get_ident()))

    def __getattribute__(self, name: str) -> Callable[..., dict[str, Any]]:
        host, frame, owner = object.__getattribute__(self, "_parts")

        def call(*args: Any, **_: Any) -> dict[str, Any]:
            _refuse_other_thread(host, owner, name)
            return invoke(host, frame, name, args)

        return call


def _refuse_other_thread(host: RuleHost, owner: int, name: str) -> None:
    if threading.get_ident() == owner:
        return
    text = THREAD_TEXT.format(name=name, thread=threading.current_thread().name)
    host.log_error("callback from a second thread", {"python_exception": text})
    raise RuntimeError(text)


def invoke(host: RuleHost, frame: Any, name: str, args: tuple[Any, ...]) -> dict[str, Any]:
    """Call a rule or microservice as a Python rule does; raises RuntimeError with the code in its text."""
    values = [_checked(value) for value in args]
    try:
        code, status = host.execute(name, values, frame), True
    except IrodsError as error:
        if error.code != CAT_NO_ROWS_FOUND:
            raise RuntimeError(_error_text(error)) from None
        code, status = error.code, False
    return {"code": code, "status": status, "arguments": values}


def _checked(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not -(2**31) <= value < 2**31:
        raise OverflowError("Python int too large to convert to C int")
    if isinstance(value, PASSABLE):
        return int(value) if isinstance(value, bool) else value
    raise RuntimeError(
        f"iRODS Exception: code: {SYS_NOT_SUPPORTED} (SYS_NOT_SUPPORTED) message: Attempted to extract a "
        f"boost::python::object containing a non-conforming type ({type(value).__name__})"
    )


def _error_text(error: IrodsError) -> str:
    # Not at the raise: the code of a rule's failure is the first one in its traceback, source lines included.
    status = f"status [{name_of(error.code)}]  errno [] -- message [{error.message}]"
    return f"[iRods__Error__Code:{error.code}] [-]\tembedded_zone: {status}\n"
