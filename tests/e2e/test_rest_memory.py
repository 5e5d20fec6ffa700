"""Memory of shim and worker: an hour's worth of requests leaves them about as large as its first tenth."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from irods.session import iRODSSession

from tests.benchmarks.load import measured, request
from tests.e2e.conftest import write
from tests.e2e.test_rest_production import Production, production

pytestmark = pytest.mark.long

REQUESTS = int(os.environ.get("SLUICE_MEMORY_REQUESTS", "36000"))  # ten in a second, for an hour
JOBS = REQUESTS // 360  # of them that reach the zone through the worker
MAY_GROW = 24.0  # MiB


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """RabbitMQ, PostgreSQL, a zone, a worker and a shim of their own."""
    with production(tmp_path_factory.mktemp("memory")) as made:
        yield made


def resident(stack: Production) -> dict[str, float]:
    """MiB of each program."""
    found = {}
    for module in ("api_shim", "workers"):
        status = Path(f"/proc/{stack.services.pid(module)}/status").read_text()
        found[module] = int(status.partition("VmRSS:")[2].split()[0]) / 1024
    return found


def load(stack: Production, place: str, part: str, number: int, jobs: int) -> None:
    """So many requests: jobs that run, refusals, reads and lists."""
    login = (stack.alice.name, stack.alice.password)
    ended = []
    with stack.rest() as client:
        for job in range(jobs):
            body = {"operation": "compress", "source": f"{place}/in", "target": f"{place}/{part}-{job}"}
            answer = client.post("/api/v1/jobs", json=body, headers={"Prefer": "respond-async"})
            assert answer.status_code == 202, answer.text
            ended.append(answer.json()["id"])
    bad = json.dumps({"operation": "compress", "source": "no path"}).encode()
    kinds = (
        request("GET", f"/api/v1/jobs/{ended[0]}", *login),
        request("GET", "/api/v1/jobs?limit=5", *login),
        request("POST", "/api/v1/jobs", *login, bad),
        request("GET", "/encryption/compress/unknown", *login),
    )
    sent = jobs
    while sent < number:
        for kind in kinds:
            outcome = measured(stack.services.url, kind, 8, 2.0)
            sent += sum(outcome.statuses.values())
            assert max(outcome.statuses) < 500, outcome
    for job_id in ended:
        assert stack.finished(job_id)["state"] == "succeeded"


def test_an_hours_worth_of_requests_leaves_no_memory_behind(
    stack: Production, session: iRODSSession, place: str
) -> None:
    """SLUICE_MEMORY_REQUESTS of them (36,000), one in 360 a job that runs."""
    write(session, f"{place}/in", b"x" * 10_000)
    session.cleanup()

    load(stack, place, "first", REQUESTS // 10, JOBS // 10)
    first = resident(stack)
    load(stack, place, "rest", REQUESTS * 9 // 10, JOBS * 9 // 10)
    last = resident(stack)

    print(f"MiB after a tenth and after {REQUESTS} requests: {first} {last}")
    for module, size in last.items():
        assert size - first[module] < MAY_GROW, module
