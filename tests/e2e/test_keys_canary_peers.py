"""The canary search with RabbitMQ and PostgreSQL, and with an engine that fails or crashes at every step."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from kombu import Connection
from psycopg.sql import SQL, Identifier

from tests.e2e.canary import DATA, KEY, SECRETS, Canary, by_every_provider, everything
from tests.e2e.conftest import write
from tests.e2e.faults import STEPS, Faults, Step
from tests.peers.postgres import Postgres
from tests.peers.rabbitmq import RabbitMQ
from tests.stack import traces
from tests.stack.waiting import until

pytestmark = pytest.mark.long  # servers of their own, and a hundred jobs

# Where a secret is in somebody's hands.
KEY_STEPS: dict[str, Step] = {
    "logged": ("keys.audit", "Log", "record_all", "after", 1),
    "unwrapped": ("keys.keyring", "Keyring", "unwrapped", "after", 1),
    "handed out": ("keys.use", "KeyUse", "_unwrapped", "after", 1),
    "sealing": ("seal.tink", "Sealer", "feed", "before", 1),
    "sealed": ("seal.tink", "Sealer", "finish", "after", 1),
    "opening": ("seal.tink", "Opener", "_read_header", "after", 1),
    "opened": ("seal.tink", "Opener", "finish", "after", 1),
    "header noted": ("transfer.zone", "Zone", "change_avus", "after", 1),
    "header written": ("transfer.zone", "Zone", "write_start", "after", 1),
}
OPENING = {"opening", "opened"}
HEADER = {"header noted", "header written"}


class Peers:
    """The servers of production around a canary's stack."""

    def __init__(self, opened: ExitStack, canary_home: Any) -> None:
        self.broker, self.database = opened.enter_context(RabbitMQ()), opened.enter_context(Postgres())
        self.broker.start()
        self.database.start()
        celery = {"broker": self.broker.url, "results": self.database.url, "resend_seconds": 2.0}
        self.zone = Canary(canary_home, opened, celery=celery)
        self.faults = Faults(self.zone.site, canary_home / "faults")

    def messages(self) -> dict[str, bytes]:
        """What lies in the broker's queues, headers and bodies; it stays there."""
        with Connection(self.broker.url) as connection:
            channel = connection.default_channel
            found = {}
            while (message := channel.basic_get("sluice", no_ack=False)) is not None:
                told = repr((message.headers, message.properties, message.delivery_info)).encode()
                found[f"message {len(found)}"] = told + bytes(message.body, "utf-8")
        return found  # not acknowledged: the broker has them again

    def rows(self) -> dict[str, bytes]:
        """Every row of every table, binary columns as they are."""
        tables = self.database.ask("select tablename from pg_tables where schemaname = 'public'")
        found = {}
        for (name,) in tables:
            text = SQL("select * from {}").format(Identifier(str(name))).as_string(None)
            for number, row in enumerate(self.database.ask(text)):
                found[f"row {number} of {name}"] = b"\n".join(map(_bytes, row))
        return found


def _bytes(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else repr(value).encode()


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    with ExitStack() as opened:
        yield Peers(opened, tmp_path_factory.mktemp("canary-peers"))


def failed_at(peers: Peers, place: str, name: str, step: Step, how: str) -> str:
    """A job whose engine fails or crashes at the step; how it ended."""
    zone, source = peers.zone, f"{place}/{name.replace(' ', '-')}-{how}"
    with zone.alice.session() as session:
        write(session, source, DATA)
        write(session, f"{source}.out", b"in the way")
    asked: dict[str, Any] = {"operation": "encrypt", "source": source, "key": KEY, "existing": "replace"}
    if name in HEADER:
        zone.ended(**asked, target=f"{source}.c4gh", encryption="crypt4gh")
        zone.sluice_keys("rotate", KEY)
        asked = {"operation": "rekey", "source": f"{source}.c4gh"}
    elif name in OPENING:
        zone.ended(**asked, target=f"{source}.tink")
        asked = {"operation": "decrypt", "source": f"{source}.tink", "target": f"{source}.back"}
    else:
        asked |= {"target": f"{source}.out", "original": "remove"}
    with peers.faults.at(step, how):
        job = zone.ended(**asked)
        assert peers.faults.reached, name
    return str(job["state"])


def test_nothing_is_left_in_broker_database_or_anywhere(peers: Peers) -> None:
    """All that is done with keys, messages that wait, rows with tracebacks, an engine failing at every step."""
    zone = peers.zone
    place = f"{zone.alice.home}/{uuid.uuid4().hex[:8]}"
    with traces.watched_processes(SECRETS) as seen:
        assert everything(zone, place) == ["succeeded"] * 6
        waiting = messages_that_wait(peers, place)
        for name, step in [*STEPS.items(), *KEY_STEPS.items()]:
            if step[-1] == 1:  # an object of one block has no middle
                failed_at(peers, place, name, step, "fail")
        crashing = {name: KEY_STEPS[name] for name in ("unwrapped", "sealed", "opening")}
        crashed = [failed_at(peers, place, name, step, "abort") for name, step in crashing.items()]
        by_provider = by_every_provider(zone, place)

    assert set(crashed) == {"succeeded"}  # another attempt did it
    assert by_provider["pkcs11"][:2] == by_provider["transit"][:2] == ["succeeded"] * 2
    assert seen == []
    assert engine_log(zone)
    rows = peers.rows()
    assert any(place.encode() in content for content in rows.values()), "the search looks where nothing is"
    assert traces.found_in(waiting | rows, SECRETS | zone.derived(place)) == []
    peers.broker.kill()  # what it stored is in its files now
    assert zone.found(place, peers.broker.home, peers.database.home) == []
    assert zone.cores() == []


def messages_that_wait(peers: Peers, place: str) -> dict[str, bytes]:
    """The messages of requests that were accepted while no worker ran; they are jobs afterwards."""
    zone = peers.zone
    zone.services.kill("workers")
    with zone.rest() as client:
        for number in range(3):
            asked = {"operation": "encrypt", "source": f"{place}/a", "target": f"{place}/w{number}", "key": KEY}
            answer = client.post("/api/v1/jobs", json=asked, headers={"Prefer": "respond-async"})
            assert answer.status_code == 202, answer.text
    found = until(lambda: found if len(found := peers.messages()) >= 3 else None, "three messages", 20)
    assert all(place.encode() in content for content in found.values()), "a message that does not name its object"
    zone.services.start("workers")
    return found


def engine_log(zone: Canary) -> bool:
    """Whether the failures that were made are in the engine's log, with their tracebacks."""
    with open(zone.site.settings["engine.log"], encoding="utf-8") as log:
        text = log.read()
    return "made to fail here" in text and "Traceback" in text
