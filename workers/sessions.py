"""Open sessions with a zone: made as the service account for a user, kept for a while, and used again.

PRC sessions must not cross a fork: a pool is made by the process that uses it, at first use.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from irods.exception import NetworkException
from irods.session import iRODSSession

# What says that a connection is of no use any more; everything else is an answer of the zone.
BROKEN = (NetworkException, OSError)


class _Idle(NamedTuple):
    session: iRODSSession
    user: str
    born: float


class SessionPool:
    """Sessions by user (name#zone; '' is the service account); each is used by one thread at a time."""

    def __init__(self, make: Callable[[str], iRODSSession], largest: int, seconds: float) -> None:
        self._make = make
        self._largest = largest
        self._seconds = seconds
        self._idle: list[_Idle] = []
        self._lock = threading.Lock()

    @contextmanager
    def session(self, user: str, fresh: bool = False) -> Iterator[iRODSSession]:
        """A session for ``user`` for the time of a ``with``; ``fresh``: one that was never used."""
        kept = None if fresh else self._take(user)
        entry = kept or _Idle(self._make(user), user, time.monotonic())
        try:
            yield entry.session
        except BROKEN:
            close(entry.session)
            raise
        except BaseException:
            self._keep(entry)
            raise
        self._keep(entry)

    def has_idle(self, user: str) -> bool:
        """Whether the next ``session(user)`` may hand out a used one."""
        with self._lock:
            return any(entry.user == user for entry in self._idle)

    def _take(self, user: str) -> _Idle | None:
        oldest = time.monotonic() - self._seconds
        with self._lock:
            stale = [entry for entry in self._idle if entry.born < oldest]
            self._idle = [entry for entry in self._idle if entry.born >= oldest]
            found = next((entry for entry in reversed(self._idle) if entry.user == user), None)
            if found:
                self._idle.remove(found)
        for entry in stale:
            close(entry.session)
        return found

    def _keep(self, entry: _Idle) -> None:
        with self._lock:
            self._idle.append(entry)
            dropped = self._idle[: -self._largest] if self._largest else self._idle[:]
            self._idle = self._idle[len(dropped) :]
        for old in dropped:
            close(old.session)


def close(session: Any) -> None:
    """End a session's connections; a connection that is broken already is no error."""
    session.do_configure = {}  # otherwise PRC's cleanup reads the environment file to start anew
    with suppress(*BROKEN):
        session.cleanup()
