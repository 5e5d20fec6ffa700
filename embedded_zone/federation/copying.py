"""Copies and synchronization between two zones: this agent opens both sides, reads the one and writes the other.

Source: ``rsDataObjCopy.cpp`` and ``rsDataObjRsync.cpp`` of 5.0.2, whose questions to the other zone this follows.
Objects of more than 32 MB go the same way here, where real servers open portals (data_put, data_get).
"""

from __future__ import annotations

from typing import Any, Protocol

from embedded_zone.client import Answer
from embedded_zone.errors import IrodsError
from embedded_zone.federation import opening, questions
from embedded_zone.federation.calls import Call
from embedded_zone.federation.links import Link
from embedded_zone.objects import closing, hooks, lookup, operations, paths, transferring
from embedded_zone.objects import keywords as kw
from embedded_zone.objects.model import Request
from embedded_zone.wire import codes

BLOCK = 4 << 20  # TRANS_BUF_SZ
READ, WRITE, CLOSE, CHECKSUM = 675, 676, 673, 629
Wire = dict[str, Any]


class Side(Protocol):
    """One end of a copy."""

    size: int

    def read(self) -> bytes | memoryview: ...
    def write(self, data: bytes | memoryview) -> None: ...
    def close(self, copied: int, failure: int = 0) -> None: ...


class Here:
    """An object of this zone."""

    def __init__(self, call: Call, request: Request) -> None:
        self._agent = call.agent
        self._entry = call.agent.descriptors.lookup(operations.open_object(call.agent, request))
        self._entry.operation = request.operation
        self.size = self._entry.replica.size

    @property
    def data_type(self) -> str:
        return self._entry.replica.type_name

    def read(self) -> bytes | memoryview:
        return transferring.read_block(self._agent, self._entry, BLOCK)

    def write(self, data: bytes | memoryview) -> None:
        transferring.write(self._agent, self._entry.number, data, notify=False)

    def close(self, copied: int, failure: int = 0) -> None:
        replica = self._entry.replica
        if self._entry.writes and not failure:
            hooks.static(self._agent, "acPostProcForDataCopyReceived", replica.leaf, replica=replica)
        self._entry.status = failure
        closing.close(self._agent, self._entry.number, bytes_written=copied)


class There:
    """An object of another zone."""

    def __init__(self, link: Link, request: Request) -> None:
        self._link = link
        answer = opening.open_there(link, request.as_wire())
        self._number, self.size = answer.status, int(answer.body["dataSize"])
        self.data_type = str(answer.body["dataType"])

    def _on_descriptor(self, number: int, stream: bytes | memoryview = b"", **fields: int) -> Answer:
        request = {"l1descInx": self._number, "KeyValPair_PI": {}, **fields}
        return self._link.call(number, request, stream, request_type="OpenedDataObjInp_PI")

    def read(self) -> bytes | memoryview:
        return self._on_descriptor(READ, len=BLOCK).stream

    def write(self, data: bytes | memoryview) -> None:
        self._on_descriptor(WRITE, data, len=len(data))

    def close(self, copied: int, failure: int = 0) -> None:
        self._on_descriptor(CLOSE, bytesWritten=copied)


def copy(call: Call) -> Answer:
    """API 696. Raises as within one zone; SYS_COPY_LEN_ERR when the other zone is lost on the way."""
    source, target = map(Request.from_wire, call.request["DataObjInp_PI"])
    _check(call, source, target)
    ends = [call.links.to(paths.zone_of(path)) for path in (source.path, target.path)]
    for link, request in zip(ends, (source, target), strict=True):
        _is_linked(call, link, request.path)
    if ends[0] is ends[1] and ends[0] is not None:
        questions.resource(ends[0], target.as_wire(), "remoteCreate")
        return call.forward()
    return Answer(0, {"numThreads": 0, "flags": 0, "bytesWritten": _stream(call, source, target)})


def _check(call: Call, source: Request, target: Request) -> None:
    if _kind(call, source.path) != questions.DATA_OBJECT or not target.path.startswith("/"):
        raise IrodsError(codes.USER_INPUT_PATH_ERR, f"{source.path} is no data object")
    if _kind(call, target.path) != questions.DATA_OBJECT:
        return
    if not target.has(kw.FORCE):
        raise IrodsError(codes.OVERWRITE_WITHOUT_FORCE_FLAG, f"{target.path} exists")
    named = target.get(kw.DEST_RESC_NAME)
    if named and not _has_replica(call, target.path, named):
        raise IrodsError(codes.HIERARCHY_ERROR, f"{named} holds no replica of {target.path}")


def _has_replica(call: Call, path: str, resource: str) -> bool:
    link = call.links.to(paths.zone_of(path))
    if link is not None:
        return questions.has_replica(link, path, resource)
    return any(replica.root == resource for replica in lookup.visible_object(call.agent, path))


def _is_linked(call: Call, link: Link | None, path: str) -> None:
    if link is not None:
        questions.is_linked(link, path)
        return
    for other in call.links.zones.values():
        questions.forget_unlinked(other)


def _kind(call: Call, path: str) -> int:
    link = call.links.to(paths.zone_of(path))
    if link is not None:
        return questions.status(link, path)
    _is_linked(call, None, path)
    return questions.DATA_OBJECT if lookup.visible_object(call.agent, path) else 0


def _open(call: Call, request: Request) -> Here | There:
    link = call.links.to(paths.zone_of(request.path))
    _is_linked(call, link, request.path)
    return Here(call, request) if link is None else There(link, request)


def _stream(call: Call, source: Request, target: Request) -> int:
    source.operation, source.flags = kw.COPY_SRC, 0
    reading = _open(call, source)
    target.operation, target.flags = kw.COPY_DEST, kw.O_CREAT | kw.O_WRONLY | kw.O_TRUNC
    target.size = reading.size
    target.keywords.setdefault(kw.DATA_TYPE, reading.data_type)
    try:
        writing = _open(call, target)
    except IrodsError:
        reading.close(0)
        raise
    try:
        return _copied(reading, writing)
    finally:
        reading.close(0)


def _copied(reading: Side, writing: Side) -> int:
    total = 0
    try:
        while block := reading.read():
            writing.write(block)
            total += len(block)
    except IrodsError as error:
        lost = error.code == codes.SYS_HEADER_READ_LEN_ERR
        code = codes.SYS_COPY_LEN_ERR if lost else error.code
        _close_failed(writing, total, code)
        raise IrodsError(code, error.message) from None
    writing.close(total)
    return total


def _close_failed(writing: Side, total: int, code: int) -> None:
    try:
        writing.close(total, code)
    except IrodsError:
        return  # the first failure is the one to tell


# --- synchronization


def synchronize(call: Call) -> Answer:
    """API 628: between two objects by comparing checksums; with a local file by asking the object's zone."""
    request = Request.from_wire(call.request)
    target_path = request.get(kw.RSYNC_DEST_PATH)
    if request.get(kw.RSYNC_MODE) != "IRODS_TO_IRODS" or paths.zone_of(target_path) == paths.zone_of(request.path):
        questions.resource(call.link, call.request, "remoteRsync")
        return call.forward()
    ours = _checksum(call, request.path)
    if _kind(call, target_path) == questions.DATA_OBJECT and _checksum(call, target_path) == ours:
        return Answer()
    _copy_over(call, request, target_path, ours)
    return Answer()


def _copy_over(call: Call, request: Request, path: str, checksum: str) -> None:
    target = request.variant(without=(kw.RESC_HIER, kw.RSYNC_MODE, kw.RSYNC_CHKSUM, kw.RSYNC_DEST_PATH), path=path)
    target.keywords.update({kw.FORCE: "", kw.REG_CHKSUM: checksum})
    _stream(call, Request(request.path), target)


def _checksum(call: Call, path: str) -> str:
    link = call.links.to(paths.zone_of(path))
    if link is None:
        return operations.checksum(call.agent, Request(path))
    request = Request(path).as_wire()
    questions.resource(link, request, "remoteChksum")
    answer = link.call(CHECKSUM, request, request_type="DataObjInp_PI", reply_type="STR_PI")
    return str(answer.body["myStr"])
