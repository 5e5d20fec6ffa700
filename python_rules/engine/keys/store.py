"""The keyring file: names, states and grants in the clear, secrets wrapped.

    {"format": 2, "wrapped_by": "<provider>", "signer": {"public": "<base64>", "wrapped": "<base64>"}, "keys": {
        "<name>": {"owner": "<name#zone>", "grants": [{"who": ..., "may": [...], "collection": ...}], "primary": 2,
            "versions": {"1": {"status": "enabled", "created": "<UTC>", "wrapped": "<base64>"}, "2": ...}}}}

Rules read the names from it with the standard library alone. Format 1 had neither owners nor grants: its keys
are read as nobody's, until an administrator grants them.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from python_rules.jobs.errors import JobError

FORMAT = 2
READABLE = (1, FORMAT)
Document = dict[str, Any]


def read(path: str) -> Document:
    """The file's content, in the present format; a file that does not exist yet holds no key."""
    try:
        with open(path, encoding="utf-8") as file:
            return parsed(file.read(), path)
    except FileNotFoundError:
        return _upgraded({"keys": {}})
    except OSError as error:
        raise unusable(path, f"cannot be read: {error.strerror}") from None


class Watched:
    """The file's content as it is now, parsed anew only when the file was replaced; not to be changed by who reads."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: tuple[tuple[int, int, int], Document] | None = None

    def read(self) -> Document:
        """As ``read``."""
        try:
            status = os.stat(self._path)
        except OSError:
            return read(self._path)
        mark = (status.st_ino, status.st_mtime_ns, status.st_size)
        if self._seen is None or self._seen[0] != mark:
            self._seen = (mark, read(self._path))
        return self._seen[1]


def parsed(text: str, path: str) -> Document:
    """The document in a text; ``path`` is for the error."""
    try:
        content = json.loads(text)
    except ValueError:
        raise unusable(path, "is not JSON") from None
    if (
        not isinstance(content, dict)
        or content.get("format") not in READABLE
        or not isinstance(content.get("keys"), dict)
    ):
        raise unusable(path, "has a format that this release does not read")
    return _upgraded(content)


@contextmanager
def changed(path: str) -> Iterator[Document]:
    """The document, to be changed in the block; written when it ends well, while others wait."""
    try:
        descriptor = os.open(path + ".lock", os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            document = read(path)
            yield document
            replace(path, json.dumps(document, indent=1, sort_keys=True) + "\n")
    except OSError as error:
        raise unusable(path, f"cannot be written: {error.strerror}") from None


def replace(path: str, text: str) -> None:
    """Replace a private file in one step: a reader, or a crash, sees the old one or the new one."""
    temporary = f"{path}.{os.getpid()}.new"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
    _sync_folder(os.path.dirname(os.path.abspath(path)))


def unusable(path: str, what: str) -> JobError:
    return JobError("configuration", f"the keyring {path} {what}", remedy="an administrator must look at it")


def _upgraded(content: Document) -> Document:
    keys = {name: {"owner": "", "grants": [], **key} for name, key in content["keys"].items()}
    return {"wrapped_by": "", **content, "format": FORMAT, "keys": keys}


def _sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
