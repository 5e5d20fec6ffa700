"""kill -9 of a whole zone while clients write: nothing acknowledged is lost, the rest is as a real server leaves it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from irods.exception import NetworkException, iRODSException
from irods.session import iRODSSession

from embedded_zone.server.supervisor import EmbeddedZone
from tests.zone import objects_zone

HOME = "/tempZone/home/rods"
WRITERS = 3
BEFORE_THE_KILL = 12
GOOD, INTERMEDIATE = "1", "2"
GONE = (NetworkException, iRODSException, OSError)


@pytest.fixture
def zone(tmp_path: Path) -> Iterator[EmbeddedZone]:
    """A running zone of this test alone."""
    with EmbeddedZone(tmp_path / "home") as running:
        yield running


def content(path: str) -> bytes:
    return path.encode() * 300


class Writer(threading.Thread):
    """Writes small objects and metadata until the zone is gone; remembers what the zone acknowledged."""

    def __init__(self, zone: EmbeddedZone, name: str, enough: threading.Semaphore) -> None:
        super().__init__()
        self.zone, self.prefix, self.enough = zone, name, enough
        self.written: list[str] = []
        self.described: list[str] = []

    def run(self) -> None:
        with objects_zone.session(self.zone) as session:
            try:
                for number in range(1000):
                    self._one(session, f"{HOME}/{self.prefix}{number}")
            except GONE:
                return

    def _one(self, session: iRODSSession, path: str) -> None:
        with session.data_objects.open(path, "w") as file:
            file.write(content(path))
        self.written.append(path)
        session.data_objects.get(path).metadata.add("written", "yes")
        self.described.append(path)
        self.enough.release()


def test_acknowledged_writes_survive_and_the_catalogue_is_consistent(zone: EmbeddedZone) -> None:
    """After a crash in the middle of writes the objects that were closed are good, with their metadata."""
    enough = threading.Semaphore(0)
    writers = [Writer(zone, name, enough) for name in "abc"[:WRITERS]]
    for writer in writers:
        writer.start()
    for _ in range(BEFORE_THE_KILL):
        assert enough.acquire(timeout=60)

    zone.kill()
    for writer in writers:
        writer.join()
    zone.start()

    with objects_zone.session(zone) as session:
        for path in (path for writer in writers for path in writer.written):
            assert session.data_objects.get(path).replicas[0].status == GOOD
            assert session.data_objects.open(path, "r").read() == content(path)
        for path in (path for writer in writers for path in writer.described):
            assert session.data_objects.get(path).metadata["written"].value == "yes"
    assert inconsistencies(zone) == []


def inconsistencies(zone: EmbeddedZone) -> list[str]:
    """Damage in the database file, good replicas whose file has another size, and rows that belong to nothing."""
    with sqlite3.connect(zone.config.catalog) as db:
        found = [row[0] for row in db.execute("pragma integrity_check") if row[0] != "ok"]
        for path, size in db.execute("select data_path, data_size from R_DATA_MAIN where data_is_dirty = 1"):
            if Path(path).stat().st_size != int(size):
                found.append(f"{path}: {size} in the catalogue")
        lost = """select object_id from R_OBJT_ACCESS where object_id not in (select data_id from R_DATA_MAIN)
            and object_id not in (select coll_id from R_COLL_MAIN)"""
        found += [f"access to {number}, which does not exist" for (number,) in db.execute(lost)]
    return found


def test_an_object_that_was_being_written_stays_intermediate(zone: EmbeddedZone) -> None:
    """Nobody closes for a zone that was killed: status 2 and size 0, until an administrator sets it to stale."""
    path = f"{HOME}/half"
    with objects_zone.session(zone) as session:
        file = session.data_objects.open(path, "w")
        file.raw.write(b"half")
        zone.kill()
        with pytest.raises(GONE):
            file.raw.write(b"more")
    zone.start()

    with objects_zone.session(zone) as session:
        replica = session.data_objects.get(path).replicas[0]
        assert (replica.status, replica.size) == (INTERMEDIATE, 0)
        with pytest.raises(iRODSException):
            session.data_objects.open(path, "r")
        session.data_objects.modDataObjMeta({"objPath": path, "replNum": 0}, {"replStatus": 0})
        session.data_objects.unlink(path, force=True)
    assert inconsistencies(zone) == []
