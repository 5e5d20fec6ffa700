"""Values of the rule language: Python's own str, int, float, bool and list, irods_types structures, and times."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from embedded_zone.errors import IrodsError
from embedded_zone.structures.types import CLASSES, BytesBuf, Struct
from embedded_zone.wire.codes import RE_DYNAMIC_COERCION_ERROR, RE_DYNAMIC_TYPE_ERROR

KeyValPair: Any = CLASSES["KeyValPair"]


@dataclass(frozen=True)
class Time:
    """A datetime: seconds since the epoch."""

    seconds: int


class Unset:
    """A variable without a value, passed where an output is expected."""

    def __repr__(self) -> str:
        return "<undefined>"


UNSET = Unset()


def new_pairs(items: dict[str, str]) -> Any:
    """A KeyValPair structure."""
    return KeyValPair.of(items)


def type_error(message: str) -> IrodsError:
    """RE_DYNAMIC_TYPE_ERROR."""
    return IrodsError(RE_DYNAMIC_TYPE_ERROR, message)


def text_of(value: Any) -> str:
    """The text that writeLine and string interpolation show."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(int(value)) if value == int(value) else f"{value:f}"
    if isinstance(value, Time):
        return time_text(value)
    if isinstance(value, list):
        return "[" + ",".join(map(text_of, value)) + "]"
    if isinstance(value, KeyValPair):
        pairs = value._plain()
        return f"KeyValue[{len(pairs)}]:" + "".join(f"{k}={v};" for k, v in pairs.items())
    return "<undefined>" if isinstance(value, Unset) or value is None else _other_text(value)


def _other_text(value: Any) -> str:
    return str(value.len) if isinstance(value, BytesBuf) else "<value>"


def time_text(value: Time, form: str = "") -> str:
    """A time as ``Nov 22 2026 12:50:00``, or by a strftime pattern."""
    return time.strftime(form or "%b %d %Y %H:%M:%S", time.localtime(value.seconds))


_TYPE_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "BOOLEAN"),
    (int, "INTEGER"),
    (float, "DOUBLE"),
    (str, "STRING"),
    (Time, "DATETIME"),
)


def type_name(value: Any) -> str:
    """What ``type(*x)`` answers."""
    for kind, name in _TYPE_NAMES:
        if isinstance(value, kind):
            return name
    if isinstance(value, list):
        return f"list {type_name(value[0]) if value else '?'}"
    return f"{type(value).__name__}_PI" if isinstance(value, Struct) else type(value).__name__


def number(value: Any) -> int | float:
    """Coerce to a number; raises IrodsError RE_DYNAMIC_COERCION_ERROR."""
    if isinstance(value, int | float):
        return value
    if isinstance(value, Time):
        return value.seconds
    if isinstance(value, str):
        try:
            return float(value) if "." in value or "e" in value.lower() else int(value)
        except ValueError:
            pass
    raise IrodsError(RE_DYNAMIC_COERCION_ERROR, f"error: cannot coerce {text_of(value)!r} to a number")


def integer(value: Any) -> int:
    """Coerce to an integer."""
    return int(number(value))


def truth(value: Any) -> bool:
    """Coerce to a boolean; text must be true or false."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in ("true", "false"):
        return value == "true"
    if isinstance(value, int | float):
        return value != 0
    raise IrodsError(RE_DYNAMIC_COERCION_ERROR, f"error: cannot coerce {text_of(value)!r} to boolean")
