"""The patrol's own life: its one row in the delay queue, its heartbeat, and what a round consists of."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from irods.exception import iRODSException
from irods.session import iRODSSession

from python_rules.config import Config
from python_rules.engine import anchoring, delayed, key_actions
from python_rules.engine.delayed import Row
from python_rules.engine.ledger import Ledger
from python_rules.engine.patrol import arrivals, locks, stopped, upkeep
from python_rules.jobs import beat
from python_rules.jobs.beat import Beat
from python_rules.jobs.errors import JobError
from python_rules.policy import guard

log = logging.getLogger("sluice.patrol")

Part = Callable[[Config, iRODSSession, Ledger], int]

# What a round does, in this order; each part counts what it had to do. A part that fails does not stop the others.
PARTS: dict[str, Part] = {
    "unlocked": locks.unlock,
    "adopted": stopped.adopt,
    "restarted": stopped.restart,
    "requeued": stopped.requeue,
    "forgotten": stopped.forget,
    "cleaned": upkeep.clean,
    "mended": upkeep.mend_replicas,
    "gathered": arrivals.gather_forgotten,
    "found": arrivals.find_unseen,
    "aged_out": upkeep.age_out,
    "keys_destroyed": key_actions.destroy_due,
    "audit_anchored": anchoring.anchor,
}


def ensure(config: Config, service: iRODSSession, now: bool = False) -> bool:
    """See that the patrol lives, by its heartbeat (``now``: by the queue); whether it had to be started."""
    book = Ledger(service, config.ledger)
    if not now and _beats(book):
        return False
    book.make_root()
    started = _keep_one(config, service)
    if started:
        _tell(config, book, {})  # so that the next door does not start another one before the first round
    return started


def go_round(config: Config, service: iRODSSession) -> dict[str, int]:
    """One round; nothing if another one is under way. What each part had to do."""
    book = Ledger(service, config.ledger)
    book.make_root()
    claimed = book.hold("patrol", lambda age: _beats(book))
    if not claimed:
        return {}
    try:
        return _round(config, service, book)
    finally:
        book.release(claimed)


def _round(config: Config, service: iRODSSession, book: Ledger) -> dict[str, int]:
    done: dict[str, int] = {}
    _tell(config, book, done)
    _keep_one(config, service)
    for name, part in PARTS.items():
        try:
            done[name] = part(config, service, book)
        except (JobError, iRODSException, OSError, ValueError, KeyError) as error:
            log.exception("patrol: %s", name)
            done[name + "_failed"] = 1
            del error
        _tell(config, book, done)
    if any(done.values()):
        log.info("patrol: %s", ", ".join(f"{name} {count}" for name, count in done.items() if count))
    return done


def _beats(book: Ledger) -> bool:
    return beat.is_alive(beat.read(book.told(beat.ATTRIBUTE)), time.time())


def _tell(config: Config, book: Ledger, done: dict[str, int]) -> None:
    book.tell(beat.ATTRIBUTE, Beat(time.time(), config["patrol.seconds"], done).value())


def _keep_one(config: Config, service: iRODSSession) -> bool:
    """Leave exactly one repeating row that can run: the eldest; whether one had to be added."""
    last = beat.read(Ledger(service, config.ledger).told(beat.ATTRIBUTE))
    patience = beat.ROUNDS_MISSED * config["patrol.seconds"]
    own = [row for row in delayed.rows(service) if row.text == guard.PATROL_TEXT and row.frequency]
    usable = [row for row in own if not _is_stuck(row, last.at if last else 0.0, patience)]
    delayed.remove(service, [row.id for row in own if row not in usable[:1]])
    if not usable:
        delayed.submit(service, config, guard.PATROL_TEXT, every=config["patrol.seconds"], priority=9)
    return not usable


def _is_stuck(row: Row, beat_at: float, patience: float) -> bool:
    """A locked row runs its round now, or its agent or delay server was killed: then it would stay so for ever."""
    return row.is_locked and abs(time.time() - max(beat_at, float(row.lock_time or 0))) > patience
