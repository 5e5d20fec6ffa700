"""A tar as a pipeline's sink: its members go to a place that makes them; fed in any pieces, in constant memory.

Strict where tar is lax: the archive must end as one ends, nothing may follow, and if it has an index the members
must be those of the index, so that an archive that was cut or changed does not pass for a smaller one.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable
from typing import Protocol

from python_rules.engine.blocks import Block
from python_rules.engine.pack import COLLECTION, FILE, HARD_LINK, LINK, ROOT, Avu, Member, tar
from python_rules.engine.pack.names import Names, unsafe
from python_rules.engine.pipeline import Sink
from python_rules.jobs.errors import JobError

_TYPE = slice(156, 157)  # where a header has it
LARGEST_HEADER = 1 << 20  # of one member: names, AVUs, ACLs
KINDS = {
    tarfile.REGTYPE: FILE,
    tarfile.AREGTYPE: FILE,
    tarfile.CONTTYPE: FILE,
    tarfile.DIRTYPE: COLLECTION,
    tarfile.SYMTYPE: LINK,
    tarfile.LNKTYPE: HARD_LINK,
}


class Place(Protocol):
    """Where members are made; what it holds gets its final name only when somebody says so afterwards."""

    def begin(self, member: Member) -> Sink:
        """Make a member; its content, if any, goes to what is returned."""

    def end(self) -> None:
        """The member's content is complete."""


class Unpacking:
    """A pipeline's sink; ``finish`` must be called at the end. Raises JobError that names the offset."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._names = Names()
        self._held = bytearray()
        self._need = tar.BLOCK  # bytes to gather before the next step
        self._step: Callable[[bytes], None] = self._header
        self._sink: Sink | None = None
        self._left = 0  # bytes of the content under way
        self._offset = 0  # of the next byte
        self._told: dict[str, str] = {}  # what pax headers say about the next member
        self._ended = False
        self._hash = self._hash_before = hashlib.sha256()  # of all that is not content; and before a global header
        self._count = 0
        self._indexed = False
        self._located = ""  # what the locator says of the members

    def write(self, block: Block) -> None:
        """As pipeline.Sink."""
        view = memoryview(block)
        while view:
            taken = self._take_content(view) if self._sink else self._gather(view)
            self._offset += taken
            view = view[taken:]
            if self._sink and not self._left:
                self._end_content()
            elif not self._sink and len(self._held) == self._need:
                self._take_step()

    def finish(self) -> None:
        """The archive must be complete here."""
        if not self._ended or self._held:
            raise _damaged("the archive ends in the middle", self._offset)
        found = f"{self._count} {self._hash_before.hexdigest()}"
        if self._indexed and self._located != found:
            raise _damaged("the archive is not the one that its index tells of", self._offset)

    def _take_content(self, view: memoryview) -> int:
        piece = view[: self._left]
        assert self._sink is not None  # noqa: S101  (for the type checker)
        self._sink.write(piece)
        self._left -= len(piece)
        return len(piece)

    def _end_content(self) -> None:
        self._place.end()
        self._sink = None
        if not self._need:
            self._want(tar.BLOCK, self._header)

    def _gather(self, view: memoryview) -> int:
        piece = view[: self._need - len(self._held)]
        self._held += piece
        return len(piece)

    def _take_step(self) -> None:
        held, self._held = bytes(self._held), bytearray()
        if self._step == self._header and held[_TYPE] == tarfile.XGLTYPE:
            self._hash_before = self._hash.copy()
        self._hash.update(held)
        self._step(held)

    def _want(self, size: int, step: Callable[[bytes], None]) -> None:
        self._need, self._step = size, step

    def _header(self, block: bytes) -> None:
        at = self._offset - len(block)
        if not any(block):
            return self._want(tar.BLOCK, self._second_end)
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError:
            raise _damaged("the header of a member is damaged, or this is no tar archive", at) from None
        if info.size < 0:
            raise _damaged("the header of a member is damaged", at)
        if info.type in _EXTENDED:
            return self._begin_extended(info)
        return self._begin(info, at)

    def _second_end(self, block: bytes) -> None:
        if any(block):
            raise _damaged("something follows the end of the archive", self._offset - len(block))
        self._ended = True
        self._want(1, self._second_end)  # tar fills its last record with zeros

    def _begin_extended(self, info: tarfile.TarInfo) -> None:
        if not 0 < info.size <= LARGEST_HEADER:
            raise _damaged("a header of a member is larger than it may be", self._offset)
        take = _EXTENDED[info.type]

        def step(content: bytes) -> None:
            try:
                take(self, content[: info.size])
            except (ValueError, UnicodeDecodeError):
                raise _damaged("a pax header is damaged", self._offset - len(content)) from None
            self._want(tar.BLOCK, self._header)

        self._want(info.size + len(tar.padding(info.size)), step)

    def _take_pax(self, content: bytes) -> None:
        self._told.update(tar.records(content))

    def _take_global(self, content: bytes) -> None:
        comment = tar.records(content).get("comment", "")
        self._indexed |= comment.startswith(tar.INDEX)
        if comment.startswith(tar.LOCATOR):
            self._located = " ".join(comment.removeprefix(tar.LOCATOR).split()[2:])

    def _take_long_name(self, content: bytes) -> None:
        self._told["path"] = content.rstrip(b"\0").decode()

    def _take_long_link(self, content: bytes) -> None:
        self._told["linkpath"] = content.rstrip(b"\0").decode()

    def _begin(self, info: tarfile.TarInfo, at: int) -> None:
        told, self._told = self._told, {}
        try:
            member = _member(info, told)
        except (ValueError, TypeError, UnicodeError):
            raise _damaged("what the archive tells about a member makes no sense", at) from None
        if info.type not in KINDS or any(keyword.startswith("GNU.sparse") for keyword in told):
            raise unsafe(f"{member.name!a} is a device, or another kind of member that is not unpacked", at)
        if self._located and member.name == ROOT and not told:  # the closing member
            self._want(tar.BLOCK, self._header)
            return
        self._names.take(member, at)
        self._count += member.kind == FILE
        self._sink, self._left = self._place.begin(member), member.size
        self._want(len(tar.padding(member.size)), self._padding)
        if not self._left:
            self._end_content()

    def _padding(self, block: bytes) -> None:
        if any(block):
            raise _damaged("the padding of a member is damaged", self._offset - len(block))
        self._want(tar.BLOCK, self._header)


_EXTENDED: dict[bytes, Callable[[Unpacking, bytes], None]] = {
    tarfile.XHDTYPE: Unpacking._take_pax,
    tarfile.XGLTYPE: Unpacking._take_global,
    tarfile.GNUTYPE_LONGNAME: Unpacking._take_long_name,
    tarfile.GNUTYPE_LONGLINK: Unpacking._take_long_link,
}


def _member(info: tarfile.TarInfo, told: dict[str, str]) -> Member:
    kind = KINDS.get(info.type, FILE)
    size = int(told.get("size", info.size)) if kind == FILE else 0
    if size < 0 or (kind != FILE and info.size):
        raise ValueError
    return Member(
        _plain(told.get("path", info.name)),
        kind,
        size,
        info.mode & 0o777,  # no set-user-id out of an archive
        float(told.get("mtime", info.mtime)),
        tuple(_avu(found) for found in json.loads(told.get(tar.AVUS, "[]"))),
        tuple((str(user), str(access)) for user, access in json.loads(told.get(tar.ACCESS, "[]"))),
        told.get("linkpath", info.linkname),
    )


def _avu(found: list[str]) -> Avu:
    attribute, value, unit = map(str, found)
    return attribute, value, unit


def _plain(name: str) -> str:
    """The name without what tar puts around it: './a/' is 'a'."""
    name.encode()  # surrogates are bytes that are no UTF-8
    while name.startswith("./") and len(name) > len("./"):
        name = name[2:]
    return ROOT if name == "./" else name.removesuffix("/")


def _damaged(text: str, offset: int) -> JobError:
    return JobError(
        "corrupt_compressed_data",
        f"{text}, at byte {offset} of the archive",
        remedy="restore the object from a good replica or a copy",
        offset=offset,
    )
