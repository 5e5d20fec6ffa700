"""Readers of what others compressed with bzip2, xz and lz4, so that users can migrate; Sluice does not write these."""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable, Iterator
from typing import Protocol, cast

import lz4.frame

from python_rules.engine.blocks import MIB, Block, Window
from python_rules.engine.codec.damage import corrupt
from python_rules.engine.parallel import Workers

BZIP2_MAGIC = b"BZh"
XZ_MAGIC = b"\xfd7zXZ\0"
LZ4_MAGIC = b"\x04\x22\x4d\x18"
XZ_MEMORY = 128 * MIB  # what `xz -9` needs to be read is 65 MiB
_STEP = 64 * 1024


class _Decompressor(Protocol):
    """What bz2 and lzma have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class Decoder:
    """One or several streams after each other, decoded in steps of at most 1 MiB."""

    def __init__(self, make: Callable[[], _Decompressor], name: str) -> None:
        self._make = make
        self._name = name
        self._window = Window()
        self._stream = make()
        self._started = 0  # offset of the stream under way
        self._any = False

    def feed(self, block: Block) -> Iterator[Block]:
        """As Codec.feed."""
        self._window.feed(block)
        while len(self._window) or not self._stream.needs_input:
            yield from self._decoded()

    def finish(self) -> Iterator[Block]:
        """As Codec.finish."""
        if self._any or not self._started:
            raise corrupt(f"the {self._name} stream ends in the middle", self._window.offset)
        yield from ()

    def _decoded(self) -> Iterator[Block]:
        data = self._window.take(_STEP) if self._stream.needs_input else b""
        self._any = True
        try:
            plain = self._stream.decompress(data, MIB)
        except (OSError, EOFError, lzma.LZMAError, MemoryError, RuntimeError):
            raise corrupt(f"the {self._name} stream is damaged, or is none", self._started) from None
        if self._stream.eof:
            self._window.give_back(self._stream.unused_data or b"")  # None in lz4
            self._started, self._any, self._stream = self._window.offset, False, self._make()
        if plain:
            yield plain


def bzip2(_workers: Workers) -> Decoder:
    """A decoder for bzip2."""
    return Decoder(bz2.BZ2Decompressor, "bzip2")


def xz(_workers: Workers) -> Decoder:
    """A decoder for xz; streams that need more than 128 MiB to be read are refused."""
    return Decoder(lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY), "xz")


def lz4_frames(_workers: Workers) -> Decoder:
    """A decoder for lz4's frame format."""
    return Decoder(lambda: cast(_Decompressor, lz4.frame.LZ4FrameDecompressor()), "lz4")
