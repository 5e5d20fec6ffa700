"""Jobs that stopped: a lease that ran out, a delayed rule that is gone, a record without a state."""

from __future__ import annotations

import time
from calendar import timegm

from irods.column import Like
from irods.models import Collection, DataObject
from irods.session import iRODSSession

from python_rules.config import Config
from python_rules.engine import again, delayed, lease, ledger, shards
from python_rules.engine.ledger import Entry, Ledger, now
from python_rules.engine.staging import cleaning
from python_rules.engine.transfer import healing
from python_rules.jobs import record, states
from python_rules.jobs.errors import JobError
from python_rules.jobs.paths import split
from python_rules.policy import guard

_GRACE = 15.0  # seconds that a submit may take from its record to its delayed rule
_ACTOR = "patrol"


def restart(config: Config, service: iRODSSession, book: Ledger) -> int:
    """Take over running jobs whose engine is gone, for another attempt or to their end."""
    running = [book.read(path) for path, _ in book.in_states({states.RUNNING})]
    suspects = [entry for entry in running if _is_silent(config, entry)]
    if any(not _is_dead(entry) for entry in suspects):
        # An old heartbeat may be a clock that was set: an engine that lives writes another one meanwhile.
        time.sleep(3 * config["engine.heartbeat_seconds"])
    return sum(_taken_over(config, service, book, entry) for entry in suspects)


def requeue(config: Config, service: iRODSSession, book: Ledger) -> int:
    """Queue waiting jobs again whose delayed rule is gone; end those whose deadline has passed."""
    waiting = [book.read(path) for path, _ in book.in_states(states.STARTABLE)]
    every = delayed.rows(service)
    rows = {row.text: row for row in every if not _is_stuck(config, row)}
    paused, done = book.paused(), 0
    for entry in waiting:
        entry.avus = book.avus(entry.path)
        if entry.status.state not in states.STARTABLE or _since_last(entry) < _GRACE:
            continue
        if _is_late(entry):
            done += _ended_late(config, book, entry)
        elif not paused:
            if again.requeue(config, service, book, entry, set(rows)):
                delayed.remove(service, [row.id for row in every if row.text == guard.run_text(entry.body.id)])
                done += 1
            _tell_why(book, entry, rows.get(guard.run_text(entry.body.id)))
    return done


def adopt(config: Config, service: iRODSSession, book: Ledger) -> int:
    """Give records a state that a broken submit left without one; remove those that are not whole."""
    known = {path for path, _ in book.in_states(states.STATES)}
    found = service.query(Collection.name, DataObject.name, DataObject.modify_time, DataObject.replica_status).filter(
        Like(Collection.name, f"{book.collection}/jobs/%"), Like(DataObject.name, "%.json")
    )
    done = 0
    for row in found:
        path = f"{row[Collection.name]}/{row[DataObject.name]}"
        age = time.time() - timegm(row[DataObject.modify_time].timetuple())
        if path not in known and age > _GRACE:
            _adopt(service, book, path)
            done += 1
    return done


def _adopt(service: iRODSSession, book: Ledger, path: str) -> None:
    healing.heal(service, path)
    try:
        entry = book.read(path)
    except (ValueError, KeyError, JobError):
        service.data_objects.unlink(path, force=True)  # its submit got no answer, or an error
        return
    book.begin(entry)


def forget(config: Config, service: iRODSSession, book: Ledger) -> int:
    """Take rows out of the queue that a delay server has locked for long, and whose jobs are over."""
    stuck = [row for row in delayed.rows(service) if guard.is_run(row.text) and _is_stuck(config, row)]
    if not stuck:
        return 0
    active = {guard.run_text(split(path)[1].removesuffix(".json")) for path, _ in book.in_states(states.ACTIVE)}
    over = [row.id for row in stuck if row.text not in active]
    delayed.remove(service, over)
    return len(over)


def _is_silent(config: Config, entry: Entry) -> bool:
    held = entry.status.lease
    if held is None or lease.is_of_the_dead(held):
        return True
    return ledger.seconds_since(held["heartbeat"]) > config["engine.lease_seconds"]


def _is_dead(entry: Entry) -> bool:
    held = entry.status.lease
    return held is not None and lease.is_of_the_dead(held)


def _taken_over(config: Config, service: iRODSSession, book: Ledger, entry: Entry) -> bool:
    """Whether the job's lease is still what it was, so that it was taken over."""
    seen = entry.values_of(record.LEASE)
    entry.avus = book.avus(entry.path)
    if entry.status.state != states.RUNNING or entry.values_of(record.LEASE) != seen:
        return False
    number = entry.status.attempt
    error = JobError("engine_failed", f"the engine of attempt {number} stopped without a word", remedy="retry the job")
    if entry.status.cancel_requested:
        shards.cancel(book, entry, _ACTOR)
        book.transition(entry, states.CANCELLED, _ACTOR, [(record.LEASE, "", "")])
        cleaning.clean(config, entry.body)
    else:
        again.try_again(config, service, book, entry, error, _ACTOR)
    return True


def _is_late(entry: Entry) -> bool:
    deadline = entry.body.request.deadline
    return bool(deadline) and now() > deadline


def _ended_late(config: Config, book: Ledger, entry: Entry) -> bool:
    deadline = entry.body.request.deadline
    error = JobError("deadline_passed", f"the job did not begin before {deadline}", field="deadline")
    told = [record.json_value(record.ERROR, error.public()), (record.WAITING, "", "")]
    book.transition(entry, states.FAILED, _ACTOR, told)
    cleaning.clean(config, entry.body)
    return True


def _is_stuck(config: Config, row: delayed.Row) -> bool:
    """Whether a delay server took the row long ago. It may have ended, perhaps with its whole machine; or it lives,
    but its agent was killed together with the server that it would have told so."""
    return row.is_locked and abs(time.time() - float(row.lock_time or 0)) > config["engine.lease_seconds"] + _GRACE


def _tell_why(book: Ledger, entry: Entry, row: delayed.Row | None) -> None:
    """A job whose rule is due but does not run waits for an executor."""
    if row and row.is_due and not row.is_locked and entry.status.state == states.QUEUED:
        book.replace(entry, [(record.WAITING, "no executor of the delay server is free", "")])


def _since_last(entry: Entry) -> float:
    """Seconds since the job's last transition, as far as clocks can be believed."""
    last = entry.status.transitions[-1:]
    return ledger.seconds_since(last[0]["time"]) if last else _GRACE
