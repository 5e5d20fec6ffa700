"""What happens around a running job: a full disk, a resource that goes down, a clock that is set, a cancel."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.faults import Faults
from tests.e2e.jobs import Bench
from tests.e2e.victims import engine
from tests.stack.site import EmbeddedSite
from tests.stack.waiting import until

pytestmark = pytest.mark.long

DATA = random.Random(7).randbytes(13_000_000)
DISK = 48 * 1024 * 1024  # bytes, of the only vault


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedSite]:
    """A zone whose vault, ledger included, is a file system of its own."""
    if os.environ.get("SLUICE_TEST_ZONE"):
        pytest.skip("fills disks: only on a zone of its own")
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    home = tmp_path_factory.mktemp("surroundings") / "zone"
    vault = home / "vault"
    vault.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(vault)], check=True)
    try:
        site = EmbeddedSite(home)
        try:
            yield site
        finally:
            site.close()
    finally:
        subprocess.run(["umount", "-l", str(vault)], check=True)


@pytest.fixture(scope="module")
def zone(server: EmbeddedSite) -> Bench:
    return Bench(server, server.make_user("erin"))


@pytest.fixture(scope="module")
def faults(server: EmbeddedSite, tmp_path_factory: pytest.TempPathFactory) -> Faults:
    return Faults(server, tmp_path_factory.mktemp("faults"))


@pytest.fixture
def place(zone: Bench) -> Iterator[str]:
    """A collection with one object; emptied afterwards, for there is little room."""
    path = zone.place()
    zone.write(f"{path}/in", DATA)
    yield path
    with zone.user.session() as session:
        session.collections.remove(path, recurse=True, force=True)


class Filler:
    """A file that leaves so many bytes of the vault free."""

    def __init__(self, server: EmbeddedSite, free: int) -> None:
        self._path = Path(server.server.config.vault) / "filler"
        state = os.statvfs(self._path.parent)
        with self._path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, state.f_bavail * state.f_frsize - free)

    def go(self) -> None:
        """Make room again."""
        self._path.unlink()


@pytest.mark.parametrize("free", [5_000_000, 8192])
def test_a_disk_that_is_full(zone: Bench, server: EmbeddedSite, place: str, free: int) -> None:
    """The job fails and says so; nothing half-made stays, the source is whole, and a retry does it when there is room.

    With a few thousand bytes the job's own results cannot be written either.
    """
    filler = Filler(server, free)
    try:
        job_id = zone.submit(operation="compress", source=f"{place}/in", original="remove")
        job = zone.ended(job_id)
        assert (job["state"], job["error"]["code"]) == ("failed", "no_space"), job
        assert "full" in job["error"]["text"]
        zone.until_names(place, ["in"], 30)
        assert zone.read(f"{place}/in") == DATA
    finally:
        filler.go()

    zone.ask("sluice_retry", job_id)
    assert zone.ended(job_id)["state"] == "succeeded"
    zone.until_names(place, ["in.zst"], 30)


def test_results_that_find_no_room_wait_for_it(zone: Bench, server: EmbeddedSite, faults: Faults, place: str) -> None:
    """All objects are done, but what the job has to tell of them cannot be written: it is told when there is room."""
    with faults.at("published"):
        job_id = zone.submit(operation="compress", source=f"{place}/in", target=f"{place}/out")
        stopped = faults.stopped()
        filler = Filler(server, 0)
        try:
            stopped.go_on()
            job = zone.ended(job_id)
        finally:
            filler.go()
    if job["state"] != "succeeded":
        assert "full" in job["error"]["text"], job
        zone.ask("sluice_retry", job_id)
        job = zone.ended(job_id)

    assert job["state"] == "succeeded", job
    zone.until_names(place, ["in", "out"], 30)
    results = zone.read(f"/{zone.site.zone}/sluice/jobs/{zone.user.qualified}/{job_id}.results.jsonl")
    assert results.count(b'"succeeded"') == 1


@pytest.mark.parametrize("step", ["started", "middle", "verified", "published"])
def test_a_resource_that_goes_down(zone: Bench, server: EmbeddedSite, faults: Faults, place: str, step: str) -> None:
    """The ledger lies on it as well. Whatever the job can do meanwhile, it is done once the resource is up again."""
    with faults.at(step):
        job_id = zone.submit(operation="compress", source=f"{place}/in", target=f"{place}/out", original="remove")
        stopped = faults.stopped()
        with server.admin() as session:
            session.resources.modify("demoResc", "status", "down")
            try:
                stopped.go_on()
                until(lambda: None if _lives(stopped.pid) else True, "the end of the attempt", 60)
            finally:
                session.resources.modify("demoResc", "status", "up")
        job = zone.ended(job_id)
    if job["state"] == "failed":
        assert job["error"]["code"] in ("zone_error", "zone_unavailable"), job
        zone.ask("sluice_retry", job_id)
        job = zone.ended(job_id)

    assert job["state"] == "succeeded", job
    zone.until_names(place, ["out"], 30)
    assert _opened(zone, place) == DATA


@pytest.mark.parametrize("seconds", [3600.0, -3600.0])
@pytest.mark.parametrize("step", ["started", "middle", "dressed", "results written"])
def test_a_clock_that_is_set(zone: Bench, faults: Faults, place: str, step: str, seconds: float) -> None:
    """An engine that lives is not taken for dead because its heartbeat has another time; the job ends once."""
    try:
        with faults.at(step):
            job_id = zone.submit(operation="compress", source=f"{place}/in", target=f"{place}/out")
            stopped = faults.stopped()
            faults.set_clock(seconds)
            stopped.go_on()
            job = zone.ended(job_id)
        assert (job["state"], job["attempt"]) == ("succeeded", 1), job
        assert [row["state"] for row in job["transitions"]].count("succeeded") == 1
    finally:
        faults.set_clock(0)
    zone.until_names(place, ["in", "out"], 30)
    assert _opened(zone, place) == DATA


@pytest.mark.parametrize("seconds", [3600.0, -3600.0])
def test_an_engine_that_dies_while_the_clock_is_set(
    zone: Bench, server: EmbeddedSite, faults: Faults, place: str, seconds: float
) -> None:
    """Whatever the heartbeat says, the process is gone: another attempt does the work."""
    try:
        with faults.at("middle"):
            job_id = zone.submit(operation="compress", source=f"{place}/in", target=f"{place}/out")
            stopped = faults.stopped()
            faults.set_clock(seconds)
            engine(server, stopped)
            job = zone.ended(job_id)
        assert (job["state"], job["attempt"]) == ("succeeded", 2), job
    finally:
        faults.set_clock(0)
    zone.until_names(place, ["in", "out"], 30)


@pytest.mark.parametrize("step", ["claimed", "started", "middle", "dressed", "published"])
def test_an_engine_that_dies_after_its_job_was_cancelled(
    zone: Bench, server: EmbeddedSite, faults: Faults, place: str, step: str
) -> None:
    """The cancel stands: no further attempt, nothing hidden, and no result unless it was published before."""
    with faults.at(step):
        job_id = zone.submit(operation="compress", source=f"{place}/in", target=f"{place}/out")
        stopped = faults.stopped()
        zone.ask("sluice_cancel", job_id)
        engine(server, stopped)
        job = zone.ended(job_id)

    assert job["state"] == "cancelled", job
    zone.until_names(place, ["in", "out"] if step == "published" else ["in"], 30)
    assert zone.read(f"{place}/in") == DATA


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _opened(zone: Bench, place: str) -> bytes:
    job = zone.ended(zone.submit(operation="decompress", source=f"{place}/out", target=f"{place}/again"))
    assert job["state"] == "succeeded", job
    try:
        return zone.read(f"{place}/again")
    finally:
        with zone.user.session() as session:
            session.data_objects.unlink(f"{place}/again", force=True)
