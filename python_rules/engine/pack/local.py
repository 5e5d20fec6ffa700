"""Folders of a file system: packed from, and unpacked to."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from python_rules.engine.blocks import Block
from python_rules.engine.pack import COLLECTION, HARD_LINK, LINK, ROOT, Member
from python_rules.engine.pack.packing import Content
from python_rules.engine.pipeline import Sink
from python_rules.jobs.errors import JobError

PRIVATE = 0o700


def members(folder: str) -> Iterator[Member]:
    """What is in a folder, sorted, parents first; raises JobError about devices, sockets and pipes."""
    yield _member(folder, ROOT)
    for place, folders, files in os.walk(folder, onerror=_raise):
        folders.sort()
        for name in sorted([*folders, *files]):
            path = os.path.join(place, name)
            yield _member(path, os.path.relpath(path, folder))


def opened(member: Member) -> Content:
    """The content of a file that was listed."""
    return open(member.place, "rb", 0)


def _raise(error: OSError) -> None:
    raise error


def _member(path: str, name: str) -> Member:
    status = os.lstat(path)
    mode, modified = stat.S_IMODE(status.st_mode) & 0o777, status.st_mtime_ns / 1e9
    if stat.S_ISREG(status.st_mode):
        return Member(name, size=status.st_size, mode=mode, modified=modified, place=path)
    if stat.S_ISDIR(status.st_mode):
        return Member(name, COLLECTION, mode=mode, modified=modified, place=path)
    if stat.S_ISLNK(status.st_mode):
        return Member(name, LINK, mode=mode, modified=modified, link=os.readlink(path), place=path)
    raise JobError("bad_value", f"{path} is neither file nor folder", remedy="move it out of the folder")


class Folder:
    """An unpacking.Place: a hidden sibling of the target, which gets its name when all is there."""

    def __init__(self, target: str) -> None:
        self._target = target
        if os.path.lexists(target):
            raise JobError("target_exists", f"{target} exists", remedy="name a folder that does not exist yet")
        parent = os.path.dirname(os.path.abspath(target))
        self._root = tempfile.mkdtemp(prefix=".sluice-", dir=parent)
        self._file: BinaryIO | None = None
        self._after: list[tuple[str, Member]] = []  # folders and links wait: nothing may go through a link

    def begin(self, member: Member) -> Sink:
        """As unpacking.Place."""
        path = os.path.join(self._root, member.name) if member.name != ROOT else self._root
        os.makedirs(os.path.dirname(path) if member.name != ROOT else path, PRIVATE, exist_ok=True)
        if member.kind in (COLLECTION, LINK, HARD_LINK):
            if member.kind == COLLECTION:
                os.makedirs(path, PRIVATE, exist_ok=True)
            self._after.append((path, member))
            return _Nothing()
        self._file = open(path, "xb")  # noqa: SIM115  (closed by ``end``)
        os.fchmod(self._file.fileno(), member.mode)
        self._modified = member.modified
        return _Written(self._file)

    def end(self) -> None:
        """As unpacking.Place."""
        if self._file is not None:
            self._file.flush()
            os.utime(self._file.fileno(), (self._modified, self._modified))
            self._file.close()
            self._file = None

    def publish(self) -> None:
        """Give the folder its name."""
        for path, member in self._after:
            if member.kind == LINK:
                os.symlink(member.link, path)
            elif member.kind == HARD_LINK:
                os.link(os.path.join(self._root, member.link), path, follow_symlinks=False)
        for path, member in reversed(self._after):  # inner ones first: what is made in a folder changes its time
            if member.kind == COLLECTION:
                os.chmod(path, member.mode)
                os.utime(path, (member.modified, member.modified))
        os.rename(self._root, self._target)

    def discard(self) -> None:
        """Remove whatever was made."""
        if self._file is not None:
            self._file.close()
        for path, _ in self._after:
            if Path(path).is_dir():
                os.chmod(path, PRIVATE)
        shutil.rmtree(self._root, ignore_errors=True)


class _Written:
    """A file's content."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, block: Block) -> None:
        """As pipeline.Sink."""
        self._file.write(block)


class _Nothing:
    """Where the content of a member goes that has none."""

    def write(self, block: Block) -> None:
        """As pipeline.Sink."""
