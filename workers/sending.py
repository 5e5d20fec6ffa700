"""Messages for the workers: which task, with what, to whose queue. They hold no data and no secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kombu.exceptions import OperationalError as BrokerError

if TYPE_CHECKING:
    from celery.result import AsyncResult

    from workers.app import SluiceCelery
    from workers.zone import Zone

FORWARD, ACT, WATCH = "workers.tasks.forward", "workers.tasks.act", "workers.tasks.watch"
NOTIFY = "workers.tasks.notify"
# What publishing raises while the broker is away; the second comes from a pool whose connections all hang.
QUEUE_AWAY = (BrokerError, OSError)


def send_forward(app: SluiceCelery, request_json: str, user: str, answered: bool = False) -> AsyncResult:
    """Queue a request; raises one of QUEUE_AWAY if the broker does not take it at once.

    Its row tells what the zone said; ``answered``: the task's own result tells it too.
    """
    zone = app.zones.of(user, json.loads(request_json))
    return _send(app, FORWARD, zone, (request_json, user, zone.name), ignore_result=not answered)


def send_act(app: SluiceCelery, zone: Zone, rule: str, job_id: str, user: str) -> AsyncResult:
    """Queue a cancel or retry of a zone's job; raises as ``send_forward`` does."""
    return _send(app, ACT, zone, (rule, job_id, user, zone.name))


def _send(app: SluiceCelery, task: str, zone: Zone, arguments: tuple[str, ...], **options: bool) -> AsyncResult:
    return app.tasks[task].apply_async(arguments, queue=app.zones.queue_of(zone), retry=False, **options)
