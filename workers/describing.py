"""Metadata that come with a request and belong on its target: written there, as the job's user, when it has succeeded.

They wait in a row of their own, which is kept before the job is accepted and goes once they are written. So a kill at
any instant loses none; at worst they are written twice, which is the same.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from irods.meta import AVUOperation, iRODSMeta
from irods.session import iRODSSession

from python_rules.jobs import states
from python_rules.jobs.errors import PASSING, JobError
from python_rules.jobs.model import JobRequest
from workers import logs
from workers.rows import DESCRIBED, Row, Rows

if TYPE_CHECKING:
    from workers.app import SluiceCelery

_SUFFIX = ".metadata"
_ACCEPTING_SECONDS = 60.0  # after that a job without a row was never accepted, or is forgotten
log = logging.getLogger(__name__)


def owe(
    rows: Rows, user: str, asked: JobRequest, avus: list[tuple[str, str]], taken_over: dict[str, str] | None = None
) -> None:
    """Keep the metadata of a request that is about to be accepted under its id.

    ``taken_over``: names of AVUs whose value is to be the source's, and the words that come before it then.
    """
    content: dict[str, Any] = {"user": user, "source": asked.source, "target": asked.target}
    content |= {"avus": avus, "taken_over": taken_over or {}, "kept": time.time()}
    rows.keep(asked.id + _SUFFIX, content, DESCRIBED)


def owed(rows: Rows, job_id: str) -> Row | None:
    """The row of a job's metadata as long as they are not written; its content tells an ``error`` if they cannot be."""
    return rows.find(job_id + _SUFFIX)


def go_on(app: SluiceCelery) -> None:
    """Write the metadata of every job of this location that has succeeded."""
    waiting = {row.job_id.removesuffix(_SUFFIX): row for row in app.rows.in_state(DESCRIBED)}
    known = app.rows.find_all(list(waiting))
    for job_id, row in waiting.items():
        job = known.get(job_id)
        if job is None and row.content["kept"] < time.time() - _ACCEPTING_SECONDS:
            app.rows.drop(row.job_id)
        elif job and job.content.get("state") == states.SUCCEEDED and "error" not in row.content:
            with logs.about(job_id):
                _describe(app, row)


def write(session: iRODSSession, path: str, avus: list[tuple[str, str]]) -> None:
    """Put these AVUs on a collection or data object in the place of those of the same names, in one step."""
    metadata = _metadata(session, path)
    changed = {name for name, _ in avus}
    old = [AVUOperation(operation="remove", avu=avu) for avu in metadata.items() if avu.name in changed]
    new = [AVUOperation(operation="add", avu=iRODSMeta(*avu)) for avu in dict.fromkeys(map(tuple, avus))]
    if new:
        metadata.apply_atomic_operations(*old, *new)


def _metadata(session: iRODSSession, path: str) -> Any:
    there = session.collections if session.collections.exists(path) else session.data_objects
    return there.get(path).metadata


def _describe(app: SluiceCelery, row: Row) -> None:
    zone, content = app.zones.of(row.user, row.content), row.content
    if zone not in app.zones.served:
        return

    def describe(session: iRODSSession) -> None:
        before = content["taken_over"]
        found = _metadata(session, content["source"]).items() if before else ()
        taken = [(avu.name, before[avu.name] + avu.value) for avu in found if avu.name in before]
        write(session, content["target"], [*content["avus"], *taken])

    try:
        zone.work(row.user, describe)
    except JobError as error:
        log.warning("metadata of %s: %s: %s", content["target"], error.code, error.text)
        if error.code not in PASSING:
            app.rows.keep(row.job_id, {**content, "error": error.public()}, DESCRIBED)
    else:
        app.rows.drop(row.job_id)
