"""What becomes of a job whose attempt broke off: another attempt after a pause, or the end."""

from __future__ import annotations

import time

from irods.session import iRODSSession

from python_rules.config import Config
from python_rules.engine import delayed, lease
from python_rules.engine.ledger import Entry, Ledger
from python_rules.engine.staging import cleaning
from python_rules.jobs import record, states
from python_rules.jobs.errors import JobError
from python_rules.policy import guard

_LONGEST_REASON = 500  # characters


def try_again(config: Config, service: iRODSSession, book: Ledger, entry: Entry, error: JobError, actor: str) -> str:
    """Queue a job for its next attempt, or end it when it was tried often enough; the state it has then."""
    tries, limit = entry.status.tries + 1, config["jobs.attempts"]
    changed = [(record.LEASE, "", ""), record.json_value(record.ERROR, error.public())]
    if tries >= limit:
        book.transition(entry, states.FAILED, actor, [*changed, (record.WAITING, "", "")])
        cleaning.clean(config, entry.body)
        return states.FAILED
    pause = config["jobs.retry_seconds"] * 2 ** (tries - 1)
    at = time.strftime("%H:%M:%S", time.gmtime(time.time() + pause))
    reason = f"attempt {tries + 1} of {limit} at {at} UTC, because {error.text}"[:_LONGEST_REASON]
    book.transition(entry, states.RETRYING, actor, [*changed, (record.WAITING, reason, "")])
    queue(config, service, entry, pause)
    return states.RETRYING


def queue(config: Config, service: iRODSSession, entry: Entry, pause: float = 0) -> None:
    """Queue the delayed rule that runs a job, as the service account."""
    delayed.submit(service, config, guard.run_text(entry.body.id), pause, priority=entry.body.request.priority)


def requeue(
    config: Config, service: iRODSSession, book: Ledger, entry: Entry, queued: set[str], because: str = ""
) -> bool:
    """Queue a waiting job whose delayed rule is gone; whether it was gone.

    A number that was claimed by an engine which then ended is passed over: nobody can claim it again.
    """
    if guard.run_text(entry.body.id) in queued:
        return False
    number = entry.status.attempt
    claims = set(book.claims_of(entry.body.id))
    while lease.claim_name(entry.body.id, number + 1) in claims:
        number += 1
    changed = [(record.WAITING, because, "")]
    if number != entry.status.attempt:
        changed.append((record.ATTEMPT, str(number), ""))
    book.replace(entry, changed)
    queue(config, service, entry)
    return True
