"""Jobs that nothing loses: leases, retries, the patrol, pause, plan; all by rule."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from irods.exception import iRODSException
from irods.meta import iRODSMeta
from irods.models import DataObject

from python_rules import config
from python_rules.config import Config
from python_rules.engine import delayed, sessions
from python_rules.engine.lease import claim_name
from python_rules.engine.ledger import Ledger
from python_rules.jobs import record
from python_rules.policy import guard
from tests.e2e.jobs import Bench, bench
from tests.stack.site import EmbeddedSite
from tests.stack.waiting import until

TEXT = b"What is written once is read many times.\n" * 2000


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("jobs")) as made:
        yield made


@pytest.fixture
def place(zone: Bench) -> str:
    return zone.place()


def test_a_job_runs_and_leaves_only_its_result(zone: Bench, place: str) -> None:
    """The plain case: one attempt, the result beside the source, nothing hidden."""
    zone.write(f"{place}/in", TEXT)

    job = zone.ended(zone.submit(operation="compress", source=f"{place}/in"))

    assert (job["state"], job["attempt"]) == ("succeeded", 1), job
    assert zone.names(place) == ["in", "in.zst"]


def test_the_first_submit_starts_the_patrol_once(zone: Bench, place: str) -> None:
    """After submits there is exactly one repeating patrol row, and it beats."""
    zone.write(f"{place}/in", TEXT)
    zone.ended(zone.submit(operation="compress", source=f"{place}/in"))

    def beats() -> bool | None:
        told = zone.ask_as_admin("sluice_selfcheck")["parts"]["patrol"]
        return True if told["rows"] == 1 and "problem" not in told and told.get("last_round") else None

    until(beats, "a round of the patrol", 90)


def test_only_administrators_rule_the_service(zone: Bench) -> None:
    """Pause, resume, the patrol's start and the self-check are refused to a plain user."""
    for rule, *texts in (["sluice_pause", ""], ["sluice_resume"], ["sluice_patrol_start"], ["sluice_selfcheck"]):
        assert zone.refused(rule, *texts)["code"] == "not_permitted"


def test_the_self_check_says_that_all_is_well(zone: Bench, place: str) -> None:
    """Every part is told, with versions; a healthy zone has no problem."""
    zone.write(f"{place}/in", TEXT)
    zone.ended(zone.submit(operation="compress", source=f"{place}/in"))

    told = zone.ask_as_admin("sluice_selfcheck")

    assert told["healthy"], told
    parts = {"versions", "ledger", "patrol", "keyring", "audit", "resources", "files", "guard"}
    assert set(told["parts"]) == parts
    assert told["parts"]["versions"]["environment"]


def test_the_self_check_says_what_is_not_well(zone: Bench) -> None:
    """A master key that is gone, an engine that cannot be started: told as a problem, not as a failure of the call."""
    if not isinstance(zone.site, EmbeddedSite):
        pytest.skip("takes the zone's master key away")
    settings = Path(zone.site.server.config.etc) / config.FILE_NAME
    whole, master = settings.read_text(), Path(zone.site.settings["keys.master_key"])
    hidden = master.rename(master.with_suffix(".away"))
    try:
        keyring = zone.ask_as_admin("sluice_selfcheck")["parts"]["keyring"]
        settings.write_text(whole.replace(zone.site.settings["engine.python"], "/no/such/python"))
        engine = zone.ask_as_admin("sluice_selfcheck")
    finally:
        hidden.rename(master)
        settings.write_text(whole)

    assert "master.key" in keyring["problem"]
    assert (engine["healthy"], list(engine["parts"])) == (False, ["engine"])


def test_a_plan_tells_size_and_room_and_creates_nothing(zone: Bench, place: str) -> None:
    """The dry run counts, samples and looks for room; there is neither job nor result afterwards."""
    zone.write(f"{place}/in/a", TEXT)
    zone.write(f"{place}/in/b", TEXT)
    before = len(zone.ask("sluice_list", ""))

    plan = zone.ask("sluice_plan", json.dumps({"operation": "compress", "source": f"{place}/in"}))

    assert (plan["objects"], plan["bytes"], plan["refused"]) == (2, 2 * len(TEXT), [])
    assert 0 < plan["expected_ratio"] < 0.2
    assert plan["fits"] is True or plan["fits"] is None
    assert len(zone.ask("sluice_list", "")) == before
    assert zone.names(f"{place}/in") == ["a", "b"]


def test_a_plan_says_what_would_be_refused(zone: Bench, place: str) -> None:
    """A key that is not there and a source that is missing are told as a submit would tell them."""
    zone.write(f"{place}/in", TEXT)
    request = {"operation": "encrypt", "source": f"{place}/in", "key": "no-such-key"}

    plan = zone.ask("sluice_plan", json.dumps(request))

    assert [error["code"] for error in plan["refused"]] == ["key_not_found"]
    assert plan["would_start"] is False


def test_a_deadline_in_the_past_ends_the_job(zone: Bench, place: str) -> None:
    """What was not done in time fails and says so."""
    zone.write(f"{place}/in", TEXT)

    job = zone.ended(zone.submit(operation="compress", source=f"{place}/in", deadline="2020-01-01T00:00:00Z"))

    assert job["state"] == "failed"
    assert job["error"]["code"] == "deadline_passed"
    assert zone.names(place) == ["in"]


def test_a_pause_holds_jobs_and_a_resume_runs_them(zone: Bench, place: str) -> None:
    """While the service is paused a job waits and says why; afterwards it runs."""
    zone.write(f"{place}/in", TEXT)
    zone.ask_as_admin("sluice_pause", "a new disk")
    try:
        job_id = zone.submit(operation="compress", source=f"{place}/in")
        until(lambda: "a new disk" in (zone.status(job_id)["waiting"] or "") or None, "the reason to wait")
        assert zone.status(job_id)["state"] == "queued"
    finally:
        zone.ask_as_admin("sluice_resume")

    assert zone.ended(job_id)["state"] == "succeeded"


def test_the_list_comes_in_pages(zone: Bench, place: str) -> None:
    """limit and after walk through all jobs once, the newest first."""
    zone.write(f"{place}/in", TEXT)
    made = {zone.submit(operation="compress", source=f"{place}/in", target=f"{place}/{n}") for n in range(3)}

    seen: list[str] = []
    after = ""
    while True:
        page = zone.ask("sluice_list", f"limit=2;after={after}")
        seen += [job["id"] for job in page["jobs"]]
        if not page["next"]:
            break
        after = page["next"]

    assert made <= set(seen)
    assert len(seen) == len(set(seen))
    assert zone.refused("sluice_list", "limit=0")["field"] == "limit"


def test_what_a_plain_user_may_queue(zone: Bench) -> None:
    """A round of the patrol may be asked for once; a repeating one, and any other Python, is refused."""
    settings = getattr(zone.site, "settings", None)
    if not isinstance(settings, Config):
        pytest.skip("needs the embedded zone's settings")
    with zone.user.session() as session:
        delayed.submit(session, settings, guard.PATROL_TEXT)
        for text, every in ((guard.PATROL_TEXT, 60.0), ("import os", 0.0)):
            with pytest.raises(iRODSException):
                delayed.submit(session, settings, text, every=every)


@pytest.fixture
def book(zone: Bench) -> Iterator[Ledger]:
    """The ledger as the service account writes it; only where the test knows the settings."""
    if not isinstance(zone.site, EmbeddedSite):
        pytest.skip("needs the embedded zone's settings")
    with sessions.as_service(zone.site.settings) as service:
        yield Ledger(service, zone.site.settings.ledger)


def test_a_claim_is_made_once(zone: Bench, place: str, book: Ledger) -> None:
    """Of two engines that want the same attempt one gets it."""
    zone.write(f"{place}/in", TEXT)
    job_id = zone.submit(operation="compress", source=f"{place}/in")
    name = claim_name(job_id, 99)

    assert [book.claim(name), book.claim(name)] == [True, False]
    zone.ended(job_id)


@pytest.mark.long
def test_a_job_whose_rule_is_gone_is_queued_again(zone: Bench, place: str, book: Ledger) -> None:
    """A queued job without a delayed rule, and with a claim that a dead engine left, runs after the patrol saw it."""
    zone.write(f"{place}/in", TEXT)
    zone.ask_as_admin("sluice_pause", "so that the rule goes")
    job_id = zone.submit(operation="compress", source=f"{place}/in")
    until(lambda: zone.status(job_id)["waiting"], "the rule to have run")
    book.claim(claim_name(job_id, 1))
    book.tell("sluice::paused", "")  # without the resume that would queue it

    job = zone.ended(job_id)

    assert job["state"] == "succeeded", job
    assert job["attempt"] == 2


@pytest.mark.long
def test_a_lease_that_ran_out_is_taken_over(zone: Bench, place: str, book: Ledger) -> None:
    """A running job whose engine is of another machine and silent gets another attempt, which cleans up first."""
    zone.write(f"{place}/in", TEXT)
    zone.ask_as_admin("sluice_pause", "so that nobody runs it")
    job_id = zone.submit(operation="compress", source=f"{place}/in")
    until(lambda: zone.status(job_id)["waiting"], "the rule to have run")
    entry = book.get(job_id)
    lease = {"host": "elsewhere", "pid": 1, "began": 1, "fence": 1, "heartbeat": "2020-01-01T00:00:00Z"}
    book.transition(entry, "running", "test", [(record.ATTEMPT, "1", ""), (record.LEASE, json.dumps(lease), "")])
    zone.write(f"{place}/.sluice-{job_id}-17-1", b"half")
    book.tell("sluice::paused", "")

    job = zone.ended(job_id)

    assert job["state"] == "succeeded", job
    assert [row["state"] for row in job["transitions"]][-4:] == ["running", "retrying", "running", "succeeded"]
    assert zone.names(place) == ["in", "in.zst"]


def test_leftovers_of_ended_jobs_go(zone: Bench, place: str) -> None:
    """A hidden sibling of a job that is over is removed by the patrol; what 'replace' took away comes back."""
    zone.write(f"{place}/in", TEXT)
    job_id = zone.submit(operation="compress", source=f"{place}/in")
    zone.ended(job_id)
    half = zone.write(f"{place}/.sluice-{job_id}-17-1", b"half")
    old = zone.write(f"{place}/final", b"the old one")
    with zone.user.session() as session:  # in the order of a replace: the patrol may look at any moment
        session.metadata.add(DataObject, old, iRODSMeta("sluice::replaced", "final"))
        session.data_objects.move(old, f"{half}.old")

    zone.until_names(place, ["final", "in", "in.zst"])

    assert zone.read(f"{place}/final") == b"the old one"


def test_a_cancel_takes_effect_in_the_middle_of_a_block(zone: Bench, place: str) -> None:
    """A running job is over at once after it was cancelled, however slow its method is, and leaves nothing."""
    for number in range(4):
        zone.write(f"{place}/in/{number}", random.Random(number).randbytes(6_000_000).hex().encode())
    job_id = zone.submit(operation="compress", source=f"{place}/in", target=f"{place}/out", level=19)  # ten seconds
    zone.in_state(job_id, "running")

    zone.ask("sluice_cancel", job_id)
    asked = time.monotonic()
    job = zone.ended(job_id)
    took = time.monotonic() - asked

    assert job["state"] == "cancelled"
    assert took < 4, took  # two seconds on a machine that does nothing else, and a status call
    zone.until_names(f"{place}/out", [], 90)
