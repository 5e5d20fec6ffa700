"""A big collection in parts: each is a job record of its own, with a lease, attempts and results of its own.

The job's attempt makes the parts, queues a delayed rule for each, and then looks after them: it adds up their
progress, hands a cancel on, and works on those that no executor has taken, so that one executor is enough.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterable
from dataclasses import replace

from python_rules.config import Config
from python_rules.engine import again, ledger
from python_rules.engine.ledger import Entry, Ledger
from python_rules.engine.transfer.zone import Listing, SourceObject
from python_rules.jobs import record, states
from python_rules.jobs.errors import JobError
from python_rules.jobs.record import Progress, Status

_AGAIN_SECONDS = 5.0  # before a part is begun here once more that did not begin the first time


def number_for(config: Config, listing: Listing) -> int:
    """How many parts a listing is worth; 1 if it is not to be split."""
    most, least = config["jobs.shards"], max(1, config["jobs.shard_objects"])
    return max(1, min(most, len(listing.objects) // least)) if listing.is_collection else 1


def count(entry: Entry) -> int:
    """How many parts a job has; 0 if it is done as a whole."""
    told = entry.values_of(record.SHARDS)
    return int(json.loads(told[0][1])["count"]) if told else 0


def split(book: Ledger, entry: Entry, listing: Listing, number: int) -> None:
    """Write the parts' bodies, then the mark that all of them are there; without it they are written again."""
    for index, objects in enumerate(_dealt(listing.objects, number)):
        names = tuple(source.relative for source in objects)
        body = _part(book, entry, index).body
        book.write(replace(body, request=replace(body.request, objects=names)))
    told = {"count": number, "objects": len(listing.objects), "bytes": listing.size}
    book.replace(entry, [record.json_value(record.SHARDS, told)])


def look(book: Ledger, entry: Entry) -> list[Entry]:
    """The parts as the catalogue has them now, without the names in their bodies."""
    parts = [_part(book, entry, index) for index in range(count(entry))]
    avus = book.avus_of([part.path for part in parts])
    for part in parts:
        part.avus = avus[part.path]
    return parts


def begin(config: Config, book: Ledger, entry: Entry) -> None:
    """Queue the parts that have no state yet."""
    for part in look(book, entry):
        if not part.avus:
            book.begin(part)
            again.queue(config, book.session, part)


def cancel(book: Ledger, entry: Entry, actor: str) -> None:
    """Cancel the parts that have not ended."""
    for part in look(book, entry) if count(entry) else ():
        try:
            if part.status.state == states.RUNNING and not part.status.cancel_requested:
                book.replace(part, [(record.CANCEL_REQUESTED, ledger.now(), actor)])
            elif part.status.state in states.STARTABLE:
                book.transition(part, states.CANCELLED, actor)
        except JobError:
            continue  # it ended at this moment


def retry(config: Config, book: Ledger, entry: Entry, actor: str) -> None:
    """Queue the parts again that did not succeed."""
    cleared = [(name, "", "") for name in (record.ERROR, record.CANCEL_REQUESTED, record.WAITING)]
    for part in look(book, entry) if count(entry) else ():
        if states.legal(part.status.state, states.QUEUED):
            book.transition(part, states.QUEUED, actor, cleared)
            again.queue(config, book.session, part)


class Gathering:
    """The parts of one job, as its attempt looks after them."""

    def __init__(self, config: Config, book: Ledger, entry: Entry) -> None:
        self._config = config
        self._book = book
        self._entry = entry
        self._parts: list[Entry] = []
        self._states: list[Status] = []
        self._own: subprocess.Popen[bytes] | None = None
        self._begun: dict[str, float] = {}

    @property
    def progress(self) -> list[Progress]:
        """How far each part is."""
        return [status.progress for status in self._states]

    @property
    def is_idle(self) -> bool:
        """Whether no part is being worked on."""
        return all(status.state != states.RUNNING for status in self._states)

    def ended(self) -> bool:
        """Look at the parts; whether all of them have ended."""
        self._parts = look(self._book, self._entry)
        self._states = [part.status for part in self._parts]
        return all(status.state in states.FINAL and part.avus for part, status in zip(self._parts, self._states))

    def help(self) -> None:
        """Begin a part that nobody has begun, in a process of its own, unless one of ours is at work."""
        if self._own is not None and self._own.poll() is None:
            return
        for part, status in zip(self._parts[::-1], self._states[::-1]):  # executors begin at the other end
            if self._may_begin(part.body.id, status):
                self._begun[part.body.id] = time.monotonic()
                command = [self._config["engine.python"], "-I", "-m", "python_rules.engine", "run"]
                given = ["--config", self._config.path, "--parent", str(os.getpid()), "--user", "", part.body.id]
                self._own = subprocess.Popen([*command, *given], stdin=subprocess.DEVNULL)
                return

    def wait(self, seconds: float) -> None:
        """Let some time pass, less if the own process ends."""
        try:
            if self._own is not None and self._own.returncode is None:
                self._own.wait(seconds)
                return
        except subprocess.TimeoutExpired:
            return
        time.sleep(seconds)

    def failures(self) -> list[JobError]:
        """Why parts did not succeed."""
        told = [status for status in self._states if status.state != states.SUCCEEDED]
        cancelled = JobError("cancelled", "a part of the job was cancelled", remedy="retry the job")
        return [JobError.from_public(status.error) if status.error else cancelled for status in told]

    def results(self, reported: Iterable[str]) -> list[str]:
        """The results of all parts, without those of sources that were told of before."""
        known = set(reported)
        lines = [line for part in self._parts for line in self._book.results(part)]
        return [line for line in lines if json.loads(line)["source"] not in known]

    def _may_begin(self, part_id: str, status: Status) -> bool:
        if time.monotonic() - self._begun.get(part_id, -_AGAIN_SECONDS) < _AGAIN_SECONDS:
            return False
        return status.state == states.QUEUED or (status.state == states.RETRYING and self._is_due(status))

    def _is_due(self, status: Status) -> bool:
        """Whether the pause before the next attempt is over."""
        pause = self._config["jobs.retry_seconds"] * 2 ** max(0, status.tries - 1)
        return ledger.seconds_since(status.transitions[-1]["time"]) >= pause


def _part(book: Ledger, entry: Entry, index: int) -> Entry:
    """A part by its number: its id is made from the job's."""
    body = entry.body
    part_id = str(uuid.uuid5(uuid.UUID(body.id), f"shard {index}"))
    request = replace(body.request, id="", idempotency_key="")
    path = record.shard_path(book.collection, body.user, part_id)
    return Entry(path, replace(body, id=part_id, parent=body.id, request=request), [])


def _dealt(objects: Iterable[SourceObject], number: int) -> list[list[SourceObject]]:
    """The objects in parts of about the same size and number."""
    by_size = sorted(objects, key=lambda source: -source.size)
    return [by_size[start::number] for start in range(number)]
