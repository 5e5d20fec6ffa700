"""From a request to the zone: owe it durably, queue it, wait a bounded time for the zone's answer."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from celery.exceptions import TimeoutError as NoAnswerYet
from celery.result import AsyncResult

from api_shim.service import Service
from python_rules.jobs import model, record
from python_rules.jobs.errors import JobError, RequestError
from workers import logs, metrics, sending
from workers.zone import Zone

WAITING = "not yet with the zone"
# How often the result backend is asked while a request waits, in seconds: soon at first, then less and less.
_LOOK, _LONGEST_LOOK, _SLOWER = 0.02, 0.25, 1.3
# The same idempotency key of the same user is the same job id, also for a request that was answered 202.
_NAMESPACE = uuid.UUID("3f6f4e4c-6a55-5c7e-9a55-7b1de0a2c9d1")


class Forwarded(NamedTuple):
    """A request's fate so far: the job as the zone shows it, or None while the zone has not answered."""

    job_id: str
    job: dict[str, Any] | None
    repeated: bool = False  # an earlier request had the same idempotency key


def request_of(text: bytes, idempotency_key: str | None) -> model.JobRequest:
    """The checked request of a body and an Idempotency-Key header; raises RequestError."""
    try:
        request = model.parse(text.decode("utf-8"))
    except UnicodeDecodeError:
        raise RequestError("malformed_json", "the request is not UTF-8", remedy="send JSON in UTF-8") from None
    if request.id:
        raise RequestError(
            "bad_value",
            "the service makes the id",
            field="id",
            remedy="leave id out; send an Idempotency-Key header to make a repeated request harmless",
        )
    if not idempotency_key:
        return request
    if request.idempotency_key not in ("", idempotency_key):
        raise RequestError(
            "bad_value",
            "the Idempotency-Key header says something else",
            field="idempotency_key",
            remedy="give it once",
        )
    values = {**request.as_json(), "idempotency_key": idempotency_key}
    return model.from_json(values)


def submit(service: Service, user: str, request: model.JobRequest, seconds: float) -> Forwarded:
    """Owe and queue a request, then wait so long; raises JobError with what the zone said.

    An id that it has already was made by the shim: nobody else may choose one.
    """
    request = replace(request, id=request.id or _job_id(user, request.idempotency_key))
    asked = request.as_json()
    text = json.dumps(asked)
    row = service.celery.rows.find(request.id) if request.idempotency_key else None
    if row and row.is_owed and row.content["request"] != text:
        raise RequestError(
            "job_exists",
            "another request has this idempotency key",
            field="idempotency_key",
            remedy="use a new one for a new request",
        )
    at_the_zone = bool(row and not row.is_owed and not row.is_refused)
    logs.name_job(request.id)
    if not at_the_zone:
        service.celery.rows.accept(request.id, user, text, now())
        metrics.ACCEPTED.labels(*metrics.kind_of(asked, service.zones.of(user, asked).name)).inc()
    try:
        result = sending.send_forward(service.celery, text, user, answered=at_the_zone)
    except sending.QUEUE_AWAY:
        return Forwarded(request.id, None, bool(row))  # it is owed: a watch round sends it when the broker is back
    job = _answer(result, seconds) if at_the_zone else _zone_answer(service, request.id, seconds)
    if job is None:
        return Forwarded(request.id, None, bool(row))
    return Forwarded(job["id"], job, bool(row) or job["id"] != request.id)


def act(service: Service, zone: Zone, user: str, rule: str, job_id: str, seconds: float) -> Forwarded:
    """Queue a cancel or retry and wait; raises JobError with what the zone said, BrokerError if it is not queued."""
    return Forwarded(job_id, _answer(sending.send_act(service.celery, zone, rule, job_id, user), seconds))


def not_yet(user: str, request: model.JobRequest, submitted: str) -> dict[str, Any]:
    """A job that the zone has not answered for, in the form of every other job."""
    body = record.Body(id=request.id, user=user, door="rest", submitted=submitted, request=request)
    return record.public(body, record.Status(waiting=WAITING))


def now() -> str:
    """The time as job records write it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _zone_answer(service: Service, job_id: str, seconds: float) -> dict[str, Any] | None:
    """What the zone made of an owed request, as its row comes to tell it; None if that takes longer."""
    deadline, pause = time.monotonic() + seconds, _LOOK
    while time.monotonic() + pause < deadline:
        time.sleep(pause)
        pause = min(_LONGEST_LOOK, pause * _SLOWER)
        row = service.celery.rows.find(job_id)
        if row and row.is_refused:
            raise JobError.from_public(row.content["error"])
        if row and not row.is_owed:
            return row.content
    return None


def _answer(result: AsyncResult, seconds: float) -> dict[str, Any] | None:
    if not seconds:
        return None
    try:
        answer = result.get(timeout=seconds, interval=_LOOK)
    except NoAnswerYet:
        return None
    if "ok" in answer:
        return dict(answer["ok"])
    error = JobError.from_public(answer["error"])
    if error.code == "zone_unavailable":
        return None  # it stays owed
    raise error


def _job_id(user: str, idempotency_key: str) -> str:
    if not idempotency_key:
        return str(uuid.uuid4())
    return str(uuid.uuid5(_NAMESPACE, f"{user}\n{idempotency_key}"))
