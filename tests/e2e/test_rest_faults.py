"""kill -9 at random under load, and thousands of bad requests: what was accepted ends once, what was said was true."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from irods.session import iRODSSession

from tests.e2e.conftest import Stack, write
from tests.e2e.test_rest_production import Production, production
from tests.stack.waiting import until

PARTS = ("broker", "database", "zone", "workers", "api_shim")
LONG_SECONDS = float(os.environ.get("SLUICE_FAULT_SECONDS", "240"))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """RabbitMQ, PostgreSQL, a zone, a worker and a shim of their own."""
    with production(tmp_path_factory.mktemp("faults")) as made:
        # One outage follows the other here, where a job's four tries are made for some: it would give up, truthfully.
        made.site.configure("jobs", attempts=20)
        yield made


class Load:
    """A client that submits, as long as it is told to, and keeps what it was answered."""

    def __init__(self, stack: Production, place: str) -> None:
        self._stack = stack
        self._place = place
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.accepted: dict[str, str] = {}  # job id: target
        self.statuses: dict[int, int] = {}
        self._thread.start()

    def end(self) -> None:
        """Stop submitting."""
        self._over.set()
        self._thread.join(60)

    def _run(self) -> None:
        number = 0
        with self._stack.rest() as client:
            while not self._over.wait(0.2):
                number += 1
                self._submit(client, f"{self._place}/{number}", f"{self._place}-{number}")

    def _submit(self, client: httpx.Client, target: str, key: str) -> None:
        body = {"operation": "compress", "source": f"{self._place}/in", "target": target}
        headers = {"Prefer": "respond-async", "Idempotency-Key": key}
        try:
            answer = client.post("/api/v1/jobs", json=body, headers=headers, timeout=15)
        except httpx.TransportError:
            return  # nobody answered, nobody promised
        self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
        if answer.status_code in (200, 201, 202):
            self.accepted[answer.json()["id"]] = target


def faulted(stack: Production, place: str, seconds: float, seed: int) -> Load:
    """The load during which one part after the other was killed and started again."""
    order, load = random.Random(seed), Load(stack, place)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for part in order.sample(PARTS, len(PARTS)):
            print(f"kill {part}", flush=True)
            stack.outage(part).kill()
            stack.outage(part).start()
    load.end()
    return load


def check(stack: Production, load: Load) -> None:
    """Every accepted job ended well, and its target is there; no answer was a fault of ours."""
    assert load.accepted
    assert set(load.statuses) <= {200, 201, 202, 503}, load.statuses
    ended = {job_id: settled(stack, job_id) for job_id in load.accepted}
    badly = [told(stack, job) for job in ended.values() if job["state"] != "succeeded"]
    assert not badly, "\n".join(badly)
    with stack.alice.session() as session:
        for target in load.accepted.values():
            assert session.data_objects.exists(target), target
    log = stack.services.log()
    assert stack.alice.password not in log


def told(stack: Production, job: dict[str, Any]) -> str:
    """All that is known of a job that did not end well: as the shim shows it, and each line that any log has of it."""
    logs = (stack.services.log(), Path(stack.site.settings["engine.log"]).read_text())
    lines = [line for text in logs for line in text.splitlines() if job["id"] in line]
    return "\n".join([json.dumps(job), *lines])


def settled(stack: Production, job_id: str) -> dict[str, Any]:
    """A job in its final state; on the way the shim may say that a part is away, but not that there is no such job."""

    def final() -> dict[str, Any] | None:
        with stack.rest() as client:
            answer = client.get(f"/api/v1/jobs/{job_id}")
        assert answer.status_code in (200, 503), answer.text
        known = answer.json() if answer.status_code == 200 else {}
        return known if known.get("state") in ("succeeded", "failed", "partial", "cancelled") else None

    return until(final, f"the end of job {job_id}", 300)


@pytest.mark.long
def test_no_kill_loses_or_doubles_a_job(stack: Production, session: iRODSSession, place: str) -> None:
    """Each of the five parts once, in a random order, under load."""
    write(session, f"{place}/in", b"x" * 50_000)
    session.cleanup()

    check(stack, faulted(stack, place, 1, seed=7))


@pytest.mark.long
def test_no_kill_loses_or_doubles_a_job_for_minutes(stack: Production, session: iRODSSession, place: str) -> None:
    """SLUICE_FAULT_SECONDS of it (240)."""
    write(session, f"{place}/in", b"x" * 50_000)
    session.cleanup()

    check(stack, faulted(stack, place, LONG_SECONDS, seed=int(time.time())))


ROUTES = [
    "/api/v1/jobs",
    "/api/v1/jobs/{id}",
    "/api/v1/jobs/{id}/cancel",
    "/api/v1/jobs/{id}/retry",
    "/api/v1/jobs/{id}/results",
    "/api/v1/plans",
    "/api/v1/policies",
    "/api/v1/methods",
    "/api/v1/chains",
    "/api/v1/chains/{id}",
    "/api/v1/chains/{id}/cancel",
    "/api/v1/service",
    "/api/v1/service/pause",
    "/api/v1/uploads/",
    "/api/v1/uploads/{id}",
    "/api/v1/data/{junk}",
    "/transfer/download",
    "/transfer/download/{id}",
    "/api/v0.2/dataset/transfer/upload/",
    "/encryption/encrypt",
    "/encryption/encrypt/{id}",
    "/api/v0.2/dataset/data/size",
    "/staging/stage",
    "/staging/download",
    "/staging/pid/assign",
    "/cloud/add/{id}",
    "/dataset",
    "/dataset/listing",
    "/dataset/search/metadata",
    "/api/v0.2/dataset",
    "/api/v0.2/dataset/upload/",
    "/docs/{junk}",
    "/{junk}",
]
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW"]
JUNK = [
    "",
    "\0",
    "../..",
    "%00",
    "%2e%2e%2f",
    "'; --",
    "\U0001f980",
    "A" * 3000,
    "NaN",
    "-1",
    "null",
    "{}",
    "[]",
    "\ud800",
    "a\r\nb: c",
]


def fuzzed(dice: random.Random, foreign: str) -> tuple[str, str, dict[str, str], bytes]:
    """A request that nobody in his right mind would send."""

    def junk() -> Any:
        value: Any = dice.choice([*JUNK, foreign, "/tempZone/home/alice/in", 1e999, -1, None, True, [], {"a": [1]}])
        return value

    path = (
        dice.choice(ROUTES).replace("{id}", dice.choice([foreign, "x", foreign.upper()])).replace("{junk}", "x%2e%2e")
    )
    names = [
        "operation",
        "source",
        "target",
        "key",
        "level",
        "objects",
        "id",
        "source_system",
        "source_path",
        "project",
        "access",
        "internalID",
        "push_method",
        "metadata",
        "title",
    ]
    members = {dice.choice(names): junk() for _ in range(dice.randrange(6))}
    if dice.random() < 0.5:
        members |= {"operation": dice.choice(["compress", "encrypt"]), "source": junk()}
    body = json.dumps(members).encode() if dice.random() < 0.8 else dice.randbytes(dice.randrange(200))
    query = f"?{dice.choice(['limit', 'state', 'cursor', 'path', 'user', 'since'])}=" + dice.choice(
        ["%00", "x", "-1", "%ff", "1"]
    )
    kind = dice.choice(["application/json", "text/plain", "application/json; charset=utf-16"])
    headers = {"Content-Type": kind, "Prefer": dice.choice(["respond-async", "wait=0", "wait=x"])}
    if dice.random() < 0.3:
        headers |= {"Tus-Resumable": "1.0.0", "Upload-Length": dice.choice(["3", "-1", "x", "9" * 30])}
        headers |= {"Upload-Offset": dice.choice(["0", "1", "x"]), "Upload-Checksum": dice.choice(["sha1 x", "md5"])}
        headers |= {"Upload-Metadata": dice.choice(["path", "path eA==", "path !", ",,", "filename eA==,zone eA=="])}
    headers["Idempotency-Key"] = dice.choice(["", "k", "x" * 300, "\x7f"])
    return dice.choice(METHODS), path + (query if dice.random() < 0.3 else ""), headers, body


def fuzz(stack: Stack, session: iRODSSession, place: str, number: int) -> None:
    """Bob sends junk, and alice's job and data are none of his; no answer is a fault, none holds what is alice's."""
    write(session, f"{place}/canary-7c1e", b"x")
    body = {"operation": "compress", "source": f"{place}/canary-7c1e", "target": f"{place}/out"}
    with stack.rest() as client:
        job = stack.finished(client.post("/api/v1/jobs", json=body).json()["id"])
    dice = random.Random(20_261_122)
    statuses: dict[int, int] = {}
    with stack.rest(stack.bob) as client:
        for _ in range(number):
            method, path, headers, body = fuzzed(dice, job["id"])
            answer = client.request(method, path, headers=headers, content=body)
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            assert answer.status_code < 500, (method, path, headers, body, answer.text)
            assert "canary-7c1e" not in answer.text, (method, path, headers, body)
    print(statuses)
    with stack.rest() as client:
        assert client.get(f"/api/v1/jobs/{job['id']}").json() == job


@pytest.mark.long
def test_junk_is_answered_and_nothing_leaks(stack: Production, session: iRODSSession, place: str) -> None:
    """A few hundred requests."""
    fuzz(stack, session, place, 400)
    assert stack.bob.password not in stack.services.log()
    assert "incident" not in stack.services.log()


@pytest.mark.long
def test_junk_is_answered_and_nothing_leaks_at_length(stack: Production, session: iRODSSession, place: str) -> None:
    """Twenty thousand."""
    fuzz(stack, session, place, 20_000)
    assert stack.bob.password not in stack.services.log()
    assert "incident" not in stack.services.log()
