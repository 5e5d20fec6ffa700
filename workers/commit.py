"""Many threads, few transactions: whoever gets the turn writes what all the waiting ones brought."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class _Entry(Generic[Item]):
    def __init__(self, item: Item) -> None:
        self.item = item
        self.done = False
        self.error: Exception | None = None


class GroupCommit(Generic[Item]):
    """``put`` returns when ``write`` has written the item, alone or with others; a commit's fsync is shared."""

    def __init__(self, write: Callable[[list[Item]], None]) -> None:
        self._write = write
        self._pending: list[_Entry[Item]] = []
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    def put(self, item: Item) -> None:
        """Write an item; raises what ``write`` raised for the group it was in."""
        entry = _Entry(item)
        with self._lock:
            self._pending.append(entry)
        with self._turn:
            if not entry.done:
                self._write_all()
        if entry.error:
            raise entry.error

    def _write_all(self) -> None:
        with self._lock:
            group, self._pending = self._pending, []
        error: Exception | None = None
        try:
            self._write([entry.item for entry in group])
        except Exception as caught:  # noqa: BLE001 - each of the waiting threads raises it
            error = caught
        for entry in group:
            entry.error, entry.done = error, True
