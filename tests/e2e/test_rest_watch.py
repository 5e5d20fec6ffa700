"""What a watch round costs a zone with many active jobs, and what it notices."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from irods.session import iRODSSession

from embedded_zone.testing import Trace
from python_rules.engine import delayed, sessions
from python_rules.engine.ledger import Entry, Ledger
from python_rules.jobs import beat, model, record, states
from python_rules.policy import guard
from tests.peers.daemon import free_port
from tests.stack.services import Services
from tests.stack.site import Account, EmbeddedSite
from tests.stack.waiting import until
from workers import settings, uploads, watch
from workers.app import SluiceCelery, make_app

_REQUEST = {"operation": "compress", "source": "/tempZone/home/alice/in"}


class Watched:
    """A traced zone whose ledger holds active jobs of alice, and a worker's application without a worker."""

    def __init__(self, home: Path) -> None:
        self.site = EmbeddedSite(home / "zone", trace=True)
        self.alice: Account = self.site.make_user("alice")
        self.trace = Trace([self.site.server])
        content = {"zone": {"environment": str(self.site.environment)}, "celery": {"data": str(home / "data")}}
        self.app: SluiceCelery = make_app(settings.from_json(content))
        self.jobs: list[str] = []

    def more(self, number: int) -> None:
        """So many more queued jobs: one made as any other, and copies of its rows in the catalogue."""
        request = model.from_json({"operation": "compress", "source": f"{self.alice.home}/in"})
        first = record.Body(str(uuid.uuid4()), self.alice.qualified, "rest", "2026-11-22T12:00:00Z", request)
        with self.site.admin() as session:
            entry = Ledger(session, self.app.zone.ledger).create(first)
        made = [first.id, *(str(uuid.uuid4()) for _ in range(number - 1))]
        with sqlite3.connect(self.site.server.config.catalog, timeout=30) as catalogue:
            _copy(catalogue, first.id, made[1:])
        for job_id in made:
            self.app.rows.show(job_id, {**entry.public(), "id": job_id})
        self.jobs += made

    def begin(self, job_id: str) -> None:
        """A job's state becomes running."""
        path = record.body_path(self.app.zone.ledger, self.alice.qualified, job_id)
        with self.site.admin() as session:
            book = Ledger(session, self.app.zone.ledger)
            body = record.Body(job_id, self.alice.qualified, "rest", "", model.from_json(_REQUEST))
            book.transition(Entry(path, body, book.avus(path)), states.RUNNING, "test")

    def round(self) -> float:
        """One round; its seconds."""
        begun = time.perf_counter()
        watch.round_of(self.app.zones, self.app.rows, self.app.sluice.webhooks)
        return time.perf_counter() - begun

    def queries(self) -> int:
        """The catalogue queries since ``trace.clear``."""
        return self.trace.apis().count("gen_query")


def _copy(catalogue: sqlite3.Connection, job_id: str, others: list[str]) -> None:
    """Data objects like the record of a job, with its AVUs and ACL."""
    columns = [row[1] for row in catalogue.execute("pragma table_info(R_DATA_MAIN)")]
    model_row = catalogue.execute("select * from R_DATA_MAIN where data_name = ?", [f"{job_id}.json"]).fetchone()
    old = dict(zip(columns, model_row, strict=True))
    avus = catalogue.execute("select meta_id from R_OBJT_METAMAP where object_id = ?", [old["data_id"]]).fetchall()
    acl = catalogue.execute("select * from R_OBJT_ACCESS where object_id = ?", [old["data_id"]]).fetchall()
    marks = ", ".join("?" * len(columns))
    for number, other in enumerate(others):
        new = {**old, "data_id": 5_000_000_000 + old["data_id"] * 100_000 + number, "data_name": f"{other}.json"}
        catalogue.execute(f"insert into R_DATA_MAIN values ({marks})", list(new.values()))  # noqa: S608
        catalogue.executemany(
            "insert into R_OBJT_ACCESS values (?, ?, ?, ?, ?)", [(new["data_id"], *r[1:]) for r in acl]
        )
        for (meta_id,) in avus:
            catalogue.execute("insert into R_OBJT_METAMAP values (?, ?, '0', '0')", [new["data_id"], meta_id])


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    made = Watched(tmp_path_factory.mktemp("watched"))
    try:
        yield made
    finally:
        made.site.close()


def test_a_round_is_one_query_for_all_active_jobs(watched: Watched) -> None:
    """200 queued jobs: one; when three have begun: one more for what became of them, and then one again."""
    watched.more(200)
    watched.round()  # connects

    counts = []
    for begun in ([], watched.jobs[:3], []):
        for job_id in begun:
            watched.begin(job_id)
        watched.trace.clear()
        watched.round()
        counts.append(watched.queries())

    assert counts == [1, 2, 1]
    rows = watched.app.rows.find_all(watched.jobs)
    assert [rows[job_id].content["state"] for job_id in watched.jobs[:4]] == ["running"] * 3 + ["queued"]


def test_a_job_whose_record_is_gone_is_watched_no_longer(watched: Watched) -> None:
    """Nobody waits for it for ever, and no round asks for it again."""
    watched.app.rows.show("gone", {"state": "queued", "user": watched.alice.qualified, **_REQUEST})

    watched.round()

    assert watched.app.rows.find("gone") is None


def test_an_upload_that_stood_still_goes(watched: Watched) -> None:
    """A round removes the hidden object and forgets the upload; one that has time left stays."""
    content = {"user": watched.alice.qualified, "partial": False, "length": 5, "submitted": ""}
    kept = []
    for name, expires in (("late", time.time() - 1), ("early", time.time() + 60)):
        path = f"{watched.alice.home}/{name}"
        row = uploads.begin(
            watched.app.zone, watched.app.rows, str(uuid.uuid4()), {**content, "path": path, "expires": expires}
        )
        kept.append(row)

    uploads.expire(watched.app)

    found = [watched.app.rows.find(row.job_id) for row in kept]
    with watched.alice.session() as session:
        there = [session.data_objects.exists(row.content["hidden"]) for row in kept]
    assert [row is not None for row in found] == there == [False, True]


@pytest.mark.long
def test_ten_thousand_active_jobs_are_watched(watched: Watched) -> None:
    """One query still, which real servers and this one hand over 256 rows at a time."""
    watched.more(10_000)
    watched.round()
    watched.trace.clear()

    seconds = [watched.round() for _ in range(3)]

    print(f"10,000 active jobs: {min(seconds):.2f} s a round, {watched.queries() / 3:.0f} pages")
    assert watched.queries() <= 3 * (len(watched.jobs) // 256 + 1)
    assert min(seconds) < 10


@pytest.mark.long
def test_a_round_starts_a_dead_patrol_again(tmp_path: Path) -> None:
    """Its rule is gone from the delay queue and its heartbeat is old: the next round queues one, which beats again."""
    site = EmbeddedSite(tmp_path / "zone")
    try:
        content = {"zone": {"environment": str(site.environment)}, "celery": {"data": str(tmp_path / "data")}}
        zone = make_app(settings.from_json(content)).zone
        assert watch.see_patrol(zone) == ""
        until(lambda: True if (last := _beat(site)) and last.done else None, "the end of its first round", 60)

        with sessions.as_service(site.settings) as service:
            until(lambda: _killed(service), "no rule of a patrol", 60)
            Ledger(service, zone.ledger).tell(beat.ATTRIBUTE, beat.Beat(1.0, 2.0, {}).value())
            assert watch.see_patrol(zone) == ""
            assert [row for row in delayed.rows(service) if row.text == guard.PATROL_TEXT]
        until(lambda: True if (last := _beat(site)) and beat.is_alive(last, time.time()) else None, "a heartbeat", 60)
        assert watch.see_patrol(zone) == ""
    finally:
        site.close()


@pytest.mark.long
def test_a_dead_delay_server_is_reported_until_it_runs_again(tmp_path: Path) -> None:
    """It stands still: /ready says so, the metric too, and no longer when it goes on."""
    site = EmbeddedSite(tmp_path / "zone")
    services = None
    try:
        services = Services(site, tmp_path / "services", celery={"metrics_port": free_port()})
        ready = _ready(services)
        until(lambda: _beat(site), "the patrol's heartbeat", 60)

        delay_server = _delay_server(site)
        os.kill(delay_server, signal.SIGSTOP)
        told = until(lambda: ready("delay queue"), "the report", 90)
        stalled = _stalled(services)
        os.kill(delay_server, signal.SIGCONT)

        assert "tempZone: nothing in the delay queue has run for" in told
        assert stalled == 1.0
        until(lambda: None if ready("delay queue") else True, "all well again", 90)
        assert _stalled(services) == 0.0
    finally:
        if services:
            services.close()
        site.close()


def _killed(service: iRODSSession) -> bool | None:
    """Take every rule of the patrol out of the delay queue; True once there is none."""
    found = [row.id for row in delayed.rows(service) if row.text == guard.PATROL_TEXT]
    delayed.remove(service, found)
    return None if found else True


def _stalled(services: Services) -> float:
    """The worker's metric of the zone."""
    port = json.loads(services.settings.read_text())["celery"]["metrics_port"]
    page = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    line = next(line for line in page.splitlines() if line.startswith("sluice_zone_stalled{"))
    return float(line.rpartition(" ")[2])


def _ready(services: Services) -> Callable[[str], str | None]:
    """Why /ready misses something; None if it does not."""

    def look(what: str) -> str | None:
        missing = httpx.get(f"{services.url}/ready", timeout=10).json()["missing"]
        return next((row["why"] for row in missing if row["what"] == what), None)

    return look


def _beat(site: EmbeddedSite) -> beat.Beat | None:
    with site.admin() as session:
        return beat.read(Ledger(session, f"/{site.zone}/sluice").told(beat.ATTRIBUTE))


def _delay_server(site: EmbeddedSite) -> int:
    """The eldest child of the zone's main process."""
    pid = site.server.pid
    return min(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
