"""zstd: independent frames and a seek table.

Format: RFC 8878 frames of at most 1 MiB of plain data, each with its content size and checksum, then the seek
table of facebook/zstd contrib/seekable_format (a skippable frame that every zstd reader passes over).
"""

from __future__ import annotations

import hashlib
import struct
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple, cast

import zstandard

from python_rules.engine.blocks import MIB, Block, Cutter, Window
from python_rules.engine.codec.damage import corrupt
from python_rules.engine.parallel import InOrder, Workers

MAGIC = b"\x28\xb5\x2f\xfd"
SKIPPABLE = range(0x184D2A50, 0x184D2A60)
SEEK_TABLE = 0x184D2A5E
SEEKABLE_MAGIC = 0x8F92EAB1
PZSTD = (0x184D2A50, 4)  # pzstd puts the size of the next frame before it; any other kind may be a flipped bit
ENTRY = struct.Struct("<II")  # compressed size, plain size; ours also have the frame's own checksum (4 bytes)
CHECKED_ENTRY = struct.Struct("<II4s")
FOOTER = struct.Struct("<IBI")  # number of frames, descriptor, magic
CHECKSUM_SIZE = 4
CHECKSUMS = 0x80  # descriptor: the entries hold checksums as well

# One range of 1 MiB then costs at most two frames; 4 MiB would be 1.6% smaller (Python sources, level 3).
FRAME = MIB
# Frames up to this size are decoded side by side, larger ones block by block, so that memory stays bounded.
INDEPENDENT = 8 * MIB
BLOCK_LIMIT = 128 * 1024  # RFC 8878 3.1.1.2.4: no block of any frame gives more

_contexts = threading.local()


class Encoder:
    """Plain data in, a seekable zstd stream out."""

    def __init__(self, workers: Workers, level: int) -> None:
        self._cutter = Cutter(FRAME)
        self._frames = InOrder(workers, partial(_compressed, level))
        self._table = bytearray()

    def feed(self, block: Block) -> Iterator[Block]:
        """As Codec.feed."""
        for piece in self._cutter.feed(block):
            yield from map(self._noted, self._frames.add(piece))

    def finish(self) -> Iterator[Block]:
        """As Codec.finish: the last frame and the seek table."""
        yield from map(self._noted, self._frames.last(self._cutter.rest()))
        footer = FOOTER.pack(len(self._table) // CHECKED_ENTRY.size, CHECKSUMS, SEEKABLE_MAGIC)
        yield struct.pack("<II", SEEK_TABLE, len(self._table) + len(footer))
        yield bytes(self._table)
        yield footer

    def _noted(self, frame: tuple[bytes, int]) -> bytes:
        # A frame ends in the low half of its XXH64, which is what the table wants; so frames cannot change places.
        self._table += CHECKED_ENTRY.pack(len(frame[0]), frame[1], frame[0][-CHECKSUM_SIZE:])
        return frame[0]


class Decoder:
    """Any zstd stream in (also of several frames, with or without a seek table), plain data out."""

    def __init__(self, workers: Workers) -> None:
        self._window = Window()
        self._frames = InOrder(workers, decompressed)
        self._step: Callable[[], Iterator[Block] | None] = self._begin
        self._end = b""  # the last bytes of a large frame
        self._scanned = 0  # bytes of the frame under way whose block headers were followed
        self._frame = _NO_FRAME
        self._started = 0  # offset of the frame under way
        self._stream = zstandard.ZstdDecompressor().decompressobj()
        self._plain = 0
        self._left = 0  # bytes of a skippable frame that are still to come
        self._met = _Met()
        self._told = hashlib.blake2b()
        self._any = False

    def feed(self, block: Block) -> Iterator[Block]:
        """As Codec.feed; yields at most 8 MiB at a time."""
        self._window.feed(block)
        while (pieces := self._step()) is not None:
            yield from pieces

    def finish(self) -> Iterator[Block]:
        """As Codec.finish."""
        yield from self._frames.rest()
        if self._step != self._begin or len(self._window) or not self._any:
            raise corrupt("the zstd stream ends in the middle", self._window.offset + len(self._window))

    def _begin(self) -> Iterator[Block] | None:
        """At the start of a frame: see which kind it is."""
        head = self._window.peek(18)
        if len(head) < 4:
            return None
        self._started = self._window.offset
        if head[:4] == MAGIC:
            return self._begin_frame(head)
        if int.from_bytes(head[:4], "little") in SKIPPABLE:
            return self._begin_skippable(head)
        raise corrupt("this is not a zstd frame", self._started)

    def _begin_frame(self, head: bytes) -> Iterator[Block] | None:
        frame = _frame_header(head, self._started)
        if frame is None:
            return None
        self._frame, self._scanned, self._plain, self._any = frame, frame.header_size, 0, True
        # python-zstandard does not look at a frame that says it is empty, so that takes the other way.
        if frame.plain_size and frame.plain_size <= INDEPENDENT:
            self._step = self._whole_frame
            return iter(())
        self._stream = zstandard.ZstdDecompressor().decompressobj()
        self._step = self._next_block
        return self._through(self._window.take(frame.header_size))

    def _whole_frame(self) -> Iterator[Block] | None:
        """Wait until the whole of a small frame is there, then have it decoded beside others."""
        while (block := self._window.peek(3, self._scanned)) and len(block) == 3:
            last, stored = _block_header(block)
            self._scanned += 3 + stored
            if self._scanned > INDEPENDENT + MIB:
                raise corrupt("a zstd frame is larger than it may be", self._started)
            if last:
                self._step = self._end_of_whole_frame
                return iter(())
        return None

    def _end_of_whole_frame(self) -> Iterator[Block] | None:
        size = self._scanned + 4 * self._frame.checksum
        if len(self._window) < size:
            return None
        frame = self._window.take(size)
        self._met.note(frame, size, self._frame.plain_size or 0, self._frame.checksum)
        self._step = self._begin
        return self._frames.add(frame, self._started)

    def _next_block(self) -> Iterator[Block] | None:
        """Decode one block of a large frame: the block's own limit bounds what comes out."""
        block = self._window.peek(3)
        if len(block) < 3:
            return None
        last, stored = _block_header(block)
        size = 3 + stored + 4 * (last and self._frame.checksum)
        if len(self._window) < size:
            return None
        self._scanned += size
        data = self._window.take(size)
        if last:
            self._step, self._end = self._end_of_stream, data[-CHECKSUM_SIZE:]
        return self._through(data)

    def _end_of_stream(self) -> Iterator[Block]:
        if not self._stream.eof:
            raise corrupt("a zstd frame is damaged", self._started)
        self._met.note(self._end, self._scanned, self._plain, self._frame.checksum)
        self._step = self._begin
        return iter(())

    def _through(self, data: bytes) -> Iterator[Block]:
        yield from self._frames.rest()
        try:
            plain = self._stream.decompress(data)
        except zstandard.ZstdError:
            raise corrupt("a zstd frame is damaged", self._started) from None
        self._plain += len(plain)
        if plain:
            yield plain

    def _begin_skippable(self, head: bytes) -> Iterator[Block] | None:
        if len(head) < 8:
            return None
        magic, size = struct.unpack_from("<II", head)
        self._window.take(8)
        self._left = size
        if (magic, size) == PZSTD:
            self._step = self._skip
        elif magic != SEEK_TABLE:
            raise corrupt("the zstd stream has a frame of an unknown kind", self._started)
        elif size not in self._met.table_sizes():
            raise corrupt("the seek table does not fit the frames before it", self._started)
        else:
            self._told = hashlib.blake2b()
            self._step = self._read_table
        return iter(())

    def _skip(self) -> Iterator[Block] | None:
        """Pass over what pzstd tells about its next frame."""
        self._left -= len(self._window.take(min(self._left, len(self._window))))
        if self._left:
            return None
        self._step = self._begin
        return iter(())

    def _read_table(self) -> Iterator[Block] | None:
        if self._left > FOOTER.size:
            entries = self._window.take(min(self._left - FOOTER.size, len(self._window)))
            self._told.update(entries)
            self._left -= len(entries)
            return iter(()) if entries else None
        if len(self._window) < FOOTER.size:
            return None
        if not self._met.are(FOOTER.unpack(self._window.take(FOOTER.size)), self._told.digest()):
            raise corrupt("the seek table does not fit the frames before it", self._started)
        self._met, self._step, self._any = _Met(), self._begin, True  # a table of no frames: empty data
        return iter(())


class _Met:
    """The frames since the last seek table: how many, and what their entries must be, with checksums and without."""

    def __init__(self) -> None:
        self._count = 0
        self._plain, self._checked = hashlib.blake2b(), hashlib.blake2b()

    def note(self, end: bytes, stored: int, plain: int, has_checksum: bool) -> None:
        """A frame that ends in ``end``."""
        self._count += 1
        # A frame of 4 GiB or more has no place in a seek table; no table can follow it.
        sizes = stored & 0xFFFFFFFF, plain & 0xFFFFFFFF
        self._plain.update(ENTRY.pack(*sizes))
        self._checked.update(CHECKED_ENTRY.pack(*sizes, end[-CHECKSUM_SIZE:]) if has_checksum else b"?")

    def table_sizes(self) -> tuple[int, int]:
        """How large the table may be, with its footer."""
        return self._count * ENTRY.size + FOOTER.size, self._count * CHECKED_ENTRY.size + FOOTER.size

    def are(self, footer: tuple[int, int, int], table: bytes) -> bool:
        """Whether a table with this footer and hash is of these frames."""
        expected = {0: self._plain, CHECKSUMS: self._checked}.get(footer[1])
        return footer[::2] == (self._count, SEEKABLE_MAGIC) and expected is not None and expected.digest() == table


class _Frame(NamedTuple):
    header_size: int
    plain_size: int | None
    checksum: bool


_NO_FRAME = _Frame(0, None, False)


def _frame_header(head: bytes, offset: int) -> _Frame | None:
    """What a frame's header tells (RFC 8878 3.1.1.1), None if it is not all there yet."""
    if len(head) < 5:
        return None
    descriptor = head[4]
    if descriptor & 0x18:  # 'unused' and 'reserved': no writer sets them, so this is a flipped bit
        raise corrupt("the header of a zstd frame is damaged", offset)
    single = bool(descriptor & 0x20)
    start = 5 + (not single) + (0, 1, 2, 4)[descriptor & 3]
    length = (int(single), 2, 4, 8)[descriptor >> 6]
    if len(head) < start + length:
        return None
    size = int.from_bytes(head[start : start + length], "little") + (256 if length == 2 else 0)
    return _Frame(start + length, size if length else None, bool(descriptor & 4))


def _block_header(header: bytes) -> tuple[bool, int]:
    """Whether a block is its frame's last, and how many bytes follow (RFC 8878 3.1.1.2)."""
    value = int.from_bytes(header, "little")
    run_length = (value >> 1) & 3 == 1
    return bool(value & 1), 1 if run_length else value >> 3


def compressed_size(sample: bytes) -> int:
    """Bytes that a sample takes at the fastest level."""
    return len(_compressor(1).compress(sample))


def _compressed(level: int, piece: Block) -> tuple[bytes, int]:
    """One frame of a piece, and the piece's size."""
    return _compressor(level).compress(piece), len(piece)


def decompressed(frame: bytes, offset: int) -> bytes:
    """The plain data of one whole frame, which says how much that is."""
    try:
        return _decompressor().decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError:
        raise corrupt("a zstd frame is damaged", offset) from None


def _compressor(level: int) -> zstandard.ZstdCompressor:
    """This thread's compressor: making one costs more than compressing a small object."""
    known: dict[Any, zstandard.ZstdCompressor] = vars(_contexts)
    if level not in known:
        # A window of one frame at every level: each frame is then a single segment, whose header has no bit
        # that could flip unnoticed, and matches reach over the whole frame at the low levels too.
        parameters = zstandard.ZstdCompressionParameters.from_level(
            level, source_size=FRAME, window_log=20, write_checksum=True, write_content_size=True
        )
        known[level] = zstandard.ZstdCompressor(compression_params=parameters)
    return known[level]


def _decompressor() -> zstandard.ZstdDecompressor:
    """This thread's decompressor."""
    if not hasattr(_contexts, "decompressor"):
        _contexts.decompressor = zstandard.ZstdDecompressor()
    return cast(zstandard.ZstdDecompressor, _contexts.decompressor)
