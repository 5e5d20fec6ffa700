"""Which columns hold integers. PostgreSQL is strict about types where SQLite converts: a text compared with an integer
column, LIKE on one, or the sum of a text column fail on a real server, and so they do here."""

from __future__ import annotations

import re
from pathlib import Path

from embedded_zone.errors import IrodsError
from embedded_zone.wire.codes import CAT_SQL_ERR

_TABLE = re.compile(r"^create table (\w+) \((.*?)^\);", re.MULTILINE | re.DOTALL)
_INTEGER_COLUMN = re.compile(r"^    (\w+) integer", re.MULTILINE)
_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*")
_NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")

INTEGER_COLUMNS: frozenset[tuple[str, str]] = frozenset(
    (table, column)
    for table, text in _TABLE.findall(Path(__file__).with_name("schema.sql").read_text(encoding="utf-8"))
    for column in _INTEGER_COLUMN.findall(text)
)


def check_integers(values: list[str]) -> None:
    """Raise CAT_SQL_ERR unless each value can be compared with an integer column."""
    _check(_INTEGER, values)


def check_numbers(values: list[str]) -> None:
    """Raise CAT_SQL_ERR unless each value can be compared with a number."""
    _check(_NUMBER, values)


def _check(pattern: re.Pattern[str], values: list[str]) -> None:
    for value in values:
        if not pattern.fullmatch(value):
            raise IrodsError(CAT_SQL_ERR, f"not a number: {value[:40]!r}")
