"""How the catalogue holds a job: a JSON body that never changes, and AVUs that tell its state.

The body is the data object ``<ledger>/jobs/<user>#<zone>/<job id>.json``; per-object results are appended to
``<job id>.results.jsonl`` beside it. Both are readable by the job's user and written by the service account
alone. This module turns values into AVUs and query rows into values; who talks to the zone is its callers'.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Optional, Tuple

from python_rules.jobs import states
from python_rules.jobs.model import JobRequest, from_json

FORMAT = 1
LONGEST_VALUE = 2700  # bytes of an AVU value; a longer one makes a real catalogue unreadable

STATE = "sluice::state"
ATTEMPT = "sluice::attempt"
LEASE = "sluice::lease"
PROGRESS = "sluice::progress"
ERROR = "sluice::error"
RESULT = "sluice::result"  # what the job found out as a whole: 'size' and 'verify'
WAITING = "sluice::waiting"
TRANSITION = "sluice::transition"  # one AVU for each: value 'n state', unit 'time actor'
CANCEL_REQUESTED = "sluice::cancel"
SHARDS = "sluice::shards"  # of a job that is done in parts: {"count", "objects", "bytes"}; set once all parts are there
IDEMPOTENCY = "sluice::idempotency"

PAUSE_ACTOR = "pause"  # begins the actor of a transition that a pause of the service caused

Avu = Tuple[str, str, str]


@dataclass(frozen=True)
class Body:
    """The immutable part of a job's record; times are UTC as ``2026-11-22T12:00:00Z``."""

    id: str
    user: str  # name#zone
    door: str
    submitted: str
    request: JobRequest
    parent: str = ""  # a shard's: the id of the job that it is a part of

    @property
    def job_id(self) -> str:
        """The id of the job as its user knows it."""
        return self.parent or self.id

    def to_json(self) -> str:
        shown = {**self.request.as_json(), "id": self.id, "user": self.user, "door": self.door}
        if self.parent:
            shown["parent"] = self.parent
        return json.dumps({"format": FORMAT, "submitted": self.submitted, **shown}, ensure_ascii=False, indent=1)

    @classmethod
    def from_text(cls, text: str) -> Body:
        """The body in a record's data object; raises ValueError if this release cannot read it."""
        values = json.loads(text)
        if values.pop("format", None) != FORMAT:
            raise ValueError("the job record has a format that this release does not read")
        own = {name: values.pop(name) for name in ("user", "door", "submitted")}
        parent = values.pop("parent", "")
        return cls(id=values["id"], request=from_json(values), parent=parent, **own)


@dataclass
class Progress:
    """How far a job is: bytes are of plain data read (``bytes_done``) and of results written; rate in bytes/s."""

    phase: str = "waiting"
    bytes_done: int = 0
    bytes_total: int = 0
    bytes_written: int = 0
    objects_done: int = 0
    objects_failed: int = 0
    objects_total: int = 0
    rate: float = 0.0
    updated: str = ""

    @property
    def seconds_left(self) -> Optional[float]:
        """At the present rate; None while nothing has moved."""
        if self.rate <= 0:
            return None
        return max(0.0, (self.bytes_total - self.bytes_done) / self.rate)


@dataclass
class Status:
    """A job's state as its AVUs tell it."""

    state: str = states.QUEUED
    attempt: int = 0
    waiting: str = ""
    progress: Progress = field(default_factory=Progress)
    error: Optional[Dict[str, Any]] = None
    result: Optional[Dict[str, Any]] = None
    lease: Optional[Dict[str, Any]] = None
    cancel_requested: bool = False
    transitions: List[Dict[str, str]] = field(default_factory=list)

    @classmethod
    def from_avus(cls, avus: Iterable[Avu]) -> Status:
        """The state told by a record's (attribute, value, unit) rows, in any order; other attributes are ignored."""
        status = cls()
        found: List[str] = []
        for attribute, value, unit in avus:
            if attribute == STATE:
                found.append(value)
            elif attribute == ATTEMPT:
                # two that began at the same moment may leave two numbers: the later one is in force
                status.attempt = max(status.attempt, int(value))
            elif attribute == WAITING:
                status.waiting = value
            elif attribute == PROGRESS:
                status.progress = Progress(**json.loads(value))
            elif attribute == ERROR:
                status.error = json.loads(value)
            elif attribute == RESULT:
                status.result = json.loads(value)
            elif attribute == LEASE:
                status.lease = json.loads(value)
            elif attribute == CANCEL_REQUESTED:
                status.cancel_requested = True
            elif attribute == TRANSITION:
                status.transitions.append(_transition(value, unit))
        status.transitions.sort(key=lambda row: int(row["number"]))
        status.state = _in_force(found, status.transitions)
        return status

    @property
    def tries(self) -> int:
        """How many attempts broke off since somebody queued the job; those that a pause ended do not count."""
        broken = 0
        for row in self.transitions:
            if row["state"] == states.QUEUED:
                broken = 0
            elif row["state"] == states.RETRYING and not row["actor"].startswith(PAUSE_ACTOR):
                broken += 1
        return broken

    def time_of(self, *wanted: str) -> Optional[str]:
        """When the job last entered one of the states."""
        times = [row["time"] for row in self.transitions if row["state"] in wanted]
        return times[-1] if times else None


def public(body: Body, status: Status) -> Dict[str, Any]:
    """A job as every door shows it."""
    request = body.request
    progress = dict(vars(status.progress), seconds_left=status.progress.seconds_left)
    final = status.state in states.FINAL
    return {
        "id": body.id,
        "operation": request.operation,
        "source": request.source,
        "target": request.target,
        "compression": request.compression,
        "level": request.level,
        "encryption": request.encryption,
        "key": request.key,
        "existing": request.existing,
        "original": request.original,
        "replica": request.replica,
        "priority": request.priority or None,
        "deadline": request.deadline or None,
        "user": body.user,
        "door": body.door,
        "state": status.state,
        "waiting": status.waiting or None,
        "cancel_requested": status.cancel_requested,
        "attempt": status.attempt,
        "submitted": body.submitted,
        "started": status.time_of(states.RUNNING),
        "finished": status.time_of(*states.FINAL) if final else None,
        "progress": progress,
        "result": status.result,
        "error": status.error,
        "transitions": status.transitions,
    }


def collection(ledger: str, user: str) -> str:
    """Where the records of ``user`` (name#zone) lie."""
    return f"{ledger}/jobs/{user}"


def body_path(ledger: str, user: str, job_id: str) -> str:
    """The data object that holds a job's body and carries its AVUs."""
    return f"{collection(ledger, user)}/{job_id}.json"


def shard_path(ledger: str, user: str, shard_id: str) -> str:
    """The record of a part of a big job; not among the jobs, so that nobody takes it for one."""
    return f"{ledger}/shards/{user}/{shard_id}.json"


def results_path(ledger: str, user: str, job_id: str) -> str:
    """The data object to which results are appended, one JSON line for each object."""
    return f"{collection(ledger, user)}/{job_id}.results.jsonl"


def transition_avu(number: int, state: str, time: str, actor: str) -> Avu:
    """The AVU that remembers one change of state."""
    return (TRANSITION, f"{number} {state}", f"{time} {actor}"[:250])


def json_value(attribute: str, values: Dict[str, Any]) -> Avu:
    """An AVU with a JSON value; texts in it are shortened until the value fits an AVU."""
    shortened = dict(values)
    while len(text := json.dumps(shortened, ensure_ascii=True, separators=(",", ":"))) > LONGEST_VALUE:
        longest = max((name for name in shortened if isinstance(shortened[name], str)), key=lambda n: len(shortened[n]))
        shortened[longest] = shortened[longest][: len(shortened[longest]) // 2] + "…"
    return (attribute, text, "")


def _in_force(found: List[str], transitions: List[Dict[str, str]]) -> str:
    """The one state of a record; where two wrote at the same moment the last transition tells, an end first."""
    if len(found) == 1:
        return found[0]
    told = [row["state"] for row in transitions if row["number"] == transitions[-1]["number"]]
    return min(told or found or [states.QUEUED], key=lambda state: state not in states.FINAL)


def _transition(value: str, unit: str) -> Dict[str, str]:
    number, _, state = value.partition(" ")
    time, _, actor = unit.partition(" ")
    return {"number": number, "state": state, "time": time, "actor": actor}
