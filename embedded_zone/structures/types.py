"""The module that policies import as ``irods_types``: iRODS structures as the Python rule engine plugin shows them.

Faithful where it hurts: text members are ``char_array``/``c_string`` objects, not ``str`` (use ``str(x)``); numbers
and text cannot be assigned (``AttributeError``), single characters of a ``char_array`` can.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

from embedded_zone.structures.arrays import (
    MsParam_pointer_array,
    SqlResult_array,
    StringToStringMap,
    c_string,
    c_string_array,
    char_array,
    int_array,
)
from embedded_zone.structures.layouts import STRUCTURES, Field


class Struct:
    """Base of all structures; ``_values`` holds the members, ``fields`` describes them."""

    fields: tuple[Field, ...] = ()

    def __init__(self, *args: Any) -> None:
        if len(args) > len(self.fields):
            args = args[: len(self.fields)]  # the plugin ignores surplus arguments
        self._values: dict[str, Any] = {f.name: _zero(f) for f in self.fields}
        for field, value in zip(self.fields, args, strict=False):
            if field.kind == "p" and value is not None:
                raise RuntimeError(
                    "Pointers may not be reliably set from within the constructor at this time; instead, "
                    "substitute 'None' and assign to the member after construction"
                )
            self._values[field.name] = _member(field, value)

    @classmethod
    def of(cls, values: Mapping[str, Any] | None) -> Any:
        """A structure from plain values; keys that it does not have are ignored, missing ones are zero."""
        new = cls()
        for field in cls.fields:
            value = (values or {}).get(field.name)
            if value is not None:
                new._values[field.name] = _member(field, value)
        return new


def _zero(field: Field) -> Any:
    if field.kind in "iw":
        return 0
    if field.kind == "p":
        return None
    return _member(field, None)


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "S": lambda value: c_string_array([c_string(str(v)) for v in value or ()]),
    "I": lambda value: int_array(list(value or ())),
    "m": lambda value: StringToStringMap(value),
    "s": lambda value: c_string("" if value is None else str(value)),
    "p": lambda value: value,
}


def _member(field: Field, value: Any) -> Any:
    if field.kind == "c":
        return char_array("" if value is None else str(value), field.size)
    if field.kind in "iw":
        return _number(value)
    if field.kind == "struct":
        return value if isinstance(value, Struct) else irods_type(field.struct, value)
    return _PLAIN[field.kind](value)


def _number(value: Any) -> int:
    return value if isinstance(value, int) else int(value or 0)


def _property(field: Field) -> property:
    name = field.name

    def read(self: Struct) -> Any:
        return self._values[name]

    def write(self: Struct, value: Any) -> None:
        self._values[name] = value

    return property(read, write if field.kind in "wp" else None)


def _class(name: str, fields: tuple[Field, ...], base: type[Struct] = Struct) -> type[Struct]:
    members: dict[str, Any] = {field.name: _property(field) for field in fields}
    return type(name, (base,), {**members, "fields": fields, "__module__": "irods_types"})


class _KeyValPair(Struct):
    """Keywords: ``kv['k']`` raises KeyError when missing; a change comes from microservices only."""

    @classmethod
    def of(cls, values: Any) -> Any:
        new = cls()
        if values:
            new._fill(dict(values))
        return new

    def _fill(self, items: Mapping[str, Any]) -> None:
        self._values["key"] = c_string_array([c_string(k) for k in items])
        self._values["value"] = c_string_array([c_string("" if v is None else str(v)) for v in items.values()])
        self._values["len"] = len(items)

    def _plain(self) -> dict[str, str]:
        return {str(k): str(v) for k, v in zip(self._values["key"], self._values["value"], strict=True)}

    def __getitem__(self, key: str) -> str:
        try:
            return self._plain()[key]
        except KeyError:
            raise KeyError(f"{key} was not found in the list of keys.") from None


class _Pairs(Struct):
    """Parallel index/value arrays of a query."""

    @classmethod
    def of(cls, values: Any) -> Any:
        new = cls()
        pairs = list(values or ())
        if isinstance(values, Struct):
            return values
        shape = c_string_array([c_string(str(v)) for _, v in pairs])
        new._values.update(len=len(pairs), inx=int_array([int(i) for i, _ in pairs]))
        new._values["value"] = shape if cls.__name__ == "InxValPair" else int_array([int(v) for _, v in pairs])
        return new

    def _plain(self) -> list[tuple[int, Any]]:
        text = type(self).__name__ == "InxValPair"
        pairs = zip(self._values["inx"], self._values["value"], strict=True)
        return [(i, str(v) if text else v) for i, v in pairs]


_BASES: dict[str, type[Struct]] = {"KeyValPair": _KeyValPair, "InxIvalPair": _Pairs, "InxValPair": _Pairs}


class BytesBuf:
    """A byte buffer: ``get_bytes()`` is a list of int, ``buf`` a char_array or None."""

    def __init__(self, length: int = 0, buf: Any = None) -> None:
        if buf is not None:
            raise RuntimeError("Pointers may not be reliably set from within the constructor at this time")
        self._data: bytes | None = None

    @classmethod
    def of(cls, data: bytes | memoryview | str | None) -> BytesBuf:
        """A buffer that holds ``data``; None for an unset one."""
        new = cls()
        if data is not None:
            new._data = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else bytes(data)
        return new

    @property
    def len(self) -> int:
        return len(self._data or b"")

    @property
    def buf(self) -> char_array | None:
        return None if self._data is None else _Buffer(self._data)

    def get_byte(self, index: int) -> int:
        """The byte at ``index``; raises IndexError beyond the end."""
        if not 0 <= index < self.len:
            raise IndexError("BytesBuf out-of-range access")
        return (self._data or b"")[index]

    def get_bytes(self) -> list[int]:
        """All bytes as a list of int."""
        return list(self._data or b"")

    def clear_buffer(self) -> None:
        """Forget the content."""
        self._data = None

    def set_buffer(self, content: Any, length: int = -1) -> None:
        """Take the first ``length`` (all if negative) bytes of bytes, a str of ASCII or a list of int."""
        items = content if length < 0 else content[:length]
        self._data = items.encode("utf-8", "surrogateescape") if isinstance(items, str) else bytes(items)


class _Buffer(char_array):
    """The text of a BytesBuf: exactly its bytes, one character each, NULs included when indexed."""

    def __init__(self, data: bytes) -> None:
        self._bytes = data
        super().__init__(data.split(b"\0", 1)[0].decode("utf-8", "surrogateescape"))
        self._size = len(data)

    def _padded(self) -> str:
        return self._bytes.decode("latin-1")


_Buffer.__name__ = _Buffer.__qualname__ = "char_array"


class SqlResult:
    """One column of a result: ``row(i)`` is the text in row ``i``."""

    def __init__(self, attribute: int = 0, values: Sequence[str] = (), length: int = 0) -> None:
        self.attriInx = attribute
        self._rows = [str(v) for v in values]
        self._length = length or max((len(v) + 1 for v in self._rows), default=0)

    @property
    def len(self) -> int:
        return self._length

    @property
    def value(self) -> Any:
        raise RuntimeError(
            "Value cannot be directly accessed due to unknown number of rows, access the rows in value using "
            '"row" property instead.'
        )

    def row(self, index: int) -> str:
        """The value of this column in row ``index``."""
        return self._rows[index]


class GenQueryOut:
    """The page of rows that a query gave; built from the wire's GenQueryOut_PI."""

    def __init__(self, *_: Any) -> None:
        self.rowCnt = self.attriCnt = self.continueInx = self.totalRowCount = 0
        self.sqlResult = SqlResult_array()

    @classmethod
    def of(cls, values: Mapping[str, Any] | None) -> GenQueryOut:
        """From ``{rowCnt, attriCnt, continueInx, totalRowCount, SqlResult_PI: [{attriInx, reslen, value: [...]}]}``."""
        new = cls()
        for name in ("rowCnt", "attriCnt", "continueInx", "totalRowCount"):
            setattr(new, name, int((values or {}).get(name) or 0))
        columns = (values or {}).get("SqlResult_PI") or ()
        new.sqlResult = SqlResult_array(
            [SqlResult(c.get("attriInx", 0), c.get("value") or (), c.get("reslen", 0)) for c in columns]
        )
        return new


class MsParam:
    """A microservice parameter: only its label is visible (``type`` shows the label too, as in the plugin)."""

    def __init__(self, label: str = "", value: Any = None) -> None:
        self._label = label
        self._value = value

    @property
    def label(self) -> c_string:
        return c_string(self._label)

    @property
    def type(self) -> c_string:
        return c_string(self._label)


class HierarchyParser:
    """A resource hierarchy; ``str`` is its text form."""

    def __init__(self, text: str = "") -> None:
        self.str = text

    @classmethod
    def of(cls, values: Mapping[str, str] | str | None) -> HierarchyParser:
        """From the text itself or ``{"text": …}``."""
        return cls(values.get("text", "") if isinstance(values, Mapping) else values or "")


_SPECIAL: dict[str, Any] = {
    "BytesBuf": BytesBuf,
    "GenQueryOut": GenQueryOut,
    "SqlResult": SqlResult,
    "MsParam": MsParam,
    "HierarchyParser": HierarchyParser,
    "char_array": char_array,
    "c_string": c_string,
    "c_string_array": c_string_array,
    "int_array": int_array,
    "SqlResult_array": SqlResult_array,
    "MsParam_pointer_array": MsParam_pointer_array,
    "StringToStringMap": StringToStringMap,
}
CLASSES: dict[str, Any] = {**_SPECIAL}
CLASSES.update({name: _class(name, fields, _BASES.get(name, Struct)) for name, fields in STRUCTURES.items()})

CONSTANTS = {
    "NO_SPEC_COLL": 0, "STRUCT_FILE_COLL": 1, "MOUNTED_COLL": 2, "LINKED_COLL": 3,
    "NONE_STRUCT_FILE": 0, "HAAW_STRUCT_FILE": 1, "TAR_STRUCT_FILE": 2, "MSSO_STRUCT_FILE": 3,
    "UNKNOWN_OBJ": 0, "DATA_OBJ": 1, "COLL_OBJ": 2, "UNKNOWN_FILE": 3, "LOCAL_FILE": 4, "LOCAL_DIR": 5,
    "PROCESSING_STATE": 0, "RECEIVING_STATE": 1, "SENDING_STATE": 2, "CONN_WAIT_STATE": 3,
    "NATIVE_PROT": 0, "XML_PROT": 1,
}  # fmt: skip


def irods_type(name: str, values: Any = None) -> Any:
    """The structure ``name`` of ``irods_types`` made from plain values (a dict, pairs, or bytes for BytesBuf)."""
    kind = CLASSES[name]
    if name == "MsParamArray":
        return _parameter_array(values)
    return kind.of(values) if hasattr(kind, "of") else kind(values)


def _parameter_array(values: Mapping[str, Any] | None) -> Any:
    new = CLASSES["MsParamArray"]()
    parameters = [MsParam(p.get("label", ""), p) for p in (values or {}).get("MsParam_PI") or ()]
    new._values.update(len=len(parameters), msParam=MsParam_pointer_array(parameters))
    return new


def install() -> None:
    """Make ``import irods_types`` work in this process."""
    module = ModuleType("irods_types", "iRODS structures, provided by the embedded zone's rule host")
    module.__dict__.update({**CLASSES, **CONSTANTS})
    for kind in CLASSES.values():
        kind.__module__ = "irods_types"
    sys.modules["irods_types"] = module
