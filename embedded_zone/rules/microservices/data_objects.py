"""Microservices on data objects; each asks the API of the same name without its ``pep_api_*`` hooks."""

from __future__ import annotations

import os
from typing import Any

from embedded_zone.errors import IrodsError
from embedded_zone.rules.microservices.registry import Call, microservice, number_argument, text_argument
from embedded_zone.structures.types import CLASSES, BytesBuf, irods_type
from embedded_zone.wire.codes import SYS_INVALID_INPUT_PARAM, USER_PARAM_TYPE_ERR

_FLAGS = {
    "O_RDONLY": os.O_RDONLY,
    "O_WRONLY": os.O_WRONLY,
    "O_RDWR": os.O_RDWR,
    "O_CREAT": os.O_CREAT,
    "O_TRUNC": os.O_TRUNC,
    "O_APPEND": os.O_APPEND,
    "O_EXCL": os.O_EXCL,
}
# Words of a parameter string that are members of DataObjInp; all others are keywords of condInput.
_NUMBERS = {"createMode": "createMode", "dataSize": "dataSize", "numThreads": "numThreads", "offset": "offset"}
_FLAG_WORDS = ("openFlags",)
_NULLS = ("", "null", None)
SEPARATOR = "++++"
RENAME_DATA_OBJ, RENAME_COLL, UNREGISTER = 11, 12, 26
_SEEK = {"SEEK_SET": 0, "SEEK_CUR": 1, "SEEK_END": 2}


def parse_pairs(text: str, first: str = "objPath") -> dict[str, str]:
    """``a=b++++c=d``; a first word without '=' is the value of ``first``."""
    found: dict[str, str] = {}
    for part in text.split(SEPARATOR):
        key, sign, value = part.partition("=")
        if sign and "/" not in key:
            found[key.strip()] = value
        elif part.strip():
            found.setdefault(first, part.strip())
    return found


def flags_of(text: str) -> int:
    """``O_RDWR|O_CREAT`` or ``O_RDWRO_TRUNC`` as a number; raises USER_PARAM_TYPE_ERR."""
    if text.isdigit():
        return int(text)
    value = 0
    for word in filter(None, text.replace("|", "++").replace("O_", " O_").replace("+", " ").split()):
        if word not in _FLAGS:
            raise IrodsError(USER_PARAM_TYPE_ERR, f"unknown open flag {word}")
        value |= _FLAGS[word]
    return value


def data_object(path: str = "", keywords: dict[str, str] | None = None, **members: Any) -> dict[str, Any]:
    """A DataObjInp_PI."""
    empty = {"createMode": 0, "openFlags": 0, "offset": 0, "dataSize": -1, "numThreads": 0, "oprType": 0}
    return {"objPath": path, **empty, "SpecColl_PI": None, "KeyValPair_PI": dict(keywords or {}), **members}


def data_object_of(text: Any, first: str = "objPath") -> dict[str, Any]:
    """A DataObjInp_PI from a parameter string, a path, or a DataObjInp structure."""
    if isinstance(text, CLASSES["DataObjInp"]):
        return data_object(str(text.objPath), text.condInput._plain(), openFlags=text.openFlags)
    words = parse_pairs(text_argument(text), first)
    request = data_object(words.pop("objPath", ""))
    for word in list(words):
        if word in _NUMBERS:
            request[_NUMBERS[word]] = number_argument(words.pop(word))
        elif word in _FLAG_WORDS:
            request["openFlags"] = flags_of(words.pop(word))
    request["KeyValPair_PI"].update(words)
    return request


def _optional(request: dict[str, Any], keyword: str, value: Any) -> None:
    if value not in _NULLS:
        request["KeyValPair_PI"][keyword] = text_argument(value)


def _more(request: dict[str, Any], text: Any, first: str) -> None:
    if text not in _NULLS:
        request["KeyValPair_PI"].update(parse_pairs(text_argument(text), first))


def opened(number: Any, **members: Any) -> dict[str, Any]:
    """An OpenedDataObjInp_PI for a descriptor."""
    base = {"l1descInx": number_argument(number), "len": 0, "whence": 0, "oprType": 0, "offset": 0, "bytesWritten": 0}
    return {**base, "KeyValPair_PI": {}, **members}


def _status(reply: Any) -> int:
    return int(reply.status)


@microservice("msiDataObjCreate", 3)
def create(call: Call, args: list[Any]) -> None:
    """msiDataObjCreate(path or pairs, more pairs, out descriptor)."""
    request = data_object_of(args[0])
    _more_open(request, args[1])
    args[2] = _status(call.api(601, request))


def _more_open(request: dict[str, Any], text: Any) -> None:
    if text in _NULLS:
        return
    extra = data_object_of(text, "destRescName")
    request["KeyValPair_PI"].update(extra["KeyValPair_PI"])
    for name in ("createMode", "dataSize", "openFlags", "numThreads"):
        if extra[name] not in (0, -1):
            request[name] = extra[name]


@microservice("msiDataObjOpen", 2)
def open_(call: Call, args: list[Any]) -> None:
    """msiDataObjOpen(path or pairs, out descriptor)."""
    args[1] = _status(call.api(602, data_object_of(args[0])))


@microservice("msiDataObjClose", 2)
def close(call: Call, args: list[Any]) -> None:
    """msiDataObjClose(descriptor, out status)."""
    args[1] = _status(call.api(673, opened(args[0])))


@microservice("msiDataObjLseek", 4)
def seek(call: Call, args: list[Any]) -> None:
    """msiDataObjLseek(descriptor, offset, 'SEEK_SET'…, out FileLseekOut_t)."""
    whence = _SEEK.get(text_argument(args[2]), 0)
    body = call.api(674, opened(args[0], offset=number_argument(args[1]), whence=whence)).body
    args[3] = irods_type("FileLseekOut_t", body)


@microservice("msiDataObjRead", 3)
def read(call: Call, args: list[Any]) -> int:
    """msiDataObjRead(descriptor, length, out BytesBuf)."""
    reply = call.api(675, opened(args[0], len=number_argument(args[1])))
    args[2] = BytesBuf.of(bytes(reply.stream))
    return _status(reply)


@microservice("msiDataObjWrite", 3)
def write(call: Call, args: list[Any]) -> int:
    """msiDataObjWrite(descriptor, length or '', BytesBuf or text)."""
    data = _bytes_of(args[2]) if not _is_buffer(args[1]) else bytes(args[1].get_bytes())
    length = len(data) if _is_buffer(args[1]) or args[1] in _NULLS else min(number_argument(args[1]), len(data))
    return _status(call.api(676, opened(args[0], len=length), data[:length]))


def _is_buffer(value: Any) -> bool:
    return isinstance(value, BytesBuf)


def _bytes_of(value: Any) -> bytes:
    if _is_buffer(value):
        return bytes(value.get_bytes())
    return text_argument(value).encode("utf-8", "surrogateescape")


@microservice("msiDataObjUnlink", 2)
def unlink(call: Call, args: list[Any]) -> None:
    """msiDataObjUnlink('objPath=…++++forceFlag=++++unreg=', out status)."""
    request = data_object_of(args[0])
    if "unreg" in request["KeyValPair_PI"]:
        del request["KeyValPair_PI"]["unreg"]
        request["oprType"] = UNREGISTER
    args[1] = _status(call.api(615, request))


@microservice("msiDataObjRepl", 3)
def replicate(call: Call, args: list[Any]) -> None:
    """msiDataObjRepl(path, 'destRescName=…++++…', out status)."""
    request = data_object_of(args[0])
    request["oprType"] = 6
    _more(request, args[1], "destRescName")
    args[2] = _status(call.api(695, request))


@microservice("msiDataObjCopy", 4)
def copy(call: Call, args: list[Any]) -> None:
    """msiDataObjCopy(source, target, 'forceFlag=++++destRescName=…', out status)."""
    source, target = data_object_of(args[0]), data_object_of(args[1])
    source["oprType"], target["oprType"] = 10, 9  # COPY_SRC, COPY_DEST
    _more(target, args[2], "destRescName")
    args[3] = _status(call.api(696, {"DataObjInp_PI": [source, target]}))


@microservice("msiDataObjRename", 4)
def rename(call: Call, args: list[Any]) -> None:
    """msiDataObjRename(source, target, '0' object | '1' collection, out status)."""
    kind = RENAME_COLL if text_argument(args[2]) == "1" else RENAME_DATA_OBJ
    pair = [data_object_of(args[0]), data_object_of(args[1])]
    for item in pair:
        item["oprType"] = kind
    args[3] = _status(call.api(627, {"DataObjInp_PI": pair}))


@microservice("msiDataObjChksum", 3)
def checksum(call: Call, args: list[Any]) -> None:
    """msiDataObjChksum(path, 'forceChksum=++++verifyChksum=', out checksum)."""
    request = data_object_of(args[0])
    _more(request, args[1], "chksumAll")
    body = call.api(629, request).body
    args[2] = body.get("myStr", "") if isinstance(body, dict) else text_argument(body)


@microservice("msiDataObjPhymv", 6)
def move_physically(call: Call, args: list[Any]) -> None:
    """msiDataObjPhymv(path, target resource, source resource, replica, admin flag, out status)."""
    request = data_object_of(args[0])
    request["oprType"] = 15
    for keyword, value in (("destRescName", args[1]), ("rescName", args[2]), ("replNum", args[3])):
        _optional(request, keyword, value)
    _optional(request, "irodsAdmin", args[4])
    args[5] = _status(call.api(697, request))


@microservice("msiDataObjTrim", 6)
def trim(call: Call, args: list[Any]) -> int:
    """msiDataObjTrim(path, resource, replica, copies to keep, admin flag, out count)."""
    request = data_object_of(args[0])
    for keyword, value in (("rescName", args[1]), ("replNum", args[2]), ("copies", args[3]), ("irodsAdmin", args[4])):
        _optional(request, keyword, value)
    args[5] = _status(call.api(632, request))
    return 0


@microservice("msiPhyPathReg", 5)
def register(call: Call, args: list[Any]) -> None:
    """msiPhyPathReg(path, resource, physical path, 'null'|'collection'…, out status)."""
    request = data_object_of(args[0])
    for keyword, value in (("destRescName", args[1]), ("filePath", args[2])):
        _optional(request, keyword, value)
    kind = text_argument(args[3])
    if kind not in _NULLS:
        request["KeyValPair_PI"][kind if kind == "collection" else "dataType"] = "" if kind == "collection" else kind
    args[4] = _status(call.api(630, request))


@microservice("msiObjStat", 2)
def status(call: Call, args: list[Any]) -> None:
    """msiObjStat(path, out RodsObjStat)."""
    reply = call.api(633, data_object_of(args[0]))
    args[1] = irods_type("RodsObjStat", reply.body)


@microservice("msiGetObjType", 2)
def object_type(call: Call, args: list[Any]) -> None:
    """msiGetObjType(name, out '-d'|'-c'|'-r'|'-u'): what kind of entity a name is."""
    name = text_argument(args[0])
    if name.startswith("/"):
        kind = irods_type("RodsObjStat", call.api(633, data_object(name)).body).objType
        args[1] = "-c" if kind == CLASSES_COLLECTION else "-d"
        return
    known = call.agent.db.one("select resc_id from R_RESC_MAIN where resc_name = ?", (name,))
    args[1] = "-r" if known is not None else "-u"


CLASSES_COLLECTION = 2  # COLL_OBJ_T


@microservice("msiDataObjRsync", 5)
def synchronize(call: Call, args: list[Any]) -> None:
    """msiDataObjRsync(source, 'IRODS_TO_IRODS', resource, target, out status)."""
    request = data_object_of(args[0])
    request["KeyValPair_PI"]["rsyncMode"] = text_argument(args[1])
    _optional(request, "destRescName", args[2])
    request["KeyValPair_PI"]["rsyncDestPath"] = text_argument(args[3])
    args[4] = _status(call.api(628, request))


@microservice("msi_replica_truncate", 2)
def truncate(call: Call, args: list[Any]) -> None:
    """msi_replica_truncate('objPath=…++++dataSize=…', out JSON)."""
    body = call.api(802, data_object_of(args[0])).body
    args[1] = body.get("myStr", "") if isinstance(body, dict) else text_argument(body)


@microservice("msi_touch", 1)
def touch(call: Call, args: list[Any]) -> None:
    """msi_touch(JSON): as API 20007."""
    call.api(20007, _json(args[0]))


@microservice("msi_get_file_descriptor_info", 2)
def descriptor_info(call: Call, args: list[Any]) -> None:
    """msi_get_file_descriptor_info(descriptor, out JSON)."""
    import json

    body = call.api(20000, {"fd": number_argument(args[0])}).body
    args[1] = body if isinstance(body, str) else json.dumps(body)


def _json(value: Any) -> Any:
    import json

    try:
        return json.loads(text_argument(value))
    except ValueError:
        raise IrodsError(SYS_INVALID_INPUT_PARAM, "not JSON") from None
