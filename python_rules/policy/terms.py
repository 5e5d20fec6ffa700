"""What a policy asks for: the AVU's JSON, checked. Pure: no I/O.

A policy is a request without ``source``, and with a few fields of its own that say which arrivals it means.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Dict, Optional, Tuple

from python_rules.jobs import methods, model
from python_rules.jobs.errors import RequestError

NOTHING = "none"  # the operation that leaves alone what arrives here, whatever a collection above says
NOT_IN_A_POLICY = ("source", "objects", "id", "idempotency_key", "deadline")
_OWN = ("pattern", "largest", "smallest", "quiet_seconds")
_LONGEST_QUIET = 24 * 3600


@dataclass(frozen=True)
class Terms:
    """A checked policy; sizes in bytes, None where any will do. ``request`` lacks only its source."""

    request: Dict[str, Any]
    patterns: Tuple[str, ...] = ()
    largest: Optional[int] = None
    smallest: Optional[int] = None
    quiet_seconds: Optional[float] = None

    @property
    def does_nothing(self) -> bool:
        return self.request["operation"] == NOTHING

    def means(self, name: str, size: Optional[int] = None) -> bool:
        """Whether an object of this name, and of this size if it is known, is meant."""
        if self.does_nothing or (self.patterns and not any(fnmatchcase(name, one) for one in self.patterns)):
            return False
        if size is None:
            return True
        return (self.smallest or 0) <= size and (self.largest is None or size <= self.largest)


def parse(text: str, collection: str = "/zone/collection") -> Terms:
    """The policy in an AVU's value, as it would hold for ``collection``; raises RequestError saying what is wrong."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        remedy = 'set it to {"operation": "compress_encrypt", "key": "..."}'
        raise RequestError("malformed_json", "the policy is not a JSON object", field="policy", remedy=remedy)
    for name in NOT_IN_A_POLICY:
        if name in values:
            text = f"{name} does not go into a policy"
            raise RequestError("bad_value", text, field=name, remedy=f"leave {name} out")
    own = {name: values.pop(name) for name in _OWN if name in values}
    quiet = _number(own, "quiet_seconds", _LONGEST_QUIET)
    return Terms(
        _request(values, collection),
        _patterns(own.get("pattern")),
        _whole(_number(own, "largest")),
        _whole(_number(own, "smallest")),
        quiet,
    )


def _request(values: Dict[str, Any], collection: str) -> Dict[str, Any]:
    if values.get("operation") == NOTHING:
        if len(values) > 1:
            raise RequestError(
                "bad_value", "nothing goes with 'none'", field="operation", remedy="leave the other fields out"
            )
        return values
    operation = methods.OPERATIONS.get(str(values.get("operation")))
    asked = {"existing": "replace", **values} if operation and "existing" in operation.takes else values
    model.from_json({**asked, "source": collection})
    return asked


def _patterns(value: Any) -> Tuple[str, ...]:
    """One pattern as a text, or several as a list: shell patterns of names, '*.fastq'."""
    found = (value,) if isinstance(value, str) else value
    if found is None or found == ("",):
        return ()
    if not isinstance(found, (tuple, list)) or not all(isinstance(one, str) and one for one in found):
        remedy = "give a name pattern like '*.fastq', or a list of them"
        raise RequestError("bad_value", "pattern is not a name pattern", field="pattern", remedy=remedy)
    return tuple(found)


def _number(own: Dict[str, Any], name: str, most: float = 2**63) -> Optional[float]:
    value = own.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        raise RequestError("bad_value", f"{name} is not a number of 0 to {most}", field=name, remedy="give a number")
    return value


def _whole(value: Optional[float]) -> Optional[int]:
    return None if value is None else int(value)
