"""Find out which key an object is sealed under when its metadata are lost, by trying those of the keyring."""

from __future__ import annotations

from collections.abc import Iterator

from irods.meta import iRODSMeta
from irods.models import DataObject
from irods.session import iRODSSession

from python_rules import names
from python_rules.engine.encoding import SUFFIXES
from python_rules.engine.keys import Key, Keyring, Log
from python_rules.engine.keys.keyring import ENABLED
from python_rules.engine.parallel import Workers
from python_rules.engine.seal.table import ENCRYPTIONS, Encryption
from python_rules.engine.transfer.listing import SourceObject
from python_rules.engine.transfer.zone import Zone
from python_rules.jobs.errors import JobError

# Enough for several segments of every method: the first one that opens tells the key.
SAMPLE = 4 * 1024 * 1024


def relabel(session: iRODSSession, source: str, keyring: Keyring, log: Log, actor: str) -> dict[str, str]:
    """Write ``sluice::key`` at every sealed object of a source that lacks it; path -> version, '' if none opens it.

    The session is of a user who may read and write the objects; the rest of their metadata follows from their names.
    """
    zone = Zone(session, "relabel")
    keys = [
        keyring.version(name, v.number) for name, rows in keyring.list().items() for v in rows if v.status == ENABLED
    ]
    found: dict[str, str] = {}
    with Workers(1) as workers:
        for item in zone.list(source).objects:
            method = sealed_by(item.path)
            if method is None or any(avu[0] == names.KEY_ATTRIBUTE for avu in zone.attributes(item)):
                continue
            key = _opening(_start(zone, item), item.size, keys, method, workers)
            found[item.path] = key.reference if key else ""
            if key:
                log.record("relabel", key.reference, actor, object=item.path)
                session.metadata.set(DataObject, item.path, iRODSMeta(names.KEY_ATTRIBUTE, key.reference))
    return found


def sealed_by(path: str) -> Encryption | None:
    """The method that a name's suffix tells, if its data tell whether a key is theirs."""
    named = (row for method, row in ENCRYPTIONS.items() if path.endswith(SUFFIXES[method]))
    return next((row for row in named if row.authenticated), None)


def _opening(start: bytes, size: int, keys: list[Key], method: Encryption, workers: Workers) -> Key | None:
    return next((key for key in keys if _opens(start, size, key, method, workers)), None)


def _opens(start: bytes, size: int, key: Key, method: Encryption, workers: Workers) -> bool:
    codec = method.opener(workers, key)
    try:
        for _ in codec.feed(start):
            return True
        if len(start) == size:
            for _ in codec.finish():
                pass
            return True
    except JobError:
        pass
    return False


def _start(zone: Zone, item: SourceObject) -> bytes:
    return b"".join(_blocks(zone, item))


def _blocks(zone: Zone, item: SourceObject) -> Iterator[bytes]:
    reader, buffer, left = zone.reader(item.path), bytearray(SAMPLE), SAMPLE
    try:
        while left and (count := reader.readinto(buffer)):
            yield bytes(buffer[: min(count, left)])
            left -= min(count, left)
    finally:
        reader.close()
