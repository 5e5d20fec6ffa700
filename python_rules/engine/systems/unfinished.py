"""What is on its way into an object store: a small object for each upload, by which a later attempt finds its parts.

They lie in a folder of hidden name; a store shows an unfinished upload to nobody else who could tell whose it is.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from python_rules.engine.systems.system import earlier
from python_rules.jobs.paths import HIDDEN_PREFIX

FOLDER = f"{HIDDEN_PREFIX}uploads"
_DAY = 86_400.0


class Small(Protocol):
    """Small objects of a store, by name."""

    def names(self, prefix: str) -> Iterator[tuple[str, float]]:
        """Those whose name begins so, with their modify time."""

    def get(self, name: str) -> bytes | None:
        """The content; None if it is not there."""

    def put(self, name: str, data: bytes) -> None:
        """Make or replace one."""

    def delete(self, name: str) -> None:
        """Remove one; that it is not there is no error."""


@dataclass(frozen=True)
class Mark:
    """One upload: the path it is for, and the store's own word for it."""

    name: str
    path: str
    upload: str


class Marks:
    """The uploads of one system that were begun and not ended."""

    def __init__(self, store: Small) -> None:
        self._store = store

    def made(self, path: str, resume: str, upload: str) -> Mark:
        """Note an upload."""
        mark = Mark(f"{FOLDER}/{resume or uuid.uuid4().hex}-{_short(path)}", path, upload)
        self._store.put(mark.name, json.dumps({"path": path, "upload": upload}).encode())
        return mark

    def taken_over(self, path: str, resume: str) -> Mark | None:
        """What this attempt or an earlier one left for a path, now under this attempt's token; None if nothing."""
        content = resume.rpartition(".")[0]
        if not content:
            return None
        there = {name for name, _ in self._store.names(f"{FOLDER}/{content}.")}
        for token in (resume, *earlier(resume)):
            name = f"{FOLDER}/{token}-{_short(path)}"
            mark = self._read(name) if name in there else None
            if mark and token == resume:
                return mark
            if mark:
                own = self.made(path, resume, mark.upload)
                self._store.delete(name)
                return own
        return None

    def of_job(self, job: str, path: str) -> list[Mark]:
        """What attempts of a job left at a path and below it."""
        marks = [self._read(name) for name, _ in self._store.names(f"{FOLDER}/{job}")]
        return [mark for mark in marks if mark and (not path or f"{mark.path}/".startswith(f"{path}/"))]

    def older(self, days: float) -> list[Mark]:
        """What nobody went on with for so long."""
        until = time.time() - days * _DAY
        marks = [self._read(name) for name, modified in self._store.names(f"{FOLDER}/") if modified < until]
        return [mark for mark in marks if mark]

    def remove(self, mark: Mark) -> None:
        """The upload has ended."""
        self._store.delete(mark.name)

    def _read(self, name: str) -> Mark | None:
        content = self._store.get(name)
        if content is None:
            return None
        said = json.loads(content)
        return Mark(name, said["path"], said["upload"])


def _short(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()[:16]
