"""RabbitMQ and PostgreSQL, as in production: jobs go through, and an outage of any part loses and invents nothing."""

from __future__ import annotations

import uuid
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from irods.session import iRODSSession

from tests.e2e.conftest import Stack, read, write
from tests.peers.postgres import Postgres
from tests.peers.rabbitmq import RabbitMQ
from tests.stack.services import Services
from tests.stack.site import EmbeddedSite
from tests.stack.waiting import until

pytestmark = pytest.mark.long  # servers of their own: minutes, and packages that only this needs

TEXT = b"Accepted only if durable.\n" * 5_000


@dataclass
class Production(Stack):
    """A stack whose parts can be ended and started again, one by one."""

    site: EmbeddedSite
    broker: RabbitMQ
    database: Postgres
    services: Services

    def outage(self, part: str) -> Any:
        """The part of that name: it has ``kill`` and ``start``."""
        known = {"broker": self.broker, "database": self.database, "zone": self.site.server}
        return known.get(part) or Program(self.services, part)


class Program(NamedTuple):
    """One of the services, by its module."""

    services: Services
    module: str

    def kill(self) -> None:
        """kill -9."""
        self.services.kill(self.module)

    def start(self) -> None:
        """Start it again."""
        self.services.start(self.module)


@contextmanager
def production(home: Path) -> Iterator[Production]:
    """A zone of its own, because tests stop it, behind RabbitMQ and PostgreSQL."""
    with ExitStack() as parts:
        broker, database = parts.enter_context(RabbitMQ()), parts.enter_context(Postgres())
        broker.start()
        database.start()
        site = EmbeddedSite(home / "zone")
        parts.callback(site.close)
        celery = {"broker": broker.url, "results": database.url, "resend_seconds": 2.0}
        http = {"wait_seconds": 8.0, "login_cache_seconds": 600.0, "rate_per_second": 0.0}
        services = Services(site, home / "services", celery=celery, http=http)
        parts.callback(services.close)
        alice, bob = site.make_user("alice"), site.make_user("bob")
        yield Production(site, services.url, alice, bob, broker, database, services)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """One for this module."""
    with production(tmp_path_factory.mktemp("production")) as made:
        yield made


def request_for(place: str) -> dict[str, str]:
    """A compression within a collection."""
    return {"operation": "compress", "source": f"{place}/in", "target": f"{place}/out"}


def restored(session: iRODSSession, stack: Stack, place: str) -> bytes:
    """What the result of ``request_for`` decompresses to."""
    stack.done(operation="decompress", source=f"{place}/out", target=f"{place}/back")
    return read(session, f"{place}/back")


def test_a_job_goes_through_rabbitmq_and_postgresql(stack: Production, session: iRODSSession, place: str) -> None:
    """201, the end in the catalogue, and the job's row in PostgreSQL under its own id; no message is left."""
    write(session, f"{place}/in", TEXT)

    job = stack.done(**request_for(place))

    def row() -> str | None:
        found = dict(stack.database.ask("select task_id, status from celery_taskmeta"))
        return "SUCCESS" if found.get(job["id"]) == "SUCCESS" else None

    assert until(row, "the row's end", 10) == "SUCCESS"
    assert restored(session, stack, place) == TEXT
    assert until(lambda: True if stack.broker.queued("sluice") == 0 else None, "an empty queue", 10)


@pytest.mark.parametrize("part", ["broker", "zone"])
def test_what_was_accepted_without_a_part_goes_on_when_it_is_back(
    stack: Production, session: iRODSSession, place: str, part: str
) -> None:
    """The answer is 202, which is true: the row is in PostgreSQL; the job ends well later, and ran once."""
    write(session, f"{place}/in", TEXT)
    with stack.rest() as client:
        assert client.get("/api/v1/jobs").status_code == 200  # the login is remembered from here on
    session.cleanup()

    stack.outage(part).kill()
    try:
        with stack.rest() as client:
            answer = client.post("/api/v1/jobs", json=request_for(place))
            ready = client.get("/ready")
    finally:
        stack.outage(part).start()

    assert answer.status_code == 202, answer.text
    assert [row["what"] for row in ready.json()["missing"]] == [{"broker": "queue"}.get(part, part)]
    job = until(lambda: known(stack, answer.headers["Location"]), "the zone's answer", 60)
    assert stack.finished(job["id"])["attempt"] == 1
    assert restored(session, stack, place) == TEXT


def known(stack: Stack, location: str) -> dict[str, Any] | None:
    """The job once the zone has it; until then the shim must say that it does not, or that it cannot tell."""
    with stack.rest() as client:
        answer = client.get(location)
    assert answer.status_code in (200, 503), answer.text
    return answer.json() if answer.status_code == 200 and answer.json()["transitions"] else None


def test_without_the_database_nothing_is_promised(stack: Production, session: iRODSSession, place: str) -> None:
    """503 with a problem; the same request with the same key makes one job when the database is back."""
    write(session, f"{place}/in", TEXT)
    key = {"Idempotency-Key": uuid.uuid4().hex}

    stack.database.kill()
    try:
        with stack.rest() as client:
            refused = client.post("/api/v1/jobs", json=request_for(place), headers=key)
            listed = client.get("/api/v1/jobs")
    finally:
        stack.database.start()
    with stack.rest() as client:
        made = client.post("/api/v1/jobs", json=request_for(place), headers=key)
        again = client.post("/api/v1/jobs", json=request_for(place), headers=key)

    assert (refused.status_code, refused.json()["code"]) == (503, "queue_unavailable")
    assert listed.status_code == 200  # the catalogue tells, and is there
    assert made.status_code == 201, made.text
    assert (again.status_code, again.json()["id"]) == (200, made.json()["id"])
    assert stack.finished(made.json()["id"])["state"] == "succeeded"


def test_a_hanging_broker_does_not_hold_a_request_for_long(
    stack: Production, session: iRODSSession, place: str
) -> None:
    """A broker that neither answers nor closes is taken for away; the job follows when it goes on."""
    write(session, f"{place}/in", TEXT)

    stack.broker.pause()
    try:
        with stack.rest() as client:
            answer = client.post("/api/v1/jobs", json=request_for(place), timeout=20)
    finally:
        stack.broker.resume()

    assert answer.status_code == 202, answer.text
    assert stack.finished(answer.json()["id"])["state"] == "succeeded"


@pytest.mark.parametrize("module", ["workers", "api_shim"])
def test_a_killed_process_loses_no_job(stack: Production, session: iRODSSession, place: str, module: str) -> None:
    """Six requests, kill -9 at once, a new process: every job that was accepted ends, after one attempt."""
    for number in range(6):
        write(session, f"{place}/{number}", TEXT)
    requests = [request_for(place) | {"source": f"{place}/{n}", "target": f"{place}/{n}-out"} for n in range(6)]

    with stack.rest() as client:
        answers = [client.post("/api/v1/jobs", json=body, headers={"Prefer": "respond-async"}) for body in requests]
    stack.services.kill(module)
    stack.services.start(module)

    assert {answer.status_code for answer in answers} == {202}
    ended = [until_finished(stack, answer) for answer in answers]
    assert [(job["state"], job["attempt"]) for job in ended] == [("succeeded", 1)] * 6


def test_an_upload_goes_on_after_a_killed_shim(stack: Production, session: iRODSSession, place: str) -> None:
    """What was acknowledged is in the zone: the offset is the same, the rest follows, the whole is what was sent."""
    version = {"Tus-Resumable": "1.0.0"}
    where = b64encode(f"{place}/up".encode()).decode()
    begin = {**version, "Upload-Length": str(len(TEXT)), "Upload-Metadata": f"path {where}"}
    piece = {**version, "Content-Type": "application/offset+octet-stream"}

    with stack.rest() as client:
        address = client.post("/api/v1/uploads/", headers=begin).headers["Location"]
        client.patch(address, headers={**piece, "Upload-Offset": "0"}, content=TEXT[:70_000])
    stack.services.kill("api_shim")
    stack.services.start("api_shim")
    with stack.rest() as client:
        told = client.head(address, headers=version)
        client.patch(address, headers={**piece, "Upload-Offset": "70000"}, content=TEXT[70_000:])

    assert told.headers["Upload-Offset"] == "70000"
    assert read(session, f"{place}/up") == TEXT


def until_finished(stack: Stack, answer: httpx.Response) -> dict[str, Any]:
    """The job of a 202 in its final state."""
    return stack.finished(answer.json()["id"])
