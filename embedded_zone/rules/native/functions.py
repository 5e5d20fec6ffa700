"""The functions and operators of the rule language that need no server."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from typing import Any

from embedded_zone.errors import IrodsError
from embedded_zone.rules.native.values import Time, integer, number, text_of, time_text, truth, type_error, type_name
from embedded_zone.wire.codes import RE_DIVISION_BY_ZERO, RE_RUNTIME_ERROR

Function = Callable[..., Any]


def _arithmetic(operation: Callable[[Any, Any], Any]) -> Function:
    def apply(left: Any, right: Any) -> Any:
        return operation(number(left), number(right))

    return apply


def _divide(left: Any, right: Any) -> float:
    if number(right) == 0:
        raise IrodsError(RE_DIVISION_BY_ZERO, "division by zero.")
    return number(left) / number(right)


def _modulo(left: Any, right: Any) -> int:
    if integer(right) == 0:
        raise IrodsError(RE_DIVISION_BY_ZERO, "division by zero.")
    return int(math.fmod(integer(left), integer(right)))


def _comparable(left: Any, right: Any) -> tuple[Any, Any]:
    # One number is enough to make both numbers; two texts compare as texts.
    if isinstance(left, str) and isinstance(right, str):
        return left, right
    if isinstance(left, bool) or isinstance(right, bool):
        return truth(left), truth(right)
    if isinstance(left, list) or isinstance(right, list):
        raise type_error("lists cannot be compared")
    return number(left), number(right)


def _compare(operation: Callable[[Any, Any], bool]) -> Function:
    def apply(left: Any, right: Any) -> bool:
        return operation(*_comparable(left, right))

    return apply


def _like(text: Any, pattern: Any) -> bool:
    regex = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in str(pattern))
    return re.fullmatch(regex, str(text), re.DOTALL) is not None


def _like_regex(text: Any, pattern: Any) -> bool:
    return re.fullmatch(str(pattern), str(text), re.DOTALL) is not None


def _substr(text: str, start: Any, end: Any) -> str:
    first, last = integer(start), integer(end)
    if not 0 <= first <= last <= len(text):
        raise IrodsError(RE_RUNTIME_ERROR, "invalid substr index error")
    return text[first:last]


def _split(text: str, delimiters: str) -> list[str]:
    # Real split: any character of the second argument separates, runs count once, leading ones are dropped.
    if not delimiters:
        return [text] if text else []
    return [part for part in re.split(f"[{re.escape(delimiters)}]+", text) if part]


def _element(items: list[Any], index: Any) -> Any:
    position = integer(index)
    if not 0 <= position < len(items):
        raise IrodsError(RE_RUNTIME_ERROR, f"error: index out of range {position}.")
    return items[position]


def _set_element(items: list[Any], index: Any, value: Any) -> list[Any]:
    _element(items, index)
    position = integer(index)
    return [*items[:position], value, *items[position + 1 :]]


def _nonempty(items: list[Any]) -> list[Any]:
    if not items:
        raise IrodsError(RE_RUNTIME_ERROR, "error: empty list")
    return items


def _int(value: Any) -> int:
    try:
        return int(number(value))
    except IrodsError:
        match = re.match(r"\s*-?\d+", str(value))  # atoi
        return int(match.group()) if match else 0


def _datetime(value: Any, form: str = "%b %d %Y %H:%M:%S") -> Time:
    if isinstance(value, int | float):
        return Time(int(value))
    try:
        return Time(int(time.mktime(time.strptime(str(value), form))))
    except ValueError:
        return Time(integer(value))


def _trim_left(text: str, delimiter: str) -> str:
    return text.partition(delimiter)[2] if delimiter and delimiter in text else text


def _trim_right(text: str, delimiter: str) -> str:
    return text.rpartition(delimiter)[0] if delimiter and delimiter in text else text


def _double(value: Any) -> float:
    return float(value.seconds if isinstance(value, Time) else number(value))


FUNCTIONS: dict[str, Function] = {
    "+": _arithmetic(lambda a, b: a + b),
    "-": _arithmetic(lambda a, b: a - b),
    "*": _arithmetic(lambda a, b: a * b),
    "/": _divide,
    "%": _modulo,
    "^": _arithmetic(lambda a, b: float(a) ** b),
    "^^": _arithmetic(lambda a, b: float(a) ** (1 / b)),
    "++": lambda a, b: text_of(a) + text_of(b),
    "neg": lambda a: -number(a),
    "!": lambda a: not truth(a),
    "==": _compare(lambda a, b: a == b),
    "!=": _compare(lambda a, b: a != b),
    "<": _compare(lambda a, b: a < b),
    ">": _compare(lambda a, b: a > b),
    "<=": _compare(lambda a, b: a <= b),
    ">=": _compare(lambda a, b: a >= b),
    "like": _like,
    "not like": lambda a, b: not _like(a, b),
    "like regex": _like_regex,
    "not like regex": lambda a, b: not _like_regex(a, b),
    "floor": lambda a: float(math.floor(number(a))),
    "ceiling": lambda a: float(math.ceil(number(a))),
    "abs": lambda a: float(abs(number(a))),
    "max": lambda *a: float(max(map(number, a))),
    "min": lambda *a: float(min(map(number, a))),
    "average": lambda *a: sum(map(number, a)) / len(a),
    "log": lambda a: math.log(number(a)),
    "exp": lambda a: math.exp(number(a)),
    "str": text_of,
    "int": _int,
    "double": _double,
    "bool": truth,
    "time": lambda: Time(int(time.time())),
    "timestr": lambda t: time_text(t),
    "timestrf": lambda t, form: time_text(t, form),
    "datetime": _datetime,
    "datetimef": _datetime,
    "list": lambda *items: list(items),
    "elem": _element,
    "setelem": _set_element,
    "hd": lambda items: _nonempty(items)[0],
    "tl": lambda items: _nonempty(items)[1:],
    "cons": lambda item, items: [item, *items],
    "size": len,
    "type": type_name,
    "strlen": lambda a: len(str(a).encode()),
    "substr": _substr,
    "split": _split,
    "triml": _trim_left,
    "trimr": _trim_right,
    "execCmdArg": lambda a: "'" + str(a).replace("'", "\\'") + "'",
    "path": str,
    "unspeced": lambda: "",
}
