"""What a job works on: the objects and collections below its source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from irods.session import iRODSSession

from python_rules.engine.transfer import queries
from python_rules.engine.transfer.queries import GOOD, Replica
from python_rules.jobs.errors import JobError
from python_rules.jobs.paths import is_hidden, split


@dataclass(frozen=True)
class SourceObject:
    """A data object to work on, as its good replica was when it was listed; size in bytes.

    ``relative`` is its path below the source (its name, if it is the source). ``trouble`` says why it cannot be read.
    """

    path: str
    relative: str
    size: int
    data_id: int
    checksum: str = ""
    modified: str = ""
    trouble: JobError | None = field(default=None, compare=False)

    @property
    def is_gone(self) -> bool:
        """Whether it was named and is not there."""
        return self.trouble is not None and not self.data_id


@dataclass(frozen=True)
class Listing:
    """The objects of a source, sorted, and the collections below it, parents first (relative paths)."""

    source: str
    is_collection: bool
    objects: tuple[SourceObject, ...]
    collections: tuple[str, ...] = ()
    # a collection, and all paths below it as they were before the first object
    looked_below: str = field(default="", kw_only=True)
    there: frozenset[str] = field(default=frozenset(), repr=False, compare=False, kw_only=True)

    def is_free(self, path: str) -> bool:
        """Whether nothing was at a path, as far as somebody has looked there."""
        return bool(self.looked_below) and path.startswith(self.looked_below + "/") and path not in self.there

    @property
    def size(self) -> int:
        """Bytes of all objects."""
        return sum(found.size for found in self.objects)


def list_source(session: iRODSSession, source: str, only: tuple[str, ...] = ()) -> Listing:
    """All objects of a source, or those of its relative paths ``only``; raises JobError ``source_not_found``."""
    found = queries.replicas(session, source)
    if found:
        return Listing(source, False, (_object(found, split(source)[1]),))
    if not queries.collection_exists(session, source):
        raise _missing(source)
    by_path: dict[str, list[Replica]] = {}
    for replica in queries.replicas_below(session, source):
        by_path.setdefault(replica.path, []).append(replica)
    collections = queries.collections_below(session, source)
    objects = tuple(_objects(by_path, source))
    names = tuple(path[len(source) + 1 :] for path in collections)
    there = frozenset({*by_path, *collections})
    listing = Listing(source, True, objects, names, looked_below=source, there=there)
    return _narrowed(listing, only) if only else listing


def _objects(by_path: dict[str, list[Replica]], source: str) -> Iterator[SourceObject]:
    for path in sorted(by_path):
        if not is_hidden(path):
            yield _object(by_path[path], path[len(source) + 1 :])


def _object(found: list[Replica], relative: str) -> SourceObject:
    good = [replica for replica in found if replica.status == GOOD]
    taken = (good or found)[0]
    trouble = None if good else _unusable(taken)
    return SourceObject(taken.path, relative, taken.size, taken.data_id, taken.checksum, taken.modified, trouble)


def _narrowed(listing: Listing, only: Iterable[str]) -> Listing:
    by_name = {found.relative: found for found in listing.objects}
    objects = tuple(by_name.get(name) or _gone(listing.source, name) for name in sorted(set(only)))
    return replace(listing, objects=objects, collections=tuple(_parents(only)))


def _parents(names: Iterable[str]) -> list[str]:
    """The collections that these objects lie in, parents first."""
    found: set[str] = set()
    for name in names:
        parts = name.split("/")[:-1]
        found.update("/".join(parts[: end + 1]) for end in range(len(parts)))
    return sorted(found)


def _gone(source: str, relative: str) -> SourceObject:
    path = f"{source}/{relative}"
    return SourceObject(path, relative, 0, 0, trouble=_missing(path))


def _missing(path: str) -> JobError:
    return JobError(
        "source_not_found",
        f"{path} does not exist, or may not be read",
        field="source",
        remedy="check the path with ils, or ask its owner for read access",
        object_path=path,
    )


def _unusable(replica: Replica) -> JobError:
    return JobError(
        "zone_error",
        f"{replica.path} has no good replica: it is being written, or a write was broken off",
        remedy="see the replicas with ils -l; write the object again, or retry the job when the writer is done",
        object_path=replica.path,
    )
