"""One zone, one worker and one shim for all end-to-end tests; every test works in a collection of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from irods.session import iRODSSession

from python_rules.jobs import states
from tests.e2e.faults import Faults
from tests.e2e.jobs import Bench
from tests.stack import rulecall, site
from tests.stack.services import Services
from tests.stack.site import Account, EmbeddedSite, Site
from tests.stack.waiting import until


@dataclass
class Stack:
    """What a test needs: the zone, the shim's address, and two users who share nothing."""

    site: Site
    url: str
    alice: Account
    bob: Account

    def rest(self, account: Account | None = None) -> httpx.Client:
        """A client of the shim, as alice or somebody else."""
        who = account or self.alice
        return httpx.Client(base_url=self.url, auth=(who.name, who.password), timeout=60.0)

    def finished(self, job_id: str, account: Account | None = None) -> dict[str, Any]:
        """The job in its final state, as the shim tells it."""

        def final() -> dict[str, Any] | None:
            answer = client.get(f"/api/v1/jobs/{job_id}")
            assert answer.status_code == 200, answer.text
            job: dict[str, Any] = answer.json()
            return job if job["state"] in states.FINAL else None

        with self.rest(account) as client:
            return until(final, f"the end of job {job_id}", 120)

    def submitted(self, **request: object) -> dict[str, Any]:
        """A job accepted over REST; 202 is as true, where the zone is too busy to answer in time."""
        with self.rest() as client:
            answer = client.post("/api/v1/jobs", json=request)
        assert answer.status_code in (201, 202), answer.text
        return dict(answer.json())

    def done(self, **request: object) -> dict[str, Any]:
        """A job submitted over REST that succeeded."""
        job = self.finished(self.submitted(**request)["id"])
        assert job["state"] == "succeeded", job
        return job


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("stack")
    chosen = site.chosen(home / "zone")
    mark = uuid.uuid4().hex[:6]
    try:
        alice, bob = chosen.make_user(f"alice-{mark}"), chosen.make_user(f"bob-{mark}")
        services = Services(chosen, home / "services")
        try:
            yield Stack(chosen, services.url, alice, bob)
        finally:
            services.close()
    finally:
        chosen.close()


@pytest.fixture
def session(stack: Stack) -> Iterator[iRODSSession]:
    """Alice's own session."""
    with stack.alice.session() as opened:
        yield opened


@pytest.fixture
def place(stack: Stack, session: iRODSSession) -> str:
    """A new collection of alice."""
    path = f"{stack.alice.home}/{uuid.uuid4().hex[:12]}"
    session.collections.create(path)
    return path


def write(session: iRODSSession, path: str, content: bytes) -> str:
    """A data object with this content; its path."""
    with session.data_objects.open(path, "w") as stream:
        stream.write(content)
    return path


def read(session: iRODSSession, path: str) -> bytes:
    """The content of a data object."""
    with session.data_objects.open(path, "r") as stream:
        return bytes(stream.read())


def ended(session: iRODSSession, job_id: str) -> dict[str, Any]:
    """The job in its final state, as the status rule tells it."""

    def final() -> dict[str, Any] | None:
        answer = rulecall.call(session, "sluice_status", job_id)
        assert "ok" in answer, answer
        return answer["ok"] if answer["ok"]["state"] in states.FINAL else None

    return until(final, f"the end of job {job_id}", 120)


def done_by_rule(
    session: iRODSSession, operation: str, source: str, target: str = "", options: str = ""
) -> dict[str, Any]:
    """A job submitted by ``sluice_request`` that succeeded."""
    answer = rulecall.call(session, "sluice_request", operation, source, target, options)
    assert "ok" in answer, answer
    job = ended(session, answer["ok"]["id"])
    assert job["state"] == "succeeded", job
    return job


SOURCES = Path(httpx.__file__).parent


@pytest.fixture(scope="module")
def server(zone: Bench) -> EmbeddedSite:
    """The embedded server of a module that has one of its own, to be killed and made to fail."""
    assert isinstance(zone.site, EmbeddedSite)
    return zone.site


@pytest.fixture(scope="module")
def faults(server: EmbeddedSite, tmp_path_factory: pytest.TempPathFactory) -> Faults:
    """What makes that server fail."""
    return Faults(server, tmp_path_factory.mktemp("faults"))
