"""The compression methods: a row here and a row in ``jobs/methods.py`` make one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from python_rules.engine.codec import Codec, bgzf, foreign, gzip, zstd
from python_rules.engine.parallel import Workers


class Reader(NamedTuple):
    """How a format is decompressed, the first bytes that its streams begin with, and what its names end with."""

    decoder: Callable[[Workers], Codec]
    magic: bytes
    suffix: str


class Compression(NamedTuple):
    """How a method compresses (at a level), and how it is read back."""

    encoder: Callable[[Workers, int], Codec]
    reader: Reader


COMPRESSIONS: dict[str, Compression] = {
    "zstd": Compression(zstd.Encoder, Reader(zstd.Decoder, zstd.MAGIC, ".zst")),
    "gzip": Compression(gzip.Encoder, Reader(gzip.Decoder, gzip.MAGIC, ".gz")),
    "bgzf": Compression(bgzf.Encoder, Reader(bgzf.Decoder, bgzf.MAGIC, ".gz")),
}

# What can be decompressed: our own methods, and what users bring.
READERS: dict[str, Reader] = {
    **{name: method.reader for name, method in COMPRESSIONS.items()},
    "bzip2": Reader(foreign.bzip2, foreign.BZIP2_MAGIC, ".bz2"),
    "xz": Reader(foreign.xz, foreign.XZ_MAGIC, ".xz"),
    "lz4": Reader(foreign.lz4_frames, foreign.LZ4_MAGIC, ".lz4"),
}


def recognised(start: bytes) -> str | None:
    """The method whose streams begin with these bytes; of several the one that says most."""
    fitting = [name for name, reader in READERS.items() if start.startswith(reader.magic)]
    return max(fitting, key=lambda name: len(READERS[name].magic), default=None)


def shrinkage(samples: list[bytes]) -> float:
    """The part of their size that samples shrink to with zstd's fastest level; 1 if there is nothing to shrink."""
    size = sum(map(len, samples))
    return sum(zstd.compressed_size(sample) for sample in samples) / size if size else 1.0
