"""The pipeline: results, errors, cancellation, no thread left, bounded memory."""

from __future__ import annotations

import base64
import gc
import hashlib
import threading
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from python_rules.engine.blocks import MIB, Block, Buffers
from python_rules.engine.codec import Chain
from python_rules.engine.pipeline import run
from python_rules.engine.watch import Watch
from python_rules.jobs.errors import JobError

from .conftest import Format, MemorySink, MemorySource
from .test_engine_codecs import sample


class Endless:
    """A source that never ends, or waits for ever once it gave ``blocks``."""

    def __init__(self, blocks: int | None = None) -> None:
        self.left = blocks
        self._broken = threading.Event()

    def readinto(self, buffer: bytearray) -> int:
        if self.left == 0:
            self._broken.wait()
            raise OSError("interrupted")
        if self.left:
            self.left -= 1
        return len(buffer)

    def interrupt(self) -> None:
        self._broken.set()


class Broken:
    """A codec that fails at its n-th block."""

    def __init__(self, at: int) -> None:
        self._left = at

    def feed(self, block: Block) -> Iterator[Block]:
        self._left -= 1
        if self._left < 0:
            raise JobError("corrupt_compressed_data", "broken", offset=1)
        yield block

    def finish(self) -> Iterator[Block]:
        if self._left >= 0:
            raise JobError("corrupt_compressed_data", "broken at the end")
        yield b""


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "stage"]


def sha2(data: bytes) -> str:
    return "sha2:" + base64.b64encode(hashlib.sha256(data).digest()).decode()


@pytest.mark.parametrize("size", [0, 1, 4 * MIB, 4 * MIB + 1, 19 * MIB])
def test_both_ways(chain: Format, size: int) -> None:
    """Sizes and hashes are those of what was read and written, in small objects and large."""
    data = sample(size)
    stored, plain, copy = MemorySink(), MemorySink(), MemorySink()
    there = run(MemorySource(data), chain.encoder(), stored, copy, size=size)
    back = run(MemorySource(bytes(stored.data)), chain.decoder(), plain)
    assert plain.data == data
    assert copy.data == stored.data
    assert (there.read_size, there.read_sha256) == (size, sha2(data))
    assert (there.written_size, there.written_sha256) == (len(stored.data), sha2(bytes(stored.data)))
    assert (back.read_sha256, back.written_sha256) == (there.written_sha256, there.read_sha256)


@pytest.mark.parametrize(("given", "size"), [(0, 1), (5, 4), (4, 5), (9 * MIB, 8 * MIB), (8 * MIB, 9 * MIB)])
def test_a_source_that_shrinks_or_grows(given: int, size: int) -> None:
    """Another size than the listed one is an error with the offset."""
    with pytest.raises(JobError) as caught:
        run(MemorySource(bytes(given)), Chain(), MemorySink(), size=size)
    assert (caught.value.code, caught.value.offset) == ("source_changed", min(given, size))


def test_more_than_the_limit_is_not_written() -> None:
    """A decoder that gives more than was recorded is stopped."""
    sink = MemorySink()
    with pytest.raises(JobError, match="more data than"):
        run(MemorySource(bytes(20 * MIB)), Chain(), sink, limit=9 * MIB)
    assert len(sink.data) <= 9 * MIB


@pytest.mark.parametrize("size", [None, 10])
def test_errors_come_through(size: int | None) -> None:
    """Those of source, codec and sink, as they are."""
    data = bytes(30 * MIB if size is None else size)
    with pytest.raises(OSError, match="source broke"):
        run(MemorySource(data, fails_at=0 if size else 9 * MIB), Chain(), MemorySink(), size=size)
    with pytest.raises(OSError, match="no space"):
        run(MemorySource(data), Chain(), MemorySink(room=1), size=size)
    for at in (0, 2, 1000):
        with pytest.raises(JobError, match="broken"):
            run(MemorySource(data), Broken(at), MemorySink(), size=size)


def test_a_failing_sink_ends_an_endless_source() -> None:
    """Nothing hangs behind an error."""
    with pytest.raises(OSError, match="no space"):
        run(Endless(), Chain(), MemorySink(room=20 * MIB))


@pytest.mark.parametrize("blocks", [None, 0, 3])
def test_cancel(blocks: int | None) -> None:
    """It ends an endless source, and one that waits in a read for ever, within a second."""
    end = time.monotonic() + 0.3
    with pytest.raises(JobError) as caught:
        run(Endless(blocks), Chain(), MemorySink(), watch=Watch(cancelled=lambda: time.monotonic() > end))
    assert caught.value.code == "cancelled"
    assert time.monotonic() < end + 1


def test_progress_adds_up() -> None:
    """What was told as read and written is what there was."""
    told: list[tuple[int, int]] = []
    run(MemorySource(bytes(9 * MIB)), Chain(), MemorySink(), watch=Watch(advanced=lambda r, w: told.append((r, w))))
    assert (sum(r for r, _ in told), sum(w for _, w in told)) == (9 * MIB, 9 * MIB)


def test_buffers_are_used_again_only_when_nobody_has_them() -> None:
    """A view of a buffer keeps it busy; without one it is handed out again."""
    buffers = Buffers(16)
    first = buffers.take()
    view = memoryview(first)[:4]
    number = id(first)
    del first
    second = buffers.take()
    assert id(second) != number
    del view
    third = buffers.take()
    assert id(third) == number


def test_small_objects_take_little_memory(chain: Format) -> None:
    """A hundred of them, of which nothing waits for the garbage collector, fit in less than one large buffer."""
    data = sample(500)
    run(MemorySource(data), chain.encoder(), MemorySink(), size=len(data))  # what threads keep is there now
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(100):
            run(MemorySource(data), chain.encoder(), MemorySink(), size=len(data))
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()
        gc.enable()


def test_several_targets_in_one_pass(chain: Format) -> None:
    """Each sink gets all of the result, which is read, encoded and hashed once."""
    data, sinks = sample(9 * MIB), [MemorySink(), MemorySink(), MemorySink()]
    passed = run(MemorySource(data), chain.encoder(), *sinks, size=len(data))
    assert [sink.data for sink in sinks] == [sinks[0].data] * 3
    assert passed.written_size == len(sinks[0].data)
    assert chain.decode(bytes(sinks[0].data)) == data


def test_one_of_several_targets_breaks() -> None:
    """Nothing more is written to any of them."""
    whole = MemorySink()
    with pytest.raises(OSError, match="no space"):
        run(Endless(), Chain(), whole, MemorySink(room=9 * MIB))
    assert len(whole.data) <= 13 * MIB
