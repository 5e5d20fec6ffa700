"""Files that go to an object store in parts, several at a time; parts that an earlier attempt left are not sent again.

S3 and Swift differ in what a part is (of a multipart upload, or an object that a manifest names); ``Upload`` is that
difference. What is no larger than one part is one request.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar

from python_rules.engine.blocks import MIB, Block
from python_rules.engine.pipeline import Tally
from python_rules.engine.systems.place import Fence, unfenced
from python_rules.engine.systems.system import System
from python_rules.jobs.errors import PASSING, JobError

T = TypeVar("T")

TRIES = 6  # of one request that fails for a passing reason
RANGE_TRIES = 3  # of one range; whoever reads opens the file again then, from where it was
FIRST_PAUSE = 0.25  # seconds; it doubles each time
IN_MEMORY = 128 * MIB  # bytes of parts of one file that are on their way at a time, as long as that is two parts


@dataclass(frozen=True)
class Part:
    """A part that is there: its number from 1, its bytes, and their MD5 (hex), which the store confirmed."""

    number: int
    size: int
    md5: str


class Sizes:
    """How large each part of a file is: all alike if the file's size is known, otherwise twice as large after every
    tenth of the parts that the store takes, so that no file is too large. A later attempt cuts in the same places."""

    def __init__(self, first: int, most: int, size: int | None) -> None:
        self._most = most
        self._size = size
        self.first = max(first, -(-(size or 0) // most))

    def __call__(self, number: int) -> int:
        if self._size is None:
            return self.first << min((number - 1) * 10 // self._most, 9)
        rest = self._size - (number - 1) * self.first
        return min(self.first, rest) if rest > 0 else self.first


class Upload(Protocol):
    """One file on its way into an object store."""

    def begin(self) -> None:
        """Before the first part is sent; not called when parts are there already."""

    def send(self, part: Part, data: bytes | bytearray) -> None:
        """Send a part; raises JobError unless the store holds just these bytes. Called in several threads."""

    def put(self, data: bytes, sha256: str, modified: float | None) -> None:
        """Make the file of one request."""

    def complete(self, parts: list[Part], sha256: str, modified: float | None) -> None:
        """Make the file of its parts, all of which were confirmed."""

    def drop(self) -> None:
        """Remove the parts."""


class PartedWriter:
    """A place's Outgoing. Whoever goes on with an upload gives it all again from the start; a part that the store has
    with the same MD5 is not sent again. So nothing of another content is ever taken for this one's, and the whole is
    compared with its hash. A part stays in memory until the store has confirmed it."""

    held = 0

    def __init__(
        self, system: System, path: str, upload: Upload, sizes: Sizes, threads: int, there: list[Part]
    ) -> None:
        self._system = system
        self._path = path
        self._upload = upload
        self._sizes = sizes
        self._there = {part.number: part for part in there}
        self._begun = bool(there)
        self._parts: list[Part] = []
        self._buffer = bytearray()
        self._flying: deque[Future[Part]] = deque()
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._stopped = threading.Event()
        self._tally = Tally()

    def reread(self) -> None:
        """As Outgoing.reread."""

    def go_on_at(self, offset: int) -> None:
        """As Outgoing.go_on_at: all is given again."""

    def write(self, block: Block) -> None:
        """As Outgoing.write; a full part is sent when more comes, so that a small file stays one request."""
        view = memoryview(block)
        self._tally.add(view)
        while view:
            room = self._sizes(self._number) - len(self._buffer)
            if not room:
                self._send()
                continue
            self._buffer += view[:room]
            view = view[room:]

    def publish(self, size: int, sha256: str, modified: float | None = None, fence: Fence = unfenced) -> str:
        """As Outgoing.publish. What was taken is compared with the hash before the store is told to make the file; the
        store confirmed the MD5 of each part."""
        if (self._tally.size, self._tally.sha256) != (size, sha256):
            what = f"{self._tally.size} bytes were written, and {size} were read, or others than these"
            raise self._system.error("verification_failed", what, self._path)
        if not self._begun:
            data = bytes(self._buffer)
            fence()
            self._persist(lambda: self._upload.put(data, sha256, modified))
            return "md5"
        if self._buffer:
            self._send()
        while self._flying:
            self._settle()
        fence()
        self._persist(lambda: self._upload.complete(self._parts, sha256, modified))
        self._stop()
        return "md5 of each part"

    def abandon(self, keep: bool = False) -> None:
        """As Outgoing.abandon; a part that is complete is still sent, if that works at once."""
        self._stopped.set()
        if keep and len(self._buffer) == self._sizes(self._number):
            with suppress(JobError):
                self._send()
        self._stop(keep)
        if self._begun and not keep:
            self._upload.drop()

    @property
    def _number(self) -> int:
        """Of the part that is filled."""
        return len(self._parts) + len(self._flying) + 1

    def _send(self) -> None:
        if not self._begun:
            self._persist(self._upload.begin)
            self._begun = True
        number, data, self._buffer = self._number, self._buffer, bytearray()
        most = max(1, min(self._threads, IN_MEMORY // len(data)))
        while len(self._flying) >= most:
            self._settle()
        self._pool = self._pool or ThreadPoolExecutor(self._threads, thread_name_prefix="part")
        self._flying.append(self._pool.submit(self._sent, number, data))

    def _sent(self, number: int, data: bytearray) -> Part:
        """A part that is there now, whether it was before or not."""
        part = Part(number, len(data), hashlib.md5(data, usedforsecurity=False).hexdigest())
        if self._there.get(number) != part:
            self._persist(lambda: self._upload.send(part, data))
        return part

    def _settle(self) -> None:
        self._parts.append(self._flying[0].result())
        self._flying.popleft()

    def _persist(self, action: Callable[[], T]) -> T:
        return persisted(action, TRIES, self._stopped.wait)

    def _stop(self, keep: bool = False) -> None:
        self._stopped.set()
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=not keep)
            self._pool = None
        self._flying.clear()


def persisted(action: Callable[[], T], tries: int, stopped: Callable[[float], bool]) -> T:
    """Do something until it works; raises what does not pass, or was met too often. ``stopped`` waits so many seconds,
    and says whether there is no need to try again."""
    for tried in range(tries):
        try:
            return action()
        except JobError as error:
            if error.code not in PASSING or tried + 1 == tries or stopped(FIRST_PAUSE * 2**tried):
                raise
    raise AssertionError


class Ranged(Protocol):
    """Reads a range of one file."""

    def __call__(self, offset: int, size: int) -> bytes:
        """Up to so many bytes; raises JobError, ``source_changed`` if the file is another one by now."""


class RangedReader:
    """A place's Incoming over ranges, several of which are fetched ahead."""

    def __init__(self, first: bytes, offset: int, total: int, fetch: Ranged, threads: int) -> None:
        self._fetch = fetch
        self._chunk = memoryview(first)
        self._ahead = offset + len(first)
        self._step = max(len(first), 1)
        self._total = total
        self._threads = threads
        self._flying: deque[Future[bytes]] = deque()
        self._pool: ThreadPoolExecutor | None = None
        self._stopped: Future[bytes] = Future()

    def readinto(self, buffer: bytearray) -> int:
        """As Source.readinto."""
        view, filled = memoryview(buffer), 0
        while filled < len(view) and (self._chunk or self._next()):
            count = min(len(view) - filled, len(self._chunk))
            view[filled : filled + count] = self._chunk[:count]
            self._chunk = self._chunk[count:]
            filled += count
        return filled

    def interrupt(self) -> None:
        """As Source.interrupt: a read that waits ends at once, what it waited for within the system's timeout."""
        if not self._stopped.done():
            self._stopped.set_result(b"")

    def close(self) -> None:
        """As Incoming.close."""
        self.interrupt()
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _next(self) -> bool:
        """Whether there is another chunk."""
        while self._ahead < self._total and len(self._flying) < self._threads and not self._stopped.done():
            size = min(self._step, self._total - self._ahead)
            self._pool = self._pool or ThreadPoolExecutor(self._threads, thread_name_prefix="range")
            self._flying.append(self._pool.submit(self._fetched, self._ahead, size))
            self._ahead += size
        if not self._flying or self._stopped.done():
            return False
        waited = self._flying.popleft()
        wait([waited, self._stopped], return_when=FIRST_COMPLETED)
        self._chunk = memoryview(b"" if self._stopped.done() else waited.result())
        return bool(self._chunk)

    def _fetched(self, offset: int, size: int) -> bytes:
        """A range; that its connection was cut costs it alone, not those that are on their way beside it."""
        return persisted(lambda: self._fetch(offset, size), RANGE_TRIES, self._waited)

    def _waited(self, seconds: float) -> bool:
        wait([self._stopped], seconds)
        return self._stopped.done()
