"""bgzf: the blocked gzip of genomics, as htslib's bgzip writes it.

Format: SAM specification, section 4.1: gzip members of at most 64 KiB with an extra field ``BC`` that holds the
member's size, closed by an empty member of 28 bytes; the end cannot be cut off unnoticed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from functools import partial

from isal import isal_zlib

from python_rules.engine.blocks import Block, Cutter, Window
from python_rules.engine.codec.damage import corrupt
from python_rules.engine.parallel import InOrder, Workers

HEAD = b"\x1f\x8b\x08\x04" + bytes(5) + b"\xff\x06\x00BC\x02\x00"  # up to the size, as htslib writes it
MAGIC = HEAD
SIZE = struct.Struct("<H")  # bytes of the whole member, less one
TRAILER = struct.Struct("<II")  # CRC-32 and size of the plain data
OVERHEAD = len(HEAD) + SIZE.size + TRAILER.size
PLAIN = 0xFF00  # htslib's own choice: what does not compress still fits
LARGEST = 0x10000
BATCH = 16 * PLAIN  # what one task compresses: 64 KiB alone would be mostly overhead
END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
RAW = -15


class Encoder:
    """Plain data in, bgzf members out."""

    def __init__(self, workers: Workers, level: int) -> None:
        self._cutter = Cutter(BATCH)
        self._batches = InOrder(workers, partial(_compressed, level))

    def feed(self, block: Block) -> Iterator[Block]:
        """As Codec.feed."""
        for piece in self._cutter.feed(block):
            yield from self._batches.add(piece)

    def finish(self) -> Iterator[Block]:
        """As Codec.finish."""
        yield from self._batches.last(self._cutter.rest())
        yield END


class Decoder:
    """bgzf members in, plain data out."""

    def __init__(self, workers: Workers) -> None:
        self._window = Window()
        self._batches = InOrder(workers, _decompressed)
        self._ended = False

    def feed(self, block: Block) -> Iterator[Block]:
        """As Codec.feed; yields at most about 1 MiB at a time."""
        self._window.feed(block)
        while size := self._whole_members():
            offset = self._window.offset
            yield from self._batches.add(self._window.take(size), offset)

    def finish(self) -> Iterator[Block]:
        """As Codec.finish."""
        yield from self._batches.rest()
        if len(self._window) or not self._ended:
            raise corrupt("the bgzf stream ends without its last block", self._window.offset + len(self._window))

    def _whole_members(self) -> int:
        """The bytes of the next members that are all there, enough of them to be worth a task."""
        size = plain = 0
        while plain < BATCH:
            head = self._window.peek(len(HEAD) + SIZE.size, size)
            if not HEAD.startswith(head[: len(HEAD)]):
                raise corrupt("this is not a bgzf block", self._window.offset + size)
            if len(head) < len(HEAD) + SIZE.size:
                break
            length = SIZE.unpack_from(head, len(HEAD))[0] + 1
            if length > len(self._window) - size:
                break
            self._ended = self._window.peek(length, size) == END
            size += length
            plain += LARGEST
        return size


def _compressed(level: int, batch: Block) -> bytes:
    view = memoryview(batch)
    return b"".join(_member(level, view[start : start + PLAIN]) for start in range(0, len(view), PLAIN))


def _member(level: int, piece: memoryview) -> bytes:
    body = isal_zlib.compress(piece, level, RAW)
    if len(body) + OVERHEAD > LARGEST:
        stored = zlib.compressobj(0, zlib.DEFLATED, RAW)
        body = stored.compress(piece) + stored.flush()
    size = SIZE.pack(len(body) + OVERHEAD - 1)
    return b"".join((HEAD, size, body, TRAILER.pack(isal_zlib.crc32(piece), len(piece))))


def _decompressed(members: bytes, offset: int) -> bytes:
    plain, start = [], 0
    while start < len(members):
        size = SIZE.unpack_from(members, start + len(HEAD))[0] + 1
        plain.append(_inflated(members[start : start + size], offset + start))
        start += size
    return b"".join(plain)


def _inflated(member: bytes, offset: int) -> bytes:
    if len(member) < OVERHEAD:
        raise corrupt("a bgzf block is damaged", offset)
    checksum, size = TRAILER.unpack_from(member, len(member) - TRAILER.size)
    if size > LARGEST:
        raise corrupt("a bgzf block is damaged", offset)
    stream = isal_zlib.decompressobj(RAW)
    try:
        plain = stream.decompress(member[len(HEAD) + SIZE.size : -TRAILER.size], size + 1)
    except isal_zlib.IsalError:  # type: ignore[misc]  # its stub says instance
        raise corrupt("a bgzf block is damaged", offset) from None
    if not stream.eof or stream.unused_data or len(plain) != size or isal_zlib.crc32(plain) != checksum:
        raise corrupt("a bgzf block is damaged", offset)
    return plain
