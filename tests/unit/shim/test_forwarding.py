"""A request is owed from the moment it is accepted; the message that carries it holds no secret."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy
from celery.contrib.testing.worker import start_worker
from flask import Flask
from flask.testing import FlaskClient

from api_shim import shapes
from api_shim.app import create_app
from python_rules.jobs import record
from tests.unit.shim.conftest import PASSWORDS, basic, login
from workers import spool, tasks
from workers.app import SluiceCelery, make_app
from workers.rows import ACCEPTED, PROGRESS, JobEnded
from workers.settings import Settings

GOOD = {"operation": "compress", "source": "/tempZone/home/alice/it's 100% ünï"}
ERROR = {"code": "source_not_found", "text": "gone", "field": "source", "remedy": "look"}


def submit(client: FlaskClient, **headers: str) -> dict[str, object]:
    """A submit of alice that nobody takes: 202."""
    answer = client.post("/api/v1/jobs", json=GOOD, headers={**basic("alice"), **headers})
    assert answer.status_code == 202, answer.data
    job: dict[str, object] = answer.get_json()
    assert answer.headers["Location"] == f"/api/v1/jobs/{job['id']}"
    return job


def test_without_a_worker_the_answer_is_202_and_the_request_is_owed(client: FlaskClient, celery: SluiceCelery) -> None:
    """The row under the job's id holds the request and its user."""
    job = submit(client)

    row = celery.rows.find(str(job["id"]))
    assert row
    assert (row.state, row.user, job["state"], job["waiting"]) == (
        ACCEPTED,
        "alice#tempZone",
        "queued",
        "not yet with the zone",
    )
    assert json.loads(row.content["request"])["source"] == GOOD["source"]
    assert job["id"] in {owed.job_id for owed in celery.rows.owed(0)}
    assert celery.rows.owed(60) == []


def test_an_owed_job_has_the_shape_of_every_job(client: FlaskClient) -> None:
    """The members of a job in the API's description are those of the record."""
    job = submit(client, Prefer="respond-async")

    assert set(job) == set(shapes.JOB)
    assert set(job["progress"]) == set(shapes.PROGRESS)  # type: ignore[call-overload]


def test_the_same_idempotency_key_is_the_same_job_for_one_user(client: FlaskClient) -> None:
    """Also while the zone is away; another user's key is another job."""
    first = submit(client, **{"Idempotency-Key": "k1"})
    again = submit(client, **{"Idempotency-Key": "k1"})
    other = client.post("/api/v1/jobs", json=GOOD, headers={**basic("bob"), "Idempotency-Key": "k1"}).get_json()

    assert first["id"] == again["id"] != other["id"]


def test_messages_and_rows_hold_no_password(client: FlaskClient, settings: Settings) -> None:
    """Neither the spool nor the database ever sees one."""
    submit(client)

    files = [path for path in Path(settings.celery.data).rglob("*") if path.is_file()]
    assert any(path.suffix == ".msg" for path in files)
    for path in files:
        assert not any(secret.encode() in path.read_bytes() for secret in PASSWORDS.values()), path


def test_a_message_appears_whole(client: FlaskClient, settings: Settings) -> None:
    """What lies in the queue under its final name is complete JSON."""
    submit(client)

    queue = Path(settings.celery.data) / "queue"
    assert {path.suffix for path in queue.iterdir()} == {".msg"}
    assert all(json.loads(path.read_text()) for path in queue.iterdir())
    assert issubclass(spool.Transport.Channel, spool.Channel)


def test_what_the_zone_has_is_not_owed_again(celery: SluiceCelery) -> None:
    """A late refusal leaves the row of a running job alone."""
    celery.rows.accept("running", "alice#tempZone", "{}", "")
    celery.rows.show("running", {"state": "running", "user": "alice#tempZone"})

    celery.rows.refuse("running", "alice#tempZone", ERROR)

    row = celery.rows.find("running")
    assert row
    assert row.state == PROGRESS
    assert "running" in {open_row.job_id for open_row in celery.rows.open()}


@pytest.mark.parametrize(
    ("state", "celery_state"),
    [("succeeded", "SUCCESS"), ("partial", "FAILURE"), ("failed", "FAILURE"), ("cancelled", "REVOKED")],
)
def test_a_celery_program_can_wait_for_a_job(celery: SluiceCelery, state: str, celery_state: str) -> None:
    """AsyncResult(job id) ends as the job ends."""
    celery.rows.accept(f"j-{state}", "alice#tempZone", "{}", "")
    celery.rows.show(f"j-{state}", {"state": state, "user": "alice#tempZone", "error": ERROR})

    result = celery.AsyncResult(f"j-{state}")
    assert result.state == celery_state
    if celery_state == "SUCCESS":
        assert result.get()["state"] == state
    else:
        assert isinstance(result.result, JobEnded)
        assert result.result.args == (state, ERROR, "alice#tempZone")


def test_a_zone_that_is_away_leaves_the_request_owed(settings: Settings, celery: SluiceCelery) -> None:
    """A worker tries, and tries again later; the caller has 202, and the row is still there."""
    celery.conf.broker_transport_options["polling_interval"] = 0.01
    client = create_app(settings, celery, login).test_client()
    with start_worker(celery, pool="solo", perform_ping_check=False, loglevel="ERROR"):
        job = submit(client, Prefer="wait=1")

    row = celery.rows.find(str(job["id"]))
    assert row
    assert row.state == ACCEPTED


def test_a_watch_round_sends_again_what_is_owed(client: FlaskClient, celery: SluiceCelery, settings: Settings) -> None:
    """The message that carried the request may be lost with a killed worker; the row is not."""
    job = submit(client)
    queue = Path(settings.celery.data) / "queue"
    for message in queue.iterdir():
        message.unlink()

    celery.tasks[tasks.WATCH]()

    sent = [json.loads(path.read_text())["headers"]["argsrepr"] for path in queue.iterdir()]
    assert any(str(job["id"]) in arguments for arguments in sent)


def test_tasks_refuse_rules_that_do_not_act_on_jobs(celery: SluiceCelery) -> None:
    """A forged message cannot call just any rule."""
    with pytest.raises(ValueError, match="not a rule"):
        celery.tasks[tasks.ACT]("sluice_run", "id", "alice#tempZone")


def test_the_record_of_an_owed_job_can_be_read_back(app: Flask, celery: SluiceCelery) -> None:
    """The request in the row is the request that was checked."""
    job = submit(app.test_client())
    row = celery.rows.find(str(job["id"]))
    assert row

    body = record.Body.from_text(
        json.dumps(
            {"format": 1, "submitted": "", "user": row.user, "door": "rest", **json.loads(row.content["request"])}
        )
    )

    assert (body.id, body.request.compression) == (job["id"], "zstd")


def test_a_threads_first_request_costs_no_more_than_its_next(settings: Settings) -> None:
    """Celery makes a backend for each thread; none of them looks for the tables again, or opens a database."""
    app = make_app(settings)
    app.rows.accept(str(uuid.uuid4()), "alice#tempZone", "{}", "")
    opened: list[object] = []

    def count(*connection: object) -> None:
        opened.append(connection)

    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "connect", count)
    try:
        for _ in range(4):
            thread = Thread(target=app.rows.accept, args=(str(uuid.uuid4()), "alice#tempZone", "{}", ""))
            thread.start()
            thread.join()
    finally:
        sqlalchemy.event.remove(sqlalchemy.engine.Engine, "connect", count)

    assert opened == []
