"""The older version of a file that is read, as the zone has it: what need not come over the line."""

from __future__ import annotations

from collections.abc import Callable

from python_rules.engine.systems.place import FILE, Comparing, Incoming, Item, Place
from python_rules.engine.systems.zone import ZonePlace
from python_rules.engine.transfer.streams import Reader
from python_rules.engine.undoing import undone_by
from python_rules.jobs.errors import PASSING, JobError


class Older:
    """A data object, read by offset."""

    def __init__(self, reader: Reader, size: int) -> None:
        self._reader = reader
        self._at = 0
        self.size = size

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """As Old.read_at."""
        if offset != self._at:
            self._reader.seek(offset)
        count = self._reader.readinto(buffer)
        self._at = offset + count
        return count

    def close(self) -> None:
        """As Old.close."""
        self._reader.close()


def incoming(source: Place, item: Item, target: Callable[[], Place], older: Item | None) -> Incoming:
    """A file from its start: against the older version, where the source can compare and the zone may be read."""
    if older is None or older.kind != FILE or not isinstance(source, Comparing):
        return source.read(item.path)
    place = target()
    if not isinstance(place, ZonePlace) or not (source.pays(item.size) and source.pays(older.size)):
        return source.read(item.path)
    try:
        reader = place.read(older.path)
    except JobError as error:
        if error.code in PASSING:
            raise
        return source.read(item.path)  # who may replace an object may not always read it
    old = Older(reader, older.size)
    with undone_by(old.close):
        return source.read_against(item.path, old)


def unchanged(source: Place, target: Place, item: Item, older: Item) -> bool:
    """Whether a system that trusts times says that a file of the same size is the same."""
    trusting = any(isinstance(place, Comparing) and place.trusts_times for place in (source, target))
    times = (item.modified, older.modified)
    return trusting and None not in times and int(item.modified or 0) == int(older.modified or 0)
