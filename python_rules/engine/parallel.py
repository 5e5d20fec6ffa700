"""Work in several cores, results in order: what the codecs use to compress and seal blocks side by side."""

from __future__ import annotations

import ctypes
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

# glibc's mallopt: freed memory up to these sizes (bytes) is kept for the next block. Without it every block of a codec
# is fresh memory, whose page faults cost up to a fifth of the processor time.
_M_TRIM_THRESHOLD, _KEPT = -1, 128 << 20
_M_MMAP_THRESHOLD, _LARGEST_KEPT = -3, 32 << 20


class Workers:
    """The threads that transform blocks, shared by every object that a process works on.

    The C libraries behind the codecs give up the interpreter lock while they work, so threads use all cores.
    """

    def __init__(self, threads: int = 0) -> None:
        self.threads = threads or len(os.sched_getaffinity(0))
        _keep_freed_memory()
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="codec")

    def submit(self, work: Callable[..., T], *arguments: object) -> Future[T]:
        """Have a thread do it; the result comes with the future."""
        return self._pool.submit(work, *arguments)

    def close(self) -> None:
        """Drop what has not begun, wait for what has."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class InOrder(Generic[T]):
    """Hands blocks to the workers and gives the results back in the order of the blocks.

    At most ``ahead`` blocks are under way, so memory stays bounded; two for each thread keep all of them busy
    while the results of the eldest are written.
    """

    def __init__(self, workers: Workers, work: Callable[..., T], ahead: int = 0) -> None:
        self._workers = workers
        self._work = work
        self._ahead = ahead or 2 * workers.threads
        self._pending: deque[Future[T]] = deque()

    def add(self, *arguments: object) -> Iterator[T]:
        """Begin one more block; gives the results that had to be awaited to make room for it."""
        self._pending.append(self._workers.submit(self._work, *arguments))
        while self._pending and (len(self._pending) > self._ahead or self._pending[0].done()):
            yield self._pending.popleft().result()

    def last(self, *arguments: object) -> Iterator[T]:
        """The last block, which this thread works on itself: a small object has no other. Gives all results."""
        own: Future[T] = Future()
        try:
            own.set_result(self._work(*arguments))
        except BaseException as error:  # noqa: BLE001  (raised in its turn: an earlier block's error comes first)
            own.set_exception(error)
        self._pending.append(own)
        yield from self.rest()

    def rest(self) -> Iterator[T]:
        """The results of everything that is still under way."""
        while self._pending:
            yield self._pending.popleft().result()

    def drop(self) -> None:
        """Forget what is under way: its results are not wanted any more."""
        while self._pending:
            self._pending.popleft().cancel()


def _keep_freed_memory() -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries than glibc have none
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
