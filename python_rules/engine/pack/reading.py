"""One member out of a tar with an index, without reading the rest."""

from __future__ import annotations

import json
import tarfile
from typing import NamedTuple, Protocol

from python_rules.engine.pack import tar
from python_rules.jobs.errors import JobError


class Bytes(Protocol):
    """As ranges.Bytes."""

    @property
    def size(self) -> int: ...
    def read(self, offset: int, length: int) -> bytes: ...


class Place(NamedTuple):
    """Where the content of a member lies in the archive, in bytes."""

    offset: int
    size: int


class Archive:
    """A tar's members by name; reads the index when it is made."""

    def __init__(self, archive: Bytes) -> None:
        self._archive = archive
        self.members = dict(_members(archive))

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """A member's content, or a range of it; raises JobError ``source_not_found``."""
        place = self.place(name)
        length = place.size - offset if length is None else min(length, place.size - offset)
        return self._archive.read(place.offset + offset, max(0, length))

    def place(self, name: str) -> Place:
        """Where a member's content lies; raises JobError ``source_not_found``."""
        if name not in self.members:
            raise JobError("source_not_found", f"the archive has no member {name!a}", remedy="list the archive first")
        return self.members[name]


def _members(archive: Bytes) -> list[tuple[str, Place]]:
    begin, end, count, _ = _located(archive)
    content = bytearray()
    at = begin
    while at < end:
        info = _global(archive.read(at, tar.BLOCK))
        text = tar.records(archive.read(at + tar.BLOCK, info.size)).get("comment", "")
        content += text.removeprefix(tar.INDEX).encode()
        at += tar.BLOCK + info.size + len(tar.padding(info.size))
    lines = content.splitlines()
    if len(lines) != count or at != end:
        raise _no_index()
    return [(name, Place(offset, size)) for name, offset, size in map(json.loads, lines)]


def _located(archive: Bytes) -> tuple[int, int, int, str]:
    """Where the index begins and ends, how many members it has, and the SHA-256 of its lines."""
    tail = archive.read(max(0, archive.size - tar.TAIL), tar.TAIL)
    try:
        info = _global(tail[: tar.BLOCK])
        comment = tar.records(tail[tar.BLOCK : tar.BLOCK + info.size])["comment"]
        begin, end, count, told = comment.removeprefix(tar.LOCATOR).split()
        return int(begin), int(end), int(count), told
    except (ValueError, KeyError):
        raise _no_index() from None


def _global(block: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except tarfile.HeaderError:
        raise _no_index() from None
    if info.type != tarfile.XGLTYPE:
        raise _no_index()
    return info


def _no_index() -> JobError:
    return JobError("wrong_encoding", "the archive has no index, or a damaged one", remedy="unpack it as a whole")
