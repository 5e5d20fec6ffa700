"""What the engine's unit tests share: workers, a key, every codec and chain, sources and sinks in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from python_rules.engine.codec import Chain, Codec
from python_rules.engine.codec.table import COMPRESSIONS
from python_rules.engine.keys import Key
from python_rules.engine.parallel import Workers
from python_rules.engine.seal.table import ENCRYPTIONS

AUTHENTICATED = [name for name, method in ENCRYPTIONS.items() if method.authenticated]
CHAINS = [*COMPRESSIONS, *AUTHENTICATED, *(f"{c}+{e}" for c in COMPRESSIONS for e in AUTHENTICATED)]


class Format(NamedTuple):
    """A method or chain of methods both ways."""

    name: str
    encoder: Callable[[], Codec]
    decoder: Callable[[], Codec]

    def encode(self, data: bytes) -> bytes:
        return through(self.encoder(), data)

    def decode(self, data: bytes, step: int = 1 << 22) -> bytes:
        return through(self.decoder(), data, step)


class MemorySource:
    """A pipeline's source over bytes; ``fails_at`` raises OSError there."""

    def __init__(self, data: bytes, fails_at: int | None = None) -> None:
        self._data = memoryview(data)
        self._at = 0
        self._fails_at = fails_at

    def readinto(self, buffer: bytearray) -> int:
        if self._fails_at is not None and self._at >= self._fails_at:
            raise OSError("the source broke")
        count = min(len(buffer), len(self._data) - self._at)
        buffer[:count] = self._data[self._at : self._at + count]
        self._at += count
        return count

    def interrupt(self) -> None:
        return


class MemorySink:
    """A pipeline's sink; raises OSError once it holds ``room`` bytes."""

    def __init__(self, room: int | None = None) -> None:
        self.data = bytearray()
        self._room = room

    def write(self, block: bytes) -> None:
        self.data += block
        if self._room is not None and len(self.data) > self._room:
            raise OSError("no space left")


def through(codec: Codec, data: bytes, step: int = 1 << 22) -> bytes:
    """Data after a codec, fed in steps of so many bytes."""
    out = bytearray()
    for start in range(0, len(data), step):
        for piece in codec.feed(data[start : start + step]):
            out += piece
    for piece in codec.finish():
        out += piece
    return bytes(out)


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    with Workers(2) as made:
        yield made


@pytest.fixture(scope="session")
def key() -> Key:
    return Key("project", 1, os.urandom(32))


@pytest.fixture(params=CHAINS)
def chain(request: pytest.FixtureRequest, workers: Workers, key: Key) -> Format:
    return made(request.param, workers, key)


def made(name: str, workers: Workers, key: Key) -> Format:
    """The format of a name such as 'zstd+aes256-gcm'."""
    encoders: list[Callable[[], Codec]] = []
    decoders: list[Callable[[], Codec]] = []
    for method in name.split("+"):
        if method in COMPRESSIONS:
            row = COMPRESSIONS[method]
            encoders.append(lambda row=row: row.encoder(workers, 1))
            decoders.insert(0, lambda row=row: row.reader.decoder(workers))
        else:
            sealing = ENCRYPTIONS[method]
            encoders.append(lambda row=sealing: row.sealer(workers, key))
            decoders.insert(0, lambda row=sealing: row.opener(workers, key))
    return Format(
        name,
        lambda: Chain(*(make() for make in encoders)),
        lambda: Chain(*(make() for make in decoders)),
    )
