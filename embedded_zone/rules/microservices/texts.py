"""Microservices on strings, key-value pairs and buffers."""

from __future__ import annotations

import re
from typing import Any

from embedded_zone.errors import IrodsError
from embedded_zone.rules.microservices.registry import Call, microservice, number_argument, text_argument
from embedded_zone.rules.microservices.system import write
from embedded_zone.rules.native.session import session_value
from embedded_zone.structures.types import CLASSES, BytesBuf, irods_type
from embedded_zone.wire.codes import UNMATCHED_KEY_OR_INDEX, USER_PARAM_TYPE_ERR

KeyValPair: Any = CLASSES["KeyValPair"]
SEPARATOR = "%"  # between the pairs of msiString2KeyValPair


def pairs_argument(value: Any) -> dict[str, str]:
    """A KeyValPair argument as a dict; unset is empty, anything else USER_PARAM_TYPE_ERR."""
    if isinstance(value, KeyValPair):
        return value._plain()
    if value in (None, ""):
        return {}
    raise IrodsError(USER_PARAM_TYPE_ERR, "not a KeyValPair")


@microservice("msiAddKeyVal", 3)
def add_key_value(call: Call, args: list[Any]) -> None:
    """msiAddKeyVal(pairs, key, value): adds to an existing or new KeyValPair."""
    items = pairs_argument(args[0]) | {text_argument(args[1]): text_argument(args[2])}
    if isinstance(args[0], KeyValPair):
        args[0]._fill(items)
    else:
        args[0] = irods_type("KeyValPair", items)


@microservice("msiString2KeyValPair", 2)
def text_to_pairs(call: Call, args: list[Any]) -> None:
    """msiString2KeyValPair('a=b%c=d', out)."""
    items = dict(part.split("=", 1) for part in text_argument(args[0]).split(SEPARATOR) if "=" in part)
    args[1] = irods_type("KeyValPair", {k.strip(): v for k, v in items.items()})


@microservice("msiGetValByKey", 3)
def value_by_key(call: Call, args: list[Any]) -> None:
    """msiGetValByKey(pairs, key, out); raises UNMATCHED_KEY_OR_INDEX."""
    items, key = pairs_argument(args[0]), text_argument(args[1])
    if key not in items:
        raise IrodsError(UNMATCHED_KEY_OR_INDEX, f"no key {key}")
    args[2] = items[key]


@microservice("msiPrintKeyValPair", 2)
def print_pairs(call: Call, args: list[Any]) -> None:
    """msiPrintKeyValPair(target, pairs): one ``key = value`` a line."""
    for key, value in pairs_argument(args[1]).items():
        write(call, text_argument(args[0]), f"{key} = {value}\n")


@microservice("writeKeyValPairs", 3)
def write_pairs(call: Call, args: list[Any]) -> None:
    """writeKeyValPairs(target, pairs, separator)."""
    for key, value in pairs_argument(args[1]).items():
        write(call, text_argument(args[0]), f"{key}{text_argument(args[2])}{value}\n")


@microservice("msiAddKeyValToMspStr", 3)
def add_to_text(call: Call, args: list[Any]) -> None:
    """msiAddKeyValToMspStr(key, value, text): appends ``++++key=value``."""
    text = text_argument(args[2])
    pair = f"{text_argument(args[0])}={text_argument(args[1])}"
    args[2] = f"{text}++++{pair}" if text else pair


@microservice("msiSplitPath", 3)
def split_path(call: Call, args: list[Any]) -> None:
    """msiSplitPath(path, out collection, out name)."""
    args[1], _, args[2] = text_argument(args[0]).rpartition("/")


@microservice("msiSplitPathByKey", 4)
def split_by_key(call: Call, args: list[Any]) -> None:
    """msiSplitPathByKey(path, separator, out left, out right): at the last separator."""
    args[2], _, args[3] = text_argument(args[0]).rpartition(text_argument(args[1])[:1] or "/")


@microservice("msiStrlen", 2)
def string_length(call: Call, args: list[Any]) -> None:
    """msiStrlen(text, out)."""
    args[1] = str(len(text_argument(args[0]).encode("utf-8", "surrogateescape")))


@microservice("msiStrCat", 2)
def concatenate(call: Call, args: list[Any]) -> None:
    """msiStrCat(text, addition): appends in place."""
    args[0] = text_argument(args[0]) + text_argument(args[1])


@microservice("msiStrchop", 2)
def chop(call: Call, args: list[Any]) -> None:
    """msiStrchop(text, out): without the last character."""
    args[1] = text_argument(args[0])[:-1]


@microservice("msiSubstr", 4)
def substring(call: Call, args: list[Any]) -> None:
    """msiSubstr(text, offset, length, out); a negative offset counts from the end."""
    text, offset = text_argument(args[0]), number_argument(args[1])
    length = text_argument(args[2])
    rest = text[offset:]
    args[3] = rest if length in ("", "null") or int(length) < 0 else rest[: int(length)]


@microservice("msiString2StrArray", 2)
def text_to_list(call: Call, args: list[Any]) -> None:
    """msiString2StrArray('a%b', out)."""
    args[1] = text_argument(args[0]).split(SEPARATOR)


@microservice("msiStrArray2String", 2)
def list_to_text(call: Call, args: list[Any]) -> None:
    """msiStrArray2String(list, out)."""
    args[1] = SEPARATOR.join(args[0])


@microservice("msiStrToBytesBuf", 2)
def text_to_buffer(call: Call, args: list[Any]) -> None:
    """msiStrToBytesBuf(text, out)."""
    args[1] = BytesBuf.of(text_argument(args[0]))


@microservice("msiBytesBufToStr", 2)
def buffer_to_text(call: Call, args: list[Any]) -> None:
    """msiBytesBufToStr(buffer, out): up to the first NUL."""
    data = bytes(args[0].get_bytes()) if isinstance(args[0], BytesBuf) else b""
    args[1] = data.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


@microservice("msiFreeBuffer", 1)
def free_buffer(call: Call, args: list[Any]) -> None:
    """msiFreeBuffer(buffer or 'stdout'): forgets what it holds."""
    if isinstance(args[0], BytesBuf):
        args[0].clear_buffer()


@microservice("msiGetTaggedValueFromString", 3)
def tagged_value(call: Call, args: list[Any]) -> None:
    """msiGetTaggedValueFromString(tag, text, out): what stands between <tag> and </tag>, else ''."""
    tag = re.escape(text_argument(args[0]))
    match = re.search(f"<{tag}>(.*?)</{tag}>", text_argument(args[1]), re.DOTALL)
    args[2] = match.group(1) if match else ""


@microservice("msiGetSessionVarValue", 2)
def session_variable(call: Call, args: list[Any]) -> None:
    """msiGetSessionVarValue('name', 'server'|'client'): writes a session variable to the log or to the client."""
    value = session_value(call.agent, call.frame.rei, f"${text_argument(args[0])}")
    write(call, "serverLog" if text_argument(args[1]) == "server" else "stdout", f"{value}\n")
