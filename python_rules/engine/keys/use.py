"""The use of keys for one user's job: allowed by grant, written to the audit log, then handed out."""

from __future__ import annotations

from typing import Protocol

from python_rules.engine.keys.audit import Log
from python_rules.engine.keys.grants import OPEN, SEAL, Who, require, visible
from python_rules.engine.keys.key import Key
from python_rules.engine.keys.keyring import Keyring, Row, named, numbered, require_enabled
from python_rules.engine.keys.store import read
from python_rules.jobs.errors import JobError


class KeySource(Protocol):
    """Where a job has its keys from; ``path`` is of the sealed object, made or read."""

    def sealing_key(self, name: str, path: str) -> Key:
        """The version that seals now; raises JobError ``key_not_found`` or ``not_permitted``."""

    def opening_key(self, name: str, version: int, path: str) -> Key:
        """The version that an object names; raises JobError as ``sealing_key`` does."""

    def present(self, name: str) -> int:
        """The number of the version that seals now, without a use of it; raises JobError ``key_not_found``."""


class KeyUse:
    """As KeySource: each call is checked against the grants of this moment, and logged before a key is there."""

    def __init__(self, keyring: Keyring, log: Log, who: Who, job: str = "") -> None:
        self._keyring = keyring
        self._log = log
        self._who = who
        self._job = job

    def sealing_key(self, name: str, path: str) -> Key:
        """As KeySource."""
        row = self._row(name)
        return self._handed(SEAL, name, row["primary"], row, path)

    def opening_key(self, name: str, version: int, path: str) -> Key:
        """As KeySource."""
        return self._handed(OPEN, name, version, self._row(name), path)

    def shared_key(self, name: str, version: int, path: str, note: str) -> Key:
        """As ``opening_key``, to give the object to somebody else: ``note`` says to whom, in the log."""
        return self._handed(OPEN, name, version, self._row(name), path, "share", note)

    def present(self, name: str) -> int:
        """As KeySource."""
        return int(self._row(name)["primary"])

    def require(self, right: str, name: str, path: str, version: int | None = None) -> None:
        """Raise what a use would raise, without a use; needs no master key."""
        row = self._row(name)
        self._check(right, name, version or row["primary"], row, path)

    def _handed(self, right: str, name: str, number: int, row: Row, path: str, act: str = "", note: str = "") -> Key:
        self._check(right, name, number, row, path)
        self._log.record(act or right, f"{name}:{number}", self._who.user, object=path, job=self._job, note=note)
        return self._keyring.version(name, number)

    def _check(self, right: str, name: str, number: int, row: Row, path: str) -> None:
        try:
            require(name, row, self._who, right, path)
            require_enabled(name, number, numbered(row["versions"], name, number))
        except JobError as error:
            note = f"{right} refused: {error.text}"[:300]
            self._log.record("refused", f"{name}:{number}", self._who.user, object=path, job=self._job, note=note)
            raise

    def _row(self, name: str) -> Row:
        return named(read(self._keyring.path)["keys"], name, lambda row: visible(row, self._who))
