"""Byte ranges out of compressed and sealed data: what a range costs are the blocks that hold it."""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from typing import Protocol

from python_rules.engine.codec import zstd
from python_rules.engine.codec.damage import corrupt
from python_rules.engine.keys import Key
from python_rules.engine.seal import tink
from python_rules.jobs.errors import JobError


class Bytes(Protocol):
    """Anything that can be read at any place; a data object, a file, or what lies under an encoding."""

    @property
    def size(self) -> int:
        """Bytes in all."""

    def read(self, offset: int, length: int) -> bytes:
        """The bytes from ``offset``, fewer than ``length`` only at the end."""


def open_sealed(source: Bytes, key: Key | None = None) -> Bytes:
    """The plain data of an object sealed under ``key`` (None: not sealed) and compressed with zstd, or not.

    Raises JobError: ``corrupt_ciphertext``, ``corrupt_compressed_data``, or ``wrong_encoding`` for a zstd stream
    without a seek table, which can only be read from its start.
    """
    opened = TinkRanges(source, key) if key else source
    return ZstdRanges(opened) if opened.read(0, len(zstd.MAGIC)) == zstd.MAGIC else opened


class TinkRanges:
    """The plain data of aes256-gcm; its end is checked when it is opened, so that nothing can be cut off."""

    def __init__(self, stored: Bytes, key: Key) -> None:
        self._stored = stored
        header = stored.read(0, tink.HEADER_SIZE)
        if len(header) < tink.HEADER_SIZE or header[0] != tink.HEADER_SIZE:
            raise tink.corrupt("this is not sealed data", 0)
        self._aead = tink.derived(key, header[1 : 1 + tink.SALT_SIZE])
        self._prefix = header[1 + tink.SALT_SIZE :]
        self._segments = max(1, -(-stored.size // tink.SEGMENT))
        self._kept = (-1, b"")  # the segment that was read last
        self.size = max(0, stored.size - tink.HEADER_SIZE - tink.TAG_SIZE * self._segments)
        self._segment(self._segments - 1)

    def read(self, offset: int, length: int) -> bytes:
        """As Bytes.read."""
        end = min(offset + length, self.size)
        parts: list[bytes] = []
        while offset < end:
            # The header takes its place in the first segment, so plain offsets are those of full segments less it.
            number, start = divmod(offset + tink.HEADER_SIZE, tink.SEGMENT - tink.TAG_SIZE)
            start -= 0 if number else tink.HEADER_SIZE
            parts.append(self._segment(number)[start : start + end - offset])
            offset += len(parts[-1])
        return b"".join(parts)

    def _segment(self, number: int) -> bytes:
        if self._kept[0] != number:
            offset = tink.segment_offset(number)
            sealed = self._stored.read(offset, (number + 1) * tink.SEGMENT - offset)
            last = number == self._segments - 1
            self._kept = (number, tink.opened(self._aead, self._prefix, number, last, sealed))
        return self._kept[1]


class ZstdRanges:
    """The plain data of a zstd stream with a seek table."""

    def __init__(self, stored: Bytes) -> None:
        self._stored = stored
        self._starts, self._plain_starts = _frames(stored)  # where each frame begins; the last one is the end
        self._kept = (-1, b"")
        self.size = self._plain_starts[-1]

    def read(self, offset: int, length: int) -> bytes:
        """As Bytes.read."""
        end = min(offset + length, self.size)
        parts: list[bytes] = []
        while offset < end:
            number = bisect_right(self._plain_starts, offset) - 1
            start = offset - self._plain_starts[number]
            parts.append(self._frame(number)[start : start + end - offset])
            offset += len(parts[-1])
        return b"".join(parts)

    def _frame(self, number: int) -> bytes:
        if self._kept[0] != number:
            start, end = self._starts[number : number + 2]
            plain = zstd.decompressed(self._stored.read(start, end - start), start)
            if len(plain) != self._plain_starts[number + 1] - self._plain_starts[number]:
                raise corrupt("a zstd frame is not as long as the seek table says", start)
            self._kept = (number, plain)
        return self._kept[1]


def _frames(stored: Bytes) -> tuple[array[int], array[int]]:
    """Where frames begin in the stored and in the plain data, from the seek table at the end."""
    footer = stored.read(max(0, stored.size - zstd.FOOTER.size), zstd.FOOTER.size)
    if len(footer) < zstd.FOOTER.size or not footer.endswith(struct.pack("<I", zstd.SEEKABLE_MAGIC)):
        raise JobError("wrong_encoding", "the zstd stream has no seek table", remedy="decompress it as a whole")
    count, descriptor, _ = zstd.FOOTER.unpack(footer)
    each = (zstd.CHECKED_ENTRY if descriptor & zstd.CHECKSUMS else zstd.ENTRY).size
    begin = stored.size - zstd.FOOTER.size - count * each - 8
    head = struct.pack("<II", zstd.SEEK_TABLE, count * each + zstd.FOOTER.size)
    if begin < 0 or stored.read(begin, 8) != head:
        raise corrupt("the seek table is damaged", max(0, begin))
    starts, plain = array("Q", [0]), array("Q", [0])
    table = stored.read(begin + 8, count * each)
    for compressed_size, plain_size in (zstd.ENTRY.unpack_from(table, at) for at in range(0, len(table), each)):
        starts.append(starts[-1] + compressed_size)
        plain.append(plain[-1] + plain_size)
    if starts[-1] != begin or any(
        size > zstd.INDEPENDENT for size in (after - before for before, after in zip(plain, plain[1:], strict=False))
    ):
        raise corrupt("the seek table does not fit the frames before it", begin)
    return starts, plain
