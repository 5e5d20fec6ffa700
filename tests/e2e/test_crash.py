"""kill -9 at every step of a job: it is done once or fails with a cause, and nothing is lost or left."""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from irods.models import RuleExec
from irods.session import iRODSSession

from python_rules.engine import delayed
from python_rules.engine.keys import Keyring, grants
from tests.e2e.faults import STEPS, Faults, Step
from tests.e2e.jobs import Bench, bench
from tests.e2e.victims import VICTIMS, bury, writing_agent
from tests.stack import rulecall
from tests.stack.site import EmbeddedSite
from tests.stack.waiting import until

DATA = random.Random(5).randbytes(13_000_000)  # four blocks of what is written at a time


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    if os.environ.get("SLUICE_TEST_ZONE"):
        pytest.skip("kills servers: only on a zone of its own")
    home = tmp_path_factory.mktemp("crash")
    with bench(home) as made:
        yield made
    bury(home)


# Each begins with 'in' (and perhaps 'out'), and must end with 'out' that decodes to DATA.
OPERATIONS: dict[str, dict[str, Any]] = {
    "compress": {"operation": "compress"},
    "replace": {"operation": "compress_encrypt", "key": "demo", "existing": "replace", "original": "remove"},
    "decode": {"operation": "decrypt_decompress", "original": "trash"},
}
DECODES = {"compress": "decompress", "compress_encrypt": "decrypt_decompress"}
ONLY_REPLACE = {"taken away"}
ONLY_REMOVE = {"original removed"}


def _prepared(zone: Bench, place: str, name: str) -> dict[str, Any]:
    """The request for an operation, with what it works on in place."""
    asked = dict(OPERATIONS[name])
    zone.write(f"{place}/in", DATA)
    if name == "decode":
        sealed = zone.submit(operation="compress_encrypt", key="demo", source=f"{place}/in", target=f"{place}/sealed")
        assert zone.ended(sealed)["state"] == "succeeded"
        with zone.user.session() as session:
            session.data_objects.unlink(f"{place}/in", force=True)
        return {**asked, "source": f"{place}/sealed", "target": f"{place}/out"}
    if asked.get("existing") == "replace":
        zone.write(f"{place}/out", b"the old one")
    return {**asked, "source": f"{place}/in", "target": f"{place}/out"}


def _decoded(zone: Bench, place: str, operation: str) -> bytes:
    if operation not in DECODES:
        return zone.read(f"{place}/out")
    job = zone.ended(zone.submit(operation=DECODES[operation], source=f"{place}/out", target=f"{place}/again"))
    assert job["state"] == "succeeded", job
    return zone.read(f"{place}/again")


def _check(zone: Bench, place: str, job_id: str, asked: dict[str, Any]) -> None:
    """Succeeded once, contents equal, the original as asked, and nothing else there."""
    job = zone.ended(job_id)
    assert job["state"] == "succeeded", job
    assert [row["state"] for row in job["transitions"]].count("succeeded") == 1, job["transitions"]
    keeps = asked.get("original", "keep") == "keep"
    wanted = ["out", *([asked["source"].rpartition("/")[2]] if keeps else [])]
    zone.until_names(place, wanted, 30)
    assert _decoded(zone, place, asked["operation"]) == DATA


MATRIX = [
    pytest.param(operation, step, victim, id=f"{operation}-{step}-{victim}", marks=pytest.mark.long)
    for operation, asked in OPERATIONS.items()
    for step in list(STEPS)[2:]
    for victim in VICTIMS
    if not (step in ONLY_REPLACE and asked.get("existing") != "replace")
    if not (step in ONLY_REMOVE and asked.get("original", "keep") == "keep")
]
SAMPLE = [
    ("compress", "middle", "agent"),
    ("compress", "last block", "delay server"),
    ("replace", "taken away", "everything"),
    ("decode", "published", "main server"),
]


def _crash(zone: Bench, server: EmbeddedSite, faults: Faults, operation: str, step: str, victim: str) -> None:
    place = zone.place()
    asked = _prepared(zone, place, operation)
    with faults.at(step):
        job_id = zone.submit(**asked)
        VICTIMS[victim](server, faults.stopped())
        _check(zone, place, job_id, asked)


@pytest.mark.parametrize(("operation", "step", "victim"), SAMPLE)
def test_a_sample_of_the_matrix(
    zone: Bench, server: EmbeddedSite, faults: Faults, operation: str, step: str, victim: str
) -> None:
    """One of each kind of end, at steps where it hurts."""
    _crash(zone, server, faults, operation, step, victim)


@pytest.mark.parametrize(("operation", "step", "victim"), MATRIX)
def test_the_matrix(zone: Bench, server: EmbeddedSite, faults: Faults, operation: str, step: str, victim: str) -> None:
    """Every operation, every step, every victim."""
    _crash(zone, server, faults, operation, step, victim)


@pytest.mark.long
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("step", ["first block", "middle", "last block"])
def test_the_agent_that_writes_is_killed(
    zone: Bench, server: EmbeddedSite, faults: Faults, operation: str, step: str
) -> None:
    """The hidden object then stays in flight for ever: the next attempt heals it, and everything ends as it should."""
    place = zone.place()
    asked = _prepared(zone, place, operation)
    with faults.at(step):
        job_id = zone.submit(**asked)
        writing_agent(server, faults.stopped())
        _check(zone, place, job_id, asked)


# A group of small objects: written, checked, published and removed one after the other.
GROUP: dict[str, Step] = {
    "written": ("transfer.zone", "Zone", "check", "before", 1),
    "checked": ("transfer.zone", "Zone", "check", "after", 1),
    "some published": ("transfer.zone", "Zone", "publish", "after", 2),
    "some removed": ("transfer.zone", "Zone", "remove", "after", 2),
}
GROUPS = [
    pytest.param(step, original, marks=() if (step, original) == ("some removed", "remove") else pytest.mark.long)
    for original in ("keep", "remove")
    for step in GROUP
    if (step, original) != ("some removed", "keep")
]


@pytest.mark.parametrize(("step", "original"), GROUPS)
def test_a_group_of_small_objects(zone: Bench, faults: Faults, step: str, original: str) -> None:
    """kill -9 in the middle of a group beside its sources: each object is encoded once, and none is lost."""
    place = zone.place()
    names = [f"{number:02}" for number in range(12)]
    for name in names:
        zone.write(f"{place}/{name}", name.encode() * 500)
    with faults.at(GROUP[step]):
        job_id = zone.submit(operation="compress", source=place, original=original)
        os.kill(faults.stopped().pid, signal.SIGKILL)
        job = zone.ended(job_id)

    assert job["state"] == "succeeded", job
    made = [f"{name}.zst" for name in names]
    zone.until_names(place, made + (names if original == "keep" else []), 30)
    back = zone.ended(zone.submit(operation="decompress", source=place, target=f"{place}-b", objects=made))
    assert back["state"] == "succeeded", back
    assert [zone.read(f"{place}-b/{name}") for name in names] == [name.encode() * 500 for name in names]


@pytest.mark.parametrize("step", ["body written", "record written"])
def test_a_submit_that_is_killed_can_be_repeated(zone: Bench, faults: Faults, step: str) -> None:
    """The client sees an error, repeats with the same idempotency key, and gets one job that runs once."""
    place = zone.place()
    zone.write(f"{place}/in", DATA)
    request = json.dumps({"operation": "compress", "source": f"{place}/in", "idempotency_key": place})

    def submit() -> dict[str, Any]:
        with zone.user.session() as session:
            return rulecall.call(session, "sluice_submit", request)

    with faults.at(step), ThreadPoolExecutor(1) as background:
        first = background.submit(submit)
        os.kill(faults.stopped().pid, signal.SIGKILL)
        assert first.result()["error"]["code"] == "engine_failed"
        job_id = submit()["ok"]["id"]

    job = zone.ended(job_id)
    assert [row["state"] for row in job["transitions"]].count("succeeded") == 1, job
    zone.until_names(place, ["in", "in.zst"], 30)


def test_an_engine_that_wakes_up_too_late_publishes_nothing(zone: Bench, server: EmbeddedSite, faults: Faults) -> None:
    """An attempt that stands still until another has taken the job over, and then goes on, changes nothing."""
    place = zone.place()
    zone.write(f"{place}/in", DATA)
    with faults.at("dressed"):
        job_id = zone.submit(operation="compress", source=f"{place}/in", target=f"{place}/out")
        late = faults.stopped()
        job = zone.ended(job_id)
        with zone.user.session() as session:
            made = session.data_objects.get(f"{place}/out").id
        late.go_on()

        until(lambda: True if not Path(f"/proc/{late.pid}").exists() else None, "the late engine's end")

    assert (job["state"], job["attempt"]) == ("succeeded", 2)
    with zone.user.session() as session:
        assert session.data_objects.get(f"{place}/out").id == made
    assert zone.status(job_id)["transitions"] == job["transitions"]
    zone.until_names(place, ["in", "out"], 30)


def test_a_source_that_changes_meanwhile_is_not_published(zone: Bench, faults: Faults) -> None:
    """Somebody writes to the source before it was checked again: the job fails and says so."""
    place = zone.place()
    zone.write(f"{place}/in", DATA)
    with faults.at("last block"):
        job_id = zone.submit(operation="compress", source=f"{place}/in", original="remove")
        stopped = faults.stopped()
        zone.write(f"{place}/in", b"something else")
        stopped.go_on()
        job = zone.ended(job_id)

    assert (job["state"], job["error"]["code"]) == ("failed", "source_changed")
    zone.until_names(place, ["in"], 30)
    assert zone.read(f"{place}/in") == b"something else"


def test_a_target_that_somebody_else_makes_meanwhile_stays(zone: Bench, faults: Faults) -> None:
    """The job fails with target_exists; what the other one wrote is not touched."""
    place = zone.place()
    zone.write(f"{place}/in", DATA)
    with faults.at("dressed"):
        job_id = zone.submit(operation="compress", source=f"{place}/in", target=f"{place}/out")
        stopped = faults.stopped()
        zone.write(f"{place}/out", b"theirs")
        stopped.go_on()
        job = zone.ended(job_id)

    assert (job["state"], job["error"]["code"]) == ("failed", "target_exists")
    zone.until_names(place, ["in", "out"], 30)
    assert zone.read(f"{place}/out") == b"theirs"


def test_a_key_that_is_disabled_meanwhile(zone: Bench, server: EmbeddedSite, faults: Faults) -> None:
    """Before the first block it ends the job with a cause; nothing is left."""
    place = zone.place()
    zone.write(f"{place}/in", DATA)
    keyring = Keyring.of(server.settings)
    keyring.create("passing")
    with keyring.rows() as rows:
        grants.added(rows["passing"], zone.user.qualified, (grants.SEAL,))
    with faults.at("started"):
        job_id = zone.submit(operation="encrypt", key="passing", source=f"{place}/in")
        stopped = faults.stopped()
        keyring.set_status("passing", "disabled")
        stopped.go_on()
        job = zone.ended(job_id)

    assert job["state"] == "failed", job
    assert "passing" in job["error"]["text"]
    zone.until_names(place, ["in"], 30)


def test_a_dead_patrol_is_started_by_a_submit(zone: Bench, server: EmbeddedSite) -> None:
    """Its row is gone and its heartbeat is old: the next submit brings one back."""
    place = zone.place()
    zone.write(f"{place}/in", DATA)
    with server.admin() as session:
        _end_patrol(session)
        ledger = session.collections.get(f"/{server.zone}/sluice")
        ledger.metadata.remove("sluice::patrol", ledger.metadata.get_one("sluice::patrol").value)

        zone.ended(zone.submit(operation="compress", source=f"{place}/in"))

        assert _patrol_rows(session) == 1


def _patrol_rows(session: iRODSSession) -> int:
    rows = session.query(RuleExec.name, RuleExec.frequency).filter(RuleExec.name == "callback.sluice_patrol()")
    return sum(bool(row[RuleExec.frequency]) for row in rows)


def _end_patrol(session: iRODSSession) -> None:
    def gone() -> bool | None:
        found = [row.id for row in delayed.rows(session) if "sluice_patrol" in row.text]
        delayed.remove(session, found)
        return True if not found else None

    until(gone, "the patrol's row being gone")
