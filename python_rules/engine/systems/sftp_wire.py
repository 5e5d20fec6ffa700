"""SFTP, version 3 with OpenSSH's extensions, over a running ``ssh``: requests, many at a time, and their replies.

draft-ietf-secsh-filexfer-02, and PROTOCOL of OpenSSH for what ends in @openssh.com. Names are bytes there; they are
UTF-8 here, and what is none survives as lone surrogates.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import NamedTuple

from python_rules.engine.blocks import Block
from python_rules.engine.systems.ssh_process import Lost, Process

INIT, VERSION, OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT, SETSTAT, FSETSTAT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
OPENDIR, READDIR, REMOVE, MKDIR, RMDIR, REALPATH, STAT, RENAME, READLINK, SYMLINK = range(11, 21)
STATUS, HANDLE, DATA, NAME, ATTRS = range(101, 106)
EXTENDED, EXTENDED_REPLY = 200, 201

OK, EOF, NO_SUCH_FILE, PERMISSION_DENIED, FAILURE, BAD_MESSAGE, NO_CONNECTION, LOST, UNSUPPORTED = range(9)
F_READ, F_WRITE, F_CREAT, F_TRUNC, F_EXCL = 0x01, 0x02, 0x08, 0x10, 0x20
_SIZE, _UIDGID, _PERMISSIONS, _TIMES, _EXTENDED_ATTRS = 0x01, 0x02, 0x04, 0x08, 0x80000000
_SMALLEST_LIMIT = 32 * 1024  # what every server must take
_LONGEST_PACKET = 16 << 20


class Refused(Exception):
    """A reply that says no: one of the status codes, and the server's words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


@dataclass(frozen=True)
class Attributes:
    """What a server tells of a file; None where it tells nothing. Times in seconds."""

    size: int | None = None
    mode: int | None = None
    modified: int | None = None

    def packed(self) -> bytes:
        """As SETSTAT and others send them."""
        flags, parts = 0, b""
        if self.size is not None:
            flags, parts = flags | _SIZE, parts + struct.pack(">Q", self.size)
        if self.mode is not None:
            flags, parts = flags | _PERMISSIONS, parts + struct.pack(">I", self.mode)
        if self.modified is not None:
            flags, parts = flags | _TIMES, parts + struct.pack(">II", self.modified, self.modified)
        return struct.pack(">I", flags) + parts


class Reply(NamedTuple):
    """A reply without its length and id."""

    kind: int
    body: bytes


class Wire(Process):
    """One connection; for one thread at a time. Every method raises Refused or Lost."""

    def __init__(self, command: list[str], timeout: float) -> None:
        super().__init__(command, timeout)
        self._number = 0
        self._replies: dict[int, Reply] = {}
        self._unwanted: set[int] = set()
        self.extensions: dict[str, str] = {}
        self.longest_read = self.longest_write = _SMALLEST_LIMIT

    def greet(self) -> None:
        """Agree upon the version, and ask for the server's limits."""
        self._send(struct.pack(">IBI", 5, INIT, 3))
        (size,) = struct.unpack(">I", self._received(4))
        greeting = self._received(self._checked(size))
        if greeting[:1] != bytes([VERSION]):
            raise Lost("no SFTP server answers there")
        rest = Fields(greeting[5:])
        while rest.left:
            name = rest.text()
            self.extensions[name] = rest.text()
        if "limits@openssh.com" in self.extensions:
            limits = Fields(self.wait(self.ask(EXTENDED, string("limits@openssh.com")), EXTENDED_REPLY).body)
            _, read, write = limits.number64(), limits.number64(), limits.number64()
            self.longest_read = read or self.longest_read
            self.longest_write = write or self.longest_write

    def ask(self, kind: int, *parts: Block) -> int:
        """Send a request; its number, for ``wait``."""
        self._number = (self._number + 1) & 0xFFFFFFFF
        size = sum(len(part) for part in parts) + 5
        header = struct.pack(">IBI", size, kind, self._number)
        self._send(header + b"".join(parts[:-1]) if parts else header)
        if parts:
            self._send(parts[-1])
        return self._number

    def wait(self, number: int, kind: int = STATUS) -> Reply:
        """The reply to a request; raises Refused unless it is of this kind (STATUS: and says OK)."""
        while number not in self._replies:
            self._take_one()
        reply = self._replies.pop(number)
        if reply.kind == STATUS:
            fields = Fields(reply.body)
            status = fields.number()
            if status != OK or kind != STATUS:
                raise Refused(status, fields.text() if fields.left else "")
        elif reply.kind != kind:
            raise Lost(f"the server sent a reply of kind {reply.kind}")
        return reply

    def forget(self, number: int) -> None:
        """Nobody waits for the reply to a request."""
        if self._replies.pop(number, None) is None:
            self._unwanted.add(number)

    def call(self, kind: int, *parts: bytes, gives: int = STATUS) -> Reply:
        """Ask and wait."""
        return self.wait(self.ask(kind, *parts), gives)

    def data_into(self, number: int, buffer: memoryview) -> int:
        """The data of the READ that is answered next, straight into a buffer; raises Refused at the end of the file."""
        while number not in self._replies:
            size, kind, found = struct.unpack(">IBI", self._received(9))
            if found == number and kind == DATA:
                (length,) = struct.unpack(">I", self._received(4))
                if length > len(buffer) or length + 9 > self._checked(size):
                    raise Lost("the server sent more than it was asked for")
                self._received_into(buffer[:length])
                return int(length)
            self._keep(size, kind, found)
        reply = self._replies.pop(number)
        fields = Fields(reply.body)
        if reply.kind != DATA:
            raise Refused(fields.number(), "")
        data = fields.bytes()
        buffer[: len(data)] = data
        return len(data)

    def _take_one(self) -> None:
        size, kind, number = struct.unpack(">IBI", self._received(9))
        self._keep(size, kind, number)

    def _keep(self, size: int, kind: int, number: int) -> None:
        reply = Reply(kind, self._received(self._checked(size) - 5))
        if number in self._unwanted:
            self._unwanted.discard(number)
        else:
            self._replies[number] = reply

    def _checked(self, size: int) -> int:
        if not 5 <= size <= _LONGEST_PACKET:
            raise Lost("the server sent a packet of an impossible size")
        return size


class Fields:
    """The fields of a packet, taken one by one; raises Lost if there are too few."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes that were not taken yet."""
        return len(self._data) - self._at

    def number(self) -> int:
        """Four bytes."""
        return int(self._unpacked(">I", 4))

    def number64(self) -> int:
        """Eight bytes."""
        return int(self._unpacked(">Q", 8))

    def bytes(self) -> bytes:
        """A string."""
        size = self.number()
        if size > self.left:
            raise Lost("the server sent a packet that ends too early")
        self._at += size
        return self._data[self._at - size : self._at]

    def text(self) -> str:
        """A string as text."""
        return os.fsdecode(self.bytes())

    def attributes(self) -> Attributes:
        """ATTRS."""
        flags = self.number()
        size = self.number64() if flags & _SIZE else None
        if flags & _UIDGID:
            self.number64()
        mode = self.number() if flags & _PERMISSIONS else None
        modified = None
        if flags & _TIMES:
            self.number()
            modified = self.number()
        for _ in range(self.number() if flags & _EXTENDED_ATTRS else 0):
            self.bytes(), self.bytes()
        return Attributes(size, mode, modified)

    def _unpacked(self, form: str, size: int) -> int:
        if size > self.left:
            raise Lost("the server sent a packet that ends too early")
        self._at += size
        found: int = struct.unpack_from(form, self._data, self._at - size)[0]
        return found


def string(value: str | bytes) -> bytes:
    """A string as it is sent."""
    data = os.fsencode(value) if isinstance(value, str) else value
    return struct.pack(">I", len(data)) + data


def number(value: int) -> bytes:
    """As the protocol writes it: four bytes."""
    return value.to_bytes(4, "big")


def number64(value: int) -> bytes:
    """As the protocol writes it: eight bytes."""
    return value.to_bytes(8, "big")
