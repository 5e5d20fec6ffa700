"""The use of keys for one user's job: allowed by grant, written to the audit log, then handed out."""

from __future__ import annotations

from typing import Protocol

from python_rules.engine.keys.audit import Log, Told
from python_rules.engine.keys.grants import OPEN, SEAL, Who, require, visible
from python_rules.engine.keys.key import Key
from python_rules.engine.keys.keyring import ENABLED, Keyring, Row, named, numbered, require_enabled, versions
from python_rules.engine.keys.store import Watched
from python_rules.jobs.errors import JobError


class KeySource(Protocol):
    """Where a job has its keys from; ``path`` is of the sealed object, made or read."""

    def sealing_key(self, name: str, path: str) -> Key:
        """The version that seals now; raises JobError ``key_not_found`` or ``not_permitted``."""

    def opening_key(self, name: str, version: int, path: str) -> Key:
        """The version that an object names, 0 for the present one; raises JobError as ``sealing_key`` does."""

    def versions(self, name: str) -> list[int]:
        """The versions that may open, the newest first; the present one at least. Raises JobError ``key_not_found``."""

    def both_keys(self, name: str, version: int, wanted: str, path: str) -> tuple[Key, Key]:
        """Both at once, for an object that is opened and sealed again under ``wanted``."""

    def present(self, name: str) -> int:
        """The number of the version that seals now, without a use of it; raises JobError ``key_not_found``."""


class KeyUse:
    """As KeySource: each call is checked against the grants of this moment, and logged before a key is there.

    The provider is asked once for each version: what it unwrapped is kept while the job runs.
    """

    def __init__(self, keyring: Keyring, log: Log, who: Who, job: str = "") -> None:
        self._keyring = keyring
        self._file = Watched(keyring.path)
        self._log = log
        self._who = who
        self._job = job
        self._kept: dict[str, Key] = {}  # by what it was wrapped as

    def sealing_key(self, name: str, path: str) -> Key:
        """As KeySource."""
        row = self._row(name)
        self._log.record_all([self._allowed(SEAL, name, row["primary"], row, path)])
        return self._unwrapped(name, row["primary"], row)

    def opening_key(self, name: str, version: int, path: str) -> Key:
        """As KeySource."""
        return self._opened(name, version, path, OPEN)

    def versions(self, name: str) -> list[int]:
        """As KeySource."""
        row = self._row(name)
        enabled = [one.number for one in reversed(versions(row)) if one.status == ENABLED]
        return enabled or [int(row["primary"])]

    def shared_key(self, name: str, version: int, path: str, note: str) -> Key:
        """As ``opening_key``, to give the object to somebody else: ``note`` says to whom, in the log."""
        return self._opened(name, version, path, "share", note)

    def both_keys(self, name: str, version: int, wanted: str, path: str) -> tuple[Key, Key]:
        """As KeySource."""
        old, new = self._row(name), self._row(wanted)
        number = new["primary"]
        uses = [self._allowed(OPEN, name, version, old, path), self._allowed(SEAL, wanted, number, new, path)]
        self._log.record_all(uses)
        return self._unwrapped(name, version, old), self._unwrapped(wanted, number, new)

    def present(self, name: str) -> int:
        """As KeySource."""
        return int(self._row(name)["primary"])

    def require(self, right: str, name: str, path: str, version: int | None = None) -> None:
        """Raise what a use would raise, without a use; needs no master key."""
        row = self._row(name)
        self._allowed(right, name, version or row["primary"], row, path)

    def _opened(self, name: str, version: int, path: str, act: str, note: str = "") -> Key:
        row = self._row(name)
        version = version or int(row["primary"])
        self._log.record_all([self._allowed(OPEN, name, version, row, path)._replace(act=act, note=note)])
        return self._unwrapped(name, version, row)

    def _allowed(self, right: str, name: str, number: int, row: Row, path: str) -> Told:
        """What the log is to say of this use; raises JobError if it is refused, which the log says too."""
        told = Told(right, f"{name}:{number}", self._who.user, self._job, path)
        try:
            require(name, row, self._who, right, path)
            require_enabled(name, number, numbered(row["versions"], name, number))
        except JobError as error:
            self._log.record_all([told._replace(act="refused", note=f"{right} refused: {error.text}"[:300])])
            raise
        return told

    def _unwrapped(self, name: str, number: int, row: Row) -> Key:
        wrapped = f"{name}:{number} {row['versions'][str(number)]['wrapped']}"
        if wrapped not in self._kept:
            self._kept[wrapped] = self._keyring.unwrapped(name, number, row["versions"])
        return self._kept[wrapped]

    def _row(self, name: str) -> Row:
        return named(self._file.read()["keys"], name, lambda row: visible(row, self._who))
