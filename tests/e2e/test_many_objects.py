"""Collections of many small objects: what they cost, and how several executors share one job."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import irods.keywords as kw
import pytest
from irods.column import Like
from irods.models import Collection, DataObject
from irods.session import iRODSSession

from embedded_zone.testing import Trace
from python_rules.engine import sessions, shards
from python_rules.engine.ledger import Ledger
from python_rules.engine.transfer.healing import STALE
from python_rules.engine.transfer.queries import GOOD
from python_rules.jobs import states
from python_rules.jobs.record import Status
from python_rules.names import ENGINE_OPTION
from tests.e2e.jobs import Bench, bench
from tests.stack.site import EmbeddedSite
from tests.stack.waiting import until

CALLS_OF_ITS_OWN = 6  # open, read, close; put; AVUs; rename
CALLS_OF_A_GROUP = 6  # AVUs, rights; stored, unchanged, still ours; one to spare
PARTS, OBJECTS = 3, 60


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("many"), trace=True) as made:
        server(made).configure("jobs", shards=PARTS, shard_objects=OBJECTS // PARTS)
        yield made


def server(zone: Bench) -> EmbeddedSite:
    assert isinstance(zone.site, EmbeddedSite)
    return zone.site


def filled(zone: Bench, count: int, below: str = "in") -> str:
    """A collection of the user with so many small objects in three collections; its path."""
    place = zone.place()
    writing = random.Random(count)
    with zone.user.session() as session:
        for number in range(3):
            session.collections.create(f"{place}/{below}/{number}")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda share: _write(zone, f"{place}/{below}", *share), _shares(count, writing)))
    return place


def _shares(count: int, writing: random.Random) -> list[tuple[range, bytes]]:
    data = writing.randbytes(600).hex().encode()
    return [(range(start, count, 4), data) for start in range(4)]


def _write(zone: Bench, place: str, numbers: range, data: bytes) -> None:
    with zone.user.session() as session:
        for number in numbers:
            collection = f"{place}/{number % 3}"
            with session.data_objects.open(f"{collection}/{number:05}", "w") as stream:
                stream.write(b"%d " % number + data)


def below(session: iRODSSession, collection: str) -> list[str]:
    """The names of all data objects below a collection, hidden ones as well."""
    rows = session.query(DataObject.name, Collection.name).filter(Like(Collection.name, f"{collection}/%"))
    return sorted(row[DataObject.name] for row in rows)


def parts(zone: Bench, job_id: str) -> list[dict[str, Any]]:
    """The bodies of a job's parts, as the service account reads them."""
    with zone.site.admin() as session:
        place = f"/{zone.site.zone}/sluice/shards/{zone.user.qualified}"
        rows = session.query(DataObject.name).filter(Collection.name == place, Like(DataObject.name, "%.json"))
        bodies = [json.loads(zone_text(session, f"{place}/{row[DataObject.name]}")) for row in rows]
    return [body for body in bodies if body["parent"] == job_id]


def zone_text(session: iRODSSession, path: str) -> str:
    with session.data_objects.open(path, "r") as stream:
        return str(stream.read().decode())


def engine_calls(zone: Bench, trace: Trace) -> Counter[str]:
    """The calls to the zone that engines have made for the user, by the name of their hook."""
    user = f"{zone.user.qualified}/"
    return Counter(
        entry.hook
        for entry in trace.entries()
        if entry.hook.startswith("pep_api_")
        and entry.hook.endswith("_pre")
        and entry.option == ENGINE_OPTION
        and entry.client.startswith(user)
    )


def test_what_a_small_object_costs(zone: Bench) -> None:
    """The number of calls for each object stays what the documentation says."""
    count = 48
    server(zone).configure("jobs", shards=1)
    place = filled(zone, count)
    trace = Trace([server(zone).server])

    job = zone.ended(zone.submit(operation="compress", source=f"{place}/in", target=f"{place}/out"))

    server(zone).configure("jobs", shards=PARTS)
    assert (job["state"], job["progress"]["objects_done"]) == ("succeeded", count), job
    calls = engine_calls(zone, trace)
    groups = 4 * 2  # connections, and a group that is not full for each
    once = 60  # logins, the listing, looks at the record
    assert sum(calls.values()) <= CALLS_OF_ITS_OWN * count + CALLS_OF_A_GROUP * groups + once, calls
    for name in ("data_obj_open", "data_obj_read", "data_obj_close", "data_obj_put", "data_obj_rename"):
        assert calls[f"pep_api_{name}_pre"] == count, calls


def test_a_big_collection_is_shared_and_is_one_job(zone: Bench) -> None:
    """60 objects in three parts: every object once, one final state, results and progress of all of them."""
    place = filled(zone, OBJECTS)

    job_id = zone.submit(operation="compress", source=f"{place}/in", target=f"{place}/out")
    job = zone.ended(job_id)

    assert (job["state"], job["progress"]["objects_done"], job["progress"]["objects_total"]) == (
        "succeeded",
        OBJECTS,
        OBJECTS,
    ), job
    assert [row["state"] for row in job["transitions"]] == ["queued", "running", "succeeded"]
    with zone.site.admin() as session:
        assert below(session, f"{place}/out") == [f"{number:05}.zst" for number in range(OBJECTS)]
    assert job_id in {one["id"] for one in zone.ask("sluice_list", "")}
    shares = parts(zone, job_id)
    assert sorted(name for one in shares for name in one["objects"]) == sorted(
        f"{number % 3}/{number:05}" for number in range(OBJECTS)
    )
    assert not {one["id"] for one in shares} & {one["id"] for one in zone.ask("sluice_list", "")}
    with zone.user.session() as session:
        lines = zone_text(session, _results(zone, job_id)).splitlines()
    assert len({json.loads(line)["source"] for line in lines}) == len(lines) == OBJECTS


@pytest.mark.long
def test_a_bad_object_makes_it_partial_and_a_retry_does_only_that(zone: Bench) -> None:
    """An object without a good replica ends its part partial, and the job with it; once it is good, it is done."""
    place = filled(zone, OBJECTS)
    set_replica(zone, f"{place}/in/1/00001", STALE)
    job_id = zone.submit(operation="compress", source=f"{place}/in", target=f"{place}/out")
    job = zone.ended(job_id)
    assert (job["state"], job["error"]["code"]) == ("partial", "zone_error"), job
    assert (job["progress"]["objects_done"], job["progress"]["objects_failed"]) == (OBJECTS - 1, 1)
    with zone.user.session() as session:
        kept = session.data_objects.get(f"{place}/out/2/00002.zst").id
    set_replica(zone, f"{place}/in/1/00001", GOOD)

    zone.ask("sluice_retry", job_id)
    job = zone.ended(job_id)

    assert job["state"] == "succeeded", job
    with zone.user.session() as session:
        assert session.data_objects.get(f"{place}/out/2/00002.zst").id == kept
    with zone.site.admin() as session:
        assert len(below(session, f"{place}/out")) == OBJECTS


def set_replica(zone: Bench, path: str, status: str) -> None:
    """Have an administrator say what state an object's replica is in."""
    with zone.site.admin() as session:
        session.data_objects.modDataObjMeta({"objPath": path, "replNum": 0}, {"replStatus": status, kw.ADMIN_KW: ""})


@pytest.mark.long
def test_a_cancel_reaches_all_parts(zone: Bench) -> None:
    """Parts that run and parts that wait are over, and so is the job; nothing hidden stays."""
    place = filled(zone, OBJECTS)
    job_id = zone.submit(operation="compress", source=f"{place}/in", target=f"{place}/out")
    until(lambda: "running" in part_states(zone, job_id) or None, "a part that runs")

    zone.ask("sluice_cancel", job_id)
    job = zone.ended(job_id)

    assert job["state"] in ("cancelled", "succeeded"), job
    until(lambda: set(part_states(zone, job_id)) <= states.FINAL or None, "the end of all parts")

    def clean() -> bool | None:
        with zone.site.admin() as session:
            return not any(name.startswith(".") for name in below(session, f"{place}/out")) or None

    until(clean, "hidden siblings to go")


@pytest.mark.long
@pytest.mark.parametrize("whose", ["part", "job"])
def test_a_dead_engine_of_a_big_job_loses_nothing(zone: Bench, whose: str) -> None:
    """kill -9 of a part's engine or of the job's own: the patrol sees to it, and every object is there once."""
    place = filled(zone, OBJECTS)
    job_id = zone.submit(operation="compress", source=f"{place}/in", target=f"{place}/out")
    os.kill(until(lambda: engine_of(zone, job_id, whose), f"an engine of the {whose}"), signal.SIGKILL)

    job = zone.ended(job_id)

    assert (job["state"], job["progress"]["objects_done"]) == ("succeeded", OBJECTS), job
    with zone.site.admin() as session:
        assert below(session, f"{place}/out") == [f"{number:05}.zst" for number in range(OBJECTS)]
    with zone.user.session() as session:
        lines = [json.loads(line) for line in zone_text(session, _results(zone, job_id)).splitlines()]
    assert len({line["source"] for line in lines if line["state"] == "succeeded"}) == OBJECTS


def records(zone: Bench, job_id: str) -> list[Status]:
    """The job's parts as their records tell them; none while it has not been split."""
    with sessions.as_service(server(zone).settings) as service:
        book = Ledger(service, server(zone).settings.ledger)
        entry = book.get(job_id)
        return [part.status for part in shards.look(book, entry)] if shards.count(entry) else []


def part_states(zone: Bench, job_id: str) -> list[str]:
    return [status.state for status in records(zone, job_id)]


def engine_of(zone: Bench, job_id: str, whose: str) -> int | None:
    """The process that works on a part, or on the job while parts are worked on."""
    running = [status.lease["pid"] for status in records(zone, job_id) if status.lease]
    if not running:
        return None
    if whose == "part":
        return int(running[0])
    with sessions.as_service(server(zone).settings) as service:
        held = Ledger(service, server(zone).settings.ledger).get(job_id).status.lease
    return int(held["pid"]) if held else None


@pytest.mark.long
def test_ten_thousand_objects_are_one_job(tmp_path: Path) -> None:
    """As a zone is installed, with four executors: cancelled at once while it runs; then one state, every object once,
    progress by objects and bytes."""
    count = 10_000
    with bench(tmp_path, trace=False) as zone:
        place = filled(zone, count)
        cancelled = zone.submit(operation="compress", source=f"{place}/in", target=f"{place}/cancelled")
        until(lambda: zone.status(cancelled)["progress"]["objects_done"] or None, "some of it being done", 300)
        begun = time.monotonic()
        zone.ask("sluice_cancel", cancelled)
        assert state_of(zone, cancelled, 60) == "cancelled"
        print(f"cancelled after {time.monotonic() - begun:.1f} s")
        assert time.monotonic() - begun < 3  # two seconds on a machine that does nothing else

        begun = time.monotonic()
        job_id = zone.submit(operation="compress", source=f"{place}/in", target=f"{place}/out")
        state_of(zone, job_id, 1800)
        took = time.monotonic() - begun
        job = zone.status(job_id)
        print(f"{count} objects in {took:.1f} s: {count / took:.0f} objects/s")
        told = job["progress"]
        assert (job["state"], told["objects_done"], told["objects_total"]) == ("succeeded", count, count), job
        assert told["bytes_done"] == told["bytes_total"] > 0
        with zone.site.admin() as session:
            assert len(below(session, f"{place}/out")) == count


def state_of(zone: Bench, job_id: str, seconds: float) -> str:
    """The job's final state, read from its record: a call of a rule starts a process each time."""
    with sessions.as_service(server(zone).settings) as service:
        book = Ledger(service, server(zone).settings.ledger)
        path = book.get(job_id).path

        def final() -> str | None:
            state = Status.from_avus(book.avus(path)).state
            return state if state in states.FINAL else None

        return until(final, "the job's end", seconds)


@pytest.mark.long
def test_files_that_come_one_by_one_are_a_handful_of_jobs(tmp_path: Path) -> None:
    """5,000 puts over one connection into a policy's collection: each is worked on once, by no more than ten jobs."""
    count = 5_000
    with bench(tmp_path, trace=False) as zone:
        place = zone.place()
        zone.ask("sluice_policy_set", place, "operation=compress")
        begun = time.monotonic()
        with zone.user.session() as session:
            for number in range(count):
                with session.data_objects.open(f"{place}/{number:05}", "w") as stream:
                    stream.write(b"%d " % number * 100)
        put = time.monotonic() - begun

        def all_there() -> bool | None:
            return True if len(zone.names(place)) == 2 * count else None

        until(all_there, "every result", 1200)
        took = time.monotonic() - begun
        names = zone.names(place)
        assert [name for name in names if name.endswith(".zst")] == [f"{number:05}.zst" for number in range(count)]
        jobs = [zone.ended(job["id"]) for job in zone.ask("sluice_list", "")]
        print(f"{count} puts in {put:.0f} s, done after {took:.0f} s by {len(jobs)} jobs")
        assert {job["state"] for job in jobs} == {"succeeded"}
        assert len(jobs) <= 10
        assert sum(job["progress"]["objects_total"] for job in jobs) == count


def _results(zone: Bench, job_id: str) -> str:
    return f"/{zone.site.zone}/sluice/jobs/{zone.user.qualified}/{job_id}.results.jsonl"
