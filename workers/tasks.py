"""The tasks: short, safe to run twice, and without data or secrets in their messages."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from celery import shared_task

from python_rules import names
from python_rules.jobs.errors import JobError
from workers import watch as watching

if TYPE_CHECKING:
    from celery import Task
    from celery.result import AsyncResult

    from workers.app import SluiceCelery

FORWARD, ACT, WATCH = "workers.tasks.forward", "workers.tasks.act", "workers.tasks.watch"
ACTIONS = frozenset({names.CANCEL, names.RETRY})
# After so many tries in quick succession a request waits for the watch round that sends it again.
TRIES = 5
LONGEST_PAUSE = 30
log = logging.getLogger(__name__)


def send_forward(app: SluiceCelery, request_json: str, user: str) -> AsyncResult:
    """Queue a request; raises kombu's OperationalError if the broker does not take it at once."""
    return app.tasks[FORWARD].apply_async((request_json, user), retry=False)


def send_act(app: SluiceCelery, rule: str, job_id: str, user: str) -> AsyncResult:
    """Queue a cancel or retry; raises as ``send_forward`` does."""
    return app.tasks[ACT].apply_async((rule, job_id, user), retry=False)


@shared_task(bind=True, name=FORWARD, max_retries=TRIES)
def forward(self: Task, request_json: str, user: str) -> dict[str, Any]:
    """Submit a request, which holds its job's id, as ``user``: {"ok": job} or {"error": ...}."""
    job_id = json.loads(request_json)["id"]
    answer = _ask(self, user, names.SUBMIT, request_json)
    if "ok" in answer:
        self.app.rows.show(job_id, answer["ok"])
    elif answer["error"]["code"] != "zone_unavailable":
        self.app.rows.refuse(job_id, user, answer["error"])
    log.info("job %s: %s", job_id, answer["error"]["code"] if "error" in answer else "with the zone")
    return answer


@shared_task(bind=True, name=ACT, max_retries=TRIES)
def act(self: Task, rule: str, job_id: str, user: str) -> dict[str, Any]:
    """Cancel or retry a job as ``user``; the answer is that of ``forward``."""
    if rule not in ACTIONS:
        raise ValueError("not a rule that acts on a job")
    answer = _ask(self, user, rule, job_id)
    if "ok" in answer:
        self.app.rows.show(job_id, answer["ok"])
    log.info("job %s: %s: %s", job_id, rule, answer["error"]["code"] if "error" in answer else "done")
    return answer


@shared_task(bind=True, name=WATCH, ignore_result=True)
def watch(self: Task) -> None:
    """One round: what moved in the zone, and what the zone has not been told yet."""
    app: SluiceCelery = self.app
    for row in app.rows.owed(app.sluice.celery.resend_seconds):
        log.warning("job %s: sent again", row.job_id)
        app.rows.accept(row.job_id, row.user, row.content["request"], row.content["submitted"])
        send_forward(app, row.content["request"], row.user)
    try:
        watching.round_of(app.zone, app.rows)
    except JobError as error:
        log.warning("watch: %s: %s", error.code, error.text)


def _ask(task: Task, user: str, rule: str, text: str) -> dict[str, Any]:
    """The zone's answer; a zone that is away is asked again with growing pauses, then that is the answer."""
    try:
        return task.app.zone.call(user, rule, text)
    except JobError as error:
        if error.code == "zone_unavailable" and task.request.retries < TRIES:
            raise task.retry(countdown=min(LONGEST_PAUSE, 2**task.request.retries), exc=error) from error
        return {"error": error.public()}
