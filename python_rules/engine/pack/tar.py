"""The bytes of a pax tar: headers of members, and the index at the end."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from typing import Any

from python_rules.engine.pack import COLLECTION, LINK, ROOT, Member

BLOCK = 512
END = bytes(2 * BLOCK)
AVUS = "SCHILY.xattr.user.irods.avus"  # as extended attributes are written: readers that do not keep them are silent
ACCESS = "SCHILY.xattr.user.irods.access"
INDEX = "sluice-index 1\n"  # begins a comment that holds lines of the index
LOCATOR = "sluice-index-at "  # begins the comment that says where these are
TAIL = 5 * BLOCK  # header and content of the locator, the closing member, the end of the archive
INDEX_CHUNK = 256 * 1024  # libarchive refuses headers of more than 1 MiB
_TYPES = {COLLECTION: tarfile.DIRTYPE, LINK: tarfile.SYMTYPE}


def header(member: Member) -> bytes:
    """The header of a member, with a pax header before it where it needs one."""
    info = tarfile.TarInfo(member.name + ("/" if member.kind == COLLECTION else ""))
    info.type = _TYPES.get(member.kind, tarfile.REGTYPE)
    info.size, info.mode, info.mtime, info.linkname = member.size, member.mode, member.modified, member.link
    told = {AVUS: member.avus, ACCESS: member.access}
    info.pax_headers = {keyword: _json(value) for keyword, value in told.items() if value}
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def padding(size: int) -> bytes:
    """What fills the last block of so many bytes."""
    return bytes(-size % BLOCK)


class Index:
    """Where the contents of the members lie, and a hash of everything but the contents."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._hash = hashlib.sha256()

    def add(self, name: str, offset: int, size: int) -> None:
        """The content of a member: at which byte of the archive, and how long."""
        self._lines.append(_json([name, offset, size]).encode() + b"\n")

    def noted(self, piece: bytes) -> bytes:
        """The same piece of the archive, which is not content."""
        self._hash.update(piece)
        return piece

    def tail(self, offset: int) -> Iterator[bytes]:
        """The end of an archive whose members end at ``offset``: index, locator, closing member, empty blocks."""
        begin = offset
        for chunk in self._chunks():
            made = self.noted(comment(INDEX.encode() + chunk))
            offset += len(made)
            yield made
        located = f"{LOCATOR}{begin} {offset} {len(self._lines)} {self._hash.hexdigest()}"
        # Python's tarfile wants a member behind a global header; that of the collection itself does no harm.
        yield comment(located.encode()) + header(Member(ROOT, COLLECTION, mode=0o755)) + END

    def _chunks(self) -> Iterator[bytes]:
        chunk = bytearray()
        for each in self._lines:
            chunk += each
            if len(chunk) >= INDEX_CHUNK:
                yield bytes(chunk)
                chunk.clear()
        if chunk or not self._lines:  # an index without a locator is noticed, so there must be one
            yield bytes(chunk)


def comment(text: bytes) -> bytes:
    """A global pax header that holds nothing but a comment."""
    content = record(b"comment", text)
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XGLTYPE, len(content)
    return info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict") + content + padding(len(content))


def record(keyword: bytes, value: bytes) -> bytes:
    """A pax record, which begins with its own length."""
    bare = len(keyword) + len(value) + 3
    size = bare + len(str(bare))
    size = bare + len(str(size))
    return b"%d %b=%b\n" % (size, keyword, value)


def records(content: bytes) -> dict[str, str]:
    """The records of a pax header; raises ValueError if they are none."""
    found: dict[str, str] = {}
    at = 0
    while at < len(content):
        space = content.index(b" ", at, at + 20)
        end = at + int(content[at:space])
        keyword, equals, value = content[space + 1 : end - 1].partition(b"=")
        if end > len(content) or end <= space or not equals or content[end - 1 : end] != b"\n":
            raise ValueError
        found[keyword.decode()] = value.decode()
        at = end
    return found


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
