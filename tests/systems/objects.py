"""Places in the object stores of the tests, and what their tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from python_rules.engine.systems.place import Outgoing, Place
from python_rules.engine.systems.system import System
from python_rules.engine.systems.table import opened
from python_rules.systems import keys_of
from tests.systems.files import sha256
from tests.systems.servers_objects import KEY, USER, Swift

PART = 5 << 20  # bytes; the least that Amazon takes for a part that is not the last


def place_of(kind: str, **given: Any) -> Place:
    """A place of a type with every default filled in, as an administrator's row would give it."""
    known = {key: row.default for key, row in keys_of(kind).items()}
    return opened(System("there", {**known, "type": kind, "allowed": ["public"], **given}, "alice#tempZone"))


def secret(folder: Path, name: str, text: str) -> str:
    """A file of credentials that nobody else may read."""
    path = folder / name
    path.touch(0o600)
    path.write_text(text)
    return str(path)


def s3_settings(swift: Swift, folder: Path, base: str) -> dict[str, Any]:
    """A bucket through Swift's S3 layer."""
    shown = f"[default]\naws_access_key_id = {USER}\naws_secret_access_key = {KEY}\n"
    return {
        "address": swift.url,
        "base": base,
        "credentials_file": secret(folder, "credentials", shown),
        "part_mib": 5,
    }


def s3_place(swift: Swift, folder: Path, base: str, **given: Any) -> Place:
    """The same, opened, with other settings if wanted."""
    return place_of("s3", **{**s3_settings(swift, folder, base), **given})


def swift_settings(swift: Swift, folder: Path, base: str) -> dict[str, Any]:
    """A container through Swift's own interface."""
    return {
        "address": swift.auth_url,
        "auth": "v1",
        "user": USER,
        "base": base,
        "password_file": secret(folder, "key", KEY),
        "part_mib": 1,
    }


def swift_place(swift: Swift, folder: Path, base: str, **given: Any) -> Place:
    """The same, opened, with other settings if wanted."""
    return place_of("swift", **{**swift_settings(swift, folder, base), **given})


def put(place: Place, path: str, data: bytes, modified: float | None = None, size: bool = True) -> str:
    """Write a file in odd blocks; how it was verified."""
    writer = place.write(path, len(data) if size else None)
    for start in range(0, len(data), 777_777):
        writer.write(data[start : start + 777_777])
    return writer.publish(len(data), sha256(data), modified)


def finish(writer: Outgoing, rest: bytes, whole: bytes) -> str:
    """Write the rest of a file and publish it."""
    writer.write(rest)
    return writer.publish(len(whole), sha256(whole))
