"""Byte ranges out of encoded data: right, cheap, and refused when damaged."""

from __future__ import annotations

import random

import pytest

from python_rules.engine.blocks import MIB
from python_rules.engine.keys import Key
from python_rules.engine.ranges import open_sealed
from python_rules.jobs.errors import JobError

from .conftest import made, through
from .test_engine_codecs import sample, tool

FORMATS = ["zstd", "aes256-gcm", "zstd+aes256-gcm"]


class Counted:
    """Bytes that count how many of them were read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)
        self.taken = 0

    def read(self, offset: int, length: int) -> bytes:
        found = self._data[offset : offset + length]
        self.taken += len(found)
        return found


def opened(name: str, stored: bytes, key: Key):
    """The plain data of a format's bytes."""
    return open_sealed(Counted(stored), key if "aes" in name else None)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("size", [0, 1, MIB - 57, MIB - 56, MIB - 55, MIB, 2 * MIB - 40, 5 * MIB + 7])
def test_any_range(name: str, size: int, workers, key: Key) -> None:
    """Ranges at, over and behind all edges are those of the plain data."""
    data = sample(size)
    ranges = opened(name, made(name, workers, key).encode(data), key)
    assert ranges.size == size
    chosen = random.Random(size)
    edges = [0, 1, size - 1, size, size + 5, MIB - 56, MIB, 2 * MIB, *(chosen.randrange(size + 1) for _ in range(9))]
    for offset in (edge for edge in edges if edge >= 0):
        for length in (0, 1, 100, MIB, 3 * MIB):
            assert ranges.read(offset, length) == data[offset : offset + length]


@pytest.mark.parametrize("name", FORMATS)
def test_a_range_costs_its_blocks(name: str, workers, key: Key) -> None:
    """1 MiB out of 40 MiB reads at most three blocks, and the end once for the table or the seal."""
    stored = Counted(made(name, workers, key).encode(random.Random(1).randbytes(40 * MIB)))
    ranges = open_sealed(stored, key if "aes" in name else None)
    at_opening = stored.taken
    assert at_opening <= 2.1 * MIB
    assert len(ranges.read(20 * MIB + 123, MIB)) == MIB
    assert stored.taken - at_opening <= 4 * MIB


@pytest.mark.parametrize("name", FORMATS)
def test_damage_and_cuts_are_refused(name: str, workers, key: Key) -> None:
    """What holds a flipped bit is not given out; data without their end are not opened at all."""
    data = sample(4 * MIB)
    stored = made(name, workers, key).encode(data)
    damaged = bytearray(stored)
    damaged[len(stored) // 2] ^= 1
    with pytest.raises(JobError, match="at byte"):
        opened(name, bytes(damaged), key).read(0, len(data))
    for end in (0, 10, len(stored) // 2, len(stored) - 1, *range(MIB, len(stored), MIB)):
        assert plain_size(name, stored[:end], key) != len(data)


def plain_size(name: str, stored: bytes, key: Key) -> int | None:
    """The size of the plain data; None if they are not opened. Only a zstd stream cut to nothing is: as plain data."""
    try:
        return opened(name, stored, key).size
    except JobError:
        return None


def test_a_stream_without_a_table(key: Key) -> None:
    """What stock zstd writes has to be read from its start, and the error says so."""
    with pytest.raises(JobError, match="no seek table") as caught:
        open_sealed(Counted(tool("zstd -c", sample(1000))))
    assert caught.value.code == "wrong_encoding"


def test_the_wrong_key(workers, key: Key) -> None:
    """It opens nothing."""
    stored = through(made("aes256-gcm", workers, key).encoder(), b"text")
    with pytest.raises(JobError, match="not the right one"):
        open_sealed(Counted(stored), Key("other", 1, bytes(32)))
