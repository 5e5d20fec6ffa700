"""How a caller follows a pass, and ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from python_rules.jobs.errors import JobError


def _nothing(_read: int, _written: int) -> None:
    return


def _done() -> None:
    return


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Watch:
    """``advanced(read, written)``: bytes since the last call, from any thread; ``cancelled()``: whether to stop.

    ``publishing()`` is called right before a result gets its final name; it raises JobError if it must not.
    """

    advanced: Callable[[int, int], None] = _nothing
    cancelled: Callable[[], bool] = _never
    publishing: Callable[[], None] = _done

    def check(self) -> None:
        """Raise JobError ``cancelled`` if the job is to stop."""
        if self.cancelled():
            raise JobError("cancelled", "the job was cancelled")


UNWATCHED = Watch()
