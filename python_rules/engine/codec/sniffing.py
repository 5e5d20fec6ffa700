"""A decoder that sees by the first bytes what it is to decode."""

from __future__ import annotations

from collections.abc import Iterator

from python_rules.engine.blocks import Block
from python_rules.engine.codec import Chain, Codec
from python_rules.engine.codec.table import READERS, recognised
from python_rules.engine.parallel import Workers

_ENOUGH = max(len(reader.magic) for reader in READERS.values())


class Sniffing:
    """Decompresses what is recognised, passes on what is not; ``found`` is the method."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._begin = b""
        self._codec: Codec | None = None
        self.found: str | None = None

    def feed(self, block: Block) -> Iterator[Block]:
        """As Codec.feed."""
        if self._codec is None:
            self._begin += bytes(block)
            if len(self._begin) < _ENOUGH:
                return
            block, codec = self._begin, self._chosen()
        else:
            codec = self._codec
        yield from codec.feed(block)

    def finish(self) -> Iterator[Block]:
        """As Codec.finish."""
        if self._codec is None:
            codec = self._chosen()
            yield from codec.feed(self._begin)
        yield from (self._codec or codec).finish()

    def _chosen(self) -> Codec:
        self.found = recognised(self._begin)
        self._codec = READERS[self.found].decoder(self._workers) if self.found else Chain()
        return self._codec
