"""The life of named keys: made, imported, rotated, disabled, enabled, condemned, taken back, destroyed.

A version is ``enabled``, ``disabled``, ``condemned`` (it neither seals nor opens, and is destroyed at a time that is
told; until then ``recover`` brings it back) or ``destroyed`` (its wrapped secret is gone; the row stays as a
tombstone). What is wrapped is bound to its name and version, so that nobody who can write the file can put one key
in the place of another. This class asks nobody for permission: ``use`` and ``doors`` do.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from python_rules.config import Config
from python_rules.engine.keys import store
from python_rules.engine.keys.key import Key, Passphrase, wipe
from python_rules.engine.keys.provider import Provider
from python_rules.engine.keys.providers import provider_of
from python_rules.jobs.errors import JobError

SECRET_SIZE = 32
LONGEST_PASSPHRASE = 1023  # bytes; openssl reads no more of a line
ENABLED, DISABLED, CONDEMNED, DESTROYED = "enabled", "disabled", "condemned", "destroyed"
TIME = "%Y-%m-%dT%H:%M:%SZ"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
Row = dict[str, Any]


class Version(NamedTuple):
    """One version as ``list`` shows it; ``destroy_at`` is told while it is condemned."""

    number: int
    status: str
    created: str
    primary: bool
    destroy_at: str = ""


def utc_now() -> datetime:
    """The present time."""
    return datetime.now(UTC)


class Keyring:
    """A keyring file with its provider; every call reads the file, so that a change is seen at once."""

    def __init__(self, path: str, provider: Provider, clock: Callable[[], datetime] = utc_now) -> None:
        self.path = path
        self.provider = provider
        self._clock = clock

    @classmethod
    def of(cls, config: Config) -> Keyring:
        """The keyring that the settings name."""
        return cls(config["keys.keyring"], provider_of(config))

    def create(self, name: str, owner: str = "") -> int:
        """Make a key with its first version; raises JobError if the name is taken or not a key's name."""
        self.add(name, bytearray(os.urandom(SECRET_SIZE)), owner)
        return 1

    def add(self, name: str, secret: bytearray, owner: str = "") -> None:
        """Make a key of a secret that exists already, and zero it; raises JobError as ``create`` does."""
        self.add_all(name, [(secret, ENABLED)], 1, owner)

    def add_all(self, name: str, secrets: Sequence[tuple[bytearray, str]], primary: int, owner: str = "") -> None:
        """Make a key of several secrets, each with its status; they are its versions from 1 on, and are zeroed."""
        try:
            for secret, _ in secrets:
                _check_new(name, secret)
            with self.rows() as keys:
                _require_free(keys, name)
                versions = {
                    str(number): {**self._version(name, number, secret), "status": status}
                    for number, (secret, status) in enumerate(secrets, 1)
                }
                keys[name] = {"owner": owner, "grants": [], "primary": primary, "versions": versions}
        finally:
            for secret, _ in secrets:
                wipe(secret)

    def add_passphrase(self, name: str, phrase: bytearray, iterations: int, owner: str = "") -> None:
        """Make a key of a passphrase for openssl (``Passphrase``), and zero it; raises JobError as ``create`` does."""
        try:
            _check_passphrase(name, phrase)
            row = {**self._version(name, 1, phrase), "iterations": iterations}
            with self.rows() as keys:
                _require_free(keys, name)
                keys[name] = {"owner": owner, "grants": [], "primary": 1, "versions": {"1": row}}
        finally:
            wipe(phrase)

    def rotate(self, name: str) -> int:
        """Add a version and make it the primary one, which seals from now on; the old ones still open."""
        secret = bytearray(os.urandom(SECRET_SIZE))
        with self.rows() as keys:
            key = named(keys, name)
            number = max(map(int, key["versions"])) + 1
            key["versions"][str(number)] = self._version(name, number, secret)
            key["primary"] = number
        wipe(secret)
        return number

    def set_status(self, name: str, status: str, version: int | None = None) -> None:
        """Enable or disable a key, or one version of it: a disabled one neither seals nor opens."""
        with self.rows() as keys:
            rows = _chosen(keys, name, version)
            open_to_change = [row for _, row in rows if row["status"] in (ENABLED, DISABLED)]
            if not open_to_change:
                raise _not_so(name, version, rows)
            for row in open_to_change:
                row["status"] = status

    def condemn(self, name: str, days: float, version: int | None = None) -> str:
        """Have a key, or one version, destroyed after so many days; it does nothing from now on. The time of it."""
        end = (self._clock() + timedelta(days=days)).strftime(TIME)
        with self.rows() as keys:
            rows = [(number, row) for number, row in _chosen(keys, name, version) if row["status"] != DESTROYED]
            if not rows:
                raise _not_so(name, version, _chosen(keys, name, version))
            for _, row in rows:
                row.setdefault("before", row["status"])
                row.update(status=CONDEMNED, destroy_at=end)
        return end

    def recover(self, name: str, version: int | None = None) -> list[int]:
        """Take back what ``condemn`` ordered, while its time has not come; the versions that are back."""
        with self.rows() as keys:
            rows = _chosen(keys, name, version)
            back = [(n, row) for n, row in rows if row["status"] == CONDEMNED and not self._is_due(row)]
            if not back:
                raise _not_so(name, version, rows)
            for _, row in back:
                row["status"] = row.pop("before")
                del row["destroy_at"]
        return [number for number, _ in back]

    def due(self) -> dict[str, list[int]]:
        """The versions whose time has come, by name."""
        found = {
            name: [int(n) for n, row in key["versions"].items() if row["status"] == CONDEMNED and self._is_due(row)]
            for name, key in store.read(self.path)["keys"].items()
        }
        return {name: numbers for name, numbers in found.items() if numbers}

    def destroy(self, name: str, number: int) -> str:
        """Let go for ever of the secret of a version whose time has come; the time of it."""
        with self.rows() as keys:
            row = numbered(named(keys, name)["versions"], name, number)
            if row["status"] != CONDEMNED or not self._is_due(row):
                raise _not_so(name, number, [(number, row)])
            for member in ("wrapped", "before", "destroy_at"):
                row.pop(member, None)
            row.update(status=DESTROYED, destroyed=self._clock().strftime(TIME), receipt="")
            return str(row["destroyed"])

    def list(self) -> dict[str, list[Version]]:
        """All keys with their versions; needs no master key."""
        return {name: versions(key) for name, key in sorted(store.read(self.path)["keys"].items())}

    def row(self, name: str) -> Row:
        """A key's row of the file; raises JobError ``key_not_found``."""
        return named(store.read(self.path)["keys"], name)

    @contextmanager
    def rows(self) -> Iterator[Row]:
        """The rows of all keys, to be changed in the block; written when it ends well, while others wait."""
        with store.changed(self.path) as document:
            document["wrapped_by"] = document["wrapped_by"] or self.provider.name
            yield document["keys"]

    def primary(self, name: str) -> Key:
        """The version that seals; raises JobError ``key_not_found``, or ``not_permitted`` if it is disabled."""
        key = self.row(name)
        return self.unwrapped(name, key["primary"], key["versions"])

    def version(self, name: str, number: int) -> Key:
        """The version that an object names; raises JobError as ``primary`` does."""
        return self.unwrapped(name, number, self.row(name)["versions"])

    def unwrapped(self, name: str, number: int, versions: Row) -> Key:
        """The version out of the rows of a key; raises JobError as ``primary`` does."""
        row = numbered(versions, name, number)
        require_enabled(name, number, row)
        secret = self.provider.unwrap(base64.b64decode(row["wrapped"]), context(name, number))
        return Passphrase(name, number, secret, row["iterations"]) if "iterations" in row else Key(name, number, secret)

    def _version(self, name: str, number: int, secret: bytearray) -> Row:
        wrapped = self.provider.wrap(bytes(secret), context(name, number))
        created = self._clock().strftime(TIME)
        return {"status": ENABLED, "created": created, "wrapped": base64.b64encode(wrapped).decode()}

    def _is_due(self, row: Row) -> bool:
        return self._clock().strftime(TIME) >= row["destroy_at"]


def require_enabled(name: str, number: int, row: Row) -> None:
    """Raise JobError ``not_permitted`` that says how the version comes back, if it does."""
    if row["status"] == ENABLED:
        return
    remedies = {
        DISABLED: f"who manages the key may allow it: sluice keys enable {name}",
        CONDEMNED: f"until {row.get('destroy_at')} who manages the key may take it back: sluice keys recover {name}",
        DESTROYED: "nothing brings it back; what is sealed under it is unreadable for ever",
    }
    raise JobError(
        "not_permitted",
        f"version {number} of the key {name} is {row['status']}",
        field="key",
        remedy=remedies[row["status"]],
    )


def named(keys: Row, name: str, seen: Callable[[Row], bool] = bool) -> Row:
    """The row of a key; raises JobError ``key_not_found`` that tells the names that may be ``seen``."""
    if name not in keys or not seen(keys[name]):
        names = sorted(other for other, row in keys.items() if seen(row))
        there_are = f"there are: {', '.join(names)[:500]}" if names else "there are none yet"
        raise JobError(
            "key_not_found",
            f"there is no key {name}",
            field="key",
            remedy=f"{there_are}; who manages a key grants it (sluice keys grant {name} ...), "
            f"an administrator makes it (sluice keys create {name})",
        )
    row: Row = keys[name]
    return row


def numbered(versions: Row, name: str, number: int) -> Row:
    """The row of a version; raises JobError ``key_not_found``."""
    if str(number) not in versions:
        raise JobError(
            "key_not_found",
            f"the key {name} has no version {number}",
            field="key",
            remedy=f"it has {', '.join(versions)}; restore the keyring from a back-up if one was lost",
        )
    row: Row = versions[str(number)]
    return row


def versions(key: Row) -> list[Version]:
    """The versions of a key's row, the oldest first."""
    rows = sorted(key["versions"].items(), key=lambda item: int(item[0]))
    return [
        Version(int(n), row["status"], row["created"], int(n) == key["primary"], row.get("destroy_at", ""))
        for n, row in rows
    ]


def context(name: str, number: int) -> bytes:
    """What a wrapped secret is bound to."""
    return f"sluice keyring 1 {name}:{number}".encode()


def _chosen(keys: Row, name: str, version: int | None) -> list[tuple[int, Row]]:
    """The rows of one version, or of all."""
    rows = named(keys, name)["versions"]
    if version:
        return [(version, numbered(rows, name, version))]
    return [(int(number), row) for number, row in rows.items()]


def _not_so(name: str, version: int | None, rows: list[tuple[int, Row]]) -> JobError:
    told = ", ".join(f"{name}:{number} is {row['status']}" for number, row in rows)
    remedy = "a destroyed version stays destroyed; a condemned one comes back by recover until its time"
    return JobError("illegal_transition", f"this cannot be done now: {told}", field="key", remedy=remedy)


def _require_free(keys: Row, name: str) -> None:
    if name in keys:
        remedy = f"rotate {name}, or take another name"
        raise JobError("bad_value", f"the key {name} exists", field="key", remedy=remedy)


def _check_new(name: str, secret: bytearray) -> None:
    _check_name(name)
    if len(secret) != SECRET_SIZE:
        raise JobError(
            "bad_value", f"a key has {SECRET_SIZE} bytes", field="key", remedy="give 32 random bytes in base64"
        )


def _check_passphrase(name: str, phrase: bytearray) -> None:
    _check_name(name)
    if not 0 < len(phrase) <= LONGEST_PASSPHRASE:
        text = f"a passphrase has 1 to {LONGEST_PASSPHRASE} bytes"
        raise JobError("bad_value", text, field="key", remedy="give it in the first line of the file")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise JobError(
            "bad_value",
            "this is not a key's name",
            field="key",
            remedy="1 to 64 letters, digits, '.', '_', '-', not beginning with a sign",
        )
