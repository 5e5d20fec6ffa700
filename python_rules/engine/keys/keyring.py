"""The keyring file: names, versions and states in the clear, secrets wrapped.

    {"format": 1, "keys": {"<name>": {"primary": 2, "versions":
        {"1": {"status": "enabled", "created": "<UTC>", "wrapped": "<base64>"}, "2": ...}}}}

Rules read the names from it with the standard library alone. What is wrapped is bound to its name and version,
so that nobody who can write the file can put one key in the place of another.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from python_rules.config import Config
from python_rules.engine.keys.key import Key
from python_rules.engine.keys.provider import FileProvider, Provider
from python_rules.jobs.errors import JobError

FORMAT = 1
SECRET_SIZE = 32
ENABLED, DISABLED = "enabled", "disabled"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Version(NamedTuple):
    """One version as ``list`` shows it."""

    number: int
    status: str
    created: str
    primary: bool


class Keyring:
    """A keyring file with its provider; every call reads the file, so that a rotation is seen at once."""

    def __init__(self, path: str, provider: Provider) -> None:
        self.path = path
        self._provider = provider

    @classmethod
    def of(cls, config: Config) -> Keyring:
        """The keyring that the settings name."""
        return cls(config["keys.keyring"], FileProvider(config["keys.master_key"]))

    def create(self, name: str) -> int:
        """Make a key with its first version; raises JobError if the name is taken or not a key's name."""
        if not _NAME.fullmatch(name):
            raise JobError(
                "bad_value",
                "this is not a key's name",
                field="key",
                remedy="1 to 64 letters, digits, '.', '_', '-', not beginning with a sign",
            )
        with self._changed() as keys:
            if name in keys:
                raise JobError("bad_value", f"the key {name} exists", field="key", remedy=f"rotate {name}, or another")
            keys[name] = {"primary": 1, "versions": {"1": self._new_version(name, 1)}}
        return 1

    def rotate(self, name: str) -> int:
        """Add a version and make it the primary one, which seals from now on; the old ones still open."""
        with self._changed() as keys:
            key = _named(keys, name)
            number = max(map(int, key["versions"])) + 1
            key["versions"][str(number)] = self._new_version(name, number)
            key["primary"] = number
        return number

    def set_status(self, name: str, status: str, version: int | None = None) -> None:
        """Enable or disable a key, or one version of it: a disabled one neither seals nor opens."""
        with self._changed() as keys:
            versions = _named(keys, name)["versions"]
            for row in [_numbered(versions, name, version)] if version else versions.values():
                row["status"] = status

    def list(self) -> dict[str, list[Version]]:
        """All keys with their versions; needs no master key."""
        return {name: _versions(key) for name, key in sorted(_read(self.path).items())}

    def sealing_key(self, name: str) -> Key:
        """The primary version; raises JobError ``key_not_found``, or ``not_permitted`` if it is disabled."""
        key = _named(_read(self.path), name)
        return self._unwrapped(name, key["primary"], key["versions"])

    def opening_key(self, name: str, version: int) -> Key:
        """The version that an object names; raises JobError as ``sealing_key`` does."""
        return self._unwrapped(name, version, _named(_read(self.path), name)["versions"])

    def _unwrapped(self, name: str, number: int, versions: dict[str, Any]) -> Key:
        row = _numbered(versions, name, number)
        if row["status"] != ENABLED:
            raise JobError(
                "not_permitted",
                f"version {number} of the key {name} is disabled",
                field="key",
                remedy=f"an administrator may allow it: sluice-keys enable {name}",
            )
        secret = self._provider.unwrap(base64.b64decode(row["wrapped"]), _context(name, number))
        return Key(name, number, secret)

    def _new_version(self, name: str, number: int) -> dict[str, str]:
        wrapped = self._provider.wrap(os.urandom(SECRET_SIZE), _context(name, number))
        created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"status": ENABLED, "created": created, "wrapped": base64.b64encode(wrapped).decode()}

    @contextmanager
    def _changed(self) -> Iterator[dict[str, Any]]:
        """The keys, to be changed in the block; written when it ends well, while others wait."""
        try:
            with open(self.path + ".lock", "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                keys = _read(self.path)
                yield keys
                _write(self.path, keys)
        except OSError as error:
            raise _unusable(self.path, f"cannot be written: {error.strerror}") from None


def require_key(config: Config, name: str) -> None:
    """Raise JobError ``key_not_found`` or ``not_permitted`` unless the key can seal; needs no master key."""
    key = _named(_read(config["keys.keyring"]), name)
    if _numbered(key["versions"], name, key["primary"])["status"] != ENABLED:
        raise JobError("not_permitted", f"the key {name} is disabled", field="key", remedy="name another key")


def _named(keys: dict[str, Any], name: str) -> dict[str, Any]:
    if name not in keys:
        there_are = f"there are: {', '.join(sorted(keys))[:500]}" if keys else "there are none yet"
        raise JobError(
            "key_not_found",
            f"there is no key {name}",
            field="key",
            remedy=f"{there_are}; an administrator makes one with: sluice-keys create {name}",
        )
    return keys[name]


def _numbered(versions: dict[str, Any], name: str, number: int) -> dict[str, Any]:
    if str(number) not in versions:
        raise JobError(
            "key_not_found",
            f"the key {name} has no version {number}",
            field="key",
            remedy=f"it has {', '.join(versions)}; restore the keyring from a back-up if one was lost",
        )
    return versions[str(number)]


def _versions(key: dict[str, Any]) -> list[Version]:
    rows = sorted(key["versions"].items(), key=lambda item: int(item[0]))
    return [Version(int(n), row["status"], row["created"], int(n) == key["primary"]) for n, row in rows]


def _context(name: str, number: int) -> bytes:
    return f"sluice keyring {FORMAT} {name}:{number}".encode()


def _read(path: str) -> dict[str, Any]:
    """The keys in the file; a file that does not exist yet holds none."""
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise _unusable(path, "is not JSON") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("keys"), dict):
        raise _unusable(path, "has a format that this release does not read")
    return content["keys"]


def _write(path: str, keys: dict[str, Any]) -> None:
    """Replace the file in one step: a reader, or a crash, sees the old one or the new one."""
    text = json.dumps({"format": FORMAT, "keys": keys}, indent=1, sort_keys=True) + "\n"
    temporary = f"{path}.{os.getpid()}.new"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    finally:
        _quietly(os.unlink, temporary)
    _sync_folder(os.path.dirname(os.path.abspath(path)))


def _sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _quietly(remove: Callable[[str], None], path: str) -> None:
    try:
        remove(path)
    except FileNotFoundError:
        return


def _unusable(path: str, what: str) -> JobError:
    return JobError("configuration", f"the keyring {path} {what}", remedy="an administrator must look at it")
