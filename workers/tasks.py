"""The tasks: short, safe to run twice, and without data or secrets in their messages."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from celery import shared_task

from python_rules import names
from python_rules.jobs import states
from python_rules.jobs.errors import CODES, JobError
from workers import chains, describing, logs, metrics, uploads, webhooks
from workers import watch as watching
from workers.sending import ACT, FORWARD, NOTIFY, QUEUE_AWAY, WATCH, send_forward

if TYPE_CHECKING:
    from celery import Task

    from workers.app import SluiceCelery
    from workers.rows import Row
    from workers.zone import Zone

BEAT = "sluice:worker"  # the row that a worker's watch round writes to show that one lives
STALLED = "sluice:stalled:"  # + zone: the row that tells what an administrator must see to there
ACTIONS = frozenset({names.CANCEL, names.RETRY})
# After so many tries in quick succession a request waits for the watch round that sends it again.
TRIES = 5
# A fault is no refusal: the zone may have made the job all the same, and tells when it is asked again.
TRIES_AFTER_FAULT = 2
PATROL_SECONDS = 15.0
FORGET_SECONDS = 3600.0
PASSING = frozenset({"zone_unavailable"})  # errors that leave a request owed
LONGEST_PAUSE = 30
log = logging.getLogger(__name__)


@shared_task(bind=True, name=FORWARD, max_retries=TRIES)
def forward(self: Task, request_json: str, user: str, zone: str = "") -> dict[str, Any]:
    """Submit a request, which holds its job's id, to a zone as ``user``: {"ok": job} or {"error": ...}."""
    job_id = json.loads(request_json)["id"]
    with logs.about(job_id):
        there = self.app.zones.named(zone)
        answer = _ask(self, there, user, names.SUBMIT, request_json)
        if "error" in answer and CODES[answer["error"]["code"]] >= 500 and self.request.retries < TRIES_AFTER_FAULT:
            raise self.retry(countdown=1)
        if "ok" in answer:
            _show(self.app, there, job_id, answer["ok"])
        elif answer["error"]["code"] not in PASSING:
            self.app.rows.refuse(job_id, user, answer["error"])
        _told("forward", answer)
        return answer


@shared_task(bind=True, name=ACT, max_retries=TRIES)
def act(self: Task, rule: str, job_id: str, user: str, zone: str = "") -> dict[str, Any]:
    """Cancel or retry a zone's job as ``user``; the answer is that of ``forward``."""
    if rule not in ACTIONS:
        raise ValueError("not a rule that acts on a job")
    with logs.about(job_id):
        there = self.app.zones.named(zone)
        answer = _ask(self, there, user, rule, job_id)
        if "ok" in answer:
            _show(self.app, there, job_id, answer["ok"])
        _told(rule, answer)
        return answer


@shared_task(bind=True, name=NOTIFY, ignore_result=True)
def notify(self: Task, row_id: str) -> None:
    """Try to deliver one event."""
    webhooks.deliver(self.app.rows, self.app.sluice.webhooks, row_id)


@shared_task(bind=True, name=WATCH, ignore_result=True)
def watch(self: Task) -> None:
    """One round: what the zones have not been told yet, what moved in them, which chain goes on, who lives."""
    for name, step in STEPS.items():
        try:
            with metrics.ROUND_SECONDS.labels(name).time(), watching.told(name):
                step(self.app)
        except QUEUE_AWAY as error:
            log.warning("watch: %s: the broker does not answer (%s)", name, type(error).__name__)


def _send_again(app: SluiceCelery) -> None:
    owed = app.rows.owed(0)
    sent = [float(row.content.get("sent", 0)) for row in owed]
    metrics.OWED.set(len(owed))
    metrics.OWED_AGE.set(max(0.0, time.time() - min(sent)) if sent else 0)
    latest = time.time() - app.sluice.celery.resend_seconds
    for row in owed:
        if row.content.get("sent", 0) > latest or not _is_ours(app, row):
            continue
        log.warning("job %s: sent again", row.job_id)
        app.rows.sent_again(row)
        send_forward(app, row.content["request"], row.user)


def _is_ours(app: SluiceCelery, row: Row) -> bool:
    """Whether this location's queue takes an owed request; those of another one are sent again there."""
    return app.zones.of(row.user, json.loads(row.content["request"])) in app.zones.served


def _see_patrols(app: SluiceCelery) -> None:
    """Now and then: a patrol that just began has not shown itself yet, and each question costs the zone a rule."""
    if time.monotonic() < app.patrol_due:
        return
    app.patrol_due = time.monotonic() + PATROL_SECONDS
    for zone in app.zones.served:
        with watching.told(zone.name):
            stalled = watching.see_patrol(zone)
            metrics.STALLED.labels(zone.name).set(bool(stalled))
            app.rows.keep(STALLED + zone.name, {"why": stalled}, "STALLED")


def _forget_old(app: SluiceCelery) -> None:
    """Now and then: rows of what ended long ago."""
    if time.monotonic() >= app.forget_due:
        app.forget_due = time.monotonic() + FORGET_SECONDS
        if count := app.rows.forget_older(app.sluice.celery.rows_days * 86_400.0):
            log.info("%s rows of what ended long ago are gone", count)


def _send_events(app: SluiceCelery) -> None:
    if app.sluice.webhooks.urls:
        for row in webhooks.due(app.rows):
            app.tasks[NOTIFY].apply_async((row.job_id,), retry=False)


def _show(app: SluiceCelery, zone: Zone, job_id: str, job: dict[str, Any]) -> None:
    """Show a job in its row; an end that the row tells already is not told again."""
    row = app.rows.find(job_id)
    if row and row.content.get("state") == job["state"] and job["state"] in states.FINAL:
        return
    watching.tell(zone, app.rows, app.sluice.webhooks, job_id, job)


def _told(what: str, answer: dict[str, Any]) -> None:
    outcome = answer["error"]["code"] if "error" in answer else "ok"
    metrics.TASKS.labels(what, outcome).inc()
    log.info("%s: %s", what, outcome, extra={"outcome": outcome})


# The steps of a round; one that fails keeps none of the others from being done.
STEPS: dict[str, Callable[[SluiceCelery], None]] = {
    "alive": lambda app: app.rows.keep(BEAT, {"at": time.time()}, "BEAT"),
    "owed": _send_again,
    "jobs": lambda app: watching.round_of(app.zones, app.rows, app.sluice.webhooks),
    "metadata": describing.go_on,
    "chains": chains.go_on,
    "events": _send_events,
    "uploads": uploads.expire,
    "patrols": _see_patrols,
    "old": _forget_old,
}


def _ask(task: Task, zone: Zone, user: str, rule: str, text: str) -> dict[str, Any]:
    """The zone's answer; a zone that is away is asked again with growing pauses, then that is the answer."""
    try:
        return zone.call(user, rule, text)
    except JobError as error:
        if error.code == "zone_unavailable" and task.request.retries < TRIES:
            raise task.retry(countdown=min(LONGEST_PAUSE, 2**task.request.retries), exc=error) from error
        return {"error": error.public()}
