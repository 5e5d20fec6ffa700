"""A job's row in the result backend, under the job's own id.

    ACCEPTED   the shim took the request and owes it to the zone; sent again until the zone has answered
    PROGRESS   the zone has the job; the row shows its state as it was last seen
    SUCCESS    the job succeeded
    FAILURE    it failed, ended in part, or the zone refused it
    REVOKED    it was cancelled

So any Celery program can wait for a job with ``AsyncResult(job id)``. The catalogue remains the truth: a row only
bridges the time until the zone has the job, and carries news. The rows are Celery's own table, written here with
connections that are kept and with commits that are shared: Celery's backend opens one of each for every result.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy
from celery import states as celery_states
from celery.backends.database.models import Task as TaskRow
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Engine, make_url

from python_rules.jobs import states
from workers.commit import GroupCommit

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
CHAIN, CHAIN_ENDED = "CHAIN", "CHAIN_ENDED"  # rows of chains, not of jobs; see ``chains``
UPLOAD, UPLOADED = "UPLOAD", "UPLOADED"  # rows of uploads; see ``uploads``
TRANSFER = "TRANSFER"  # a download that was asked for by LEXIS's transfer interface
DESCRIBED = "DESCRIBED"  # metadata for a job's target; see ``describing``
# What nothing will change any more.
OVER = frozenset({*ENDED.values(), CHAIN_ENDED, UPLOADED, TRANSFER})
_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_TABLE = TaskRow.__table__
_INDEX = "sluice_status"  # watch rounds look for the rows in a state


class JobEnded(Exception):
    """A job that did not succeed, as ``AsyncResult.get`` raises it: (state, error, user)."""


class Row(NamedTuple):
    """What the result backend remembers of a job: whose it is, and the content that was stored with the state."""

    job_id: str
    state: str
    user: str
    content: dict[str, Any]

    @property
    def is_owed(self) -> bool:
        """Whether the zone has yet to answer for it."""
        return self.state == ACCEPTED

    @property
    def is_refused(self) -> bool:
        """Whether the zone made no job of it."""
        return self.content.get("state") == REFUSED


class Rows:
    """The rows of one application's result backend."""

    def __init__(self, app: Celery, url: str) -> None:
        self._app = app
        self._url = url.removeprefix("db+")
        self._commits: GroupCommit[dict[str, Any]] = GroupCommit(self._write)

    def accept(self, job_id: str, user: str, request: str, submitted: str) -> None:
        """Owe a request to the zone, for the first time or after a refusal; durable when it returns."""
        content = {"user": user, "request": request, "submitted": submitted, "sent": time.time()}
        self._store(job_id, content, ACCEPTED)

    def accept_once(self, job_id: str, user: str, request: str, submitted: str) -> bool:
        """The same unless the id has a row, whatever it says; whether it was owed just now."""
        content = {"user": user, "request": request, "submitted": submitted, "sent": time.time()}
        new = _INSERTS[self._engine.dialect.name](_TABLE).on_conflict_do_nothing(index_elements=["task_id"])
        with self._engine.begin() as connection:
            return bool(connection.execute(new, self._values(job_id, content, ACCEPTED)).rowcount)

    def sent_again(self, row: Row) -> None:
        """Remember that an owed request was sent just now."""
        self._store(row.job_id, {**row.content, "sent": time.time()}, ACCEPTED)

    def refuse(self, job_id: str, user: str, error: dict[str, Any]) -> None:
        """Remember why the zone made no job; nothing if the zone has a job of this id all the same."""
        row = self.find(job_id)
        if row and row.is_owed:
            self.show(job_id, {"user": user, "state": REFUSED, "error": error})

    def show(self, job_id: str, job: dict[str, Any]) -> None:
        """Remember a job as the zone showed it (at least user, state, error)."""
        ended = ENDED.get(job["state"], PROGRESS)
        failed = ended in celery_states.EXCEPTION_STATES
        self._store(job_id, JobEnded(job["state"], job.get("error"), job["user"]) if failed else job, ended)

    def find(self, job_id: str) -> Row | None:
        """The row of a job; None if there is none."""
        query = sqlalchemy.select(_TABLE.c.status, _TABLE.c.result).where(_TABLE.c.task_id == job_id)
        with self._engine.connect() as connection:
            found = connection.execute(query).first()
        return _row(job_id, found.status, found.result) if found else None

    def find_all(self, job_ids: list[str]) -> dict[str, Row]:
        """The rows of several jobs, by id."""
        query = sqlalchemy.select(_TABLE.c.task_id, _TABLE.c.status, _TABLE.c.result)
        with self._engine.connect() as connection:
            rows = connection.execute(query.where(_TABLE.c.task_id.in_(job_ids)))
            return {row.task_id: _row(row.task_id, row.status, row.result) for row in rows}

    def owed(self, seconds: float) -> list[Row]:
        """Requests that were sent so many seconds ago and that the zone has not answered."""
        latest = time.time() - seconds
        return [row for row in self.in_state(ACCEPTED) if row.content.get("sent", 0) <= latest]

    def open(self) -> list[Row]:
        """The jobs that had not ended when they were last seen."""
        return self.in_state(PROGRESS)

    def keep(self, row_id: str, content: dict[str, Any], state: str) -> None:
        """Keep something that is no job under a state of its own."""
        self._store(row_id, content, state)

    def drop(self, row_id: str) -> None:
        """Forget a row."""
        with self._engine.begin() as connection:
            connection.execute(sqlalchemy.delete(_TABLE).where(_TABLE.c.task_id == row_id))

    def in_state(self, state: str) -> list[Row]:
        """Every row in a state."""
        query = sqlalchemy.select(_TABLE.c.task_id, _TABLE.c.result).where(_TABLE.c.status == state)
        with self._engine.connect() as connection:
            return [_row(job_id, state, content) for job_id, content in connection.execute(query)]

    def forget_older(self, seconds: float) -> int:
        """Drop the rows of what ended so long ago: the catalogue keeps the jobs; how many there were."""
        before = datetime.fromtimestamp(time.time() - seconds, UTC).replace(tzinfo=None)
        old = sqlalchemy.delete(_TABLE).where(_TABLE.c.status.in_(OVER), _TABLE.c.date_done < before)
        with self._engine.begin() as connection:
            return int(connection.execute(old).rowcount)

    def _store(self, job_id: str, content: Any, state: str) -> None:
        self._commits.put(self._values(job_id, content, state))

    def _values(self, job_id: str, content: Any, state: str) -> dict[str, Any]:
        backend = self._app.backend
        result = backend.encode(backend.encode_result(content, state)).encode("utf-8")
        done = datetime.now(UTC).replace(tzinfo=None)
        return {"task_id": job_id, "status": state, "result": result, "date_done": done}

    def _write(self, rows: list[dict[str, Any]]) -> None:
        last_of_each = list({row["task_id"]: row for row in rows}.values())
        with self._engine.begin() as connection:
            connection.execute(self._upsert, last_of_each)

    @cached_property
    def _upsert(self) -> Any:
        """The one statement of every write; made once, because making it costs more than running it."""
        insert = _INSERTS[self._engine.dialect.name](_TABLE)
        changed = {name: insert.excluded[name] for name in ("status", "result", "date_done")}
        return insert.on_conflict_do_update(index_elements=["task_id"], set_=changed)

    @cached_property
    def _engine(self) -> Engine:
        url = make_url(self._url)
        local = url.get_backend_name() == "sqlite"
        waits = {"timeout": 30} if local else {"connect_timeout": 3}
        engine = sqlalchemy.create_engine(
            url, connect_args=waits, pool_size=16, max_overflow=48, pool_pre_ping=not local
        )
        try:
            _make_table(engine)
        except sqlalchemy.exc.DBAPIError:  # another process makes it at the same moment: then it is there now
            _make_table(engine)
        return engine


def _make_table(engine: Engine) -> None:
    _TABLE.metadata.create_all(engine, tables=[_TABLE])
    if not any(index["name"] == _INDEX for index in sqlalchemy.inspect(engine).get_indexes(_TABLE.name)):
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text(f"CREATE INDEX {_INDEX} ON {_TABLE.name} (status)"))


def _row(job_id: str, state: str, payload: bytes) -> Row:
    content = json.loads(payload)
    if state in celery_states.EXCEPTION_STATES:
        content = dict(zip(("state", "error", "user"), content["exc_message"], strict=False))
    return Row(job_id, state, str(content.get("user", "")), content)
