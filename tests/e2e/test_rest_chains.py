"""Chains of jobs over two federated zones: each step where its source lies, the next when the one before succeeded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from irods.session import iRODSSession

from embedded_zone.testing import Administration
from embedded_zone.testing.federated import NAMES, introduce, keys_for
from tests.e2e.conftest import read, write
from tests.stack.receiver import Receiver
from tests.stack.services import Services
from tests.stack.site import Account, EmbeddedSite
from tests.stack.waiting import until

HERE, THERE = NAMES
TEXT = b"One step after the other.\n" * 5000
ENDED = ("succeeded", "failed", "cancelled")


@dataclass
class Pair:
    """Two zones behind one shim, alice of the first, and who is told when something ends."""

    services: Services
    alice: Account
    receiver: Receiver

    def rest(self) -> httpx.Client:
        """Alice's client."""
        return httpx.Client(base_url=self.services.url, auth=(self.alice.name, self.alice.password), timeout=60)

    def begin(self, *steps: Any, **headers: str) -> dict[str, Any]:
        """A chain that was accepted."""
        with self.rest() as client:
            answer = client.post("/api/v1/chains", json={"steps": steps}, headers=headers)
        assert answer.status_code in (200, 201), answer.text
        return dict(answer.json())

    def ended(self, chain_id: str) -> dict[str, Any]:
        """The chain when it has ended."""

        def look() -> dict[str, Any] | None:
            answer = client.get(f"/api/v1/chains/{chain_id}")
            assert answer.status_code == 200, answer.text
            return answer.json() if answer.json()["state"] in ENDED else None

        with self.rest() as client:
            return until(look, f"the end of chain {chain_id}", 120)

    def told(self, chain_id: str) -> list[str]:
        """The types of the events about a chain."""
        events = [json.loads(posted.body) for posted in self.receiver.taken]
        return [event["type"] for event in events if event["subject"] == chain_id]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    home = tmp_path_factory.mktemp("chains")
    (home / "secret").write_text("a secret of at least twenty-four characters")
    given = zip(NAMES, keys_for(), strict=True)
    sites = [EmbeddedSite(home / name, zone_name=name, **values) for name, values in given]
    try:
        introduce(sites[0].server, sites[1].server)
        alice = sites[0].make_user("alice")
        with Administration(sites[1].server) as there:
            there.make_user(alice.qualified)
        with Receiver() as receiver:
            hooks = {"urls": {"here": receiver.url}, "secret_file": str(home / "secret")}
            zone = {"environment": str(sites[0].environment), "others": {THERE: str(sites[1].environment)}}
            services = Services(sites[0], home / "services", zone=zone, webhooks=hooks, celery={"resend_seconds": 2.0})
            try:
                yield Pair(services, alice, receiver)
            finally:
                services.close()
    finally:
        for site in sites:
            site.close()


@pytest.fixture
def session(pair: Pair) -> Iterator[iRODSSession]:
    """Alice at her own zone."""
    with pair.alice.session() as opened:
        yield opened


@pytest.fixture
def places(pair: Pair, session: iRODSSession) -> tuple[str, str]:
    """A new collection of alice in each zone; the first holds ``in``."""
    name = uuid.uuid4().hex[:8]
    made = f"{pair.alice.home}/{name}", f"/{THERE}/home/{pair.alice.qualified}/{name}"
    for path in made:
        session.collections.create(path)
    write(session, f"{made[0]}/in", TEXT)
    return made


def job(operation: str, source: str, target: str) -> dict[str, str]:
    return {"operation": operation, "source": source, "target": target}


@pytest.mark.long
def test_each_step_runs_where_its_source_lies_and_the_end_is_told(
    pair: Pair, session: iRODSSession, places: tuple[str, str]
) -> None:
    """Two at once at home, one of them written to the other zone; then one there; then the orchestrator is told."""
    here, there = places
    steps = [
        [job("compress", f"{here}/in", f"{there}/one"), job("compress", f"{here}/in", f"{here}/two")],
        job("decompress", f"{there}/one", f"{there}/back"),
    ]

    chain = pair.ended(pair.begin(*steps)["id"])

    assert (chain["state"], chain["failed_step"]) == ("succeeded", None), chain
    assert [[made["zone"] for made in step["jobs"]] for step in chain["steps"]] == [[HERE, HERE], [THERE]]
    assert read(session, f"{there}/back") == TEXT
    assert until(lambda: pair.told(chain["id"]) or None, "the chain's event", 20) == ["sluice.chain.succeeded"]


@pytest.mark.long
def test_the_jobs_of_a_chain_are_jobs_like_any_other(
    pair: Pair, session: iRODSSession, places: tuple[str, str]
) -> None:
    """Also those of the other zone can be shown, listed and read by their ids."""
    _, there = places
    write(session, f"{there}/in", TEXT)
    chain = pair.ended(pair.begin(job("compress", f"{there}/in", f"{there}/out"))["id"])
    made = chain["steps"][0]["jobs"][0]

    with pair.rest() as client:
        shown = client.get(f"/api/v1/jobs/{made['id']}").json()
        results = client.get(f"/api/v1/jobs/{made['id']}/results").text
        listed = client.get("/api/v1/jobs", params={"zone": THERE}).json()["jobs"]
        refused = client.post(f"/api/v1/jobs/{made['id']}/retry")

    assert (shown["state"], shown["user"]) == ("succeeded", pair.alice.qualified)
    assert f"{there}/in" in results
    assert made["id"] in {row["id"] for row in listed}
    assert (refused.status_code, refused.json()["code"]) == (409, "illegal_transition")


@pytest.mark.long
def test_a_failed_step_is_named_and_stops_the_rest(pair: Pair, session: iRODSSession, places: tuple[str, str]) -> None:
    """The second of three: the first's result stays, the third never becomes a job."""
    here, _ = places
    steps = [
        job("compress", f"{here}/in", f"{here}/one"),
        job("compress", f"{here}/missing", f"{here}/two"),
        job("compress", f"{here}/in", f"{here}/three"),
    ]

    chain = pair.ended(pair.begin(*steps)["id"])

    assert (chain["state"], chain["failed_step"]) == ("failed", 1)
    assert [step["state"] for step in chain["steps"]] == ["succeeded", "failed", "waiting"]
    assert chain["steps"][1]["jobs"][0]["error"]["code"] == "source_not_found"
    assert session.data_objects.exists(f"{here}/one")
    assert not session.data_objects.exists(f"{here}/three")
    with pair.rest() as client:
        assert client.get(f"/api/v1/jobs/{chain['steps'][2]['jobs'][0]['id']}").status_code == 404


@pytest.mark.long
def test_a_killed_worker_and_shim_hold_a_chain_up_and_no_more(
    pair: Pair, session: iRODSSession, places: tuple[str, str]
) -> None:
    """kill -9 of both at once after the chain was accepted: it ends well, and each of its jobs ran once."""
    here, there = places
    steps = [job("compress", f"{here}/in", f"{there}/a"), job("decompress", f"{there}/a", f"{there}/b")]
    chain_id = pair.begin(*steps)["id"]

    for module in ("workers", "api_shim"):
        pair.services.kill(module)
    for module in ("workers", "api_shim"):
        pair.services.start(module)

    chain = pair.ended(chain_id)
    assert chain["state"] == "succeeded", chain
    with pair.rest() as client:
        jobs = [client.get(f"/api/v1/jobs/{step['jobs'][0]['id']}").json() for step in chain["steps"]]
    assert [made["attempt"] for made in jobs] == [1, 1]


@pytest.mark.long
def test_a_cancelled_chain_begins_no_further_step(pair: Pair, places: tuple[str, str]) -> None:
    """Whatever the first step's job comes to, the second one's never begins."""
    here, _ = places
    chain_id = pair.begin(job("compress", f"{here}/in", f"{here}/a"), job("compress", f"{here}/in", f"{here}/b"))["id"]

    with pair.rest() as client:
        assert client.post(f"/api/v1/chains/{chain_id}/cancel").status_code == 200

    chain = pair.ended(chain_id)
    assert chain["state"] == "cancelled"
    assert chain["steps"][1]["state"] == "waiting"


@pytest.mark.long
def test_a_chain_is_its_owners_and_one_for_each_key(pair: Pair, places: tuple[str, str]) -> None:
    """The same Idempotency-Key is the same chain, and refused for another one; nobody else sees it."""
    here, _ = places
    key = {"Idempotency-Key": uuid.uuid4().hex}
    body = [job("compress", f"{here}/in", f"{here}/a")]

    first, again = pair.begin(*body, **key), pair.begin(*body, **key)
    with pair.rest() as client:
        other = client.post("/api/v1/chains", json={"steps": [*body, *body]}, headers=key)
        listed = client.get("/api/v1/chains").json()["chains"]
        wrong = client.post("/api/v1/chains", json={"steps": [body[0], {**body[0], "level": 99}]})
    service = ("rods", "rods")
    hidden = httpx.get(f"{pair.services.url}/api/v1/chains/{first['id']}", auth=service)

    assert first["id"] == again["id"]
    assert (other.status_code, other.json()["code"]) == (409, "job_exists")
    assert [row["id"] for row in listed].count(first["id"]) == 1
    assert (wrong.status_code, wrong.json()["field"]) == (400, "steps[1].level")
    assert hidden.status_code in (401, 404)
    assert pair.ended(first["id"])["state"] == "succeeded"


@pytest.mark.long
def test_the_command_runs_a_chain_from_a_file(pair: Pair, places: tuple[str, str], tmp_path: Path) -> None:
    """``sluice chain FILE --watch`` ends with 1 and names the step that failed."""
    here, _ = places
    file = tmp_path / "chain.json"
    steps = [job("compress", f"{here}/in", f"{here}/a"), job("compress", f"{here}/none", f"{here}/b")]
    file.write_text(json.dumps({"steps": steps}))
    own = {"SLUICE_URL": pair.services.url, "SLUICE_USER": pair.alice.name, "SLUICE_PASSWORD": pair.alice.password}
    command = [sys.executable, "-m", "api_shim.client", "chain", str(file), "--watch"]

    done = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 1, done.stderr
    assert "source_not_found" in done.stdout
    assert "failed" in done.stdout
