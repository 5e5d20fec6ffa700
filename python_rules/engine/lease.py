"""Who may work on a job: one attempt, by its number.

An attempt claims its number by making the collection ``<ledger>/claims/<job id>.<number>``: a catalogue makes a
collection once, whoever else asks at the same moment. Whoever takes a job over only raises the number, so an
attempt knows by the record alone whether it still holds the job. What a fenced attempt had not published yet the
next one removes before it publishes anything: a rename of what is gone fails, however late it comes.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from python_rules.engine import processes
from python_rules.engine.ledger import Entry, Ledger, now
from python_rules.jobs import record, states
from python_rules.jobs.errors import JobError
from python_rules.jobs.record import Avu, Status


@dataclass(frozen=True)
class Lease:
    """An attempt's hold on a job."""

    number: int
    host: str
    pid: int
    began: int | None

    def avu(self) -> Avu:
        """The lease as the record tells it, with the present time as its heartbeat."""
        held = {"host": self.host, "pid": self.pid, "began": self.began, "fence": self.number, "heartbeat": now()}
        return (record.LEASE, json.dumps(held, separators=(",", ":")), "")

    def check(self, status: Status) -> None:
        """Raise JobError ``lease_lost`` if the record says that the job is another's."""
        if status.state != states.RUNNING or status.attempt != self.number:
            raise JobError(
                "lease_lost",
                f"attempt {self.number} was given up: the job is {status.state}, attempt {status.attempt}",
                remedy="nothing is to be done: a later attempt goes on",
            )


def take(book: Ledger, entry: Entry) -> Lease | None:
    """The next attempt's lease; None if another engine was faster. Brings ``entry`` up to date."""
    number = entry.status.attempt + 1
    if not book.claim(claim_name(entry.body.id, number)):
        return None
    entry.avus = book.avus(entry.path)
    status = entry.status
    if status.attempt + 1 != number or status.state not in states.STARTABLE:
        return None
    return Lease(number, processes.here(), os.getpid(), processes.began(os.getpid()))


def claim_name(job_id: str, number: int) -> str:
    """The name of the collection that belongs to an attempt."""
    return f"{job_id}.{number}"


def is_of_the_dead(held: dict[str, Any]) -> bool:
    """Whether a lease belongs to a process of this machine that has ended."""
    return held.get("host") == processes.here() and processes.began(int(held["pid"])) != held.get("began")
