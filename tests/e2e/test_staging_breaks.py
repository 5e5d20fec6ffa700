"""Jobs that break off in the middle of a file, for every type: gone on with after a kill, otherwise nothing is left."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator

import pytest
from irods.models import Collection, DataObject

from tests.e2e.staging_ground import INTO_ZONE, SIZE, WRITING, Ground, ground

pytestmark = pytest.mark.long
TARGETS = list(WRITING)
KILLED_TARGETS = ["rsync", "irods", "swift", "postgresql", "couchdb"]  # test_staging_kill has the others
KILLED_SOURCES = ["http", "irods", "swift", "s3", "sftp", "postgresql", "couchdb"]
BEGUN_ANEW = ("postgresql", "couchdb")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground(tmp_path_factory, *WRITING, "http") as there:
        yield there


@pytest.fixture
def name() -> str:
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.mark.parametrize("kind", KILLED_TARGETS)
def test_a_killed_engines_file_is_completed_at_the_target(made: Ground, kind: str, name: str) -> None:
    """By the second attempt; when the file is removed the far side has just what it had before."""
    place, data, before = made.bench.place(), made.peers[kind].form(SIZE), made.holdings(kind)
    made.bench.write(f"{place}/in", data)

    job_id = made.killed(WRITING[kind], f"{place}/in", made.address(kind, name))
    made.succeeded(job_id)

    assert made.content(kind, name) == made.peers[kind].shown(data)
    made.removed(kind, name)
    made.until_holdings(kind, before)


@pytest.mark.parametrize("kind", KILLED_SOURCES)
def test_a_killed_engines_object_is_completed_in_the_zone(made: Ground, kind: str, name: str) -> None:
    """The object that was begun becomes the target, unless the source is one whose bytes differ each time."""
    place, data = made.bench.place(), made.peers[kind].form(SIZE)
    made.bring(kind, name, data)

    job_id = made.killed(INTO_ZONE, made.address(kind, name), f"{place}/out")
    begun = numbers(made, place)
    made.succeeded(job_id)

    assert made.peers[kind].shown(made.bench.read(f"{place}/out")) == made.peers[kind].shown(data)
    made.bench.until_names(place, ["out"])
    assert numbers(made, place) == begun


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("kind", TARGETS)
def test_a_cancelled_job_leaves_nothing_there(made: Ground, kind: str, name: str, killed: bool) -> None:
    """Cancelled in the middle of a file. Its engine notices; if it and the agent that waited for it are killed before
    they have tidied up, the patrol does."""
    place, before = made.bench.place(), made.holdings(kind)
    made.bench.write(f"{place}/in", made.peers[kind].form(SIZE))

    job_id, engine = made.stopped(WRITING[kind], f"{place}/in", made.address(kind, name))
    made.bench.ask("sluice_cancel", job_id)
    if killed:
        for process in (engine.agent, engine.pid):
            os.kill(process, signal.SIGKILL)
    else:
        engine.go_on()

    assert made.bench.ended(job_id)["state"] == "cancelled"
    made.until_holdings(kind, before)


@pytest.mark.parametrize("kind", TARGETS)
def test_a_failed_job_leaves_nothing_there(made: Ground, kind: str, name: str) -> None:
    """An error in the middle of a file that nobody foresaw."""
    place, before = made.bench.place(), made.holdings(kind)
    made.bench.write(f"{place}/in", made.peers[kind].form(SIZE))

    with made.faults.at(WRITING[kind], "fail"):
        job_id = made.bench.submit(operation="stage", source=f"{place}/in", target=made.address(kind, name))
        job = made.bench.ended(job_id)

    assert job["state"] == "failed"
    assert job["error"]["code"] == "engine_failed"
    made.until_holdings(kind, before)


def numbers(made: Ground, collection: str) -> list[int]:
    """The data objects of a collection, hidden ones as well, by their ids."""
    with made.bench.site.admin() as session:
        rows = session.query(DataObject.id).filter(Collection.name == collection)
        return sorted(row[DataObject.id] for row in rows)
