"""The labelled parameters of a rule execution (``MsParamArray_PI``) as plain Python values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from embedded_zone.rules.output import Output
from embedded_zone.structures.types import CLASSES, irods_type

RULE_EXEC_OUT = "ruleExecOut"
KEEP_ALL = "*ALL"  # ALL_MS_PARAM_KW; a plain 'ALL' selects nothing

Parameters = dict[str, Any]


def from_wire(array: Mapping[str, Any] | None) -> Parameters:
    """Labels and values of a request; a type that rules cannot use is kept as its dict."""
    items = (array or {}).get("MsParam_PI") or ()
    return {item["label"] or "": _value(item) for item in items}


def _value(item: Mapping[str, Any]) -> Any:
    kind, body = item.get("type"), item.get("inOutStruct")
    if not kind or body is None:
        return None
    if kind in _PLAIN:
        return body.get(_PLAIN[kind], "") if isinstance(body, Mapping) else body
    return irods_type("KeyValPair", body) if kind == "KeyValPair_PI" else body


_PLAIN = {"STR_PI": "myStr", "INT_PI": "myInt", "INT16_PI": "myInt", "DOUBLE_PI": "myDouble", "FLOAT_PI": "myFloat"}


def to_wire(parameters: Parameters) -> dict[str, Any]:
    """MsParamArray_PI of the parameters that were set; a declared output that nothing set is left out."""
    items = [_item(label, value) for label, value in parameters.items() if value is not None]
    return {"paramLen": len(items), "oprType": 0, "MsParam_PI": items}


def _item(label: str, value: Any) -> dict[str, Any]:
    kind, body = _typed(value)
    return {"label": label, "type": kind, "inOutStruct": body, "BinBytesBuf_PI": None}


def _typed(value: Any) -> tuple[str, Any]:
    if isinstance(value, Output):
        return "ExecCmdOut_PI", value.wire()
    if isinstance(value, bool | int):
        return "INT_PI", {"myInt": int(value)}
    if isinstance(value, float):
        return "DOUBLE_PI", {"myDouble": int(value)}
    if isinstance(value, CLASSES["KeyValPair"]):
        return "KeyValPair_PI", value._plain()
    return "STR_PI", {"myStr": value if isinstance(value, str) else str(value)}


def selected(parameters: Parameters, description: str) -> Parameters:
    """What a client asked to get back: the labels between ``%`` in ``description``."""
    if description == KEEP_ALL:
        return parameters
    names = [name for name in description.split("%") if name]
    return {label: value for label, value in parameters.items() if label in names}


def add_missing(parameters: Parameters, description: str) -> None:
    """Declare the outputs that are not among the inputs, as the native engine does before it runs the text."""
    for name in description.split("%"):
        if name and name != KEEP_ALL:
            parameters.setdefault(name, None)
