"""The compression methods: a row here and a row in ``jobs/methods.py`` make one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from python_rules.engine.codec import Codec, gzip, zstd
from python_rules.engine.parallel import Workers


class Compression(NamedTuple):
    """How a method compresses (at a level) and reads back, and the first bytes that its streams begin with."""

    encoder: Callable[[Workers, int], Codec]
    decoder: Callable[[Workers], Codec]
    magic: bytes


COMPRESSIONS: dict[str, Compression] = {
    "zstd": Compression(zstd.Encoder, zstd.Decoder, zstd.MAGIC),
    "gzip": Compression(gzip.Encoder, gzip.Decoder, gzip.MAGIC),
}


def recognised(start: bytes) -> str | None:
    """The method whose streams begin with these bytes."""
    return next((name for name, method in COMPRESSIONS.items() if start.startswith(method.magic)), None)
