"""How far an attempt is: counted by its threads, told by its heartbeat."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from python_rules.jobs.record import Progress

WINDOW_SECONDS = 10.0  # the rate is that of so many seconds past


class Meter:
    """Counts of bytes and objects; any thread may advance it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._progress = Progress()
        self._samples: deque[tuple[float, int]] = deque([(clock(), 0)])
        self._beat = clock()

    @property
    def objects_done(self) -> int:
        return self._progress.objects_done

    def total(self, objects: int, size: int) -> None:
        """What there is to do; ``size`` in bytes to read."""
        self._progress.objects_total = objects
        self._progress.bytes_total = size

    def advance(self, read: int, written: int) -> None:
        """Bytes read and written since the last call of the same thread."""
        with self._lock:
            self._progress.bytes_done += read
            self._progress.bytes_written += written

    def object_done(self) -> None:
        with self._lock:
            self._progress.objects_done += 1

    def object_failed(self) -> None:
        with self._lock:
            self._progress.objects_failed += 1

    def is_at(self, parts: Iterable[Progress]) -> None:
        """The sums of what the parts of a job tell."""
        told = list(parts)
        with self._lock:
            for name in ("bytes_done", "bytes_written", "objects_done", "objects_failed"):
                setattr(self._progress, name, sum(getattr(part, name) for part in told))

    def beat(self) -> None:
        """A heartbeat is being written now."""
        self._beat = self._clock()

    def since_beat(self) -> float:
        """Seconds since the last heartbeat."""
        return self._clock() - self._beat

    def progress(self, phase: str, updated: str) -> dict[str, Any]:
        """The counts as JSON values."""
        with self._lock:
            self._progress.phase = phase
            self._progress.updated = updated
            self._progress.rate = self._rate()
            return dict(vars(self._progress))

    def _rate(self) -> float:
        at, done = self._clock(), self._progress.bytes_done
        self._samples.append((at, done))
        while len(self._samples) > 2 and at - self._samples[0][0] > WINDOW_SECONDS:
            self._samples.popleft()
        since, before = self._samples[0]
        return round((done - before) / (at - since), 1) if at > since else 0.0
