"""Files of an SFTP server while they are read and written; many requests are under way at a time."""

from __future__ import annotations

import base64
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from python_rules.engine.blocks import TRANSFER, Block
from python_rules.engine.pipeline import Tally, read_blocks
from python_rules.engine.systems import sftp_wire as wire
from python_rules.engine.systems.place import Fence, unfenced
from python_rules.engine.systems.sftp_wire import Attributes, Fields, Refused, number, number64, string
from python_rules.engine.watch import UNWATCHED

if TYPE_CHECKING:
    from python_rules.engine.systems.sftp import Sftp

_CHUNK = 128 * 1024  # of reads and writes, where the server takes so much; blocks hold a whole number of them
_WINDOW = TRANSFER // _CHUNK  # requests under way


class Reading:
    """A file that is read: so many requests are always under way that the line is full."""

    def __init__(self, place: Sftp, path: str, handle: bytes, offset: int, size: int | None) -> None:
        self._place = place
        self._path = path
        self._handle = handle
        self._asked = offset
        self._size = size
        self._pending: deque[tuple[int, int, int]] = deque()  # request, offset, length

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """As Source.readinto: as much as fits, without cutting a reply in two."""
        view, filled = memoryview(buffer), 0
        chunk = min(_CHUNK, self._place.wire.longest_read, len(view))
        with self._place.told(self._path):
            self._fill(chunk)
            while self._pending and len(view) - filled >= self._pending[0][2]:
                request, offset, length = self._pending.popleft()
                try:
                    count = self._place.wire.data_into(request, view[filled : filled + length])
                except Refused as refused:
                    if refused.status != wire.EOF:
                        raise
                    self._drop()
                    break
                filled += count
                if count < length:
                    self._drop()
                    self._asked = offset + count
                self._fill(chunk)
        return filled

    def interrupt(self) -> None:
        """As Source.interrupt."""
        self._place.wire.interrupt()

    def close(self) -> None:
        """As Incoming.close."""
        with self._place.told(self._path):
            self._drop()
            self._place.wire.forget(self._place.wire.ask(wire.CLOSE, self._handle))

    def _fill(self, chunk: int) -> None:
        """Ask for more; past the end that the server told of, once, to see that it is the end."""
        while len(self._pending) < _WINDOW:
            if self._size is not None and self._asked > self._size + chunk and self._pending:
                return
            request = self._place.wire.ask(wire.READ, self._handle + number64(self._asked) + number(chunk))
            self._pending.append((request, self._asked, chunk))
            self._asked += chunk

    def _drop(self) -> None:
        """Take the replies that nobody wants."""
        for request, _, _ in self._pending:
            self._place.wire.forget(request)
        self._pending.clear()


class Writing:
    """A file that is written under a hidden name beside its final one."""

    def __init__(self, place: Sftp, path: str, where: str, hidden: str, handle: bytes, held: int) -> None:
        self._place = place
        self._path = path
        self._where = where
        self._hidden = hidden
        self._handle = handle
        self.held = held
        self._at = held
        self._pending: deque[int] = deque()

    def reread(self) -> Reading:
        """As Outgoing.reread."""
        return _Shared(self._place, self._path, self._handle, 0, self.held)

    def go_on_at(self, offset: int) -> None:
        """As Outgoing.go_on_at."""
        with self._place.told(self._path):
            self._place.wire.call(wire.FSETSTAT, self._handle, Attributes(size=offset).packed())
        self._at = offset

    def write(self, block: Block) -> None:
        """As Sink.write; what the server did not answer yet is a block at most."""
        view = memoryview(block)
        chunk = min(_CHUNK, self._place.wire.longest_write)
        with self._place.told(self._path):
            for start in range(0, len(view), chunk):
                piece = view[start : start + chunk]
                header = self._handle + number64(self._at) + number(len(piece))
                self._pending.append(self._place.wire.ask(wire.WRITE, header, piece))
                self._at += len(piece)
                if len(self._pending) >= _WINDOW:
                    self._place.wire.wait(self._pending.popleft())

    def publish(self, size: int, sha256: str, modified: float | None = None, fence: Fence = unfenced) -> str:
        """As Outgoing.publish."""
        server = self._place.wire
        if size <= _CHUNK and self._at == size:
            return self._published_small(size, sha256, modified, fence)
        with self._place.told(self._path):
            if "fsync@openssh.com" in server.extensions and size > _CHUNK:
                self._pending.append(server.ask(wire.EXTENDED, string("fsync@openssh.com"), self._handle))
            looked = server.ask(wire.FSTAT, self._handle)
            self._settle()
            found = Fields(server.wait(looked, wire.ATTRS).body).attributes().size
            if found != size:
                raise self._place.error("verification_failed", f"it has {found} of {size} bytes", self._path)
        how = self._verified(size, sha256)
        with self._place.told(self._path):
            self._dress(modified)
            self._settle()
            self._handle = b""
            fence()
            self._place.rename(self._hidden, self._where)
        return how

    def _published_small(self, size: int, sha256: str, modified: float | None, fence: Fence) -> str:
        """The same in two round trips: what was written is asked for right behind the writing."""
        server, buffer, tally = self._place.wire, memoryview(bytearray(size + 1)), Tally()
        with self._place.told(self._path):
            asked = server.ask(wire.READ, self._handle + number64(0) + number(size + 1))
            self._settle()
            try:
                count = server.data_into(asked, buffer)
            except Refused as refused:
                if refused.status != wire.EOF:
                    raise
                count = 0
            for _ in tally.over([buffer[:count]]):
                pass
            if tally.sha256 != sha256 or count != size:
                text = "it was not stored as sent: what is read back is something else"
                raise self._place.error("verification_failed", text, self._path)
            self._dress(modified)
            fence()
            handle, self._handle = self._handle, b""
            try:
                self._place.rename(self._hidden, self._where)
            except Refused:
                self._handle = handle
                raise
            self._settle()
        return "read back"

    def _dress(self, modified: float | None) -> None:
        dressed = Attributes(mode=0o640, modified=None if modified is None else max(0, int(modified)))
        self._pending.append(self._place.wire.ask(wire.FSETSTAT, self._handle, dressed.packed()))
        self._pending.append(self._place.wire.ask(wire.CLOSE, self._handle))

    def abandon(self, keep: bool = False) -> None:
        """As Outgoing.abandon."""
        with self._place.told(self._path):
            handle, self._handle = self._handle, b""
            if not handle:
                return
            self._pending.append(self._place.wire.ask(wire.CLOSE, handle))
            if not keep:
                self._pending.append(self._place.wire.ask(wire.REMOVE, string(self._hidden)))
            while self._pending:
                with suppress(Refused):
                    self._place.wire.wait(self._pending.popleft())

    def _settle(self) -> None:
        while self._pending:
            self._place.wire.wait(self._pending.popleft())

    def _verified(self, size: int, sha256: str) -> str:
        told = self._place.sha256_there(self._hidden, size)
        if told and as_irods(told) == sha256:
            return "sha256sum there"
        tally = Tally()
        for _ in tally.over(read_blocks(_Shared(self._place, self._path, self._handle, 0, size), size, UNWATCHED)):
            pass
        if tally.sha256 != sha256:
            text = "it was not stored as sent: what is read back has another SHA-256"
            raise self._place.error("verification_failed", text, self._path)
        return "read back"


class _Shared(Reading):
    """Reads by a handle that somebody else closes."""

    def close(self) -> None:
        """As Incoming.close."""
        with self._place.told(self._path):
            self._drop()


def as_irods(digest: str) -> str:
    """A hexadecimal SHA-256 as iRODS writes it."""
    return "sha2:" + base64.b64encode(bytes.fromhex(digest)).decode()
