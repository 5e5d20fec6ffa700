"""Chains: jobs of several zones, one step after the other; the jobs of one step run at the same time.

A chain is one row of the result backend: whose it is, the requests of each step with the ids of the jobs that they
become, and which step is due. What its jobs do is read from their own rows, which mirror the zones' records. Every
watch round takes each open chain as far as it goes: a step's jobs are owed to their zones, under ids that were fixed
when the chain was accepted, once all jobs of the step before have succeeded. So a round may be repeated, two workers
may do the same one, and a kill at any instant loses nothing and starts nothing twice.

Celery's own chain and chord mean the same, but live in messages: a broker that loses them loses the chain, and a task
would have to wait for hours in a worker.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from python_rules import names
from python_rules.jobs import states
from python_rules.jobs.model import TIME_FORMAT, JobRequest
from workers import logs, sending, webhooks
from workers.rows import CHAIN, CHAIN_ENDED, REFUSED, Row

if TYPE_CHECKING:
    from workers.app import SluiceCelery

WAITING = "waiting"  # a step whose turn has not come
_BAD = frozenset({*states.FINAL, REFUSED} - {states.SUCCEEDED})
_SHOWN = ("operation", "source", "target")


def begin(app: SluiceCelery, chain_id: str, user: str, steps: list[list[JobRequest]], submitted: str) -> dict[str, Any]:
    """Keep a chain, durably, and begin it; one that is kept already stays as it is. The chain as ``shown``."""
    row = app.rows.find(chain_id)
    if row is None:
        asked = [[_named(chain_id, request, n, m) for m, request in enumerate(step)] for n, step in enumerate(steps)]
        content: dict[str, Any] = {
            "user": user,
            "queue": app.sluice.celery.queue,
            "submitted": submitted,
            "steps": asked,
        }
        content |= {"at": 0, "state": states.RUNNING, "cancel": False}
        app.rows.keep(chain_id, content, CHAIN)
        row = _advanced(app, Row(chain_id, CHAIN, user, content))
    return shown(app, row)


def cancel(app: SluiceCelery, row: Row) -> dict[str, Any]:
    """Have no further step begin, and the jobs of the present one cancelled. The chain as ``shown``."""
    if row.state == CHAIN:
        app.rows.keep(row.job_id, {**row.content, "cancel": True}, CHAIN)
        row = _advanced(app, row._replace(content={**row.content, "cancel": True}))
    return shown(app, row)


def go_on(app: SluiceCelery) -> None:
    """Take every open chain of this location as far as it goes."""
    for row in app.rows.in_state(CHAIN):
        if row.content["queue"] == app.sluice.celery.queue:
            advance(app, row)


def advance(app: SluiceCelery, row: Row) -> Row:
    """Owe the jobs of the step that is due to their zones; end the chain after its last step, or a bad one."""
    while row.state == CHAIN:
        step = row.content["steps"][row.content["at"]]
        known = app.rows.find_all([asked["id"] for asked in step])
        told = [_state(known.get(asked["id"])) for asked in step]
        if row.content["cancel"]:
            told = [
                state if asked["id"] in known else states.CANCELLED for asked, state in zip(step, told, strict=True)
            ]
            _end(app, row.user, [asked for asked, state in zip(step, told, strict=True) if state in states.ACTIVE])
        else:
            _owe(app, row, [asked for asked in step if asked["id"] not in known])
        moved = _moved(row.content, told)
        if moved is None:
            return row
        row = _kept(app, row, moved)
    return row


def shown(app: SluiceCelery, row: Row) -> dict[str, Any]:
    """The chain as the API shows it: its state, and each step's with its jobs'."""
    content = row.content
    known = app.rows.find_all([asked["id"] for step in content["steps"] for asked in step])
    steps = [_shown_step(app, content, number, known) for number in range(len(content["steps"]))]
    return {
        "id": row.job_id,
        "user": content["user"],
        "state": content["state"],
        "submitted": content["submitted"],
        "finished": content.get("finished"),
        "failed_step": content["at"] if content["state"] == states.FAILED else None,
        "steps": steps,
    }


def _advanced(app: SluiceCelery, row: Row) -> Row:
    """The same now, as far as the broker takes messages; a watch round does the rest."""
    try:
        return advance(app, row)
    except sending.QUEUE_AWAY:
        return row


def _named(chain_id: str, request: JobRequest, step: int, number: int) -> dict[str, Any]:
    """A request with the id that its job will have: the same whoever owes it, and however often."""
    return {**request.as_json(), "id": str(uuid.uuid5(uuid.UUID(chain_id), f"{step}.{number}"))}


def _owe(app: SluiceCelery, row: Row, asked: list[dict[str, Any]]) -> None:
    user = row.content["user"]
    for request in asked:
        text = json.dumps(request)
        with logs.about(request["id"]):
            if app.rows.accept_once(request["id"], user, text, row.content["submitted"]):
                sending.send_forward(app, text, user)


def _end(app: SluiceCelery, user: str, asked: list[dict[str, Any]]) -> None:
    """Ask the zones to cancel; one that has not got the request yet is asked again at the next round."""
    for request in asked:
        sending.send_act(app, app.zones.of(user, request), names.CANCEL, request["id"], user)


def _state(row: Row | None) -> str:
    """A job's state by its row: queued until the zone has answered."""
    if row is None or row.is_owed:
        return states.QUEUED
    return str(row.content["state"])


def _moved(content: dict[str, Any], told: list[str]) -> dict[str, Any] | None:
    """What changes in a chain whose present step's jobs are in these states; None: nothing yet."""
    if not set(told) <= {*states.FINAL, REFUSED}:
        return None
    well, last = set(told) == {states.SUCCEEDED}, content["at"] + 1 == len(content["steps"])
    if well and last:
        return {"state": states.SUCCEEDED}
    if content["cancel"]:
        return {"state": states.CANCELLED}
    return {"at": content["at"] + 1} if well else {"state": states.FAILED}


def _kept(app: SluiceCelery, row: Row, moved: dict[str, Any]) -> Row:
    content = {**row.content, **moved}
    after = Row(row.job_id, CHAIN, row.user, content)
    if content["state"] != states.RUNNING:
        content["finished"] = datetime.now(UTC).strftime(TIME_FORMAT)
        after = after._replace(state=CHAIN_ENDED)
        event = webhooks.event_of_chain(row.job_id, shown(app, after), app.zone.name)
        webhooks.remember(app.rows, app.sluice.webhooks, event)
    app.rows.keep(row.job_id, content, after.state)
    return after


def _shown_step(app: SluiceCelery, content: dict[str, Any], number: int, known: dict[str, Row]) -> dict[str, Any]:
    jobs = []
    for asked in content["steps"][number]:
        row = known.get(asked["id"])
        state = states.SUCCEEDED if number < content["at"] else _state(row) if row else WAITING
        error = row.content.get("error") if row and state in _BAD else None
        told = {name: asked[name] for name in _SHOWN}
        zone = app.zones.of(content["user"], asked).name
        state = states.FAILED if state == REFUSED else state
        jobs.append({"id": asked["id"], **told, "zone": zone, "state": state, "error": error})
    return {"state": _of_step([job["state"] for job in jobs]), "jobs": jobs}


def _of_step(told: list[str]) -> str:
    """One word for a step: what is bad first, then what still goes on."""
    for state in (states.FAILED, states.PARTIAL, states.CANCELLED):
        if state in told:
            return state
    return next((state for state in told if state != states.SUCCEEDED), states.SUCCEEDED)
