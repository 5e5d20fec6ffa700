"""Pack and unpack any structure of the table in either body protocol.

Python shapes (the same in both directions):

    int, int16, double        int (iRODS's double is a 64-bit integer)
    str                       str, UTF-8 with surrogateescape; a null ``str *`` is None
    char, bin                 bytes, never None
    struct                    dict; a null ``struct *`` is None
    anything with a count     list; the count field itself is filled in when packing
    ?type                     key ``inOutStruct``: the structure that ``type`` names
    KeyValPair_PI             dict[str, str]
    InxIvalPair_PI            list[tuple[int, int]]
    InxValPair_PI             list[tuple[int, str]]
    a name that comes twice   a list with one entry per occurrence: DataObjCopyInp_PI is
                              ``{"DataObjInp_PI": [source, destination]}``

What a sender left out is None where it is a pointer, otherwise 0, "" or an empty structure; bytes are b"", lists [].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

from embedded_zone.wire.instructions import INSTRUCTIONS
from embedded_zone.wire.layout import (
    INTEGER_SIZES,
    RAW_KINDS,
    TEXT_KINDS,
    Field,
    counters,
    element_count,
    layout,
    limiters,
    resolve,
)
from embedded_zone.wire.native import NativeReader, NativeWriter
from embedded_zone.wire.primitives import PackError, Reader, Writer, text_bytes
from embedded_zone.wire.xml import XmlReader, XmlWriter

__all__ = ["PackError", "Protocol", "empty", "pack", "unpack"]

MAX_DEPTH = 64  # of structures in structures; a linked list of rescQuota_PI is the only deep one

Scope = dict[str, int]


class Protocol(Enum):
    """The two encodings of a message body; the numbers are those of StartupPack_PI's irodsProt."""

    NATIVE_PROT = 0
    XML_PROT = 1


def pack(name: str, value: Any, protocol: Protocol) -> bytes:
    """The bytes of structure ``name``; raises PackError if the value does not fit it, KeyError if unknown."""
    writer: Writer = XmlWriter() if protocol is Protocol.XML_PROT else NativeWriter()
    _write_struct(writer, name, value, {})
    return writer.take()


def unpack(name: str, data: bytes, protocol: Protocol) -> Any:
    """The Python value of packed bytes; raises PackError if they are not that structure."""
    reader: Reader = XmlReader(data) if protocol is Protocol.XML_PROT else NativeReader(data)
    if not reader.enter(name):
        raise PackError(f"no {name} in the message")
    return _read_struct(reader, name, {}, 0)


def empty(name: str) -> Any:
    """The value of a structure of which nothing was sent."""
    result: dict[str, Any] = {}
    for field in layout(name):
        _store(result, field, _default(field))
    return _from_wire(name, result)


def _default(field: Field) -> Any:
    if field.many:
        return []
    if field.pointer and field.kind not in RAW_KINDS:
        return None
    if field.kind in INTEGER_SIZES:
        return 0
    if field.kind in TEXT_KINDS:
        return ""
    if field.kind in RAW_KINDS:
        return b"" if field.pointer else bytes(element_count(field, {}))
    return empty(field.name)


def _store(result: dict[str, Any], field: Field, value: Any) -> None:
    if field.occurrence < 0:
        result[field.name] = value
    else:
        result.setdefault(field.name, []).append(value)


# --- the three pair structures, which Python knows as a dict and as lists of pairs

_PAIRS = {"InxIvalPair_PI": ("iiLen", "inx", "ivalue"), "InxValPair_PI": ("isLen", "inx", "svalue")}


def _from_wire(name: str, raw: dict[str, Any]) -> Any:
    if name == "KeyValPair_PI":
        pairs: dict[str, str] = {}
        for key, value in zip(raw["keyWord"], raw["svalue"], strict=False):
            pairs.setdefault(key, value)  # C's getValByKey finds the first
        return pairs
    if name in _PAIRS:
        _, first, second = _PAIRS[name]
        return list(zip(raw[first], raw[second], strict=False))
    return raw


def _to_wire(name: str, value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if name == "KeyValPair_PI":
        return {"keyWord": list(value), "svalue": list(value.values())}
    if name in _PAIRS:
        _, first, second = _PAIRS[name]
        return {first: [pair[0] for pair in value], second: [pair[1] for pair in value]}
    if not isinstance(value, Mapping):
        raise PackError(f"{name}: a mapping is expected, not {type(value).__name__}")
    return value


# --- writing


def _write_struct(writer: Writer, name: str, value: Any, outer: Scope) -> None:
    given = _to_wire(name, value)
    scope = {**outer, **_counts(name, given)}
    writer.open(name)
    for field in layout(name):
        _write_field(writer, field, _given(given, field), scope, given)
    writer.close(name)


def _given(given: Mapping[str, Any], field: Field) -> Any:
    value = given.get(field.name)
    if field.occurrence < 0 or value is None:
        return value
    return value[field.occurrence] if field.occurrence < len(value) else None


def _counts(name: str, given: Mapping[str, Any]) -> Scope:
    """The integers of a structure that others of its fields depend on, from the data where it can be."""
    found: Scope = {}
    for field in layout(name):
        if field.kind == "int" and not field.pointer and not field.counts:
            found[field.name] = int(given.get(field.name) or 0)
    for count, (field, position) in counters(name).items():
        if position == 0 and len(field.counts) == 1:
            found[count] = len(_given(given, field) or ())
    for limit, field in limiters(name).items():
        values = _given(given, field) or ()
        found[limit] = max([found[limit], *(len(text_bytes(text)) + 1 for text in values)])
    return found


def _write_field(writer: Writer, field: Field, value: Any, scope: Scope, given: Mapping[str, Any]) -> None:
    count = element_count(field, scope)
    # An empty list behind a pointer is what a null pointer was unpacked to.
    if field.pointer and (value is None or count == 0 or (field.many and not value)):
        writer.null()
        return
    if field.kind in INTEGER_SIZES:
        values = _sized(field, value, count) if field.many else [scope.get(field.name, value or 0)]
        writer.integers(field.name, [int(v or 0) for v in values], INTEGER_SIZES[field.kind])
    elif field.kind in TEXT_KINDS:
        limit = 0 if field.limit is None else resolve(field.limit, scope)
        writer.texts(field.name, _sized(field, value, count) if field.many else [value], limit)
    elif field.kind in RAW_KINDS:
        writer.raw(field.name, _padded(field, value, count), encoded=field.kind == "bin")
    else:
        name = _dependent(field, given.get(field.depends)) if field.depends else field.name
        for element in _sized(field, value, count) if field.many else [value]:
            _write_struct(writer, name, element, scope)


def _sized(field: Field, value: Any, count: int) -> Sequence[Any]:
    """The list of a counted field; one of fixed size is filled up, one of another length is an error."""
    values: Sequence[Any] = value or ()
    if field.fixed() and len(values) < count:
        return [*values, *[None] * (count - len(values))]
    if len(values) != count:
        raise PackError(f"{field.name}: {count} elements expected, {len(values)} given")
    return values


def _padded(field: Field, value: Any, size: int) -> bytes:
    data = bytes(value or b"")
    if len(data) > size:
        raise PackError(f"{field.name}: {len(data)} bytes, {size} expected")
    return data.ljust(size, b"\0")


def _dependent(field: Field, kind: Any) -> str:
    if kind not in INSTRUCTIONS:
        raise PackError(f"{field.name}: unknown structure {kind!r}")
    return str(kind)


# --- reading


def _read_struct(reader: Reader, name: str, outer: Scope, depth: int) -> Any:
    """The fields of a structure that was entered, to its end."""
    if depth > MAX_DEPTH:
        raise PackError(f"{name}: nested deeper than {MAX_DEPTH}")
    scope, result = dict(outer), dict[str, Any]()
    for field in layout(name):
        value = _read_field(reader, field, scope, result, depth)
        if field.kind == "int" and not field.many and value is not None:
            scope[field.name] = value
        _store(result, field, value)
    reader.leave(name)
    return _from_wire(name, result)


def _read_field(reader: Reader, field: Field, scope: Scope, sofar: dict[str, Any], depth: int) -> Any:
    count = element_count(field, scope)
    if field.pointer and reader.null():
        return _absent(field, count)
    if count == 0:
        # An empty array behind a pointer may still come as one empty element.
        if field.pointer and field.kind in RAW_KINDS:
            reader.raw(field.name, 0, encoded=field.kind == "bin")
        return [] if field.many else b""
    value = _KINDS[field.kind](reader, field, count, scope, sofar, depth)
    if value is None:
        return _absent(field, count)
    return value if field.many or field.kind in RAW_KINDS else value[0]


def _absent(field: Field, count: int) -> Any:
    if not field.many:
        return _default(field)
    if field.fixed() or field.pointer:
        return []
    raise PackError(f"{field.name}: {count} elements expected, none found")


def _read_integers(reader: Reader, field: Field, count: int, *_: Any) -> list[int] | None:
    return reader.integers(field.name, count, INTEGER_SIZES[field.kind])


def _read_texts(reader: Reader, field: Field, count: int, scope: Scope, *_: Any) -> list[str] | None:
    return reader.texts(field.name, count, 0 if field.limit is None else resolve(field.limit, scope))


def _read_raw(reader: Reader, field: Field, count: int, *_: Any) -> bytes | None:
    return reader.raw(field.name, count, encoded=field.kind == "bin")


def _read_structs(
    reader: Reader, field: Field, count: int, scope: Scope, sofar: dict[str, Any], depth: int
) -> list[Any] | None:
    name = field.name
    if field.depends:
        if not sofar.get(field.depends):
            return None
        name = _dependent(field, sofar[field.depends])
    found: list[Any] = []
    while len(found) < count and reader.enter(name):
        found.append(_read_struct(reader, name, scope, depth + 1))
    if found and len(found) < count and not field.fixed():
        raise PackError(f"{name}: {count} structures expected, {len(found)} found")
    return found or None


_KINDS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(INTEGER_SIZES, _read_integers),
    **dict.fromkeys(TEXT_KINDS, _read_texts),
    **dict.fromkeys(RAW_KINDS, _read_raw),
    "struct": _read_structs,
    "?": _read_structs,
}
