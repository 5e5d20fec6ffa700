"""Codecs: compression methods, one file for each, and the table that names them.

A codec is two methods, ``feed`` and ``finish``; a chain of codecs is a codec.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from python_rules.engine.blocks import Block


class Codec(Protocol):
    """A streaming transform. What it holds back is bounded; what it yields at a time is bounded, bombs included."""

    def feed(self, block: Block) -> Iterator[Block]:
        """Take the next block of input (any size); yields output as it is ready. The block must stay unchanged."""

    def finish(self) -> Iterator[Block]:
        """End of input: yields the rest. A decoder raises JobError here if the input is not complete."""


class Chain:
    """Codecs one after the other: the output of each is the input of the next."""

    def __init__(self, *codecs: Codec) -> None:
        self._codecs = codecs

    @property
    def is_empty(self) -> bool:
        """Whether what comes out is what goes in."""
        return not self._codecs

    def feed(self, block: Block) -> Iterator[Block]:
        """As Codec.feed."""
        return self._feed(block, 0)

    def finish(self) -> Iterator[Block]:
        """As Codec.finish; every codec is finished after all that the codecs before it had to give."""
        for number, codec in enumerate(self._codecs):
            for piece in codec.finish():
                yield from self._feed(piece, number + 1)

    def _feed(self, block: Block, number: int) -> Iterator[Block]:
        if number == len(self._codecs):
            yield block
            return
        for piece in self._codecs[number].feed(block):
            yield from self._feed(piece, number + 1)
