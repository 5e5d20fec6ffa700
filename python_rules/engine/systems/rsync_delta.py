"""What rsync's delta is made of: the two sums of a block, and the search for blocks that the far side has already.

The weak sum is two sums of 16 bits, as rsync computes them (of signed bytes); with prefix sums it is had for every
offset of a stretch at once. A block that has the weak sum of one of the far side's is compared by its MD5.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from python_rules.engine.blocks import Block
from python_rules.engine.systems.rsync_wire import LONGEST_BLOCK, Head
from python_rules.engine.systems.ssh_process import Lost

_SHORTEST = 700  # bytes of a block
_STRONG = 8  # bytes of MD5 that are sent: with the weak sum, more than any file needs
_FIRST_STRETCH, _LONGEST_STRETCH = 64 * 1024, 1 << 20  # offsets that are looked at together
_MOST_ALIKE = 16  # blocks of one weak sum that are compared; files of one byte over and over have many
_SPREAD = np.uint32(2654435761)

Weak = NDArray[np.uint32]
Strong = Callable[[Block], bytes]


def strong(seed: bytes, is_first: bool) -> Strong:
    """The MD5 of a block in a session with a seed."""

    def digest(block: Block) -> bytes:
        found = hashlib.md5(seed if is_first else b"", usedforsecurity=False)
        found.update(block)
        if not is_first:
            found.update(seed)
        return found.digest()

    return digest


def weak(data: Block, length: int) -> Weak:
    """The weak sums of all whole blocks of ``data``."""
    count = len(data) // length
    rows = np.frombuffer(data, np.int8, count * length).reshape(count, length)
    running = np.cumsum(rows, axis=1, dtype=np.uint16)
    return _joined(running[:, -1], running.sum(axis=1, dtype=np.uint16))


def rolling(data: Block, length: int) -> Weak:
    """The weak sums of the blocks at every offset of ``data`` that one begins at."""
    first = np.zeros(len(data) + 1, np.uint16)
    np.cumsum(np.frombuffer(data, np.int8), dtype=np.uint16, out=first[1:])
    second = np.zeros(len(data) + 1, np.uint16)
    np.cumsum(first[1:], dtype=np.uint16, out=second[1:])
    low = first[length:] - first[:-length]
    high = second[length:] - second[:-length] - np.uint16(length & 0xFFFF) * first[:-length]
    return _joined(low, high)


def head(size: int) -> Head:
    """How a file of a size is cut: into about as many blocks as a block has bytes."""
    length = min(LONGEST_BLOCK, max(_SHORTEST, isqrt(size) & ~7))
    return Head(-(-size // length), length, _STRONG, size % length)


def sums(data: Block, cut: Head, digest: Strong) -> bytes:
    """The sums of all blocks of ``data``, as they are sent; the last one may be short."""
    view, packed = memoryview(data), []
    for number, value in enumerate(weak(view, cut.length).tolist()):
        start = number * cut.length
        packed.append(struct.pack("<I", value) + digest(view[start : start + cut.length])[: cut.strong])
    if rest := view[len(view) - len(view) % cut.length :]:
        packed.append(weak(rest, len(rest)).tobytes() + digest(rest)[: cut.strong])
    return b"".join(packed)


class Blocks:
    """The blocks that the far side has, by their sums (``packed``: as they are received)."""

    def __init__(self, cut: Head, packed: bytes, digest: Strong) -> None:
        if len(packed) != cut.count * (4 + cut.strong):
            raise Lost("rsync sent too few sums")
        self.cut = cut
        self._digest = digest
        table = np.frombuffer(packed, np.dtype([("weak", "<u4"), ("strong", f"V{cut.strong}")]))
        self._strong = table["strong"]
        self._weak = table["weak"].astype(np.uint32)
        whole = self._weak[: cut.count - 1] if cut.remainder else self._weak
        self._order = np.argsort(whole, kind="stable")
        self._sorted = whole[self._order]
        bits = min(24, max(16, (16 * cut.count).bit_length()))
        self._shift = np.uint32(32 - bits)
        self._seen = np.zeros(1 << bits, np.bool_)
        self._seen[self._tags(whole)] = True
        self.whole = len(whole)

    def is_block(self, index: int, data: Block) -> bool:
        """Whether ``data`` is this block."""
        return bool(weak(data, len(data))[0] == self._weak[index]) and self._has(index, data)

    def run(self, index: int, data: Block) -> int:
        """How many blocks from one on are what ``data`` begins with."""
        view, length = memoryview(data), self.cut.length
        most = min(len(view) // length, self.whole - index)
        if most <= 0 or not self._has(index, view[:length]):
            return 0
        unlike = np.flatnonzero(weak(view[: most * length], length) != self._weak[index : index + most])
        most = int(unlike[0]) if len(unlike) else most
        for number in range(most):
            if not self._has(index + number, view[number * length : (number + 1) * length]):
                return number
        return most

    def first(self, data: Block, wanted: int) -> tuple[int, int] | None:
        """The first offset in ``data`` that a whole block begins at, and which one: the wanted one if several do."""
        found, view = rolling(data, self.cut.length), memoryview(data)
        offsets = np.flatnonzero(self._seen[self._tags(found)])  # with some others: a tag is a part of a sum
        begins = np.searchsorted(self._sorted, found[offsets])
        begins[begins == self.whole] = 0
        exact = self._sorted[begins] == found[offsets] if self.whole else np.zeros(0, np.bool_)
        for offset, begin in zip(offsets[exact].tolist(), begins[exact].tolist(), strict=True):
            alike = slice(begin, begin + _MOST_ALIKE)
            indices = self._order[alike][self._sorted[alike] == found[offset]].tolist()
            block = view[offset : offset + self.cut.length]
            for index in sorted(indices, key=lambda index: index != wanted):
                if self._has(index, block):
                    return offset, index
        return None

    def _has(self, index: int, data: Block) -> bool:
        return self._digest(data)[: self.cut.strong] == self._strong[index].tobytes()

    def _tags(self, values: Weak) -> Weak:
        return (values * _SPREAD) >> self._shift


class Search:
    """Turns a file, block by block, into what the far side lacks (bytes) and what it has (the index of a block)."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._length = blocks.cut.length
        self._rest: Block = b""  # what may begin a block that is not there yet
        self._next = 0  # the block that comes next, if the file goes on as the far side's does
        self._stretch = _FIRST_STRETCH

    def feed(self, block: Block) -> Iterator[Block | int]:
        """What is known of the file once this block has come."""
        data = memoryview(b"".join((self._rest, block)) if self._rest else block)
        at = sent = 0
        while len(data) - at >= self._length:
            if count := self._blocks.run(self._next, data[at:]):
                if at > sent:
                    yield data[sent:at]
                yield from range(self._next, self._next + count)
                self._next, at = self._next + count, at + count * self._length
                sent, self._stretch = at, _FIRST_STRETCH
            elif (found := self._blocks.first(data[at : at + self._length + self._stretch], self._next)) is not None:
                at, self._next = at + found[0], found[1]
            else:
                at += min(len(data) - at - self._length, self._stretch) + 1
                self._stretch = min(self._stretch * 2, _LONGEST_STRETCH)
        if at > sent:
            yield data[sent:at]
        self._rest = bytes(data[at:])

    def finish(self) -> Iterator[Block | int]:
        """The end of the file: only there the short last block may lie."""
        short, last = self._blocks.cut.remainder, self._blocks.cut.count - 1
        keep = len(self._rest) - short
        if short and keep >= 0 and self._blocks.is_block(last, self._rest[keep:]):
            if keep:
                yield self._rest[:keep]
            yield last
        elif self._rest:
            yield self._rest


def _joined(low: NDArray[np.uint16], high: NDArray[np.uint16]) -> Weak:
    joined = high.astype(np.uint32)
    joined <<= np.uint32(16)
    joined |= low
    return joined
