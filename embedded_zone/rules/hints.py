"""The hints of a delayed rule: ``<INST_NAME>…</INST_NAME><PLUSET>1s</PLUSET><EF>1h REPEAT FOR EVER</EF>…``."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from embedded_zone.errors import IrodsError
from embedded_zone.wire.codes import DATE_FORMAT_ERR, INPUT_ARG_NOT_WELL_FORMED_ERR, SYS_INVALID_INPUT_PARAM

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "y": 31536000}
_TAG = re.compile(r"<(/?)([^>]*)>")
_FULL_DATE = re.compile(r"\d{4}-\d\d-\d\d\.\d\d:\d\d:\d\d")
_DATE_PATTERN = "0000-00-00.00:00:00"
MAX_PRIORITY = 9


@dataclass(frozen=True)
class Hints:
    """When and by which engine a rule is to run; ``exe_time`` '' is due at once."""

    instance_name: str = ""
    exe_time: str = ""
    frequency: str = ""
    priority: str = "5"
    zone: str = ""
    host: str = ""


def parse_hints(text: str, now: float | None = None) -> Hints:
    """Read hints; raises INPUT_ARG_NOT_WELL_FORMED_ERR, DATE_FORMAT_ERR, SYS_INVALID_INPUT_PARAM (priority)."""
    tags = tagged_values(text)
    exe_time = date_seconds(tags["ET"]) if "ET" in tags else ""
    if "PLUSET" in tags:
        exe_time = str(offset_time(tags["PLUSET"], time.time() if now is None else now))
    return Hints(
        instance_name=tags.get("INST_NAME", ""),
        exe_time=exe_time,
        frequency=tags.get("EF", ""),
        priority=checked_priority(tags.get("PRIORITY", "")),
        zone=tags.get("ZONE", ""),
    )


def tagged_values(text: str) -> dict[str, str]:
    """The first value of each tag; raises INPUT_ARG_NOT_WELL_FORMED_ERR for tags that do not match."""
    found: dict[str, str] = {}
    stack: list[tuple[str, int]] = []
    for match in _TAG.finditer(text):
        if not match.group(1):
            stack.append((match.group(2), match.end()))
            continue
        if not stack or stack[-1][0] != match.group(2):
            raise IrodsError(INPUT_ARG_NOT_WELL_FORMED_ERR, f"unterminated tag: [{stack[-1][0] if stack else ''}]")
        name, start = stack.pop()
        found.setdefault(name, text[start : match.start()])
    if stack:
        raise IrodsError(INPUT_ARG_NOT_WELL_FORMED_ERR, f"unterminated tag: [{stack[-1][0]}]")
    return found


def offset_time(text: str, now: float) -> int:
    """PLUSET: seconds since the epoch; a fraction of a second counts as none, as atol reads it."""
    match = re.match(r"\s*([0-9.]+)(.?)", text, re.DOTALL)
    if match is None:
        raise IrodsError(INPUT_ARG_NOT_WELL_FORMED_ERR, f"delay {text!r}: empty or invalid number")
    number, unit = match.groups()
    if unit and not unit.isspace() and unit not in UNITS:
        raise IrodsError(INPUT_ARG_NOT_WELL_FORMED_ERR, f"delay {text!r}: bad unit (need s, m, h, d or y)")
    factor = UNITS.get(unit, 1)
    if "." in number and factor > 1:
        raise IrodsError(INPUT_ARG_NOT_WELL_FORMED_ERR, f"delay {text!r}: fractions only of seconds")
    return int(now) + int(number.split(".")[0] or 0) * factor


def date_seconds(text: str) -> str:
    """ET: a date ``YYYY-MM-DD.hh:mm:ss`` (a prefix will do), or a number with a unit, as seconds."""
    if text.isdigit():
        return text
    if text[-1:] in UNITS and text[:-1].isdigit():
        return str(int(text[:-1]) * UNITS[text[-1]])
    if re.match(r"\d{4}", text) and len(text) < len(_DATE_PATTERN):
        text += _DATE_PATTERN[len(text) :]
    if re.fullmatch(r"(\d\d?:)*\d\d?", text):
        return str(_clock_seconds(text))
    if not _FULL_DATE.fullmatch(text):
        raise IrodsError(DATE_FORMAT_ERR, f"not a date: {text!r}")
    try:
        return str(int(time.mktime(time.strptime(text.replace("-00", "-01"), "%Y-%m-%d.%H:%M:%S"))))
    except (ValueError, OverflowError):
        raise IrodsError(DATE_FORMAT_ERR, f"not a date: {text!r}") from None


def _clock_seconds(text: str) -> int:
    total = 0
    for part in text.split(":"):
        total = total * 60 + int(part)
    return total


def checked_priority(text: str) -> str:
    """'5' for none; raises SYS_INVALID_INPUT_PARAM unless it is 1 to 9."""
    if not text:
        return "5"
    match = re.match(r"\s*[-+]?\d+", text)
    if match is None or not 1 <= int(match.group()) <= MAX_PRIORITY:
        raise IrodsError(SYS_INVALID_INPUT_PARAM, "delay rule priority must satisfy 1 <= P <= 9")
    return text
