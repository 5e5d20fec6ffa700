"""The parts of rsync's delta: sums as rsync computes them, and the search for blocks that the far side has."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from python_rules.engine.blocks import Block
from python_rules.engine.systems import rsync_delta as delta
from python_rules.engine.systems.rsync_wire import _literal, _varlong

SEED = b"seed"


def weak_sum(block: bytes) -> int:
    """rsync's get_checksum1, byte by byte."""
    low = high = 0
    for byte in block:
        low += byte - 256 if byte > 127 else byte
        high += low
    return (low & 0xFFFF) | (high & 0xFFFF) << 16


def tokens(old: bytes, new: bytes, step: int) -> tuple[int, list[Block | int]]:
    """What is sent of a new version, in steps of so many bytes, and the length of a block."""
    digest, cut = delta.strong(SEED, True), delta.head(len(old))
    search = delta.Search(delta.Blocks(cut, delta.sums(old, cut, digest), digest))

    def found() -> Iterator[Block | int]:
        for start in range(0, len(new), step):
            yield from search.feed(new[start : start + step])
        yield from search.finish()

    return cut.length, list(found())


def built(old: bytes, length: int, parts: list[Block | int]) -> bytes:
    """What the far side makes of it."""
    return b"".join(old[part * length :][:length] if isinstance(part, int) else bytes(part) for part in parts)


def lacking(parts: list[Block | int]) -> int:
    return sum(len(part) for part in parts if not isinstance(part, int))


def test_weak_sums_are_rsyncs() -> None:
    """Of whole blocks and at every offset, also of bytes that are negative there."""
    data = random.Random(1).randbytes(3000) + b"\xff" * 2000

    assert delta.weak(data, 700).tolist() == [weak_sum(data[n * 700 : (n + 1) * 700]) for n in range(7)]
    assert delta.rolling(data, 700).tolist() == [weak_sum(data[n : n + 700]) for n in range(4301)]


@pytest.mark.parametrize("step", [999, 65_536, 1 << 22])
def test_any_edit_is_put_together_again(step: int) -> None:
    """Insertions, removals, repetitions, files of one byte over and over, and shorter ones than a block."""
    chosen = random.Random(step)
    for number in range(25):
        size = chosen.choice([1, 699, 700, 701, 50_000, 150_003])
        old = chosen.randbytes(size) if number % 5 else bytes(size)
        new = bytearray(old)
        for _ in range(chosen.randrange(4)):
            start = chosen.randrange(len(new) + 1)
            new[start : start + chosen.randrange(2000)] = chosen.choice([chosen.randbytes(1500), old[:9000], b""])
        length, parts = tokens(old, bytes(new), step)
        assert built(old, length, parts) == new


def test_what_is_there_is_not_sent() -> None:
    """The same file costs nothing; a byte put in costs a block or two; a removed start nothing but one."""
    old = random.Random(2).randbytes(500_003)
    for new, most in (
        (old, 0),
        (old[:250_000] + b"x" + old[250_000:], 1500),
        (old[1:], 800),
        (old[300_000:] + old[:300_000], 2500),
    ):
        length, parts = tokens(old, new, 65_536)
        assert built(old, length, parts) == new
        assert lacking(parts) <= most


@pytest.mark.parametrize(
    ("size", "sent"),
    [
        (0, "000000"),
        (0x7FFFFF, "7fffff"),
        (0x800000, "80000080"),
        (0x3FFFFFFF, "bfffffff"),
        (0x40000000, "c000000040"),
        (5 << 32, "c50000 0000".replace(" ", "")),
        (1 << 40, "e1 000000 0000".replace(" ", "")),
    ],
)
def test_sizes_are_sent_as_rsync_writes_them(size: int, sent: str) -> None:
    """Three bytes, and one more for each bit that is set at the start of the first."""
    assert _varlong(size).hex() == sent


def test_wildcards_are_taken_as_they_are() -> None:
    """A backslash goes before them, and before itself only in a name that has some."""
    assert _literal(b"/a*b/c\\d/[x]?\\") == b"/a\\*b/c\\d/\\[x]\\?\\\\"
