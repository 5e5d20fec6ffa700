"""rsync's protocol, version 30, over a running ``ssh``: a session moves one file to or from a stock ``rsync --server``.

Every rsync since 3.0 speaks it. Of the capabilities none is told but that of a seed before the data; so checksums are
MD5, the file list comes whole, and nothing is compressed. Names go over the line (secluded arguments), never into the
command, which a login shell reads. Numbers are little-endian.
"""

from __future__ import annotations

import re
import struct
import subprocess
from dataclasses import dataclass

from python_rules.engine.blocks import Block
from python_rules.engine.systems.ssh_process import Lost, Process

RECEIVER = "--server -sIe.C --inplace"
SENDER = "--server --sender -sIe.C"
WANTED = 0x8000  # the flag of an index: this file is asked for
DIGEST = 16  # bytes of an MD5
LONGEST_BLOCK = 1 << 17
_VERSION, _NEWEST = 30, 40
_SEED_FIRST = 0x20  # of the capabilities
_BASIS_FOLLOWS, _NAME_FOLLOWS = 0x0800, 0x1000
_DATA, _ERROR_XFER, _ERROR, _WARNING, _ERROR_UTF8, _ERROR_EXIT, _NO_SEND = 0, 1, 3, 4, 8, 86, 102
_TOLD = (_ERROR_XFER, _ERROR, _WARNING, _ERROR_UTF8)
_KNOWN = (*_TOLD, 2, 9, 10, 22, 33, 42, _ERROR_EXIT, 100, 101, _NO_SEND)
_SAME_OWNER, _SAME_TIME = 0x18, 0x80  # of an entry in the file list
_EXTENDED, _SAME_NAME, _LONG_NAME, _SAME_MODE = 0x04, 0x20, 0x40, 0x02
_LONGEST_MESSAGE = 64 * 1024
_MOST_WORDS = 4000  # characters of what the far side complains of
_SOCKET_BUFFER = 256 * 1024  # bytes; with what ssh lets be under way (2 MiB) less than a writer sends again after a cut
_BUFFER = 256 * 1024
_WILD = re.compile(rb"[*?\[]")


class Refused(Exception):
    """The far side does not do it; its words."""


class Mistaken(Refused):
    """The far side put together something else than was sent: one block has the sums of another, or has changed."""


@dataclass(frozen=True)
class Head:
    """How a file is cut into blocks to be compared: ``count`` of ``length`` bytes, the last one shorter if there is a
    ``remainder``, with so many bytes of each one's MD5."""

    count: int = 0
    length: int = 0
    strong: int = 0
    remainder: int = 0

    def packed(self) -> bytes:
        """As it is sent."""
        return struct.pack("<4i", self.count, self.length, self.strong, self.remainder)

    def size_of(self, index: int) -> int:
        """Bytes of a block."""
        return self.remainder if self.remainder and index == self.count - 1 else self.length


@dataclass(frozen=True)
class Request:
    """What is asked for: the far side's word for it, to be given back, and the blocks that it has."""

    word: bytes
    head: Head


class Session(Process):
    """One session; for one thread at a time. Every method raises Refused or Lost."""

    def __init__(self, command: list[str], timeout: float) -> None:
        super().__init__(command, timeout, _SOCKET_BUFFER)
        self._buffer = memoryview(bytearray(_BUFFER))
        self._start = self._end = 0  # of what the buffer holds
        self._left = 0  # bytes of data before the next message begins
        self._words = ""
        self.seed = b""
        self.is_seed_first = True

    def greet(self, path: bytes, *options: bytes) -> int:
        """Say what it is about, and agree upon the version; the far side's one."""
        arguments = [b"rsync", *options, b".", _literal(path)]
        self._send(b"".join(one + b"\0" for one in arguments) + b"\0" + struct.pack("<i", _VERSION))
        (version,) = struct.unpack("<i", self._raw(4))
        if not 0 < version <= _NEWEST:
            raise Refused("something else than rsync answers; does the account's shell print a text at login?")
        if version < _VERSION:
            raise Refused(f"its rsync is too old (protocol {version}); 3.0 or later is needed")
        first = self._raw(1)[0]
        capabilities = first if first < 0x80 else (first & 0x3F) << 8 | self._raw(1)[0]
        self.is_seed_first = bool(capabilities & _SEED_FIRST)
        self.seed = self._raw(4)
        return int(version)

    def send(self, *parts: Block) -> None:
        """Data, as one message; the last part may be large."""
        size = sum(len(part) for part in parts)
        self._send(struct.pack("<I", size | 7 << 24) + b"".join(parts[:-1]))
        self._send(parts[-1])

    def take(self, size: int) -> bytes:
        """So many bytes of data."""
        found = bytearray(size)
        self.take_into(memoryview(found))
        return bytes(found)

    def take_into(self, view: memoryview) -> None:
        """Fill a view with data."""
        while len(view):
            if not self._left:
                self._next_message()
                continue
            count = min(len(view), self._left)
            self._raw_into(view[:count])
            self._left -= count
            view = view[count:]

    def number(self) -> int:
        """Four bytes."""
        return int(struct.unpack("<i", self.take(4))[0])

    def send_entry(self, name: bytes, size: int) -> None:
        """The file list: one file."""
        flags = _SAME_OWNER | _SAME_TIME
        self.send(bytes([flags, len(name)]), name, _varlong(size), struct.pack("<i", 0o100600), b"\0")

    def take_entry(self) -> int:
        """The file list of one file; its size in bytes. Raises Refused if there is none."""
        flags = self.take(1)[0]
        if not flags:
            raise self.refusal("it lists no such file")
        if flags & _EXTENDED:
            self.take(1)
        if flags & (_SAME_NAME | _LONG_NAME):
            raise Lost("rsync sent a file list of another form")
        self.take(self.take(1)[0])
        size = self._varlong(3)
        if not flags & _SAME_TIME:
            self._varlong(4)
        if not flags & _SAME_MODE:
            self.take(4)
        if self.take(1)[0]:
            raise Lost("rsync lists more than one file")
        return size

    def take_request(self) -> Request:
        """What the far side asks for, or says that it gives; raises Refused if it goes on without the file."""
        if self.take(1) != b"\1":
            raise self.refusal("it does not take the file")
        word = self.take(2)
        (flags,) = struct.unpack("<H", word)
        if flags & _BASIS_FOLLOWS:
            word += self.take(1)
        if flags & _NAME_FOLLOWS:
            size = self.take(1)
            size += self.take(1) if size[0] & 0x80 else b""
            word += size + self.take((size[0] & 0x7F) << 8 | size[1] if len(size) > 1 else size[0])
        count, length, strong, remainder = struct.unpack("<4i", self.take(16))
        if count < 0 or not 0 <= remainder <= length <= LONGEST_BLOCK or not 0 <= strong <= DIGEST:
            raise Lost("rsync sent sums of an impossible form")
        return Request(b"\1" + word, Head(count, length, strong, remainder))

    def end_sending(self) -> None:
        """Have the far side confirm that it has the file; raises Mistaken if it asks for it again."""
        for number in range(4):
            if self.take(1) != b"\0":
                raise Mistaken("what it put together is not what was sent")
            if number < 3:
                self.send(b"\0")
        if self._ended():
            raise self.refusal("it did not take all")

    def refusal(self, otherwise: str) -> Refused:
        """The error with what the far side says of it, which may come after its answer."""
        self._end_sending()
        return Refused(self.last_words() or otherwise)

    def last_words(self) -> str:
        """What it still had to say before the connection ended: in messages, or newer versions on standard error."""
        try:
            while True:
                self.take(1)
        except Lost:
            return (self._words + self.complaints()).strip()

    def status(self) -> int | None:
        """What the program there ended with, once the connection is gone; 255 if it was ``ssh`` itself."""
        return self._process.poll()

    def _ended(self) -> int:
        try:
            return self._process.wait(self._socket.gettimeout())
        except subprocess.TimeoutExpired:
            raise Lost("rsync does not end") from None

    def _next_message(self) -> None:
        (header,) = struct.unpack("<I", self._raw(4))
        kind, size = (header >> 24) - 7, header & 0xFFFFFF
        if kind == _DATA:
            self._left = size
            return
        if kind not in _KNOWN or size > _LONGEST_MESSAGE:
            raise Lost("rsync sent a message of an unknown kind")
        text = self._raw(size)
        if kind in _TOLD and len(self._words) < _MOST_WORDS:
            self._words += text.decode("utf-8", "replace")

    def _varlong(self, least: int) -> int:
        """A number of ``least`` bytes or more: the leading ones of the first byte count those that are added."""
        first, *rest = self.take(least)
        extra = 0
        while extra < 6 and first & 0x80 >> extra:
            extra += 1
        low = bytes(rest) + self.take(extra)
        return int.from_bytes(low, "little") | (first & (0xFF >> extra)) << 8 * len(low)

    def _raw(self, size: int) -> bytes:
        found = bytearray(size)
        self._raw_into(memoryview(found))
        return bytes(found)

    def _raw_into(self, view: memoryview) -> None:
        while len(view):
            if self._start == self._end:
                if len(view) >= _BUFFER:
                    return self._received_into(view)
                self._start, self._end = 0, self._received_some(self._buffer)
            count = min(len(view), self._end - self._start)
            view[:count] = self._buffer[self._start : self._start + count]
            self._start += count
            view = view[count:]
        return None


def _varlong(value: int) -> bytes:
    """A size as it is sent: three bytes or more."""
    data = value.to_bytes(8, "little").rstrip(b"\0").ljust(3, b"\0")
    extra = len(data) - 3
    marks = 0xFF & ~(0xFF >> extra)
    if data[-1] >= 0x80 >> extra:  # no room beside the marks: one more byte, which is empty
        marks, data = marks | 0x80 >> extra, data + b"\0"
    return bytes([data[-1] | marks]) + data[:-1]


def _literal(path: bytes) -> bytes:
    """A path of which rsync expands nothing: it takes a backslash for one only in names that hold wildcards."""
    names = path.split(b"/")
    return b"/".join(re.sub(rb"([*?\[\\])", rb"\\\1", name) if _WILD.search(name) else name for name in names)
