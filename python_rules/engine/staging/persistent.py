"""A source and a sink that outlive a cut: they open the far side again and go on where they were.

What was cut off is sent again from the last block that the far side holds; whether all of it is right, the hash of the
whole tells before anything is published.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from python_rules.engine.blocks import TRANSFER, Block
from python_rules.engine.systems.place import Fence, Incoming, Outgoing, unfenced
from python_rules.engine.watch import Watch
from python_rules.jobs.errors import PASSING, JobError

log = logging.getLogger("sluice.staging")

TRIES = 6  # without a byte moved in between; then the job's own retry, with its longer pauses
FIRST_PAUSE = 0.25  # seconds; it doubles each time
_LOOK = 0.1  # seconds between two looks whether the job was cancelled


Pay = Callable[[int], None]  # waits until so many bytes may go through


def _free(_size: int) -> None:
    return


class Patience:
    """How often a broken end is opened again: as long as something moves in between."""

    def __init__(self, watch: Watch, first_pause: float = FIRST_PAUSE) -> None:
        self._watch = watch
        self._first_pause = first_pause
        self._tries = 0

    def moved(self) -> None:
        """Something went through."""
        self._tries = 0

    def wait(self, error: JobError) -> None:
        """Pause before the next try; raises the error if it will not pass, or was met too often."""
        self._tries += 1
        if error.code not in PASSING or self._tries >= TRIES:
            raise error
        log.info("again after: %s", error.text)
        until = time.monotonic() + self._first_pause * 2 ** (self._tries - 1)
        while (left := until - time.monotonic()) > 0:
            self._watch.check()
            time.sleep(min(_LOOK, left))

    def over(self, action: Callable[[], None]) -> None:
        """Do something until it works."""
        while True:
            try:
                return action()
            except JobError as error:
                self.wait(error)


class Source:
    """A file that is read, across cuts; ``opened(offset)`` opens it again."""

    def __init__(
        self, opened: Callable[[int], Incoming], watch: Watch, pay: Pay = _free, first_pause: float = FIRST_PAUSE
    ) -> None:
        self._opened = opened
        self._pay = pay
        self._patience = Patience(watch, first_pause)
        self._inner: Incoming | None = None
        self._at = 0
        self._interrupted = False

    def readinto(self, buffer: bytearray) -> int:
        """As pipeline.Source."""
        while True:
            try:
                if self._inner is None:
                    self._inner = self._opened(self._at)
                count = self._inner.readinto(buffer)
            except JobError as error:
                self.close()
                if self._interrupted:
                    raise
                self._patience.wait(error)
            else:
                self._at += count
                self._patience.moved()
                self._pay(count)
                return count

    def interrupt(self) -> None:
        """As pipeline.Source."""
        self._interrupted = True
        if self._inner is not None:
            self._inner.interrupt()

    def close(self) -> None:
        """Close what is open; of what is read nothing depends on it."""
        inner, self._inner = self._inner, None
        if inner is not None:
            with suppress(JobError):
                inner.close()


class Sink:
    """A file that is written, across cuts; ``begun()`` begins it, or goes on with what is held."""

    def __init__(self, begun: Callable[[], Outgoing], watch: Watch, pay: Pay = _free) -> None:
        self._begun = begun
        self._pay = pay
        self._patience = Patience(watch)
        self._inner: Outgoing | None = None
        self._reread: Incoming | None = None  # what an earlier attempt left, while it is compared
        self._compared = 0  # up to this offset the far side may hold it already
        self._at = 0
        self._recent: deque[Block] = deque()  # the last blocks: a far side may have lost so much
        self._recent_size = 0
        self._patience.over(self._begin)

    @property
    def inner(self) -> Outgoing:
        """What is written to at present."""
        if self._inner is None:
            raise JobError("engine_failed", "the target is not open")
        return self._inner

    def write(self, block: Block) -> None:
        """As pipeline.Sink."""
        if self._compared and self._is_held(block):
            self._at += len(block)
            return
        self._remember(block)
        self._pay(len(block))
        try:
            self.inner.write(block)
        except JobError as error:
            self._mend(error, self._at + len(block))
        self._at += len(block)
        self._patience.moved()

    def publish(self, size: int, sha256: str, modified: float | None, fence: Fence = unfenced) -> str:
        """As Outgoing.publish."""
        self._settle()
        while True:
            try:
                return self.inner.publish(size, sha256, modified, fence)
            except JobError as error:
                self._mend(error, self._at)

    def abandon(self, keep: bool) -> None:
        """As Outgoing.abandon; that the far side is gone is no error, for a later attempt cleans up."""
        with suppress(JobError):
            self._close_reread()
            if self._inner is not None:
                self._inner.abandon(keep)

    def _begin(self) -> None:
        self._inner = self._begun()
        self._compared = self._inner.held
        if self._compared:
            self._reread = self._inner.reread()

    def _is_held(self, block: Block) -> bool:
        """Whether the far side holds this block; if not, writing begins here."""
        if self._at + len(block) <= self._compared and (self._reread is None or self._same(block)):
            return True
        self._settle()
        return False

    def _same(self, block: Block) -> bool:
        buffer, filled = bytearray(len(block)), 0
        while self._reread is not None and filled < len(buffer):
            piece = bytearray(len(buffer) - filled)
            count = self._reread.readinto(piece)
            if not count:
                return False
            buffer[filled : filled + count] = piece[:count]
            filled += count
        return buffer == block

    def _settle(self) -> None:
        """Write on from here, whatever else is held."""
        self._close_reread()
        if self._compared:
            self._compared = 0
            self.inner.go_on_at(self._at)

    def _mend(self, error: JobError, wanted: int) -> None:
        """Open the far side again and give it all up to an offset; raises the error if that cannot be done."""
        while True:
            self._patience.wait(error)
            try:
                if self._inner is not None:
                    with suppress(JobError):
                        self._inner.abandon(keep=True)
                self._inner = self._begun()
                start = min(self._inner.held, wanted)
                if wanted - start > self._recent_size:
                    raise error  # too much is lost: the job's next attempt begins it anew
                self._inner.go_on_at(start)
                for block in self._last(wanted - start):
                    self._inner.write(block)
                return
            except JobError as again:
                if again is error:
                    raise
                error = again

    def _remember(self, block: Block) -> None:
        self._recent.append(block)
        self._recent_size += len(block)
        while self._recent_size - len(self._recent[0]) >= TRANSFER + len(block):
            self._recent_size -= len(self._recent.popleft())

    def _last(self, size: int) -> list[Block]:
        """The last bytes that were given, so many."""
        taken: deque[Block] = deque()
        for block in reversed(self._recent):
            if size <= 0:
                break
            view = memoryview(block)
            taken.appendleft(view[max(0, len(view) - size) :])
            size -= len(view)
        return list(taken)

    def _close_reread(self) -> None:
        reread, self._reread = self._reread, None
        if reread is not None:
            reread.close()
