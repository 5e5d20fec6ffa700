"""What a rule asks the engine to do to the ledger: accept, show, cancel, retry, fail, gather arrivals.

One process for each request: JSON on standard input, ``{"ok": ...}`` or ``{"error": ...}`` on standard output.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from irods.session import iRODSSession

from python_rules.config import Config
from python_rules.engine import drain, ledger, preflight, sessions
from python_rules.engine.keys import require_key
from python_rules.engine.ledger import Entry, Ledger
from python_rules.jobs import model, paths, record, states
from python_rules.jobs.errors import JobError, RequestError
from python_rules.jobs.model import JobRequest
from python_rules.jobs.record import Body

# The namespace of ids made from idempotency keys: same user and key, same job.
_IDS = uuid.UUID("6f0b7a0e-6c58-4d0c-9b0f-3c1f5b1c9a51")


def answer(config: Config, text: str) -> dict[str, Any]:
    """Do what the request asks and tell the outcome; never raises JobError."""
    try:
        values = json.loads(text)
        action = ACTIONS[values.pop("action")]
        with sessions.as_service(config) as service:
            return {"ok": action(config, service, **values)}
    except JobError as error:
        return {"error": error.public()}


def submit(config: Config, service: iRODSSession, request: dict[str, Any], user: str, door: str) -> dict[str, Any]:
    """Check a request as its user and write its record; the same id or idempotency key gives the same job."""
    wanted = model.from_json(request)
    job_id = _id_of(wanted, user)
    book = Ledger(service, config.ledger)
    entry = book.find(job_id)
    if entry is None:
        entry = _accepted(config, service, book, Body(job_id, user, door, ledger.now(), wanted))
    elif entry.body.user != user or not _same(entry.body.request, wanted):
        raise RequestError(
            "job_exists",
            "another job has this id or idempotency key",
            field="idempotency_key" if wanted.idempotency_key else "id",
            remedy="use a new one for a new request",
        )
    return {"job": entry.public(), "to_be_queued": entry.status.state == states.QUEUED}


def _accepted(config: Config, service: iRODSSession, book: Ledger, body: Body) -> Entry:
    for field, path in (("source", body.request.source), ("target", body.request.target)):
        if path and paths.is_within(path, book.collection):
            raise RequestError(
                "bad_path", f"{field} lies in the ledger of the jobs", field=field, remedy="name a path of your own"
            )
    if body.request.key:
        require_key(config, body.request.key)
    with sessions.as_user(config, body.user) as user_session:
        preflight.check(body.request, body.user, user_session, service)
    return book.create(body)


def status(config: Config, service: iRODSSession, id: str, user: str, admin: bool) -> dict[str, Any]:
    """A job as its owner or an administrator sees it."""
    return _own(Ledger(service, config.ledger), id, user, admin).public()


def cancel(config: Config, service: iRODSSession, id: str, user: str, admin: bool) -> dict[str, Any]:
    """End a job: at its next heartbeat while it runs, otherwise at once; raises JobError ``illegal_transition``."""
    book = Ledger(service, config.ledger)
    entry = _own(book, id, user, admin)
    if entry.status.state == states.RUNNING:
        book.replace(entry, [(record.CANCEL_REQUESTED, ledger.now(), user)])
    else:
        book.transition(entry, states.CANCELLED, user)
    return entry.public()


def retry(config: Config, service: iRODSSession, id: str, user: str, admin: bool) -> dict[str, Any]:
    """Queue a job again that failed, was cancelled, or did only a part."""
    book = Ledger(service, config.ledger)
    entry = _own(book, id, user, admin)
    book.transition(entry, states.QUEUED, user, [(record.ERROR, "", ""), (record.CANCEL_REQUESTED, "", "")])
    return entry.public()


def fail(config: Config, service: iRODSSession, id: str, error: dict[str, Any], actor: str) -> dict[str, Any]:
    """Record that a job cannot go on."""
    book = Ledger(service, config.ledger)
    entry = book.get(id)
    book.transition(entry, states.FAILED, actor, [record.json_value(record.ERROR, error)])
    return entry.public()


def gather(config: Config, service: iRODSSession, collection_id: str, user: str) -> dict[str, Any]:
    """Make one job of what ``user`` put into a policy's collection; ``{"job": None}`` if nothing is there."""
    with sessions.as_user(config, user) as user_session:
        request, marks = drain.request_for(service, user_session, collection_id, user)
        if request is None:
            return {"job": None}
        answer = submit(config, service, request.as_json(), user, "hook")
        drain.unmark(user_session, marks)
    return {"job": answer["job"]}


def _own(book: Ledger, job_id: str, user: str, admin: bool) -> Entry:
    entry = book.get(job_id)
    if entry.body.user != user and not admin:
        raise JobError("job_not_found", f"there is no job {job_id}", field="job", remedy="check the id")
    return entry


def _id_of(request: JobRequest, user: str) -> str:
    if request.id:
        return request.id
    if request.idempotency_key:
        return str(uuid.uuid5(_IDS, f"{user}\n{request.idempotency_key}"))
    return str(uuid.uuid4())


def _same(one: JobRequest, other: JobRequest) -> bool:
    return {**one.as_json(), "id": ""} == {**other.as_json(), "id": ""}


ACTIONS: dict[str, Callable[..., dict[str, Any]]] = {
    "submit": submit,
    "status": status,
    "cancel": cancel,
    "retry": retry,
    "fail": fail,
    "drain": gather,
}
