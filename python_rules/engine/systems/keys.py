"""Keys of an object store as a tree: a folder is what keys have in front of a '/', or an empty object named so."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from python_rules.engine.systems.place import FILE, FOLDER, Item
from python_rules.engine.systems.system import System, checked_path
from python_rules.jobs.errors import JobError
from python_rules.jobs.paths import is_hidden

LONGEST = 1024  # bytes of a key, in S3 and in Swift
_AHEAD = 64  # items of a walk that are looked at before they are asked for


class Listed(NamedTuple):
    """One key of a listing, relative to the base."""

    key: str
    size: int
    modified: float | None
    checksum: str


class Keyed(ABC):
    """What a store says of the keys below its base: the half of a Place that S3 and Swift share."""

    _system: System
    _threads: int

    def find(self, path: str) -> Item | None:
        """As Place.find."""
        if not checked_path(self._system, path):
            return Item("", FOLDER)
        found = self._file(path)
        if found is None and next(self._listed(f"{path}/", 1), None):
            return Item(path, FOLDER)
        return found

    def walk(self, path: str) -> Iterator[Item]:
        """As Place.walk."""
        listed = self._listed(f"{checked_path(self._system, path)}/" if path else "")
        return described(tree(listed, path), self._file, self._threads)

    @abstractmethod
    def _file(self, path: str) -> Item | None:
        """The object of a path, if there is one."""

    @abstractmethod
    def _listed(self, prefix: str, page: int = 1000) -> Iterator[Listed]:
        """The keys that begin so, in their order; ``page`` in one answer."""


def tree(listed: Iterable[Listed], path: str) -> Iterator[Item]:
    """The keys below a path as items, each folder before what it holds; keys come in order, as stores give them."""
    depth = len(path.split("/")) if path else 0
    before: list[str] = []
    for row in listed:
        if is_hidden("/" + row.key):
            continue
        *folders, name = row.key.split("/")
        same = 0
        while same < min(len(before), len(folders)) and before[same] == folders[same]:
            same += 1
        for number in range(max(same, depth), len(folders)):
            modified = row.modified if not name and number == len(folders) - 1 else None
            yield Item("/".join(folders[: number + 1]), FOLDER, modified=modified)
        before = folders
        if name:
            yield Item(row.key, FILE, row.size, row.modified, row.checksum)


def described(items: Iterable[Item], look: Callable[[str], Item | None], threads: int) -> Iterator[Item]:
    """The same items, each file as ``look`` tells of it: a listing knows neither the time nor the hash that were kept
    with it. Several are looked at at a time; one that is gone meanwhile is left out."""
    flying: deque[Item | Future[Item | None]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="look") as pool:
        for item in items:
            flying.append(pool.submit(look, item.path) if item.kind == FILE else item)
            if len(flying) >= _AHEAD:
                yield from _settled(flying.popleft())
        while flying:
            yield from _settled(flying.popleft())


def _settled(one: Item | Future[Item | None]) -> Iterator[Item]:
    item = one if isinstance(one, Item) else one.result()
    if item is not None:
        yield item


def key_of(system: System, prefix: str, path: str) -> str:
    """The key of a path; raises JobError ``bad_path`` for a name that no store can hold."""
    key = f"{prefix}/{path}" if prefix else path
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise _unfit(system, path, "it is not valid Unicode") from None
    if size > LONGEST:
        raise _unfit(system, path, f"its key has {size} bytes; an object store takes {LONGEST}")
    return key


def _unfit(system: System, path: str, what: str) -> JobError:
    return system.error("bad_path", what, ascii(path)[:80])
