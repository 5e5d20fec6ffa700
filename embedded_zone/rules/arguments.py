"""Wire structures as hooks see them: ``irods_types`` objects, dicts of strings, or the plugin's ERROR dict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from embedded_zone.errors import IrodsError
from embedded_zone.structures.layouts import CLASS_OF_WIRE, STRUCTURES, UNSUPPORTED_WIRE
from embedded_zone.structures.types import BytesBuf, Struct, irods_type

# Names under which an embedded structure travels, where they differ from the member's name.
_WIRE_MEMBERS = {
    "condInput": "KeyValPair_PI",
    "regParam": "KeyValPair_PI",
    "selectInp": "InxIvalPair_PI",
    "sqlCondInp": "InxValPair_PI",
    "attriArray": "GenQueryOut_PI",
    "portList": "PortList_PI",
    "addr": "RHostAddr_PI",
    "specColl": "SpecColl_PI",
    "rowOffset": "partialStartIndex",
    "zoneName": "rodsZone",
    "portNum": "port",
}
# API requests whose bytes after the structure are an argument of the hook (apiTable: inBsFlag).
_STREAM_IN = {"data_obj_put", "data_obj_write", "bulk_data_obj_put"}
_STREAM_OUT = {"data_obj_read", "data_obj_get"}
# Their output exists before they fail: _except hooks see it.
_REPLY_BEGUN = {"gen_query"}
# The request is JSON in a BytesBuf for these; the reply too where the handler gives one.
_NO_REPLY_ARGUMENT = {"data_obj_chksum": "STR_PI"}


def plain_struct(value: Mapping[str, Any]) -> dict[str, Any]:
    """A wire dict with its embedded structures under the member names of ``irods_types``."""
    plain = dict(value)
    for member, wire in _WIRE_MEMBERS.items():
        if wire in plain:
            plain.setdefault(member, plain[wire])
    twice = plain.get("DataObjInp_PI")
    if isinstance(twice, list) and len(twice) == 2:
        plain["srcDataObjInp"], plain["destDataObjInp"] = map(plain_struct, twice)
    return plain


def hook_value(wire: str | None, value: Any) -> Any:
    """One argument of an API hook; None for an output that is not set yet."""
    if wire in UNSUPPORTED_WIRE:
        return {"ERROR": f"[{UNSUPPORTED_WIRE[wire]}*] not supported"}
    if wire is None or value is None:
        return None
    if wire in ("STR_PI", "INT_PI"):
        return value.get("myStr", value.get("myInt")) if isinstance(value, Mapping) else value
    if wire == "json":
        return BytesBuf.of(_json_bytes(value))
    kind = CLASS_OF_WIRE.get(wire)
    if kind == "BytesBuf":
        return BytesBuf.of(value.get("buf") if isinstance(value, Mapping) else value)
    if kind is None:
        return string_map(wire, value)
    return irods_type(kind, plain_struct(value) if isinstance(value, Mapping) else value)


def _json_bytes(value: Any) -> bytes:
    import json

    return value if isinstance(value, bytes) else json.dumps(value).encode()


def string_map(wire: str, value: Any) -> dict[str, str]:
    """The dict of strings that re_serialization makes of a structure without a class of its own."""
    if not isinstance(value, Mapping):
        return {"value": str(value)}
    if wire == "ExecMyRuleInp_PI":
        return _exec_my_rule(value)
    result: dict[str, str] = {}
    for key, item in value.items():
        if isinstance(item, Mapping):
            result.update({k: str(v) for k, v in item.items() if not isinstance(v, Mapping | list)})
        elif item is not None and not isinstance(item, list):
            result[key] = str(item)
    return result


def _exec_my_rule(value: Mapping[str, Any]) -> dict[str, str]:
    address = value.get("RHostAddr_PI") or {}
    array = value.get("MsParamArray_PI")
    result = {
        "myRule": value.get("myRule") or "",
        "addr_hostAddr": address.get("hostAddr") or "",
        "addr_zoneName": address.get("rodsZone") or address.get("zoneName") or "",
        "addr_portNum": str(address.get("port") or 0),
        "addr_dummyInt": str(address.get("dummyInt") or 0),
        **{k: str(v) for k, v in (value.get("KeyValPair_PI") or {}).items()},
        "outParamDesc": value.get("outParamDesc") or "",
    }
    if array is None:
        return {**result, "inpParamArray": "nullptr"}
    items = array.get("MsParam_PI") or []
    result.update(inpParamArray_len=str(len(items)), inpParamArray_oprType="0")
    for index, item in enumerate(items):
        result.update(_parameter(f"inpParamArray_{index}_", item))
    return result


def _parameter(prefix: str, item: Mapping[str, Any]) -> dict[str, str]:
    body = item.get("inOutStruct")
    text = next(iter(body.values()), "") if isinstance(body, Mapping) else "nullptr" if body is None else body
    return {
        f"{prefix}label": item.get("label") or "nullptr",
        f"{prefix}type": item.get("type") or "nullptr",
        f"{prefix}inOutStruct": str(text),
    }


class ApiCall:
    """One API call on its way through the hooks; the handler's result goes into ``reply``."""

    def __init__(self, operation: Any, request: Any, stream: bytes) -> None:
        self.operation = operation
        self.request = request
        self.stream = stream
        self.reply: Any = None
        self.error: IrodsError | None = None
        self._input: Any = None

    def hook_arguments(self, phase: str) -> list[Any]:
        """The arguments after instance and context: request, bytes in, reply, bytes out."""
        op = self.operation
        values: list[Any] = []
        if op.request is not None:
            self._input = hook_value(op.request, self.request)
            values.append(self._input)
        if op.name in _STREAM_IN:
            values.append(BytesBuf.of(self.stream))
        body, stream = _reply_parts(self.reply)
        if phase in ("except", "finally") and body is None:
            body = self._unfinished()
        if op.reply is not None:
            values.append(hook_value(op.reply, body))
        if op.name in _STREAM_OUT:
            values.append(BytesBuf.of(stream))
        return values

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Keep the error that the body ends with, for the hooks."""
        try:
            yield
        except IrodsError as error:
            self.error = error
            raise

    def _unfinished(self) -> Any:
        """What a failed call leaves in its output: the reply sent with the error, or the structure it had begun."""
        if self.error is not None and self.error.reply is not None:
            return self.error.reply
        return {} if self.operation.name in _REPLY_BEGUN else None

    def adopt_changes(self) -> None:
        """Take over characters that a _pre hook changed in the request's texts (the only thing it can change)."""
        if isinstance(self._input, Struct) and isinstance(self.request, dict):
            for field in STRUCTURES.get(type(self._input).__name__, ()):
                if field.kind == "c" and field.name in self.request:
                    self.request[field.name] = str(getattr(self._input, field.name))


def _reply_parts(reply: Any) -> tuple[Any, bytes]:
    if reply is None or isinstance(reply, int):
        return None, b""
    return getattr(reply, "body", None), bytes(getattr(reply, "stream", b"") or b"")
