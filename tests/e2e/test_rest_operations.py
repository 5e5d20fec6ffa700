"""What operators and orchestrators see: numbers, log lines, notifications, and a stop that loses nothing."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from irods.session import iRODSSession

from tests.e2e.conftest import Stack, write
from tests.peers.daemon import free_port
from tests.stack.receiver import Receiver
from tests.stack.services import Services
from tests.stack.waiting import until

SECRET = "a secret of at least twenty-four characters"


@dataclass
class Watched:
    """Services with everything switched on; ``receiver`` refuses the first two deliveries."""

    services: Services
    receiver: Receiver
    ports: dict[str, int]

    def numbers(self, program: str) -> dict[str, float]:
        """What a program shows to Prometheus, by name and labels."""
        text = httpx.get(f"http://127.0.0.1:{self.ports[program]}/metrics").text
        lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in lines}

    def lines(self) -> list[dict[str, Any]]:
        """The log lines of both programs; every line must be a JSON object."""
        return [json.loads(line) for line in self.services.log().splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def watched(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    home = tmp_path_factory.mktemp("operations")
    (home / "secret").write_text(SECRET)
    ports = {"shim": free_port(), "worker": free_port()}
    with Receiver(failures=2) as receiver:
        hooks = {"urls": {"here": receiver.url}, "secret_file": str(home / "secret"), "first_pause_seconds": 0.1}
        more = {"celery": {"metrics_port": ports["worker"]}, "http": {"metrics_port": ports["shim"]}, "webhooks": hooks}
        services = Services(stack.site, home / "services", **more)
        try:
            yield Watched(services, receiver, ports)
        finally:
            services.close()


@pytest.fixture
def job(watched: Watched, stack: Stack, session: iRODSSession, place: str) -> dict[str, Any]:
    """A job that went through these services."""
    write(session, f"{place}/in", b"x" * 4321)
    body = {"operation": "compress", "source": f"{place}/in", "target": f"{place}/out"}
    auth = (stack.alice.name, stack.alice.password)
    made = httpx.post(f"{watched.services.url}/api/v1/jobs", json=body, auth=auth, timeout=30)
    assert made.status_code == 201, made.text
    return stack.finished(made.json()["id"])


def test_the_end_of_a_job_is_told_until_somebody_takes_it(watched: Watched, job: dict[str, Any]) -> None:
    """A CloudEvent under one id at every try; a receiver that knows the secret can tell that it is genuine and new."""
    taken = until(lambda: of_job(watched.receiver.taken, job["id"]) or None, "a notification", 30)[0]
    event = json.loads(taken.body)

    assert (event["specversion"], event["type"], event["subject"]) == ("1.0", "sluice.job.succeeded", job["id"])
    assert event["data"]["state"] == "succeeded"
    assert taken.headers["content-type"] == "application/cloudevents+json"
    for posted in [*of_job(watched.receiver.refused, job["id"]), taken]:
        name, time = posted.headers["webhook-id"], posted.headers["webhook-timestamp"]
        digest = hmac.digest(SECRET.encode(), f"{name}.{time}.".encode() + posted.body, "sha256")
        assert posted.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
        assert name == event["id"]


def of_job(posted: list[Any], job_id: str) -> list[Any]:
    """The requests that are about a job."""
    return [one for one in posted if json.loads(one.body)["subject"] == job_id]


def test_prometheus_sees_requests_and_jobs(watched: Watched, stack: Stack, job: dict[str, Any]) -> None:
    """By route in the shim; by operation, codec, zone and outcome in the worker."""
    kind = f'codec="zstd",operation="compress",zone="{stack.site.zone}"'
    done = f'sluice_jobs_ended_total{{codec="zstd",operation="compress",outcome="succeeded",zone="{stack.site.zone}"}}'

    worker = until(lambda: seen if done in (seen := watched.numbers("worker")) else None, "the count", 20)
    shim = watched.numbers("shim")

    assert worker[done] >= 1
    assert worker[f"sluice_job_bytes_total{{{kind}}}"] >= 4321
    assert worker["sluice_owed_requests"] == 0
    assert shim['sluice_http_requests_total{method="POST",route="/api/v1/jobs",status="201"}'] >= 1
    assert shim[f"sluice_jobs_accepted_total{{{kind}}}"] >= 1
    assert not any(job["id"] in name for name in [*worker, *shim])


def test_log_lines_are_json_and_name_the_job(watched: Watched, stack: Stack, job: dict[str, Any]) -> None:
    """From the request to the task; no password and no secret in any of them."""
    about = [line for line in watched.lines() if line.get("job") == job["id"]]

    assert {line["logger"].split(".")[0] for line in about} >= {"api_shim", "workers"}
    assert any(line.get("status") == 201 and line["user"] == stack.alice.qualified for line in about)
    assert stack.alice.password not in watched.services.log()
    assert SECRET not in watched.services.log()


@pytest.mark.long
def test_readiness_names_a_worker_that_is_gone(watched: Watched) -> None:
    """Once it has been silent for a while; a new one makes the service ready again."""
    services = watched.services

    def missing() -> list[str]:
        return [row["what"] for row in httpx.get(f"{services.url}/ready").json()["missing"]]

    services.kill("workers")
    gone = until(lambda: missing() or None, "the worker's absence", 40)
    services.start("workers")

    assert gone == ["worker"]
    assert until(lambda: True if not missing() else None, "readiness", 40)
