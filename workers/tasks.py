"""The tasks: short, safe to run twice, and without data or secrets in their messages."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from celery import shared_task
from kombu.exceptions import OperationalError as BrokerError

from python_rules import names
from python_rules.jobs import states
from python_rules.jobs.errors import JobError
from workers import logs, metrics, webhooks
from workers import watch as watching

if TYPE_CHECKING:
    from celery import Task
    from celery.result import AsyncResult

    from workers.app import SluiceCelery

FORWARD, ACT, WATCH = "workers.tasks.forward", "workers.tasks.act", "workers.tasks.watch"
NOTIFY = "workers.tasks.notify"
BEAT = "sluice:worker"  # the row that a worker's watch round writes to show that one lives
ACTIONS = frozenset({names.CANCEL, names.RETRY})
# After so many tries in quick succession a request waits for the watch round that sends it again.
TRIES = 5
PATROL_SECONDS = 15.0
PASSING = frozenset({"zone_unavailable"})  # errors that leave a request owed
LONGEST_PAUSE = 30
log = logging.getLogger(__name__)


def send_forward(app: SluiceCelery, request_json: str, user: str, answered: bool = False) -> AsyncResult:
    """Queue a request; raises kombu's OperationalError if the broker does not take it at once.

    Its row tells what the zone said; ``answered``: the task's own result tells it too.
    """
    return app.tasks[FORWARD].apply_async((request_json, user), retry=False, ignore_result=not answered)


def send_act(app: SluiceCelery, rule: str, job_id: str, user: str) -> AsyncResult:
    """Queue a cancel or retry; raises as ``send_forward`` does."""
    return app.tasks[ACT].apply_async((rule, job_id, user), retry=False)


@shared_task(bind=True, name=FORWARD, max_retries=TRIES)
def forward(self: Task, request_json: str, user: str) -> dict[str, Any]:
    """Submit a request, which holds its job's id, as ``user``: {"ok": job} or {"error": ...}."""
    job_id = json.loads(request_json)["id"]
    with logs.about(job_id):
        answer = _ask(self, user, names.SUBMIT, request_json)
        if "ok" in answer:
            _show(self.app, job_id, answer["ok"])
        elif answer["error"]["code"] not in PASSING:
            self.app.rows.refuse(job_id, user, answer["error"])
        _told("forward", answer)
        return answer


@shared_task(bind=True, name=ACT, max_retries=TRIES)
def act(self: Task, rule: str, job_id: str, user: str) -> dict[str, Any]:
    """Cancel or retry a job as ``user``; the answer is that of ``forward``."""
    if rule not in ACTIONS:
        raise ValueError("not a rule that acts on a job")
    with logs.about(job_id):
        answer = _ask(self, user, rule, job_id)
        if "ok" in answer:
            _show(self.app, job_id, answer["ok"])
        _told(rule, answer)
        return answer


@shared_task(bind=True, name=NOTIFY, ignore_result=True)
def notify(self: Task, row_id: str) -> None:
    """Try to deliver one event."""
    webhooks.deliver(self.app.rows, self.app.sluice.webhooks, row_id)


@shared_task(bind=True, name=WATCH, ignore_result=True)
def watch(self: Task) -> None:
    """One round: what the zone has not been told yet, what moved in it, whether its patrol lives."""
    for name, step in STEPS.items():
        try:
            with metrics.ROUND_SECONDS.labels(name).time():
                step(self.app)
        except JobError as error:
            log.warning("watch: %s: %s: %s", name, error.code, error.text)
        except (BrokerError, OSError) as error:
            log.warning("watch: %s: the broker does not answer (%s)", name, type(error).__name__)


def _send_again(app: SluiceCelery) -> None:
    owed = app.rows.owed(0)
    sent = [float(row.content.get("sent", 0)) for row in owed]
    metrics.OWED.set(len(owed))
    metrics.OWED_AGE.set(max(0.0, time.time() - min(sent)) if sent else 0)
    latest = time.time() - app.sluice.celery.resend_seconds
    for row in (row for row in owed if row.content.get("sent", 0) <= latest):
        log.warning("job %s: sent again", row.job_id)
        app.rows.sent_again(row)
        send_forward(app, row.content["request"], row.user)


def _see_patrol(app: SluiceCelery) -> None:
    """Now and then: a patrol that just began has not shown itself yet, and each question costs the zone a rule."""
    if time.monotonic() >= app.patrol_due:
        app.patrol_due = time.monotonic() + PATROL_SECONDS
        watching.see_patrol(app.zone)


def _send_events(app: SluiceCelery) -> None:
    if app.sluice.webhooks.urls:
        for row in webhooks.due(app.rows):
            app.tasks[NOTIFY].apply_async((row.job_id,), retry=False)


def _show(app: SluiceCelery, job_id: str, job: dict[str, Any]) -> None:
    """Show a job in its row; an end that the row tells already is not told again."""
    row = app.rows.find(job_id)
    if row and row.content.get("state") == job["state"] and job["state"] in states.FINAL:
        return
    watching.tell(app.zone, app.rows, app.sluice.webhooks, job_id, job)


def _told(what: str, answer: dict[str, Any]) -> None:
    outcome = answer["error"]["code"] if "error" in answer else "ok"
    metrics.TASKS.labels(what, outcome).inc()
    log.info("%s: %s", what, outcome, extra={"outcome": outcome})


# The steps of a round; one that fails keeps none of the others from being done.
STEPS: dict[str, Callable[[SluiceCelery], None]] = {
    "alive": lambda app: app.rows.keep(BEAT, {"at": time.time()}, "BEAT"),
    "owed": _send_again,
    "jobs": lambda app: watching.round_of(app.zone, app.rows, app.sluice.webhooks),
    "events": _send_events,
    "patrol": _see_patrol,
}


def _ask(task: Task, user: str, rule: str, text: str) -> dict[str, Any]:
    """The zone's answer; a zone that is away is asked again with growing pauses, then that is the answer."""
    try:
        return task.app.zone.call(user, rule, text)
    except JobError as error:
        if error.code == "zone_unavailable" and task.request.retries < TRIES:
            raise task.retry(countdown=min(LONGEST_PAUSE, 2**task.request.retries), exc=error) from error
        return {"error": error.public()}
