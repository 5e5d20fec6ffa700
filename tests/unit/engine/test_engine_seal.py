"""aes256-gcm against Google's own Tink, and what is done to sealed data."""

from __future__ import annotations

import itertools
import os

import pytest

from python_rules.engine.blocks import MIB
from python_rules.engine.keys import Key
from python_rules.engine.seal import tink as ours
from python_rules.jobs.errors import JobError

from .conftest import through


@pytest.fixture(scope="module")
def segments(workers, key: Key) -> list[bytes]:
    """The header and the segments of an object of four."""
    sealed = through(ours.Sealer(workers, key), os.urandom(3 * MIB + 100))
    edges = [0, ours.HEADER_SIZE, MIB, 2 * MIB, 3 * MIB, len(sealed)]
    return [sealed[begin:end] for begin, end in itertools.pairwise(edges)]


@pytest.mark.parametrize(
    "order",
    [
        [0, 1, 2, 3],
        [0, 1, 2],
        [0, 1],
        [0],
        [0, 1, 3, 2, 4],
        [0, 1, 2, 2, 3, 4],
        [0, 1, 3, 4],
        [0, 2, 3, 4],
        [0, 1, 2, 3, 4, 4],
        [0, 1, 2, 3, 4, 1],
        [1, 2, 3, 4],
    ],
)
def test_segments_out_of_place(order: list[int], segments: list[bytes], workers, key: Key) -> None:
    """Segments that are missing, swapped, repeated or appended are refused."""
    with pytest.raises(JobError) as caught:
        through(ours.Opener(workers, key), b"".join(segments[number] for number in order))
    assert caught.value.code == "corrupt_ciphertext"
    assert caught.value.offset is not None


def test_a_lost_end_is_told_apart(segments: list[bytes], workers, key: Key) -> None:
    """Data that end at the edge of a segment are said to have lost their end, there."""
    with pytest.raises(JobError, match=f"lost its end, at byte {2 * MIB}"):
        through(ours.Opener(workers, key), b"".join(segments[:3]))


def test_another_objects_header(segments: list[bytes], workers, key: Key) -> None:
    """The header of another object under the same key opens nothing."""
    other = through(ours.Sealer(workers, key), b"")[: ours.HEADER_SIZE]
    with pytest.raises(JobError, match="at byte 40"):
        through(ours.Opener(workers, key), other + b"".join(segments[1:]))


def test_the_wrong_key(segments: list[bytes], workers) -> None:
    """Another key opens nothing, and the error says that the key may be the reason."""
    with pytest.raises(JobError, match="key is not the right one"):
        through(ours.Opener(workers, Key("other", 1, os.urandom(32))), b"".join(segments))


def test_no_two_objects_are_sealed_alike(workers, key: Key) -> None:
    """The same data under the same key give other bytes each time."""
    assert through(ours.Sealer(workers, key), b"x") != through(ours.Sealer(workers, key), b"x")


def test_too_many_segments(key: Key) -> None:
    """The nonce's counter never wraps."""
    with pytest.raises(JobError, match="too large"):
        ours.nonce(bytes(7), 1 << 32, False)
