"""The patrol's heartbeat: one AVU on the ledger collection that every door reads to see whether the patrol lives."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterable, NamedTuple, Optional

ATTRIBUTE = "sluice::patrol"
PAUSED_ATTRIBUTE = "sluice::paused"  # on the ledger collection, while an administrator pauses the service
ROUNDS_MISSED = 3  # so many are missed before the patrol is taken for dead


class Beat(NamedTuple):
    """When a round of the patrol began (seconds since 1970), how often they come, and what the last one did."""

    at: float
    every: float
    done: Dict[str, Any]

    def value(self) -> str:
        """As the AVU holds it."""
        return json.dumps({"at": round(self.at, 1), "every": self.every, "done": self.done}, separators=(",", ":"))


def read(values: Iterable[str]) -> Optional[Beat]:
    """The newest of the AVU's values; None if there is none that makes sense."""
    found = [beat for beat in map(_parsed, values) if beat is not None]
    return max(found, key=lambda beat: beat.at, default=None)


def is_alive(beat: Optional[Beat], now: float) -> bool:
    """Whether a round began lately; a beat from the future (a clock was set back) counts as none."""
    return beat is not None and abs(now - beat.at) <= ROUNDS_MISSED * beat.every


def _parsed(value: str) -> Optional[Beat]:
    try:
        told = json.loads(value)
        return Beat(float(told["at"]), float(told["every"]), dict(told.get("done") or {}))
    except (ValueError, KeyError, TypeError):
        return None
