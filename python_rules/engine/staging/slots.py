"""How many connections a system bears, shared by all engines of this host, and fairly by their users.

One small file for each system, written under a lock of this host's kernel: who holds how many, and who waits. Rows of
dead processes count for nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from python_rules.config import Config
from python_rules.engine import processes
from python_rules.engine.systems.system import System

Row = dict[str, Any]
_LOOK_SECONDS = 1.0  # how old an answer about others may be


class Slots:
    """This process's connections to one system."""

    def __init__(self, config: Config, system: System) -> None:
        folder = config["engine.state"] or os.path.dirname(config["keys.keyring"])
        self._path = os.path.join(folder, f"system-{system.name}.json")
        self._limit = int(system.settings["connections"])
        self._own = {"pid": os.getpid(), "began": processes.began(os.getpid()), "user": system.user}
        self._held = 0
        self._looked, self._others_wait, self._part = 0.0, False, 1.0
        self._lock = threading.Lock()

    def take(self, count: int = 1, waits: bool = True) -> bool:
        """Take so many connections' places, or wait for them: whoever has less than his share comes first."""
        with self._lock, self._rows() as rows:
            others = [row for row in rows if row["user"] != self._own["user"]]
            waiting = {row["user"] for row in others if row["waits"]}
            mine = self._held + sum(row["held"] for row in rows if row["user"] == self._own["user"])
            total = mine + sum(row["held"] for row in others)
            taken = total + count <= self._limit and (not waiting or mine < self._share(len(waiting)))
            self._held += count if taken else 0
            rows.append({**self._own, "held": self._held, "waits": waits and not taken})
        return taken

    def give(self) -> None:
        """Give a connection's place back."""
        with self._lock, self._rows() as rows:
            self._held -= 1
            rows.append({**self._own, "held": self._held, "waits": False})

    def should_yield(self) -> bool:
        """Whether somebody else waits while this user has more than his share."""
        self._look()
        return self._others_wait

    def part(self) -> float:
        """Which part of all connections of this host is this process's."""
        self._look()
        return self._part

    def _look(self) -> None:
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        with self._lock, self._rows() as rows:
            waiting = {row["user"] for row in rows if row["waits"]} - {self._own["user"]}
            mine = self._held + sum(row["held"] for row in rows if row["user"] == self._own["user"])
            total = self._held + sum(row["held"] for row in rows)
            self._others_wait = bool(waiting) and mine > self._share(len(waiting))
            self._part = self._held / total if self._held else 1.0
            rows.append({**self._own, "held": self._held, "waits": False})
        self._looked = time.monotonic()

    def _share(self, others: int) -> int:
        return max(1, self._limit // (others + 1))

    @contextmanager
    def _rows(self) -> Iterator[list[Row]]:
        """The rows of the other living processes; what the list holds afterwards is written."""
        with open(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            rows = [row for row in _parsed(file.read()) if self._is_other(row)]
            yield rows
            file.seek(0)
            file.truncate()
            json.dump([row for row in rows if row["held"] or row["waits"]], file)

    def _is_other(self, row: Row) -> bool:
        alive = processes.began(int(row["pid"])) == row["began"]
        return alive and row["pid"] != self._own["pid"]


class Throttle:
    """Lets so many bytes a second through, all threads of this process together."""

    def __init__(self, rate: float, part: Callable[[], float]) -> None:
        self._rate = rate
        self._part = part
        self._free_at = 0.0  # when the bytes that went through so far are paid for
        self._lock = threading.Lock()

    def take(self, size: int, check: Callable[[], None]) -> None:
        """Wait until so many bytes may go through; ``check`` raises if nobody wants them any more."""
        if not self._rate:
            return
        with self._lock:
            start = max(self._free_at, time.monotonic())
            self._free_at = start + size / (self._rate * max(self._part(), 0.01))
        while (left := start - time.monotonic()) > 0:
            check()
            time.sleep(min(left, 0.2))


def _parsed(text: str) -> list[Row]:
    """The rows of a file; none where a kill cut it."""
    try:
        rows = json.loads(text or "[]")
    except ValueError:
        return []
    return rows if isinstance(rows, list) else []
