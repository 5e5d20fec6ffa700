"""A request for work, checked: text or JSON values in, a ``JobRequest`` or a ``RequestError`` out."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Callable, Dict, Optional, Tuple

from python_rules.jobs import methods, paths
from python_rules.jobs.errors import RequestError

# irule cuts a parameter silently after so many bytes (seen on 5.0.2).
IRULE_CUT = 1084
LARGEST_REQUEST = 64 * 1024
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_JOB_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class JobRequest:
    """One operation on one source, with every default filled in.

    ``target`` is the data object or collection to make; '' puts each result beside its source.
    ``objects`` names the only objects below ``source`` that are meant (relative paths; () means all).
    """

    operation: str
    source: str
    target: str = ""
    compression: str = ""
    level: Optional[int] = None
    encryption: str = ""
    key: str = ""
    existing: str = "refuse"
    original: str = "keep"
    objects: Tuple[str, ...] = ()
    pack: bool = False  # the collection becomes one archive, or such an archive a collection again
    priority: int = 0  # 1 to 9, in the delay queue; 0: the zone's own default, which is 5
    deadline: str = ""  # UTC as 2026-11-22T12:00:00Z: not done by then, the job fails
    id: str = ""
    idempotency_key: str = ""

    @property
    def steps(self) -> Tuple[str, ...]:
        return methods.OPERATIONS[self.operation].steps

    def as_json(self) -> Dict[str, Any]:
        """The request as plain JSON values."""
        return {**asdict(self), "objects": list(self.objects)}

    def suffix(self) -> str:
        """What an encoding operation appends to a name: '.zst.tink' for zstd and aes256-gcm."""
        table = {methods.COMPRESS: methods.COMPRESSIONS, methods.ENCRYPT: methods.ENCRYPTIONS}
        chosen = {methods.COMPRESS: self.compression, methods.ENCRYPT: self.encryption}
        packed = ".tar" if self.pack else ""
        return packed + "".join(table[step][chosen[step]].suffix for step in self.steps if step in table)


def is_job_id(text: str) -> bool:
    """Whether the text has the form of a job id; nothing else is ever put into rule text or a query."""
    return bool(_JOB_ID.fullmatch(text))


def parse(text: str) -> JobRequest:
    """The request in a JSON text; raises RequestError that names the field and the remedy."""
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST_REQUEST:
        raise RequestError("bad_value", f"the request is longer than {LARGEST_REQUEST} bytes", remedy="send less")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _not_json(text, error) from None
    return from_json(values)


def from_json(values: Any) -> JobRequest:
    """The request in JSON values; raises RequestError as ``parse`` does."""
    if not isinstance(values, dict):
        raise RequestError("malformed_json", "the request is not a JSON object", remedy='send {"operation": ...}')
    for name in values:
        if name not in _FIELDS:
            known = ", ".join(sorted(_FIELDS))
            raise RequestError(
                "unknown_field", f"unknown field {name!a}", field=str(name)[:64], remedy=f"known are {known}"
            )
    given = {name: value for name, value in values.items() if value is not None}
    checked = {name: _FIELDS[name](value, name) for name, value in given.items()}
    for name in ("operation", "source"):
        if name not in checked:
            raise RequestError("missing_field", f"{name} is missing", field=name, remedy=f"add {name}")
    return _with_defaults(JobRequest(**checked))


def _with_defaults(request: JobRequest) -> JobRequest:
    """Fill in what the operation needs and refuse what does not go with it."""
    filled = asdict(request)
    filled["objects"] = request.objects
    if methods.COMPRESS in request.steps:
        filled["compression"] = request.compression or "zstd"
        filled["level"] = _level(filled["compression"], request.level)
    elif request.compression or request.level is not None:
        field = "compression" if request.compression else "level"
        raise RequestError(
            "bad_value", f"{field} does not go with {request.operation}", field=field, remedy=f"leave {field} out"
        )
    if methods.ENCRYPT in request.steps:
        filled["encryption"] = request.encryption or "aes256-gcm"
        if not request.key:
            raise RequestError("missing_field", "key is missing", field="key", remedy="name the key to encrypt under")
    elif request.encryption:
        raise RequestError(
            "bad_value",
            f"encryption does not go with {request.operation}",
            field="encryption",
            remedy="leave encryption out: it is known from the object",
        )
    elif request.key and methods.REKEY not in request.steps:
        raise RequestError(
            "bad_value",
            f"key does not go with {request.operation}",
            field="key",
            remedy="leave key out: where one is needed the object names it",
        )
    if methods.REKEY in request.steps:
        _check_in_place(request)
        filled["existing"] = "replace"
    _check_target(request)
    return JobRequest(**filled)


def _check_in_place(request: JobRequest) -> None:
    for field, given in (("target", request.target), ("original", request.original != "keep"), ("pack", request.pack)):
        if given:
            raise RequestError(
                "bad_value", f"{field} does not go with {request.operation}", field=field, remedy=f"leave {field} out"
            )


def _check_target(request: JobRequest) -> None:
    if not request.target:
        return
    if paths.zone_of(request.target) != paths.zone_of(request.source):
        return
    if request.target == request.source:
        raise RequestError(
            "target_exists",
            "target is the source itself",
            field="target",
            remedy="name another target, or leave it out to put results beside their sources",
        )
    if paths.is_within(request.target, request.source):
        raise RequestError(
            "bad_value", "target lies inside the source", field="target", remedy="name a target outside the source"
        )


def _level(method: str, level: Optional[int]) -> Optional[int]:
    levels = methods.COMPRESSIONS[method].levels
    if levels is None:
        return None
    low, default, high = levels
    if level is None:
        return default
    if not low <= level <= high:
        raise RequestError(
            "bad_value", f"level {level} is not one of {method}", field="level", remedy=f"give {low} to {high}"
        )
    return level


def _not_json(text: str, error: Exception) -> RequestError:
    if len(text.encode("utf-8", "surrogatepass")) == IRULE_CUT:
        return RequestError(
            "cut_json",
            f"the request ends after {IRULE_CUT} bytes, in the middle: irule cuts parameters there",
            remedy="use rules/*.r with short parameters, or send the request by REST or python-irodsclient",
        )
    where = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
    return RequestError("malformed_json", f"the request is not JSON{where}", remedy='send {"operation": ...}')


def _word(table: Any, code: str, what: str) -> Callable[[Any, str], str]:
    def check(value: Any, field: str) -> str:
        if not isinstance(value, str) or value not in table:
            shown = ascii(value)[:80]
            raise RequestError(code, f"unknown {what} {shown}", field=field, remedy="known are " + ", ".join(table))
        return value

    return check


def _maybe(check: Callable[[Any, str], str]) -> Callable[[Any, str], str]:
    """The same check, with '' standing for a field that was left out (rule files cannot leave one out)."""
    return lambda value, field: "" if value == "" else check(value, field)


def _integer(value: Any, field: str) -> Optional[int]:
    if value == "":
        return None
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,4}", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise RequestError("bad_value", f"{field} is not a whole number", field=field, remedy="give a whole number")
    return value


def _boolean(value: Any, field: str) -> bool:
    known = {True: True, False: False, "true": True, "false": False, "": False}
    if not isinstance(value, (bool, str)) or value not in known:
        raise RequestError("bad_value", f"{field} is not true or false", field=field, remedy="give true or false")
    return known[value]


def _priority(value: Any, field: str) -> int:
    number = _integer(value, field) or 0
    if not 0 <= number <= 9:
        raise RequestError("bad_value", f"{field} is not 1 to 9", field=field, remedy="give 1 (last) to 9 (first)")
    return number


def _time(value: Any, field: str) -> str:
    try:
        datetime.strptime(value, TIME_FORMAT)
    except (TypeError, ValueError):
        remedy = "give UTC as 2026-11-22T12:00:00Z"
        raise RequestError("bad_value", f"{field} is not a time", field=field, remedy=remedy) from None
    return str(value)


def _key_name(value: Any, field: str) -> str:
    if not isinstance(value, str) or not _KEY_NAME.fullmatch(value):
        raise RequestError(
            "bad_value",
            "this is not a key's name",
            field=field,
            remedy="give the name of a key: 1 to 64 letters, digits, '.', '_', '-'; never a key or passphrase itself",
        )
    return value


def _job_id(value: Any, field: str) -> str:
    if not isinstance(value, str) or not is_job_id(value):
        raise RequestError("bad_value", f"{field} is not a UUID", field=field, remedy="leave it out or give a UUID")
    return value


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 255 or not value.isprintable():
        raise RequestError("bad_value", f"{field} is not 1 to 255 printable characters", field=field, remedy="shorten")
    return value


def _objects(value: Any, field: str) -> Tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(name, str) for name in value):
        raise RequestError("bad_value", f"{field} is not a list of names", field=field, remedy="give relative paths")
    for name in value:
        paths.checked("/zone/" + name, field)
    return tuple(value)


_FIELDS: Dict[str, Callable[[Any, str], Any]] = {
    "operation": _word(methods.OPERATIONS, "unknown_operation", "operation"),
    "source": paths.checked,
    "target": _maybe(paths.checked),
    "compression": _maybe(_word(methods.COMPRESSIONS, "unknown_method", "compression method")),
    "level": _integer,
    "encryption": _maybe(_word(methods.ENCRYPTIONS, "unknown_method", "encryption method")),
    "key": _maybe(_key_name),
    "existing": _word(methods.EXISTING, "bad_value", "value"),
    "original": _word(methods.ORIGINAL, "bad_value", "value"),
    "objects": _objects,
    "pack": _boolean,
    "priority": _priority,
    "deadline": _maybe(_time),
    "id": _maybe(_job_id),
    "idempotency_key": _maybe(_text),
}
