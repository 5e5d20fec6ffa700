"""An engine that is killed in the middle of a file: the patrol's next attempt goes on with what is there."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from irods.models import Collection, DataObject

from tests.e2e.faults import Faults, Step
from tests.e2e.jobs import Bench, bench
from tests.e2e.staging_ground import configure
from tests.stack.site import EmbeddedSite
from tests.systems.files import read
from tests.systems.objects import s3_place, s3_settings, swift_place
from tests.systems.peers import Sshd
from tests.systems.servers_objects import Swift

pytestmark = pytest.mark.long
DATA = random.Random(8).randbytes(22_000_003)  # six blocks
SYSTEMS: dict[str, Step] = {
    "yard": ("systems.posix", "Writing", "write", "after", 4),
    "hpc": ("systems.sftp_files", "Writing", "write", "after", 4),
}


@dataclass
class Ground:
    """A zone whose engine stops where it is told to, and two systems, whose files lie in folders of this host."""

    bench: Bench
    faults: Faults
    folders: dict[str, Path]

    def killed(self, step: Step, source: str, target: str, **more: object) -> tuple[str, Callable[[], None]]:
        """A job whose engine waits in the middle of its file, and what kills it there."""
        with self.faults.at(step):
            job_id = self.bench.submit(operation="stage", source=source, target=target, **more)
            stopped = self.faults.stopped()
        return job_id, lambda: os.kill(stopped.pid, signal.SIGKILL)

    def succeeded(self, job_id: str) -> None:
        job = self.bench.ended(job_id)
        assert (job["state"], job["attempt"]) == ("succeeded", 2), (job["state"], job["error"])


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    home = tmp_path_factory.mktemp("kill")
    (home / "yard").mkdir()
    with Sshd() as server, bench(tmp_path_factory.mktemp("zone")) as made:
        server.start()
        if not isinstance(made.site, EmbeddedSite):
            pytest.skip("kills engines by a script of its own: only on an embedded zone")
        faults = Faults(made.site, home / "faults")
        systems = {"yard": {"type": "posix", "base": str(home / "yard")}, "hpc": {"type": "sftp", **server.settings()}}
        configure(made.site, systems)
        yield Ground(made, faults, {"yard": home / "yard", "hpc": server.home / "base"})


def inodes(folder: Path) -> set[int]:
    """Of all files below a folder."""
    return {path.stat().st_ino for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_file_of_a_system_is_gone_on_with(ground: Ground, system: str) -> None:
    """The file that the killed engine left becomes the target: what it held is not sent again."""
    place, folder = ground.bench.place(), ground.folders[system]
    ground.bench.write(f"{place}/in", DATA)
    before = inodes(folder)

    job_id, kill = ground.killed(SYSTEMS[system], f"{place}/in", f"{system}:{job_name(place)}")
    assert not (folder / job_name(place)).exists()
    left = inodes(folder) - before
    kill()
    ground.succeeded(job_id)

    assert (folder / job_name(place)).read_bytes() == DATA
    assert inodes(folder) - before == left


def test_an_object_of_the_zone_is_gone_on_with(ground: Ground) -> None:
    """The data object that the killed engine left, which the server keeps as stale, becomes the target."""
    place = ground.bench.place()
    (ground.folders["yard"] / job_name(place)).write_bytes(DATA)

    step: Step = ("transfer.streams", "_Stream", "write", "after", 4)
    job_id, kill = ground.killed(step, f"yard:{job_name(place)}", f"{place}/out")
    left = numbers(ground, place)
    kill()
    ground.succeeded(job_id)

    assert ground.bench.read(f"{place}/out") == DATA
    assert list(left.values()) != ["out"]
    assert numbers(ground, place) == dict.fromkeys(left, "out")


def test_a_source_that_changed_meanwhile_is_begun_anew(ground: Ground) -> None:
    """What was left of another content is neither taken nor left behind."""
    place, source = ground.bench.place(), ground.folders["yard"] / "changing"
    source.write_bytes(DATA)

    step: Step = ("transfer.streams", "_Stream", "write", "after", 4)
    job_id, kill = ground.killed(step, "yard:changing", f"{place}/out")
    source.write_bytes(DATA[::-1])
    kill()
    ground.succeeded(job_id)

    assert ground.bench.read(f"{place}/out") == DATA[::-1]
    ground.bench.until_names(place, ["out"])


def test_a_tree_goes_on_behind_its_last_file(ground: Ground) -> None:
    """Files that were told of, and those that are there with the same content, are not moved again."""
    place = ground.bench.place()
    (ground.folders["yard"] / job_name(place)).mkdir()
    for number in range(30):
        (ground.folders["yard"] / job_name(place) / f"{number:02}").write_bytes(b"%d" % number)

    step: Step = ("systems.zone", "ZoneWriting", "publish", "after", 12)
    job_id, kill = ground.killed(step, f"yard:{job_name(place)}", f"{place}/out")
    there = numbers(ground, f"{place}/out")
    kill()
    ground.succeeded(job_id)

    after = numbers(ground, f"{place}/out")
    assert sorted(after.values()) == [f"{number:02}" for number in range(30)]
    assert {number: name for number, name in there.items() if not name.startswith(".")}.items() <= after.items()


def test_an_upload_to_an_object_store_is_gone_on_with(ground: Ground, tmp_path: Path) -> None:
    """Parts that the store has are not sent again; the object is whole, and no upload stays."""
    with Swift() as swift:
        swift.start()
        swift_place(swift, tmp_path, "kill").account.ask("PUT", "kill")
        assert isinstance(ground.bench.site, EmbeddedSite)
        configure(ground.bench.site, {"store": {"type": "s3", **s3_settings(swift, tmp_path, "kill")}})
        place = ground.bench.place()
        ground.bench.write(f"{place}/in", DATA)

        job_id, kill = ground.killed(("systems.parts", "PartedWriter", "_settle", "after", 1), f"{place}/in", "store:x")
        kill()
        ground.succeeded(job_id)

        with_store = s3_place(swift, tmp_path, "kill")
        assert read(with_store, "x") == DATA
        assert list(with_store._listed(".sluice-uploads/")) == []  # type: ignore[attr-defined]
        with_store.close()


def job_name(place: str) -> str:
    """A name of the test's own."""
    return place.rpartition("/")[2]


def numbers(ground: Ground, collection: str) -> dict[int, str]:
    """The data objects of a collection, hidden ones as well: name by id."""
    with ground.bench.site.admin() as session:
        rows = session.query(DataObject.id, DataObject.name).filter(Collection.name == collection)
        return {row[DataObject.id]: row[DataObject.name] for row in rows}
