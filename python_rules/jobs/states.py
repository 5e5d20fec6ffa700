"""The states of a job and the one table of legal transitions."""

from __future__ import annotations

from typing import Dict, FrozenSet

QUEUED = "queued"
RUNNING = "running"
RETRYING = "retrying"
SUCCEEDED = "succeeded"
PARTIAL = "partial"
FAILED = "failed"
CANCELLED = "cancelled"

TRANSITIONS: Dict[str, FrozenSet[str]] = {
    QUEUED: frozenset({RUNNING, FAILED, CANCELLED}),
    RUNNING: frozenset({SUCCEEDED, PARTIAL, FAILED, CANCELLED, RETRYING}),
    RETRYING: frozenset({RUNNING, FAILED, CANCELLED}),
    SUCCEEDED: frozenset(),
    PARTIAL: frozenset({QUEUED}),  # a retry redoes what failed
    FAILED: frozenset({QUEUED}),
    CANCELLED: frozenset({QUEUED}),
}

STATES = frozenset(TRANSITIONS)
ACTIVE = frozenset({QUEUED, RUNNING, RETRYING})
FINAL = STATES - ACTIVE
STARTABLE = frozenset({QUEUED, RETRYING})


def legal(before: str, after: str) -> bool:
    """Whether a job may go from one state to the other."""
    return after in TRANSITIONS.get(before, frozenset())
