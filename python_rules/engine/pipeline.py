"""One pass over an object: read, hash, encode, hash, write, each in a thread of its own, in constant memory.

Every stage hands blocks to the next over a queue of one or two, so the slowest one sets the pace and nothing
piles up. An error in any stage ends all of them and is raised by ``run``; no thread outlives the call.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from python_rules.engine.blocks import TRANSFER, Block, Buffers
from python_rules.engine.codec import Chain, Codec
from python_rules.engine.undoing import undone_by
from python_rules.engine.watch import UNWATCHED, Watch
from python_rules.jobs.errors import JobError

# How long a stage that waits goes without asking whether the job was cancelled, in seconds.
_PATIENCE = 0.2

# Bytes that are worth a write: what decoders give in whole segments is a little less than 4 MiB, and is not joined.
_ENOUGH = TRANSFER - TRANSFER // 64


class Source(Protocol):
    """Where plain or stored bytes come from."""

    def readinto(self, buffer: bytearray) -> int:
        """Fill the buffer from its start; the number of bytes, 0 at the end."""

    def interrupt(self) -> None:
        """Make a read that waits in another thread return or raise soon."""


class Sink(Protocol):
    """Where the result goes."""

    def write(self, block: Block) -> None:
        """Take all of a block."""


@dataclass(frozen=True)
class Passed:
    """What went through: sizes in bytes, hashes as iRODS writes them (``sha2:`` and base64)."""

    read_size: int
    read_sha256: str
    written_size: int
    written_sha256: str


class Tally:
    """Hashes and counts the blocks that pass; ``limit`` is the most that may, in bytes."""

    def __init__(self, limit: int | None = None) -> None:
        self.size = 0
        self._limit = limit
        self._hash = hashlib.sha256()

    def over(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """The same blocks, counted."""
        for block in blocks:
            self.add(block)
            yield block

    def add(self, block: Block) -> None:
        """Count one block."""
        self.size += len(block)
        if self._limit is not None and self.size > self._limit:
            raise JobError(
                "verification_failed",
                f"there is more data than the {self._limit} bytes that were recorded",
                remedy="the object or its sluice:: metadata were changed",
            )
        self._hash.update(block)

    @property
    def sha256(self) -> str:
        """The hash in iRODS's form."""
        return "sha2:" + base64.b64encode(self._hash.digest()).decode()


def run(
    source: Source,
    codec: Codec,
    *sinks: Sink,
    size: int | None = None,
    limit: int | None = None,
    watch: Watch = UNWATCHED,
) -> Passed:
    """Pass a source through a codec into all sinks.

    ``size`` is how many bytes the source must give (JobError ``source_changed`` otherwise), ``limit`` the most that
    may come out (JobError ``verification_failed``). Errors of source, codec and sinks come through as they are.
    """
    if isinstance(codec, Chain) and codec.is_empty:  # it is hashed once
        read = written = Tally(limit)
    else:
        read, written = Tally(), Tally(limit)
    small = size is not None and size <= TRANSFER  # threads would cost more than they give
    stages: list[Callable[[Iterable[Block]], Iterable[Block]]] = [
        read.over,
        lambda blocks: gathered(coded(codec, blocks)),
    ]
    if written is not read:
        stages.append(written.over)
    reader = read_blocks(source, size, watch)
    with _staged(reader, stages, None if small else source.interrupt, watch) as results:
        for block in results:
            watch.check()
            for sink in sinks:
                sink.write(block)
            watch.advanced(0, len(block))
    return Passed(read.size, read.sha256, written.size, written.sha256)


def read_blocks(source: Source, size: int | None, watch: Watch) -> Iterator[Block]:
    """All of a source in blocks of up to 4 MiB; raises JobError ``source_changed`` unless it has ``size`` bytes."""
    buffers = Buffers(TRANSFER if size is None else max(1, min(TRANSFER, size + 1)))
    total = 0
    while True:
        watch.check()
        buffer = buffers.take()
        count = source.readinto(buffer)
        total += count
        if size is not None and (total > size or (not count and total < size)):
            raise _changed_source(total, size)
        if not count:
            return
        watch.advanced(count, 0)
        yield memoryview(buffer)[:count]
        if total == size and count < len(buffer):
            return  # less than was asked for: there is no more, and a small object needs no second round trip
        del buffer


def _changed_source(total: int, size: int) -> JobError:
    found = "more" if total > size else f"only {total}"
    return JobError(
        "source_changed",
        f"the source was listed with {size} bytes and has {found}",
        remedy="submit the job again when nobody writes to the source",
        offset=min(total, size),
    )


def coded(codec: Codec, blocks: Iterable[Block]) -> Iterator[Block]:
    """The blocks after the codec."""
    for block in blocks:
        yield from codec.feed(block)
    yield from codec.finish()


def gathered(pieces: Iterable[Block]) -> Iterator[Block]:
    """The same bytes in blocks of about 4 MiB: every write to a zone is a round trip."""
    parts: list[Block] = []
    held = 0
    for piece in pieces:
        parts.append(piece)
        held += len(piece)
        if held >= _ENOUGH:
            yield _joined(parts)
            parts, held = [], 0
    if held:
        yield _joined(parts)


def _joined(parts: list[Block]) -> Block:
    return parts[0] if len(parts) == 1 else b"".join(parts)


@contextmanager
def _staged(
    blocks: Iterable[Block],
    stages: list[Callable[[Iterable[Block]], Iterable[Block]]],
    interrupt: Callable[[], None] | None,
    watch: Watch,
) -> Iterator[Iterable[Block]]:
    """The stages chained; with ``interrupt`` each in its own thread, all of which end with the block."""
    threads: list[Ahead] = []
    for stage in [None, *stages]:
        blocks = stage(blocks) if stage else blocks
        if interrupt:
            threads.append(Ahead(blocks, watch))
            blocks = threads[-1]

    def stopped() -> None:
        if interrupt and threads[0].running:
            interrupt()

    try:
        with undone_by(stopped):
            yield blocks
    finally:
        for thread in threads:
            thread.abandon()
        for thread in threads:
            thread.join()


class _AbandonedError(Exception):
    """Ends the stages behind one that was abandoned; nobody sees it."""


class Ahead:
    """Iterates in a thread of its own, at most ``depth`` blocks ahead of whoever iterates over it."""

    def __init__(self, blocks: Iterable[Block], watch: Watch, depth: int = 1) -> None:
        self._blocks = blocks
        self._watch = watch
        self._depth = depth
        self._queue: deque[Block] = deque()
        self._error: BaseException | None = None
        self._ended = self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="stage", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the thread has still something to do."""
        return not self._ended

    def __iter__(self) -> Iterator[Block]:
        while (block := self._next()) is not None:
            yield block
            del block  # or this frame keeps a buffer busy while it waits for the next one

    def abandon(self) -> None:
        """Nobody wants more: the thread ends as soon as it notices, and so does whoever waits for its blocks."""
        with self._changed:
            self._closed = True
            self._queue.clear()
            self._changed.notify_all()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def _next(self) -> Block | None:
        with self._changed:
            while not self._queue and not self._ended:
                if not self._changed.wait(_PATIENCE):
                    self._watch.check()
                if self._closed:
                    raise _AbandonedError
            if self._queue:
                self._changed.notify_all()
                return self._queue.popleft()
        if self._error:
            raise self._error
        return None

    def _work(self) -> None:
        try:
            self._pass_on()
        except BaseException as error:  # noqa: BLE001  (raised again by the stage that iterates)
            self._error = error
        finally:
            if isinstance(self._blocks, Generator):
                self._blocks.close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _pass_on(self) -> None:
        for block in self._blocks:
            with self._changed:
                while len(self._queue) >= self._depth and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                self._queue.append(block)
                self._changed.notify_all()
            del block
