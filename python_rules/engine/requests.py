"""What a rule asks the engine to do to the ledger: accept, show, cancel, retry, fail, gather arrivals.

One process for each request: JSON on standard input, ``{"ok": ...}`` or ``{"error": ...}`` on standard output.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from irods.exception import PycommandsException, iRODSException
from irods.session import iRODSSession

from python_rules.config import Config
from python_rules.engine import (
    accept,
    again,
    delayed,
    health,
    key_actions,
    lease,
    ledger,
    patrol,
    plan,
    sessions,
    shards,
    sharing,
)
from python_rules.engine.ledger import Entry, Ledger
from python_rules.engine.staging import cleaning
from python_rules.engine.systems import listing
from python_rules.engine.transfer.errors import meaning
from python_rules.jobs import beat, record, states
from python_rules.jobs.errors import JobError

log = logging.getLogger("sluice.requests")


def answer(config: Config, text: str) -> dict[str, Any]:
    """Do what the request asks and tell the outcome; never raises JobError."""
    try:
        values = json.loads(text)
        action = ACTIONS[values.pop("action")]
        with sessions.as_service(config) as service:
            return {"ok": action(config, service, **values)}
    except JobError as error:
        return {"error": error.public()}
    except (iRODSException, PycommandsException) as error:
        log.exception("request")
        return {"error": meaning(error, "the zone").public()}


def submit(config: Config, service: iRODSSession, request: dict[str, Any], user: str, door: str) -> dict[str, Any]:
    """Accept a job, and see that the patrol lives that looks after it."""
    answer = accept.submit(config, service, request, user, door)
    patrol.ensure(config, service)
    return answer


def gather(config: Config, service: iRODSSession, collection_id: str, user: str) -> dict[str, Any]:
    """Make one job of what ``user`` put into a policy's collection; ``{"job": None}`` if nothing is left there."""
    answer = accept.gather(config, service, collection_id, user)
    patrol.ensure(config, service)
    return answer


def status(config: Config, service: iRODSSession, id: str, user: str, admin: bool) -> dict[str, Any]:
    """A job as its owner or an administrator sees it."""
    patrol.ensure(config, service)
    return _own(Ledger(service, config.ledger), id, user, admin).public()


def cancel(config: Config, service: iRODSSession, id: str, user: str, admin: bool) -> dict[str, Any]:
    """End a job: at its next heartbeat while it runs, otherwise at once; raises JobError ``illegal_transition``."""
    book = Ledger(service, config.ledger)
    entry = _own(book, id, user, admin)
    if entry.status.state == states.RUNNING:
        book.replace(entry, [(record.CANCEL_REQUESTED, ledger.now(), user)])
    else:
        book.transition(entry, states.CANCELLED, user)
        cleaning.clean(config, entry.body)
    shards.cancel(book, entry, user)
    return entry.public()


def retry(config: Config, service: iRODSSession, id: str, user: str, admin: bool) -> dict[str, Any]:
    """Queue a job again that failed, was cancelled, or did only a part."""
    book = Ledger(service, config.ledger)
    entry = _own(book, id, user, admin)
    cleared = [(name, "", "") for name in (record.ERROR, record.CANCEL_REQUESTED, record.WAITING)]
    book.transition(entry, states.QUEUED, user, cleared)
    shards.retry(config, book, entry, user)
    return entry.public()


def fail(config: Config, service: iRODSSession, id: str, error: dict[str, Any], actor: str) -> dict[str, Any]:
    """Record that a job cannot go on."""
    book = Ledger(service, config.ledger)
    entry = book.get(id)
    book.transition(entry, states.FAILED, actor, [record.json_value(record.ERROR, error)])
    cleaning.clean(config, entry.body)
    return entry.public()


def broke_off(config: Config, service: iRODSSession, id: str, reason: str) -> dict[str, Any]:
    """An engine ended without a word: try its job again, unless another one has it by now."""
    book = Ledger(service, config.ledger)
    entry = book.get(id)
    held = entry.status.lease
    if entry.status.state != states.RUNNING or not (held and lease.is_of_the_dead(held)):
        return {"state": entry.status.state}
    error = JobError("engine_failed", reason, remedy="the engine's log may have the details")
    return {"state": again.try_again(config, service, book, entry, error, "sluice_run")}


def go_round(config: Config, service: iRODSSession) -> dict[str, Any]:
    """One round of the patrol."""
    return patrol.go_round(config, service)


def start_patrol(config: Config, service: iRODSSession) -> dict[str, Any]:
    """See that the patrol's rule is in the queue, once."""
    return {"started": patrol.ensure(config, service, now=True)}


def pause(config: Config, service: iRODSSession, reason: str, user: str) -> dict[str, Any]:
    """Let no job begin and running ones stop between two objects, until ``resume``."""
    book = Ledger(service, config.ledger)
    book.make_root()
    told = f"the service is paused by {user} since {ledger.now()}" + (f": {reason}" if reason else "")
    book.tell(beat.PAUSED_ATTRIBUTE, told[:500])
    return {"paused": told[:500]}


def resume(config: Config, service: iRODSSession) -> dict[str, Any]:
    """Let jobs run again; those that wait are queued."""
    book = Ledger(service, config.ledger)
    book.tell(beat.PAUSED_ATTRIBUTE, "")
    queued = {row.text for row in delayed.rows(service)}
    waiting = [book.read(path) for path, _ in book.in_states(states.STARTABLE)]
    for entry in waiting:
        again.requeue(config, service, book, entry, queued)
    return {"queued": len(waiting)}


def _own(book: Ledger, job_id: str, user: str, admin: bool) -> Entry:
    entry = book.get(job_id)
    if entry.body.user != user and not admin:
        raise JobError("job_not_found", f"there is no job {job_id}", field="job", remedy="check the id")
    return entry


ACTIONS: dict[str, Callable[..., dict[str, Any]]] = {
    "submit": submit,
    "status": status,
    "cancel": cancel,
    "retry": retry,
    "fail": fail,
    "broke_off": broke_off,
    "drain": gather,
    "patrol": go_round,
    "start_patrol": start_patrol,
    "pause": pause,
    "resume": resume,
    "plan": plan.of,
    "may_use_key": accept.may_use_key,
    "health": health.of,
    "keys": key_actions.answer,
    "share": sharing.answer,
    "systems": listing.answer,
}
