"""From a request, or from what arrived, to a job's record."""

from __future__ import annotations

import hashlib
import time
import uuid
from dataclasses import replace
from typing import Any

from irods.session import iRODSSession

from python_rules.config import Config
from python_rules.engine import drain, identity, ledger, opening, preflight, sessions
from python_rules.engine.keys.grants import SEAL
from python_rules.engine.ledger import Entry, Ledger
from python_rules.engine.staging import ends
from python_rules.jobs import model, paths, record, states
from python_rules.jobs.errors import PASSING, JobError, RequestError
from python_rules.jobs.model import JobRequest
from python_rules.jobs.record import Body

_GATHERING_SECONDS = 120.0  # after that whoever gathers is taken for dead
_WRITING_SECONDS = 15.0  # after that whoever claimed the record's making is taken for dead
# The namespace of ids made from idempotency keys: same user and key, same job.
_IDS = uuid.UUID("6f0b7a0e-6c58-4d0c-9b0f-3c1f5b1c9a51")


def submit(config: Config, service: iRODSSession, request: dict[str, Any], user: str, door: str) -> dict[str, Any]:
    """Check a request as its user and write its record; the same id or idempotency key gives the same job."""
    wanted = model.from_json(request)
    job_id = _id_of(wanted, user)
    book = Ledger(service, config.ledger)
    entry = book.find(job_id) or _begun_elsewhere(book, wanted, job_id)
    if entry is None:
        # what a hook saw is there; each name of a thousand would be a query more
        meant = replace(wanted, objects=()) if door == "hook" else wanted
        body = Body(job_id, user, door, ledger.now(), wanted)
        try:
            check(config, service, meant, user, job_id)
        except JobError as error:
            if door == "hook" and error.code not in PASSING:
                return _failed_at_once(book, body, error)
            if _may_come_again(wanted):
                book.release(_claim_of(job_id))  # the next one need not wait for us
            raise
        entry = book.create(body)
    elif entry.body.user != user or not _same(entry.body.request, wanted):
        raise RequestError(
            "job_exists",
            "another job has this id or idempotency key",
            field="idempotency_key" if wanted.idempotency_key else "id",
            remedy="use a new one for a new request",
        )
    return {"job": entry.public(), "to_be_queued": entry.status.state == states.QUEUED}


def _failed_at_once(book: Ledger, body: Body, error: JobError) -> dict[str, Any]:
    """What a policy asks for in vain becomes a job all the same: nobody waits for the answer, and a job is seen, and
    can be retried when its cause is gone."""
    entry = book.create(body)
    book.transition(entry, states.FAILED, "policy", [record.json_value(record.ERROR, error.public())])
    return {"job": entry.public(), "to_be_queued": False}


def _begun_elsewhere(book: Ledger, wanted: JobRequest, job_id: str) -> Entry | None:
    """The record that another submit with the same id or key is writing at this moment, if there is one.

    None as well once that one was refused and has released its claim, which is ours then.
    """
    deadline = time.monotonic() + _WRITING_SECONDS
    while _may_come_again(wanted) and time.monotonic() < deadline:
        if book.claim(_claim_of(job_id)):
            return None
        if entry := book.find(job_id):
            return entry
        time.sleep(0.1)
    return None


def _may_come_again(wanted: JobRequest) -> bool:
    """Whether another submit can mean the same job: a queue may deliver a request twice, and a caller repeat it."""
    return bool(wanted.id or wanted.idempotency_key)


def _claim_of(job_id: str) -> str:
    return f"{job_id}.0"


def check(config: Config, service: iRODSSession, request: JobRequest, user: str, job_id: str = "") -> None:
    """Raise JobError if a request cannot be accepted from this user as things are now."""
    for field, path in (("source", request.source), ("target", request.target)):
        if path and paths.is_within(path, config.ledger):
            raise RequestError(
                "bad_path", f"{field} lies in the ledger of the jobs", field=field, remedy="name a path of your own"
            )
    if any(request.ends):
        who = identity.of(service, user)
        for field in ("source", "target"):
            ends.End.of(config, getattr(request, field), who, field)
    if request.key:
        may_use_key(config, service, request.key, request.target or request.source, user, job_id)
    with sessions.as_user(config, user) as user_session:
        preflight.check(request, user, user_session, service)
        if opening.asked(request):
            opening.check(identity.keys_for(config, service, user, job_id), user_session, request)


def may_use_key(
    config: Config, service: iRODSSession, key: str, path: str, user: str, job_id: str = ""
) -> dict[str, Any]:
    """Raise JobError unless this user may seal below that path under the key."""
    identity.keys_for(config, service, user, job_id).require(SEAL, key, path)
    return {"key": key}


def gather(config: Config, service: iRODSSession, collection_id: str, user: str) -> dict[str, Any]:
    """Make one job of what ``user`` put into a policy's collection; ``job`` is None if there is nothing to be made.

    ``again``: after how many seconds there is more to look at, None for never. Two that gather the same would each
    find the other's marks, and make two jobs of them: only one does, the other looks again.
    """
    book = Ledger(service, config.ledger)
    whose = hashlib.sha256(user.encode()).hexdigest()[:16]
    claim = book.hold(f"gather.{collection_id}.{whose}", lambda age: age < _GATHERING_SECONDS)
    if not claim:
        return {"job": None, "again": 1.0}
    try:
        return _gathered(config, service, collection_id, user)
    finally:
        book.release(claim)


def _gathered(config: Config, service: iRODSSession, collection_id: str, user: str) -> dict[str, Any]:
    with sessions.as_user(config, user) as user_session:
        found = drain.arrived(config, user_session, drain.policies(service), collection_id, user)
    answer = submit(config, service, found.request.as_json(), user, "hook") if found.request else {"job": None}
    drain.unmark(service, found.answered)
    return {**answer, "again": found.again}


def _id_of(request: JobRequest, user: str) -> str:
    if request.id:
        return request.id
    if request.idempotency_key:
        return str(uuid.uuid5(_IDS, f"{user}\n{request.idempotency_key}"))
    return str(uuid.uuid4())


def _same(one: JobRequest, other: JobRequest) -> bool:
    return {**one.as_json(), "id": ""} == {**other.as_json(), "id": ""}
