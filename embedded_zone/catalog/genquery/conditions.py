"""Conditions of GenQuery1: ``= 'x'``, ``like 'a%' || = 'b'``, ``in ('a','b')``, ``n> '5'``, … to SQL with bound values.

What stands between quotes is always a bound parameter; the operator is looked up in a table. As in iRODS a value
reaches from the first quote to the last one, so that quotes within it need no escape.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from embedded_zone.catalog.column_types import check_integers, check_numbers
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

Sql = tuple[str, list[str]]

MAX_COMPOUND_LENGTH = 2176  # bytes; iRODS copies a compound condition into a buffer of twice MAX_NAME_LEN
MAX_OPERATOR_LENGTH = 10

# PostgreSQL knows backslash as the escape of LIKE without being told; SQLite has to be told.
_OPERATORS: dict[str, str] = {
    "=": "= ?",
    "<>": "<> ?",
    "!=": "<> ?",
    "<": "< ?",
    ">": "> ?",
    "<=": "<= ?",
    ">=": ">= ?",
    "like": "LIKE ? ESCAPE '\\'",
    "not like": "NOT LIKE ? ESCAPE '\\'",
}
_NULL_TESTS = frozenset({"IS NULL", "IS NOT NULL"})
_LEGAL_WORDS = re.compile(r"begin_of|parent_of|not|NOT|between|BETWEEN|like|LIKE|in|IN|[<>=! ]")
_QUOTED = re.compile(r"'([^']*)'")


def condition_sql(column: str, text: str, *, upper: bool = False, integer: bool = False) -> Sql:
    """The SQL of one condition on ``column`` (an SQL name).

    Raises CAT_INVALID_ARGUMENT, USER_STRLEN_TOOLONG, CAT_SQL_ERR. An ``n`` before the operator compares as
    numbers. ``upper`` compares the column in upper case. ``integer`` says what the column holds.
    """
    stripped = text.lstrip(" ")
    as_number = stripped[:1] == "n" and stripped[1:2] in ("<", ">", "=")
    if as_number:
        column, text = f"cast({column} as decimal)", stripped[1:]
    elif upper:
        column = f"upper({column})"
    sql, values = _any(column, text)
    if as_number:
        check_numbers(values)
    elif integer and " LIKE " in sql:
        raise IrodsError(codes.CAT_SQL_ERR, "LIKE is for text")
    elif integer:
        check_integers(values)
    return sql, values


def _any(column: str, text: str) -> Sql:
    parts = _split_compound(text)
    if len(parts) == 1:
        return _simple(column, text)
    if len(text.encode(errors="surrogateescape")) >= MAX_COMPOUND_LENGTH:
        raise IrodsError(codes.USER_STRLEN_TOOLONG, "compound condition too long")
    return _compound(column, parts)


def _split_compound(text: str) -> list[str]:
    """``a || b && c`` as [a, '||', b, '&&', c]; operators within quotes do not count."""
    if "||" not in text and "&&" not in text:
        return [text]
    parts, rest = [], text
    while match := re.search(r"\|\||&&", _QUOTED.sub(lambda m: " " * len(m[0]), rest)):
        parts += [rest[: match.start()], match[0]]
        rest = rest[match.end() :]
    return [*parts, rest]


def _compound(column: str, parts: list[str]) -> Sql:
    words = {"||": " OR ", "&&": " AND "}
    sql, values = "", []
    for part in parts:
        if part in words:
            sql += words[part]
            continue
        piece, bound = _simple(column, part)
        sql += piece
        values += bound
    return f"({sql})", values


def _simple(column: str, text: str) -> Sql:
    start = text.lstrip(" ")
    for word, build in _LISTS.items():
        if start.startswith((word, word.upper())):
            return build(column, _QUOTED.findall(text))
    if text in _NULL_TESTS:
        return f"{column} {text}", []
    first, last = text.find("'"), text.rfind("'")
    if first == last or first > MAX_OPERATOR_LENGTH:
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, f"not a condition: {text[:40]!r}")
    return _comparison(column, text[:first], text[first + 1 : last])


def _comparison(column: str, operator: str, value: str) -> Sql:
    if "begin_of" in operator:
        return f"{column} = substr(?, 1, length({column})) AND length({column}) > 0", [value]
    if "parent_of" in operator:
        return _in(column, _ancestors(value))
    sql = _OPERATORS.get(" ".join(operator.lower().split()))
    if sql is None:
        legal = not _LEGAL_WORDS.sub("", operator)
        raise IrodsError(codes.CAT_SQL_ERR if legal else codes.CAT_INVALID_ARGUMENT, f"unknown operator {operator!r}")
    return f"{column} {sql}", [value]


def _in(column: str, values: list[str]) -> Sql:
    if not values:
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, "an empty list")
    return f"{column} IN ({', '.join('?' * len(values))})", values


def _between(column: str, values: list[str]) -> Sql:
    if len(values) != 2:
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, "between needs two values")
    return f"{column} BETWEEN ? AND ?", values


# 'in' is tested first and by its first letters only, as iRODS does.
_LISTS: dict[str, Callable[[str, list[str]], Sql]] = {"in": _in, "between": _between}


def _ancestors(path: str) -> list[str]:
    """``/z/home/a`` as ['/', '/z', '/z/home', '/z/home/a']: every collection above a path, and itself."""
    names = [name for name in path.split("/") if name]
    return ["/"] + ["/" + "/".join(names[: n + 1]) for n in range(len(names))]
