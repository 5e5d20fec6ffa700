"""The audit log: one JSON line for each use and each change of a key, each bound to the one before by its SHA-256.

    {"n": 7, "time": "<UTC>", "act": "open", "key": "project-x:2", "user": "alice#z", "job": "<uuid>",
     "object": "/z/home/alice/a.tink", "note": "", "prev": "<SHA-256 of line 6, hex>"}

A line is on the disk before the key is handed out. Nothing can be changed, removed, inserted or reordered without
``verify`` seeing it; that the end was cut off shows against any later head that was kept elsewhere (in receipts and
back-ups, or written down).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from python_rules.config import Config
from python_rules.engine.keys.keyring import TIME, utc_now
from python_rules.jobs.errors import JobError

BEGIN = "0" * 64
_BLOCK = 8192


class Head(NamedTuple):
    """The last entry: its number (0 for none) and the hash of its line."""

    number: int
    digest: str

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"


class Mark(NamedTuple):
    """A head and where its line ends in the file, in bytes: enough to find it again without reading the rest."""

    head: Head
    end: int

    def __str__(self) -> str:
        return f"{self.head}@{self.end}"

    @classmethod
    def parsed(cls, text: str) -> Mark | None:
        """The mark in a text; None if it is none."""
        head, _, end = text.partition("@")
        number, _, digest = head.partition(":")
        return cls(Head(int(number), digest), int(end)) if number.isdecimal() and end.isdecimal() else None


class Told(NamedTuple):
    """What an entry says: who did what with which key or version, in which job, to which object."""

    act: str
    key: str
    user: str
    job: str = ""
    object: str = ""
    note: str = ""


class Log:
    """An append-only file, private to the service account; processes and threads wait for each other."""

    def __init__(self, path: str, clock: Callable[[], datetime] = utc_now) -> None:
        self.path = path
        self._clock = clock

    @classmethod
    def of(cls, config: Config) -> Log:
        """The log that the settings name; beside the keyring unless they do."""
        return cls(config["keys.audit"] or config["keys.keyring"] + ".audit")

    def record(self, act: str, key: str, user: str, *, object: str = "", job: str = "", note: str = "") -> Head:
        """Append one entry and have it on the disk; raises JobError ``configuration`` if that cannot be."""
        return self.record_all([Told(act, key, user, job, object, note)])

    def record_all(self, entries: Iterable[Told]) -> Head:
        """As ``record``, several at once: the disk is waited for once."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                return self._append(descriptor, [told._asdict() for told in entries])
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._broken(f"cannot be written: {error.strerror}; nothing is done that is not logged") from None

    def head(self) -> Head:
        """The last entry as the file tells it, without a check of the others."""
        return self.mark().head

    def mark(self) -> Mark:
        """As ``head``, with its place."""
        return self._mark(None)

    def holds(self, mark: Mark) -> bool:
        """Whether the entry of an earlier mark is still there."""
        return self._mark(mark.end) == mark

    def _mark(self, end: int | None) -> Mark:
        try:
            with open(self.path, "rb") as file:
                return self._last(file.fileno(), end)
        except FileNotFoundError:
            return Mark(Head(0, BEGIN), 0)
        except OSError as error:
            raise self._broken(f"cannot be read: {error.strerror}") from None

    def entries(self) -> Iterator[dict[str, Any]]:
        """All entries, checked on the way; raises JobError ``verification_failed`` at the first that is wrong."""
        head, last = Head(0, BEGIN), ""
        for line in self._lines():
            entry = _parsed(line)
            if entry.get("n") != head.number + 1 or entry.get("prev") != head.digest:
                raise self._forged(head.number + 1, last)
            yield entry
            head, last = Head(head.number + 1, _digest(line)), f"; the last that fits is of {entry.get('time')}"

    def verify(self, known: Head | None = None) -> Head:
        """Check every entry, and that an earlier ``known`` head is one of them; the last entry."""
        head, seen = Head(0, BEGIN), known is None or known.number == 0
        for line, entry in zip(self._lines(), self.entries(), strict=True):
            head = Head(entry["n"], _digest(line))
            seen = seen or head == known
        if not seen and known is not None:
            raise self._forged(known.number)
        return head

    def _lines(self) -> Iterator[bytes]:
        try:
            with open(self.path, "rb") as file:
                yield from (line for line in file if line.endswith(b"\n"))
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._broken(f"cannot be read: {error.strerror}") from None

    def _append(self, descriptor: int, entries: list[dict[str, str]]) -> Head:
        head, end = self._last(descriptor)
        torn = os.fstat(descriptor).st_size - end
        if torn:  # a crash in the middle of a line, which nobody was told of: the next entry tells it
            os.ftruncate(descriptor, end)
            entries[0]["note"] = f"{entries[0]['note']} (an unfinished line of {torn} bytes was dropped)".strip()
        lines, time = b"", self._clock().strftime(TIME)
        for told in entries:
            entry = {"n": head.number + 1, "time": time, **told, "prev": head.digest}
            line = json.dumps(entry, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"
            lines, head = lines + line, Head(head.number + 1, _digest(line))
        if os.write(descriptor, lines) != len(lines):
            raise OSError(None, "the disk is full")
        os.fsync(descriptor)
        return head

    def _last(self, descriptor: int, end: int | None = None) -> Mark:
        """The last whole entry of the file, or of its first bytes."""
        size = os.fstat(descriptor).st_size if end is None else end
        tail, start = b"", size
        while start and tail.count(b"\n") < 2:
            start = max(0, start - _BLOCK)
            tail = os.pread(descriptor, size - start, start)
        whole, newline, _ = tail.rpartition(b"\n")
        if not newline:
            return Mark(Head(0, BEGIN), 0)
        line = whole.rpartition(b"\n")[2] + b"\n"
        number = _parsed(line).get("n")
        if not isinstance(number, int):
            raise self._broken("ends in a line that is no entry: somebody wrote to it")
        return Mark(Head(number, _digest(line)), start + len(whole) + 1)

    def _forged(self, number: int, last: str = "") -> JobError:
        return JobError(
            "verification_failed",
            f"entry {number} of the audit log {self.path} is not the one that was written, or is missing{last}",
            remedy="compare with a back-up of the log; from this entry on it proves nothing",
        )

    def _broken(self, what: str) -> JobError:
        return JobError("configuration", f"the audit log {self.path} {what}", remedy="an administrator must look at it")


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _digest(line: bytes) -> str:
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest()
