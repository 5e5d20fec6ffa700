"""Trees of files in the zone, as a user moves them with python-irodsclient."""

from __future__ import annotations

import hashlib
from pathlib import Path

from irods.column import Criterion, Like
from irods.models import Collection, DataObject
from irods.session import iRODSSession


def put(session: iRODSSession, folder: Path, collection: str) -> int:
    """Put every file below a folder into a new collection; the bytes put."""
    session.collections.create(collection)
    made = {collection}
    size = 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        target = f"{collection}/{path.relative_to(folder).as_posix()}"
        parent = target.rpartition("/")[0]
        if parent not in made:
            session.collections.create(parent)
            made.add(parent)
        session.data_objects.put(str(path), target)
        size += path.stat().st_size
    return size


def listing(session: iRODSSession, collection: str) -> dict[str, int]:
    """Name below the collection -> size in bytes, of every data object in it."""
    found: dict[str, int] = {}
    for condition in (Criterion("=", Collection.name, collection), Like(Collection.name, f"{collection}/%")):
        for row in session.query(Collection.name, DataObject.name, DataObject.size).filter(condition):
            path = f"{row[Collection.name]}/{row[DataObject.name]}"
            found[path[len(collection) + 1 :]] = row[DataObject.size]
    return found


def digests(session: iRODSSession, collection: str) -> dict[str, str]:
    """Name below the collection -> SHA-256 of the bytes, read back."""
    found = {}
    for name in listing(session, collection):
        with session.data_objects.open(f"{collection}/{name}", "r") as stream:
            digest = hashlib.sha256()
            while block := stream.read(4 * 1024 * 1024):
                digest.update(block)
        found[name] = digest.hexdigest()
    return found


def local_digests(folder: Path) -> dict[str, str]:
    """The same of a folder's files."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
