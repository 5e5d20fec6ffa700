"""A job's row in the result backend, under the job's own id.

    ACCEPTED   the shim took the request and owes it to the zone; sent again until the zone has answered
    PROGRESS   the zone has the job; the row shows its state as it was last seen
    SUCCESS    the job succeeded
    FAILURE    it failed, ended in part, or the zone refused it
    REVOKED    it was cancelled

So any Celery program can wait for a job with ``AsyncResult(job id)``. The catalogue remains the truth: a row only
bridges the time until the zone has the job, and carries news.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from celery import states as celery_states
from celery.backends.database import DatabaseBackend

from python_rules.jobs import states

if TYPE_CHECKING:
    from celery import Celery

ACCEPTED, PROGRESS = "ACCEPTED", "PROGRESS"
REFUSED = "refused"  # not a job's state: the zone made no job
ENDED: dict[str, str] = {
    states.SUCCEEDED: celery_states.SUCCESS,
    states.PARTIAL: celery_states.FAILURE,
    states.FAILED: celery_states.FAILURE,
    states.CANCELLED: celery_states.REVOKED,
    REFUSED: celery_states.FAILURE,
}


class JobEnded(Exception):
    """A job that did not succeed, as ``AsyncResult.get`` raises it: (state, error, user)."""


class Row(NamedTuple):
    """What the result backend remembers of a job: whose it is, and the content that was stored with the state."""

    job_id: str
    state: str
    user: str
    content: dict[str, Any]


class Rows:
    """The rows of one application's result backend."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def accept(self, job_id: str, user: str, request: str, submitted: str) -> None:
        """Owe a request to the zone; durable when it returns. What the zone has already is left as it is."""
        row = self.find(job_id)
        if row and row.state != ACCEPTED and row.content.get("state") != REFUSED:
            return
        content = {"user": user, "request": request, "submitted": submitted, "sent": time.time()}
        self._store(job_id, content, ACCEPTED)

    def refuse(self, job_id: str, user: str, error: dict[str, Any]) -> None:
        """Remember why the zone made no job; nothing if the zone has a job of this id all the same."""
        row = self.find(job_id)
        if row and row.state == ACCEPTED:
            self.show(job_id, {"user": user, "state": REFUSED, "error": error})

    def show(self, job_id: str, job: dict[str, Any]) -> None:
        """Remember a job as the zone showed it (at least user, state, error)."""
        ended = ENDED.get(job["state"], PROGRESS)
        if ended in celery_states.EXCEPTION_STATES:
            self._store(job_id, JobEnded(job["state"], job.get("error"), job["user"]), ended)
        else:
            self._store(job_id, job, ended)

    def find(self, job_id: str) -> Row | None:
        """The row of a job; None if there is none."""
        meta = self._app.backend.get_task_meta(job_id, cache=False)
        if meta["status"] == celery_states.PENDING:
            return None
        content = meta["result"]
        if isinstance(content, JobEnded):
            content = dict(zip(("state", "error", "user"), content.args, strict=False))
        return _row(job_id, meta["status"], content)

    def owed(self, seconds: float) -> list[Row]:
        """Requests that were sent so many seconds ago and that the zone has not answered."""
        latest = time.time() - seconds
        return [row for row in self._in_state(ACCEPTED) if row.content.get("sent", 0) <= latest]

    def open(self) -> list[Row]:
        """The jobs that had not ended when they were last seen."""
        return self._in_state(PROGRESS)

    def _store(self, job_id: str, content: Any, state: str) -> None:
        self._app.backend.store_result(job_id, content, state)

    def _in_state(self, state: str) -> list[Row]:
        backend = self._app.backend
        if not isinstance(backend, DatabaseBackend):
            return []  # the others cannot be searched
        kind = backend.task_cls
        with backend.ResultSession() as session:
            found = session.query(kind.task_id, kind.result).filter(kind.status == state).all()
        return [_row(job_id, state, backend.decode(content)) for job_id, content in found]


def _row(job_id: str, state: str, content: Any) -> Row:
    content = content if isinstance(content, dict) else {}
    return Row(job_id, state, str(content.get("user", "")), content)
