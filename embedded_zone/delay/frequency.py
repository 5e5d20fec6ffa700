"""The grammar of a delayed rule's repetition (EF), as ``getNextRepeatTime`` reads it.

<n><unit>                                    for ever
<n><unit> REPEAT FOR EVER | UNTIL SUCCESS | <n> TIMES | UNTIL <time>
<n><unit> REPEAT UNTIL SUCCESS OR UNTIL <time> | UNTIL SUCCESS OR <n> TIMES
… DOUBLE …                                   the same, the delay doubles; UNTIL SUCCESS UPTO <time> stops doubling
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from embedded_zone.errors import IrodsError
from embedded_zone.rules.hints import UNITS, date_seconds

_COUNTED = re.compile(r"(\d+)(.*)", re.DOTALL)


@dataclass(frozen=True)
class Next:
    """What happens to the row: removed, or kept with a new time and frequency."""

    keep: bool
    exe_time: str = ""
    frequency: str | None = None  # None: leave the column


@dataclass(frozen=True)
class _Clause:
    delay: int
    unit: str
    words: str
    doubling: bool

    @property
    def seconds(self) -> int:
        return self.delay * UNITS.get(self.unit, 1)

    def rewritten(self, rest: str) -> str:
        number = self.delay * 2 if self.doubling else self.delay
        return f"{number}{self.unit} {'DOUBLE' if self.doubling else 'REPEAT'} {rest}"


def _parsed(text: str) -> _Clause:
    digits = re.match(r"\d*", text)
    number = digits.group() if digits else ""
    rest = text[len(number) :]
    unit, words = rest[:1], rest[1:].strip()
    doubling = words.startswith("DOUBLE")
    return _Clause(int(number or 0), unit, re.sub(r"^(REPEAT|DOUBLE)\s*", "", words), doubling)


def next_run(frequency: str, now: int, succeeded: bool) -> Next:
    """What to do after a run that ended at ``now`` (seconds)."""
    clause = _parsed(frequency)
    exe_time = str(now + clause.seconds)
    words = clause.words
    if words in ("", "FOR EVER"):
        return Next(True, exe_time, clause.rewritten("FOR EVER") if clause.doubling else None)
    if words.startswith("UNTIL SUCCESS"):
        return _until_success(clause, words.removeprefix("UNTIL SUCCESS").strip(), now, succeeded)
    if words.startswith("UNTIL "):
        return _until(clause, words.removeprefix("UNTIL ").strip(), now)
    return _times(clause, words, exe_time, "")


def _until_success(clause: _Clause, rest: str, now: int, succeeded: bool) -> Next:
    if succeeded:
        return Next(False)
    exe_time = str(now + clause.seconds)
    if not rest:
        return Next(True, exe_time, clause.rewritten("UNTIL SUCCESS") if clause.doubling else None)
    if rest.startswith("OR UNTIL "):
        return _bounded(clause, rest, rest.removeprefix("OR UNTIL ").strip(), now)
    if rest.startswith("UPTO "):
        return _up_to(clause, rest.removeprefix("UPTO ").strip(), now)
    return _times(clause, rest.removeprefix("OR ").strip(), exe_time, "UNTIL SUCCESS OR ")


def _bounded(clause: _Clause, rest: str, limit: str, now: int) -> Next:
    if _moment(limit, now) < now + clause.seconds:
        return Next(False)
    return Next(True, str(now + clause.seconds), clause.rewritten(f"UNTIL SUCCESS {rest}") if clause.doubling else None)


def _up_to(clause: _Clause, limit: str, now: int) -> Next:
    number = clause.delay * 2 if _moment(limit, now) > now + clause.seconds else clause.delay
    return Next(True, str(now + clause.seconds), f"{number}{clause.unit} DOUBLE UNTIL SUCCESS UPTO {limit}")


def _until(clause: _Clause, limit: str, now: int) -> Next:
    if _moment(limit, now) < now + clause.seconds:
        return Next(False)
    return Next(True, str(now + clause.seconds), clause.rewritten(f"UNTIL {limit}") if clause.doubling else None)


def _times(clause: _Clause, words: str, exe_time: str, prefix: str) -> Next:
    match = _COUNTED.match(words)
    if match is None:
        return Next(True, "", None)  # not understood: the real server keeps the row as it is
    left = int(match.group(1)) - 1
    if left <= 0:
        return Next(False)
    tail = match.group(2).strip()
    tail = tail if "ORIGINAL TIMES" in tail else f"TIMES. ORIGINAL TIMES={left + 1}"
    return Next(True, exe_time, clause.rewritten(f"{prefix}{left} {tail}"))


def _moment(text: str, now: int) -> int:
    """A limit: an absolute date or number of seconds, or an offset with a unit from ``now``."""
    try:
        seconds = int(date_seconds(text))
    except IrodsError:
        return 0
    return seconds if text.isdigit() or "-" in text or ":" in text else now + seconds
