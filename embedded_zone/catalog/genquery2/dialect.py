"""Functions and types of GenQuery2 in SQLite's words.

Their names come from the user, so only what stands in these tables reaches a statement; anything else fails, as an
unknown function does on a real server (SYS_LIBRARY_ERROR).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes


@dataclass(frozen=True)
class _Known:
    """A function: how many arguments it takes, what it is here, whether its value is a number."""

    least: int
    most: int
    sql: str = ""  # SQLite's name where it differs
    number: bool = False
    build: Callable[[list[str]], str] | None = None


def _concat(arguments: list[str]) -> str:
    """PostgreSQL's concat leaves NULL out."""
    return "(" + " || ".join(f"coalesce({argument}, '')" for argument in arguments) + ")"


_ANY = 100
_FUNCTIONS: dict[str, _Known] = {
    "count": _Known(1, _ANY, number=True),
    "sum": _Known(1, 1, number=True),
    "avg": _Known(1, 1, number=True),
    "min": _Known(1, 1),
    "max": _Known(1, 1),
    "upper": _Known(1, 1),
    "lower": _Known(1, 1),
    "length": _Known(1, 1, number=True),
    "char_length": _Known(1, 1, "length", number=True),
    "character_length": _Known(1, 1, "length", number=True),
    "substr": _Known(2, 3),
    "substring": _Known(2, 3, "substr"),
    "strpos": _Known(2, 2, "instr", number=True),
    "replace": _Known(3, 3),
    "trim": _Known(1, 2),
    "btrim": _Known(1, 2, "trim"),
    "ltrim": _Known(1, 2),
    "rtrim": _Known(1, 2),
    "concat": _Known(1, _ANY, build=_concat),
    "coalesce": _Known(2, _ANY),
    "nullif": _Known(2, 2),
    "abs": _Known(1, 1, number=True),
    "round": _Known(1, 2, number=True),
    "left": _Known(2, 2, build=lambda a: f"substr({a[0]}, 1, {a[1]})"),
    "right": _Known(2, 2, build=lambda a: f"substr({a[0]}, -({a[1]}))"),
    "mod": _Known(2, 2, number=True, build=lambda a: f"({a[0]} % {a[1]})"),
}

_TYPES: dict[str, str] = {
    **dict.fromkeys(("int", "integer", "bigint", "smallint", "int2", "int4", "int8"), "integer"),
    **dict.fromkeys(("varchar", "char", "text", "character"), "text"),
    **dict.fromkeys(("decimal", "numeric"), "numeric"),
    **dict.fromkeys(("real", "float", "float4", "float8"), "real"),
}
_TYPE = re.compile(r"(\w+)(?:\((\d+)\))?")


def call(name: str, arguments: list[str], distinct: bool = False) -> str:
    """The SQL of a function call; raises SYS_LIBRARY_ERROR for an unknown function or a wrong number of arguments."""
    known = _FUNCTIONS.get(name.lower())
    if known is None or not known.least <= len(arguments) <= known.most:
        raise IrodsError(codes.SYS_LIBRARY_ERROR, f"no function {name} with {len(arguments)} arguments")
    if known.build:
        return known.build(arguments)
    return f"{known.sql or name.lower()}({'distinct ' if distinct else ''}{', '.join(arguments)})"


def is_number(name: str) -> bool:
    """Whether a function's value is to be compared as a number."""
    known = _FUNCTIONS.get(name.lower())
    return known is not None and known.number


def cast(expression: str, type_name: str) -> str:
    """The SQL of a cast; ``varchar(n)`` cuts at n characters. Raises SYS_LIBRARY_ERROR for an unknown type."""
    match = _TYPE.fullmatch(type_name)
    kind = _TYPES.get(match[1].lower()) if match else None
    if match is None or kind is None:
        raise IrodsError(codes.SYS_LIBRARY_ERROR, f"unknown type {type_name}")
    sql = f"cast({expression} as {kind})"
    return f"substr({sql}, 1, {match[2]})" if kind == "text" and match[2] else sql
