"""A small memory: what was put in last, and not longer than some seconds."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """At most ``largest`` values, each for ``seconds``; safe for threads."""

    def __init__(self, largest: int, seconds: float) -> None:
        self._largest = largest
        self._seconds = seconds
        self._values: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Value | None:
        """The value, or None if it is unknown or too old."""
        with self._lock:
            until, value = self._values.get(key, (0.0, None))
            return value if time.monotonic() < until else None

    def put(self, key: Hashable, value: Value) -> None:
        """Remember a value; the oldest makes room for it."""
        with self._lock:
            self._values[key] = (time.monotonic() + self._seconds, value)
            self._values.move_to_end(key)
            while len(self._values) > self._largest:
                self._values.popitem(last=False)
