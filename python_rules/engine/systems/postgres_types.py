"""PostgreSQL's types and Arrow's: what a Parquet file keeps as what, and which type names a file may ask for.

A column whose type has no row here goes as text; its field says in its metadata which type it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pyarrow as pa

TYPE_KEY = b"postgresql.type"  # metadata of a field: the column's type as PostgreSQL writes it
_LARGEST_DECIMAL = 38

# What a file's header or metadata may name; a type's name becomes SQL, so anything else stays text.
_KNOWN = (
    "smallint|integer|bigint|real|double precision|numeric|boolean|text|character varying|character|bytea|date|"
    "time without time zone|time with time zone|timestamp without time zone|timestamp with time zone|interval|uuid|"
    "json|jsonb|inet|cidr|macaddr|macaddr8|oid|money|xml|bit|bit varying|point|tsvector|int4range|int8range|numrange|"
    "tsrange|tstzrange|daterange"
)
_FORM = re.compile(rf"(?:{_KNOWN})(?:\(\d{{1,5}}(?:,-?\d{{1,5}})?\))?(?:\[\])?")
_PRECISE = re.compile(r"(time|timestamp)(\(\d\))( with(?:out)? time zone)((?:\[\])?)")
_DECIMAL = re.compile(r"numeric\((\d+),(\d+)\)")


def known_type(name: str) -> str:
    """The name of a type if it is one of PostgreSQL's own, otherwise ''."""
    precise = _PRECISE.fullmatch(name)
    plain = precise[1] + precise[3] + precise[4] if precise else name
    return name if _FORM.fullmatch(plain) else ""


class Kind(NamedTuple):
    """How a type goes into Arrow, and back."""

    arrow: pa.DataType
    name: str


_KINDS: tuple[Kind, ...] = (
    Kind(pa.int16(), "smallint"),
    Kind(pa.int32(), "integer"),
    Kind(pa.int64(), "bigint"),
    Kind(pa.float32(), "real"),
    Kind(pa.float64(), "double precision"),
    Kind(pa.bool_(), "boolean"),
    Kind(pa.string(), "text"),
    Kind(pa.string(), "character varying"),
    Kind(pa.string(), "character"),
    Kind(pa.binary(), "bytea"),
    Kind(pa.date32(), "date"),
    Kind(pa.time64("us"), "time without time zone"),
    Kind(pa.timestamp("us"), "timestamp without time zone"),
    Kind(pa.timestamp("us", "UTC"), "timestamp with time zone"),
)
_BY_NAME = {kind.name: kind.arrow for kind in _KINDS}

# Arrow's other types: what they are cast to, without loss, before they are one of the above.
_CASTS: tuple[tuple[Callable[[pa.DataType], bool], pa.DataType], ...] = (
    (pa.types.is_int8, pa.int16()),
    (pa.types.is_uint8, pa.int16()),
    (pa.types.is_uint16, pa.int32()),
    (pa.types.is_uint32, pa.int64()),
    (pa.types.is_uint64, pa.decimal128(20, 0)),
    (pa.types.is_float16, pa.float32()),
    (pa.types.is_large_string, pa.string()),
    (pa.types.is_string_view, pa.string()),
    (pa.types.is_large_binary, pa.binary()),
    (pa.types.is_binary_view, pa.binary()),
    (pa.types.is_fixed_size_binary, pa.binary()),
    (pa.types.is_date64, pa.date32()),
    (pa.types.is_time32, pa.time64("us")),
    (pa.types.is_time64, pa.time64("us")),
    (pa.types.is_null, pa.string()),
)


def arrow_type(name: str) -> pa.DataType | None:
    """The Arrow type that holds every value of a PostgreSQL type; None: it goes as text."""
    if name.endswith("[]"):
        inner = arrow_type(name[:-2])
        return None if inner is None else pa.list_(inner)
    decimal = _DECIMAL.fullmatch(name)
    if decimal and 0 < int(decimal[1]) <= _LARGEST_DECIMAL:
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    if name.startswith("numeric"):
        return None  # any number of digits
    return _BY_NAME.get(re.sub(r"\(\d+\)", "", name))


def plain_type(given: pa.DataType) -> pa.DataType | None:
    """The type of ours that a file's type is cast to; None for one that no column holds."""
    if pa.types.is_dictionary(given):
        return plain_type(given.value_type)
    if pa.types.is_list(given) or pa.types.is_large_list(given) or pa.types.is_fixed_size_list(given):
        inner = plain_type(given.value_type)
        return None if inner is None or pa.types.is_list(inner) else pa.list_(inner)
    if pa.types.is_timestamp(given):
        return pa.timestamp("us", "UTC" if given.tz else None)
    if pa.types.is_decimal(given):
        return given if given.precision <= _LARGEST_DECIMAL and given.scale >= 0 else None
    for fits, plain in _CASTS:
        if fits(given):
            return plain
    return given if any(given.equals(kind.arrow) for kind in _KINDS) else None


def column_type(plain: pa.DataType) -> str:
    """The PostgreSQL type of a column for a type of ours."""
    if pa.types.is_list(plain):
        return column_type(plain.value_type) + "[]"
    if pa.types.is_decimal(plain):
        return f"numeric({plain.precision},{plain.scale})"
    return next(kind.name for kind in _KINDS if plain.equals(kind.arrow))


def field_of(name: str, type_name: str) -> Any:
    """The Arrow field of a column."""
    return pa.field(name, arrow_type(type_name) or pa.string(), metadata={TYPE_KEY: type_name.encode()})
