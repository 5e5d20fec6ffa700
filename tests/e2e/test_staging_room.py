"""Jobs that meet a full disk, or a peer that falls silent: told, nothing half-visible, and gone on with."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.faults import Faults, Step
from tests.e2e.jobs import Bench, bench
from tests.e2e.staging_ground import configure
from tests.stack.disk import fill, small_disk, used
from tests.stack.site import EmbeddedSite
from tests.stack.waiting import until
from tests.systems.peers import Sshd

pytestmark = pytest.mark.long
DATA = random.Random(8).randbytes(22_000_003)
INTO_ZONE: Step = ("transfer.streams", "_Stream", "write", "after", 2)
OUT: Step = ("systems.posix", "Writing", "write", "after", 2)


@pytest.fixture(scope="module")
def zone_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The zone's vault; its catalogue lies elsewhere."""
    with small_disk(tmp_path_factory.mktemp("zone") / "vault", 120) as folder:
        yield folder


@pytest.fixture(scope="module")
def zone(zone_disk: Path) -> Iterator[Bench]:
    with bench(zone_disk.parent) as made:
        if not isinstance(made.site, EmbeddedSite):
            pytest.skip("fills the disk of the zone: only an embedded one's")
        yield made


@pytest.fixture
def faults(zone: Bench, tmp_path: Path) -> Faults:
    assert isinstance(zone.site, EmbeddedSite)
    return Faults(zone.site, tmp_path / "faults")


@pytest.fixture
def disk(zone: Bench, tmp_path: Path) -> Iterator[Path]:
    """The system 'yard', which has 40 MiB."""
    assert isinstance(zone.site, EmbeddedSite)
    with small_disk(tmp_path / "yard", 40) as folder:
        configure(zone.site, {"yard": {"type": "posix", "base": str(folder)}})
        yield folder


def test_what_does_not_fit_is_refused_before_it_is_written(zone: Bench, disk: Path) -> None:
    """The sizes of a tree are compared with what is free; with room the same job, retried, succeeds."""
    place = zone.place()
    for name in ("a", "b"):
        zone.write(f"{place}/in/{name}", DATA)

    job_id = zone.submit(operation="stage", source=f"{place}/in", target="yard:out")
    job = zone.ended(job_id)

    assert (job["state"], job["error"]["code"]) == ("failed", "no_space")
    assert "are free" in job["error"]["text"]
    assert job["error"]["remedy"]
    assert os.listdir(disk) == []


def test_a_target_that_fills_up_in_the_middle_is_told_and_cleaned(zone: Bench, disk: Path, faults: Faults) -> None:
    """Somebody else took the room: no_space, the file's part is gone, and a retry succeeds when there is room."""
    place = zone.place()
    zone.write(f"{place}/in", DATA)
    with faults.at(OUT):
        job_id = zone.submit(operation="stage", source=f"{place}/in", target="yard:out")
        stopped = faults.stopped()
    filler = fill(disk, 4)
    stopped.go_on()

    job = zone.ended(job_id)
    left = os.listdir(disk)
    filler.unlink()
    zone.ask("sluice_retry", job_id)

    assert (job["state"], job["error"]["code"]) == ("failed", "no_space")
    assert job["error"]["remedy"] == "make room there, and retry the job"
    assert left == ["filler"]
    assert zone.ended(job_id)["state"] == "succeeded"
    assert (disk / "out").read_bytes() == DATA


def test_a_zone_that_fills_up_in_the_middle_is_told_and_cleaned(
    zone: Bench, zone_disk: Path, disk: Path, faults: Faults
) -> None:
    """The other direction: no object, no hidden one, no bytes in the vault; a retry succeeds when there is room."""
    place = zone.place()
    (disk / "in").write_bytes(DATA)
    before = used(zone_disk)
    with faults.at(INTO_ZONE):
        job_id = zone.submit(operation="stage", source="yard:in", target=f"{place}/out")
        stopped = faults.stopped()
    filler = fill(zone_disk, 4)
    stopped.go_on()

    job = zone.ended(job_id)
    names = zone.names(place)
    filler.unlink()
    kept = used(zone_disk) - before
    zone.ask("sluice_retry", job_id)

    assert (job["state"], job["error"]["code"]) == ("failed", "no_space"), job["error"]
    assert job["error"]["remedy"]
    assert names == []
    assert kept <= 2
    assert zone.ended(job_id)["state"] == "succeeded"
    assert zone.read(f"{place}/out") == DATA


def test_a_peer_that_was_silent_for_a_while_gets_the_rest_of_the_file(zone: Bench) -> None:
    """Its processes are stopped in the middle until the job's first attempt has given it up; a later one goes on."""
    place = zone.place()
    zone.write(f"{place}/in", DATA)
    with Sshd() as server:
        server.start()
        assert isinstance(zone.site, EmbeddedSite)
        slow = {"type": "sftp", **server.settings(), "timeout_seconds": 0.5, "bandwidth": 4_000_000}
        configure(zone.site, {"slow": slow})
        job_id = zone.submit(operation="stage", source=f"{place}/in", target="slow:out")
        base = server.home / "base"
        until(lambda: True if sum(path.stat().st_size for path in base.iterdir()) > 8 << 20 else None, "two blocks")
        stopped = server.processes()
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)

        waiting = zone.in_state(job_id, "retrying")
        left = {path.stat().st_ino for path in base.iterdir()}
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        job = zone.ended(job_id)

        assert waiting["error"]["code"] == "system_unavailable"
        assert job["state"] == "succeeded", job["error"]
        assert job["attempt"] >= 2
        assert (base / "out").read_bytes() == DATA
        assert {path.stat().st_ino for path in base.iterdir()} == left
