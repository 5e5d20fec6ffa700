"""How many requests the shim takes, and how fast: python -m tests.benchmarks.shim [rabbitmq] [seconds]

A submit counts when its row is committed (fsync) and its message is queued; no worker runs meanwhile, because what a
worker does is the zone's time. The client, the shim, the broker, the database and the zone share the machine's cores.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from tests.benchmarks.load import Outcome, measured, request
from tests.peers.postgres import Postgres
from tests.peers.rabbitmq import RabbitMQ
from tests.stack.services import Services
from tests.stack.site import Account, EmbeddedSite
from tests.stack.waiting import until

CONNECTIONS = (1, 10, 100)
PACE = 200  # requests a second: the load that the shim must carry
_ROW = "| {:48} | {:>7} | {:>8.0f} | {:>7.1f} | {:>7.1f} | {:>7.1f} | {:14} |"


def main(words: list[str]) -> int:
    """Print a table in Markdown."""
    seconds = float(next((word for word in words if word.isdigit()), "8"))
    with tempfile.TemporaryDirectory() as home, _stack(Path(home), "rabbitmq" in words) as (services, alice):
        print("| what | clients | per second | p50 ms | p99 ms | worst ms | answers |")
        print("|---|--:|--:|--:|--:|--:|---|")
        job_id = _a_job(services, alice)
        memory = [_resident(services)]
        services.kill("workers")
        for name, sent in _requests(alice, job_id).items():
            for connections in CONNECTIONS:
                _print(name, measured(services.url, sent, connections, seconds))
            _print(f"{name}, {PACE}/s asked for", measured(services.url, sent, CONNECTIONS[-1], seconds, PACE))
            memory.append(_resident(services))
        print(f"\nThe shim's resident memory: {' → '.join(f'{size:.0f} MiB' for size in memory)}")
    return 0


@contextmanager
def _stack(home: Path, production: bool) -> Iterator[tuple[Services, Account]]:
    celery: dict[str, object] = {"watch_seconds": 1.0}
    with ExitStack() as stack:
        if production:
            broker, database = stack.enter_context(RabbitMQ()), stack.enter_context(Postgres())
            broker.start()
            database.start()
            celery |= {"broker": broker.url, "results": database.url}
        site = EmbeddedSite(home / "zone")
        stack.callback(site.close)
        http = {"rate_per_second": 0.0, "login_cache_seconds": 3600.0}
        services = Services(site, home / "services", celery=celery, http=http)
        stack.callback(services.close)
        yield services, site.make_user("alice")


def _requests(alice: Account, job_id: str) -> dict[str, bytes]:
    body = json.dumps({"operation": "compress", "source": f"{alice.home}/in", "target": f"{alice.home}/out"}).encode()
    login = (alice.name, alice.password)
    return {
        "submit, to the durable row": request("POST", "/api/v1/jobs", *login, body, Prefer="respond-async"),
        "status of a job": request("GET", f"/api/v1/jobs/{job_id}", *login),
        "alive, for comparison": request("GET", "/health", *login),
    }


def _a_job(services: Services, alice: Account) -> str:
    """A job at the zone, to ask for."""
    with alice.session() as session, session.data_objects.open(f"{alice.home}/in", "w") as stream:
        stream.write(b"x" * 1000)
    body = {"operation": "compress", "source": f"{alice.home}/in", "target": f"{alice.home}/first"}
    with httpx.Client(base_url=services.url, auth=(alice.name, alice.password), timeout=60) as client:
        answer = client.post("/api/v1/jobs", json=body)
        assert answer.status_code == 201, answer.text
        address = answer.headers["Location"]
        until(lambda: True if client.get(address).json()["state"] == "succeeded" else None, "the job's end", 60)
    return str(answer.json()["id"])


def _resident(services: Services) -> float:
    status = Path(f"/proc/{services.pid('api_shim')}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _print(name: str, seen: Outcome) -> None:
    answers = ", ".join(f"{count}×{status}" for status, count in sorted(seen.statuses.items()))
    print(_ROW.format(name, seen.connections, seen.per_second, seen.p50, seen.p99, seen.worst, answers), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
