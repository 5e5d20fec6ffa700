"""gzip: independent members, compressed by ISA-L.

Format: RFC 1952 members of at most 1 MiB of plain data. Each says in an extra field (``SL``) how long it is and
whether it is the last one, so that members can be found without decoding, and a missing end is noticed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import partial

from isal import igzip_lib, isal_zlib

from python_rules.engine.blocks import MIB, Block, Cutter, Window
from python_rules.engine.codec.damage import corrupt
from python_rules.engine.parallel import InOrder, Workers

MAGIC = b"\x1f\x8b"
MEMBER = MIB
LARGEST_MEMBER = 8 * MIB  # stored; what a decoder of ours holds in memory
# Deflate, an extra field and nothing else, no time, no level, unknown system; then the extra field's head.
HEAD = b"\x1f\x8b\x08\x04" + bytes(5) + b"\xff" + struct.pack("<H", 9) + b"SL" + struct.pack("<H", 5)
SIZE = struct.Struct("<IB")  # bytes of the whole member, 1 for the last one
TRAILER = struct.Struct("<II")  # CRC-32 and size of the plain data
OVERHEAD = len(HEAD) + SIZE.size + TRAILER.size
RAW = -15  # zlib's word for deflate data without a wrapper
_STEP = 64 * 1024


class Encoder:
    """Plain data in, gzip members out."""

    def __init__(self, workers: Workers, level: int) -> None:
        self._cutter = Cutter(MEMBER)
        self._members = InOrder(workers, partial(_compressed, level))

    def feed(self, block: Block) -> Iterator[Block]:
        """As Codec.feed."""
        for piece in self._cutter.feed(block):
            yield from self._members.add(piece, False)

    def finish(self) -> Iterator[Block]:
        """As Codec.finish."""
        yield from self._members.last(self._cutter.rest(), True)


class Decoder:
    """Any gzip stream in (also of several members, also of other programs), plain data out."""

    def __init__(self, workers: Workers) -> None:
        self._window = Window()
        self._members = InOrder(workers, _decompressed)
        self._step: Callable[[], Iterator[Block] | None] = self._begin
        self._started = 0  # offset of the member under way
        self._stream = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        self._complete = False  # whether the data may end here
        self._marked = False  # whether our own marks tell the end

    def feed(self, block: Block) -> Iterator[Block]:
        """As Codec.feed; yields at most 1 MiB at a time."""
        self._window.feed(block)
        while (pieces := self._step()) is not None:
            yield from pieces

    def finish(self) -> Iterator[Block]:
        """As Codec.finish."""
        yield from self._members.rest()
        if len(self._window) or self._step != self._begin or not self._complete:
            raise corrupt("the gzip stream ends in the middle", self._window.offset + len(self._window))

    def _begin(self) -> Iterator[Block] | None:
        head = self._window.peek(len(HEAD) + SIZE.size)
        if not head:
            return None
        self._started = self._window.offset
        if not (MAGIC.startswith(head) or head.startswith(MAGIC)):
            raise corrupt("this is not a gzip member", self._started)
        # Nobody else writes an extra field of 9 bytes (bgzip has 6), so one that is not ours is damaged.
        if len(head) >= len(HEAD) and head[3] & 4 and head[10:12] == HEAD[10:12]:
            return self._own_member(head)
        if len(head) < len(HEAD) and _may_have_extra(head):
            return None
        if self._marked and not self._complete:
            raise corrupt("a gzip member is damaged", self._started)
        self._complete, self._step = False, self._foreign_member
        self._stream = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        return self._members.rest()

    def _own_member(self, head: bytes) -> Iterator[Block] | None:
        """Wait until a member of ours is all there, then have it decoded beside others."""
        if len(head) < len(HEAD) + SIZE.size:
            return None
        size, last = SIZE.unpack_from(head, len(HEAD))
        if not head.startswith(HEAD) or not OVERHEAD < size <= LARGEST_MEMBER or last > 1:
            raise corrupt("the header of a gzip member is damaged", self._started)
        if len(self._window) < size:
            self._complete = False
            return None
        self._marked, self._complete = True, bool(last)
        return self._members.add(self._window.take(size), self._started)

    def _foreign_member(self) -> Iterator[Block] | None:
        if not len(self._window) and self._stream.needs_input:
            return None
        return self._inflated()

    def _inflated(self) -> Iterator[Block]:
        """Feed a little and take at most 1 MiB, whatever the data claims."""
        data = self._window.take(_STEP) if self._stream.needs_input else b""
        try:
            plain = self._stream.decompress(data, MIB)
        except igzip_lib.IsalError:  # type: ignore[misc]  # its stub says instance
            raise corrupt("a gzip member is damaged", self._started) from None
        if self._stream.eof:
            self._window.give_back(self._stream.unused_data)
            self._complete, self._step = True, self._begin
        if plain:
            yield plain


def _may_have_extra(head: bytes) -> bool:
    """Whether a header that is not all there yet may turn out to be one of ours."""
    return len(head) < 4 or bool(head[3] & 4)


def _compressed(level: int, piece: Block, last: bool) -> bytes:
    body = isal_zlib.compress(piece, level, RAW)
    size = SIZE.pack(len(body) + OVERHEAD, last)
    return b"".join((HEAD, size, body, TRAILER.pack(isal_zlib.crc32(piece), len(piece))))


def _decompressed(member: bytes, offset: int) -> bytes:
    checksum, size = TRAILER.unpack_from(member, len(member) - TRAILER.size)
    body = memoryview(member)[len(HEAD) + SIZE.size : -TRAILER.size]
    if size > LARGEST_MEMBER:
        raise corrupt("a gzip member is damaged", offset)
    stream = isal_zlib.decompressobj(RAW)
    try:
        plain = stream.decompress(body, size + 1)  # one more than may come, so that too much is noticed
    except isal_zlib.IsalError:  # type: ignore[misc]  # its stub says instance
        raise corrupt("a gzip member is damaged", offset) from None
    whole = stream.eof and not stream.unused_data and len(plain) == size
    if not whole or isal_zlib.crc32(plain) != checksum:
        raise corrupt("a gzip member is damaged", offset)
    return plain
