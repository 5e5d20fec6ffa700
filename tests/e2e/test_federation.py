"""Sluice in two federated zones, both with the rule base: a user of tempZone, who is known in otherZone too."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from irods.meta import iRODSMeta
from irods.models import DataObject
from irods.rule import Rule
from irods.session import iRODSSession

from embedded_zone.testing import Administration
from embedded_zone.testing.federated import NAMES, introduce, keys_for
from python_rules.config import NATIVE_INSTANCE, PYTHON_INSTANCE
from tests.e2e.conftest import ended, read, write
from tests.stack import rulecall
from tests.stack.site import Account, EmbeddedSite
from tests.stack.waiting import until

HERE, THERE = NAMES
TEXT = b"Research sites keep their data in iRODS zones.\n" * 5000


@dataclass
class Pair:
    """Both sites, and alice as she logs in to each."""

    here: EmbeddedSite
    there: EmbeddedSite
    alice: Account
    stranger: Account  # of tempZone, whom otherZone does not know

    @property
    def home_there(self) -> str:
        return f"/{THERE}/home/{self.alice.qualified}"

    def direct(self) -> iRODSSession:
        """Alice at otherZone's own port, with her password of tempZone."""
        who = self.alice
        return iRODSSession(host=who.host, port=self.there.port, user=who.name, password=who.password, zone=who.zone)

    def places(self, session: iRODSSession) -> tuple[str, str]:
        """A new collection in each zone."""
        name = uuid.uuid4().hex[:8]
        made = f"{self.alice.home}/{name}", f"{self.home_there}/{name}"
        for path in made:
            session.collections.create(path)
        return made


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    home = tmp_path_factory.mktemp("pair")
    given = zip(NAMES, keys_for(), strict=True)
    sites = [EmbeddedSite(home / name, zone_name=name, **values) for name, values in given]
    try:
        introduce(sites[0].server, sites[1].server)
        alice = sites[0].make_user("alice")
        with Administration(sites[1].server) as there:
            there.make_user(alice.qualified)
        yield Pair(*sites, alice, sites[0].make_user("bob"))
    finally:
        for site in sites:
            site.close()


@pytest.fixture
def session(pair: Pair) -> Iterator[iRODSSession]:
    """Alice at her own zone."""
    with pair.alice.session() as opened:
        yield opened


def submit(session: iRODSSession, **request: object) -> dict[str, Any]:
    """The answer of sluice_submit."""
    return rulecall.call(session, "sluice_submit", json.dumps(request))


def done(session: iRODSSession, **request: object) -> dict[str, Any]:
    """A job that succeeded in the zone of the session."""
    answer = submit(session, **request)
    assert "ok" in answer, answer
    job = ended(session, answer["ok"]["id"])
    assert job["state"] == "succeeded", job
    return job


def jobs_about(pair: Pair, zone: str, source: str) -> list[dict[str, Any]]:
    """What alice's jobs in a zone say of a source."""
    opened = pair.alice.session() if zone == HERE else pair.direct()
    with opened as asking:
        listed = rulecall.call(asking, "sluice_list", "")["ok"]
        found = [rulecall.call(asking, "sluice_status", job["id"])["ok"] for job in listed]
    return [job for job in found if job["source"] == source]


def test_a_job_writes_to_another_zone_and_one_reads_from_it(pair: Pair, session: iRODSSession) -> None:
    """Both run in the user's own zone: sealed into otherZone, and back from there."""
    here, there = pair.places(session)
    write(session, f"{here}/in", TEXT)

    out = done(session, operation="compress", source=f"{here}/in", target=f"{there}/out")
    done(session, operation="decompress", source=f"{there}/out", target=f"{here}/back")

    assert (out["user"], out["door"]) == (pair.alice.qualified, "rule")
    assert len(read(session, f"{there}/out")) < len(TEXT)
    assert read(session, f"{here}/back") == TEXT
    with pair.there.admin() as rods:
        owners = [
            row[DataObject.owner_zone] for row in rods.query(DataObject.owner_zone).filter(DataObject.name == "out")
        ]
    assert owners == [HERE]


def test_a_remote_user_runs_a_job_where_the_data_lie(pair: Pair, session: iRODSSession) -> None:
    """Logged in to otherZone directly, alice submits there: the job is alice#tempZone's, source and target there."""
    _, there = pair.places(session)
    write(session, f"{there}/in", TEXT)

    with pair.direct() as direct:
        job = done(direct, operation="compress", source=f"{there}/in", target=f"{there}/out")
        done(direct, operation="decompress", source=f"{there}/out", target=f"{there}/back")
        assert read(direct, f"{there}/back") == TEXT

    assert (job["user"], job["door"]) == (pair.alice.qualified, "federation")


def test_a_job_of_otherzone_cannot_reach_its_users_own_zone(pair: Pair, session: iRODSSession) -> None:
    """otherZone's service account may not act for alice in tempZone: the job is refused or fails, and says so."""
    here, there = pair.places(session)
    write(session, f"{here}/in", TEXT)

    with pair.direct() as direct:
        answer = submit(direct, operation="compress", source=f"{here}/in", target=f"{there}/out")
        told = answer["error"] if "error" in answer else ended(direct, answer["ok"]["id"])["errors"][0]

    assert told["code"]
    assert told["remedy"]
    assert not session.data_objects.exists(f"{there}/out")


def test_a_put_from_one_zone_meets_the_others_policy_once(pair: Pair, session: iRODSSession) -> None:
    """The same rule base sees the put in both zones; only otherZone, whose path it is, makes a job of it."""
    _, there = pair.places(session)
    landing = f"{there}/landing"
    session.collections.create(landing)
    policy = {"operation": "compress", "target": f"{there}/packed"}
    session.collections.get(landing).metadata.add(iRODSMeta("sluice::policy", json.dumps(policy)))

    with pair.alice.session() as putter:
        write(putter, f"{landing}/one.txt", TEXT)
    until(lambda: session.data_objects.exists(f"{there}/packed/one.txt.zst") or None, "the policy's job", 60)

    made = jobs_about(pair, THERE, landing)
    assert [(job["user"], job["door"]) for job in made] == [(pair.alice.qualified, "hook")]
    assert jobs_about(pair, HERE, landing) == []


def test_a_copy_from_one_zone_meets_the_others_policy_once(pair: Pair, session: iRODSSession) -> None:
    """What is replicated from tempZone into a landing zone of otherZone is one arrival there."""
    here, there = pair.places(session)
    session.collections.get(there).metadata.add(iRODSMeta("sluice::policy", '{"operation": "compress"}'))
    write(session, f"{here}/in", TEXT)

    with pair.alice.session() as copier:
        copier.data_objects.copy(f"{here}/in", f"{there}/in")
    until(lambda: session.data_objects.exists(f"{there}/in.zst") or None, "the policy's job", 60)

    assert len(jobs_about(pair, THERE, there)) == 1
    assert not session.data_objects.exists(f"{there}/in.zst.zst")


@pytest.mark.long
def test_data_and_metadata_are_duplicated_and_replicated_across(pair: Pair, session: iRODSSession) -> None:
    """A sealed tree is copied to otherZone as it is, and brought up to date there as a replica."""
    here, there = pair.places(session)
    session.collections.create(f"{here}/in/below")
    write(session, f"{here}/in/below/a", TEXT)
    done(session, operation="compress", source=f"{here}/in", target=f"{here}/packed")

    done(session, operation="duplicate", source=f"{here}/packed", target=f"{there}/copy")
    done(session, operation="decompress", source=f"{there}/copy", target=f"{here}/back")
    done(session, operation="replicate", source=f"{here}/in", replica=f"{there}/replica")
    again = done(session, operation="replicate", source=f"{here}/in", replica=f"{there}/replica")

    assert read(session, f"{here}/back/below/a") == read(session, f"{there}/replica/below/a") == TEXT
    told = {item.name: item.value for item in session.collections.get(f"{here}/in").metadata.items()}
    assert told["sluice::replica"] == f"{there}/replica"
    assert again["progress"]["objects_done"] == 1


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("engine", [f"<INST_NAME>{PYTHON_INSTANCE}</INST_NAME>", "<PLUSET>0s</PLUSET>"])
def test_the_guard_stops_python_that_comes_by_remote(
    pair: Pair, session: iRODSSession, tmp_path: Path, engine: str, known: bool
) -> None:
    """Any user of tempZone may send rule text to otherZone, known there or not; what its Python engine would run never
    enters the queue."""
    mark = tmp_path / "mark"
    text = f'remote("127.0.0.1", "<ZONE>{THERE}</ZONE>") {{ delay("{engine}") {{ open(\'{mark}\', \'w\'); }} }}'

    with pair.alice.session() if known else pair.stranger.session() as sender:
        Rule(sender, body=text, instance_name=NATIVE_INSTANCE, output="ruleExecOut").execute()

    with pair.there.admin() as rods:
        waiting = rods.genquery2("select DELAY_RULE_NAME")
    assert not [row for row in waiting if str(mark) in row[0]]
    assert not mark.exists()


def test_named_rules_are_reached_by_remote(pair: Pair, session: iRODSSession) -> None:
    """A user who cannot reach otherZone's port submits there through the own zone."""
    _, there = pair.places(session)
    write(session, f"{there}/in", TEXT)
    call = f"*response = ''; sluice_request('compress', '{there}/in', '{there}/out', '', *response);"
    text = f'remote("127.0.0.1", "<ZONE>{THERE}</ZONE>") {{ {call} }}'

    Rule(session, body=text, instance_name=NATIVE_INSTANCE, output="ruleExecOut").execute()

    until(lambda: session.data_objects.exists(f"{there}/out") or None, "the job's result", 60)
    assert [job["door"] for job in jobs_about(pair, THERE, f"{there}/in")] == ["federation"]
