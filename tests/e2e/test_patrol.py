"""The patrol: what it unlocks, queues again and ages out; how it comes back, and that exactly one lives."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from irods.session import iRODSSession

from embedded_zone.client import ZoneClient
from python_rules.engine import delayed, processes, sessions
from python_rules.engine.delayed import Row
from python_rules.engine.ledger import Ledger
from python_rules.jobs import beat
from python_rules.policy import guard
from tests.e2e.faults import Faults
from tests.e2e.jobs import Bench, bench
from tests.stack import rulecall
from tests.stack.site import EmbeddedSite
from tests.stack.waiting import until

pytestmark = pytest.mark.long

DELAY_RULE_LOCK = 10222
DAYS = 24 * 3600.0
THEIRS = "pass  # somebody's own delayed rule"


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    if os.environ.get("SLUICE_TEST_ZONE"):
        pytest.skip("locks rows and sets clocks: only on a zone of its own")
    with bench(tmp_path_factory.mktemp("patrol")) as made:
        yield made


@pytest.fixture
def service(server: EmbeddedSite) -> Iterator[iRODSSession]:
    with sessions.as_service(server.settings) as session:
        yield session


@pytest.fixture
def book(server: EmbeddedSite, service: iRODSSession) -> Ledger:
    return Ledger(service, server.settings.ledger)


def done(zone: Bench, place: str) -> str:
    """A job that has succeeded."""
    job_id = zone.submit(operation="compress", source=f"{place}/in", target=f"{place}/{uuid.uuid4().hex}")
    assert zone.ended(job_id)["state"] == "succeeded"
    return job_id


def rounds(book: Ledger, count: int) -> None:
    """Let the patrol go round so often."""
    for _ in range(count):
        before = beat.read(book.told(beat.ATTRIBUTE))

        def another(old: beat.Beat | None = before) -> bool | None:
            last = beat.read(book.told(beat.ATTRIBUTE))
            return True if last and "audit_anchored" in last.done and (not old or last.at != old.at) else None

        until(another, "another round of the patrol", 60)


def patrol_rows(session: iRODSSession) -> list[Row]:
    return [row for row in delayed.rows(session) if row.text == guard.PATROL_TEXT and row.frequency]


def killed(book: Ledger, session: iRODSSession) -> None:
    """The patrol as a killed agent may leave it: no row, and an old heartbeat."""

    def gone() -> bool | None:
        found = [row.id for row in delayed.rows(session) if row.text == guard.PATROL_TEXT]
        delayed.remove(session, found)
        return True if not found else None

    until(gone, "the patrol's rows being gone")
    until(lambda: not book.claims_of("patrol.") or None, "the end of a round that goes on without its row")
    book.make_root()
    book.tell(beat.ATTRIBUTE, beat.Beat(1.0, 2.0, {}).value())


def locked(server: EmbeddedSite, session: iRODSSession, text: str, host: str) -> int:
    """A rule that is due in an hour, locked by a process that has ended; its number."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    delayed.submit(session, server.settings, text, seconds=3600)
    row = next(row for row in delayed.rows(session, everybodys=True) if row.text == text)
    account = session.pool.account
    who = (account.proxy_user, account.proxy_zone)
    with ZoneClient(server.host, server.port, who, account.password) as client:
        request = {"rule_id": str(row.id), "lock_host": host, "lock_host_pid": ended.pid, "KeyValPair_PI": {}}
        client.call(DELAY_RULE_LOCK, request, request_type="DelayRuleLockInput_PI")
    return row.id


def is_locked(session: iRODSSession, number: int) -> bool:
    return next(row.is_locked for row in delayed.rows(session, everybodys=True) if row.id == number)


def test_records_age_out_by_when_their_job_ended(zone: Bench, faults: Faults) -> None:
    """Ninety days on an old record goes with its results; one of a job that ended now stays."""
    place = zone.place()
    zone.write(f"{place}/in", b"x" * 5000)
    old = done(zone, place)
    try:
        faults.set_clock(91 * DAYS)
        recent = done(zone, place)

        def gone() -> bool | None:
            return True if old not in {job["id"] for job in zone.ask("sluice_list", "")} else None

        until(gone, "the old record's end", 60)
        assert zone.refused("sluice_status", old)["code"] == "job_not_found"
        assert zone.status(recent)["state"] == "succeeded"
    finally:
        faults.set_clock(0)
    records = f"/{zone.site.zone}/sluice/jobs/{zone.user.qualified}"
    assert not [name for name in zone.names(records) if name.startswith(old)]


def test_our_own_row_of_a_dead_delay_server_is_unlocked(
    server: EmbeddedSite, zone: Bench, service: iRODSSession, book: Ledger
) -> None:
    """Of this machine it is known that the process has ended; of another one nothing is."""
    here = locked(server, service, guard.run_text(str(uuid.uuid4())), processes.here())
    elsewhere = locked(server, service, guard.run_text(str(uuid.uuid4())), "another.example.org")
    try:
        until(lambda: not is_locked(service, here) or None, "the row being unlocked", 60)
        assert is_locked(service, elsewhere)
    finally:
        delayed.remove(service, [here, elsewhere])


def test_a_row_of_somebody_else_is_unlocked_where_that_is_asked_for(
    server: EmbeddedSite, service: iRODSSession, book: Ledger
) -> None:
    """It may belong to a rule that has ended long ago and would run twice: the administrator decides."""
    number = locked(server, service, THEIRS, processes.here())
    try:
        rounds(book, 2)
        assert is_locked(service, number)
        server.configure("patrol", unlock="all")
        until(lambda: not is_locked(service, number) or None, "the row being unlocked", 60)
    finally:
        server.configure("patrol", unlock="own")
        delayed.remove(service, [number])


def test_a_job_does_not_wait_for_a_delay_server_that_died_with_its_machine(
    server: EmbeddedSite, zone: Bench, service: iRODSSession, book: Ledger
) -> None:
    """Its row stays locked for ever, and nobody can say whether its host lives: after a while it gets another row."""
    place = zone.place()
    zone.write(f"{place}/in", b"x" * 5000)
    zone.ask_as_admin("sluice_pause", "so that its rule goes")
    job_id = zone.submit(operation="compress", source=f"{place}/in")
    until(lambda: zone.status(job_id)["waiting"], "the rule to have run")
    until(lambda: guard.run_text(job_id) not in {row.text for row in delayed.rows(service)} or None, "its end")
    locked(server, service, guard.run_text(job_id), "another.example.org")
    book.tell(beat.PAUSED_ATTRIBUTE, "")

    assert zone.ended(job_id)["state"] == "succeeded"
    until(lambda: guard.run_text(job_id) not in {row.text for row in delayed.rows(service)} or None, "no row of it")


def test_a_hook_brings_a_dead_patrol_back(zone: Bench, service: iRODSSession, book: Ledger) -> None:
    """A plain user's put below a policy is enough; the row that repeats is the service account's."""
    place = zone.place()
    zone.ask("sluice_policy_set", place, "operation=compress;pattern=*.none")
    killed(book, service)

    zone.write(f"{place}/in", b"x")

    rows = until(lambda: patrol_rows(service) or None, "the patrol's row", 60)
    assert [row.user for row in rows] == [service.username]
    rounds(book, 1)


def test_exactly_one_patrol_lives(server: EmbeddedSite, service: iRODSSession, book: Ledger, zone: Bench) -> None:
    """Several are queued, and four doors find it dead at the same moment: one row stays, and it goes round."""
    killed(book, service)
    for _ in range(3):
        delayed.submit(service, server.settings, guard.PATROL_TEXT, every=2)

    def start(_: int) -> bool:
        with server.admin() as session:
            return bool("ok" in rulecall.call(session, "sluice_patrol_start"))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(start, range(4)))

    until(lambda: len(patrol_rows(service)) == 1 or None, "one row of the patrol", 60)
    rounds(book, 2)
    assert len(patrol_rows(service)) == 1
    told = zone.ask_as_admin("sluice_selfcheck")["parts"]["patrol"]
    assert (told["rows"], "problem" in told) == (1, False)


def test_the_patrol_survives_a_clock_that_is_set(faults: Faults, service: iRODSSession, book: Ledger) -> None:
    """An hour on, an hour back: it goes on at the new time, with one row."""
    try:
        for seconds in (3600.0, -3600.0, 0.0):
            faults.set_clock(seconds)
            rounds(book, 2)
            assert len(patrol_rows(service)) == 1
    finally:
        faults.set_clock(0)


def test_marks_that_no_hook_made_disturb_nobody(zone: Bench, service: iRODSSession, book: Ledger) -> None:
    """Any user can give an object the attribute; the patrol goes round all the same, and gathers what is real."""
    from irods.meta import iRODSMeta
    from irods.models import DataObject

    place = zone.place()
    for name in ("in", "odd"):
        zone.write(f"{place}/{name}", b"x" * 5000)
    zone.ask("sluice_policy_set", place, "operation=compress;quiet_seconds=0")
    with zone.user.session() as session:
        for name, value, unit in (("odd", "yesterday", "nobody"), ("in", "12", zone.user.qualified)):
            session.metadata.add(DataObject, f"{place}/{name}", iRODSMeta("sluice::arrived", value, unit))

    zone.until_names(place, ["in", "in.zst", "odd"], 60)
    last = beat.read(book.told(beat.ATTRIBUTE))
    assert last is not None
    assert not [name for name in last.done if name.endswith("_failed")]
