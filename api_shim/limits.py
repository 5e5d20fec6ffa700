"""How often somebody may do something: a bucket of tokens for each user or address, refilled with time."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable

_LARGEST = 20_000  # buckets; the longest unused makes room


class Buckets:
    """Each key may act ``burst`` times at once and ``per_second`` times in the long run; 0: as often as it likes."""

    def __init__(self, burst: float, per_second: float) -> None:
        self._burst = max(1.0, burst)
        self._per_second = per_second
        self._levels: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: Hashable) -> float:
        """0 if the key may act now, which is counted; otherwise the seconds until it may."""
        return self._look(key, 1.0)

    def wait(self, key: Hashable) -> float:
        """The same without counting."""
        return self._look(key, 0.0)

    def _look(self, key: Hashable, taken: float) -> float:
        if not self._per_second:
            return 0.0
        now = time.monotonic()
        with self._lock:
            level, seen = self._levels.get(key, (self._burst, now))
            level = min(self._burst, level + (now - seen) * self._per_second)
            allowed = level >= 1.0
            if taken:
                self._levels[key] = (level - taken if allowed else level, now)
                self._levels.move_to_end(key)
                while len(self._levels) > _LARGEST:
                    self._levels.popitem(last=False)
            return 0.0 if allowed else (1.0 - level) / self._per_second


class Brake:
    """Slows down who guesses passwords: failures count against user and address together, and against each alone.

    Together they run out soon; each alone runs out late, so that nobody locks another user out from afar at once.
    """

    def __init__(self, failures: int, per_second: float) -> None:
        self._together = Buckets(failures, per_second)
        self._alone = Buckets(failures * 10, per_second * 10)

    def wait(self, user: str, address: str) -> float:
        """Seconds until another try is looked at; 0: now."""
        waits = [self._together.wait((user, address)), *map(self._alone.wait, (("user", user), ("address", address)))]
        return max(waits)

    def failed(self, user: str, address: str) -> None:
        """Count a failure."""
        self._together.take((user, address))
        self._alone.take(("user", user))
        self._alone.take(("address", address))
