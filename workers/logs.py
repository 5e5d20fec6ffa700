"""Log lines as JSON objects, each with the id of the job that it is about."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

# They log packets and return values at lower levels; ours name the job and the outcome.
QUIET = ("irods", "celery.app.trace", "celery.worker.strategy", "sqlalchemy", "kombu", "amqp", "httpx", "httpcore")
# What a call may add to a line with ``extra``.
MEMBERS = ("user", "route", "method", "status", "milliseconds", "outcome")
_JOB: ContextVar[str] = ContextVar("job", default="")


@contextmanager
def about(job_id: str) -> Iterator[None]:
    """Lines that are logged meanwhile, by whomever, are about this job."""
    token = _JOB.set(job_id)
    try:
        yield
    finally:
        _JOB.reset(token)


def name_job(job_id: str) -> None:
    """The same for the rest of the present thread's request."""
    _JOB.set(job_id)


class JsonLines(logging.Formatter):
    """time, level, logger, text; job and other members where they are known."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": time, "level": record.levelname.lower(), "logger": record.name, "text": record.getMessage()}
        if job := _JOB.get():
            line["job"] = job
        line |= {name: value for name in MEMBERS if (value := record.__dict__.get(name)) is not None}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def set_up(level: str) -> None:
    """JSON lines on stderr; the libraries that show payloads only speak up when something is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
