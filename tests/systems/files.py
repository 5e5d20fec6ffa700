"""Files of a place as the tests write, read and list them."""

from __future__ import annotations

from python_rules.engine.pipeline import Tally
from python_rules.engine.systems.place import Incoming, Place

MIB = 1 << 20
BLOCK = 4 * MIB


def sha256(data: bytes) -> str:
    """The hash as iRODS writes it."""
    tally = Tally()
    for _ in tally.over([data]):
        pass
    return tally.sha256


def write(place: Place, path: str, data: bytes, modified: float | None = None) -> str:
    """A published file; how it was verified."""
    if "/" in path:
        place.make_folder(path.rpartition("/")[0])
    outgoing = place.write(path, len(data))
    for start in range(0, len(data), BLOCK):
        outgoing.write(data[start : start + BLOCK])
    return outgoing.publish(len(data), sha256(data), modified)


def read(place: Place, path: str, offset: int = 0, step: int = BLOCK) -> bytes:
    """A file from an offset, in buffers of so many bytes."""
    return drained(place.read(path, offset), step)


def drained(incoming: Incoming, step: int = BLOCK) -> bytes:
    """All that there is to read."""
    found, buffer = bytearray(), bytearray(step)
    try:
        while count := incoming.readinto(buffer):
            found += buffer[:count]
    finally:
        incoming.close()
    return bytes(found)


def listed(place: Place, path: str) -> list[str]:
    """The names below a folder."""
    start = len(path) + 1 if path else 0
    return [item.path[start:] for item in place.walk(path)]
