"""Pack instructions parsed into fields: what the two body protocols walk over.

A structure's fields come in order. A repeated field name (``DataObjCopyInp_PI`` holds two ``DataObjInp_PI``)
is one key in Python whose value is a list, one entry per occurrence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from embedded_zone.wire.instructions import CONSTANTS, INSTRUCTIONS

INTEGER_SIZES = {"int": 4, "int16": 2, "double": 8}  # iRODS says double and means a 64-bit integer
TEXT_KINDS = frozenset({"str", "piStr"})
RAW_KINDS = frozenset({"char", "bin"})

# A dimension: a fixed number, or the name of the integer field that holds it.
Dimension = int | str

_ITEM = re.compile(r"\s*(\??\w+)\s*([*$]?)\s*(\w+)((?:\[\w+\]|\(\w+\))*)\s*")


@dataclass(frozen=True, slots=True)
class Field:
    """One item of a pack instruction.

    ``kind`` is ``int``, ``int16``, ``double``, ``str``, ``piStr``, ``char``, ``bin``, ``struct`` or ``?`` (a structure
    whose name is the value of the field ``depends``). ``counts`` multiply to the number of elements, empty for a
    single one; ``limit`` bounds a string with its NUL. ``occurrence`` is -1 unless the name is repeated.
    """

    kind: str
    name: str
    pointer: bool
    counts: tuple[Dimension, ...] = ()
    limit: Dimension | None = None
    depends: str = ""
    occurrence: int = -1

    @property
    def many(self) -> bool:
        """Whether the Python value is a list."""
        return bool(self.counts) and self.kind not in RAW_KINDS

    def fixed(self) -> bool:
        """Whether the number of elements is part of the instruction rather than of the message."""
        return all(isinstance(count, int) for count in self.counts)


def resolve(dimension: Dimension, scope: Mapping[str, int]) -> int:
    """The value of a dimension; ``scope`` holds the integers of this structure and of those around it."""
    return dimension if isinstance(dimension, int) else scope.get(dimension, 0)


def element_count(field: Field, scope: Mapping[str, int]) -> int:
    """How many elements the field has in a message; never negative."""
    total = 1
    for dimension in field.counts:
        total *= max(resolve(dimension, scope), 0)
    return total


def _dimension(text: str) -> Dimension:
    return int(text) if text.isdigit() else CONSTANTS.get(text, text)


def _field(item: str) -> Field:
    match = _ITEM.fullmatch(item)
    if match is None:
        raise ValueError(f"not a pack instruction: {item!r}")
    kind, mark, name, tail = match.groups()
    dims = [_dimension(d) for d in re.findall(r"\[(\w+)\]", tail)]
    hints = [_dimension(d) for d in re.findall(r"\((\w+)\)", tail)]
    sizes, limit = dims + hints, None
    # The last size of a string is its length: of (…) behind a pointer, of […] in place.
    if kind in TEXT_KINDS and (hints if mark else dims):
        limit = sizes.pop()
    depends = kind[1:] if kind.startswith("?") else ""
    return Field("?" if depends else kind, name, bool(mark), tuple(sizes), limit, depends)


def _numbered(fields: list[Field]) -> tuple[Field, ...]:
    names = [field.name for field in fields]
    seen: dict[str, int] = {}
    result = []
    for field in fields:
        if names.count(field.name) > 1:
            occurrence = seen[field.name] = seen.get(field.name, -1) + 1
            field = Field(field.kind, field.name, field.pointer, field.counts, field.limit, field.depends, occurrence)
        result.append(field)
    return tuple(result)


@cache
def layout(name: str) -> tuple[Field, ...]:
    """The fields of a structure; raises KeyError for a name that the table does not have."""
    return _numbered([_field(item) for item in INSTRUCTIONS[name].split(";") if item.strip()])


@cache
def counters(name: str) -> dict[str, tuple[Field, int]]:
    """Integer fields that count another field of the same structure: name -> (that field, position of the count)."""
    own = {field.name for field in layout(name) if field.kind == "int"}
    found: dict[str, tuple[Field, int]] = {}
    for field in layout(name):
        for position, dimension in enumerate(field.counts):
            if dimension in own:
                found.setdefault(str(dimension), (field, position))
    return found


@cache
def limiters(name: str) -> dict[str, Field]:
    """Integer fields that bound the strings of another field of the same structure (``reslen``)."""
    own = {field.name for field in layout(name) if field.kind == "int"}
    return {str(field.limit): field for field in layout(name) if field.limit in own}
