"""A request for work, checked: text or JSON values in, a ``JobRequest`` or a ``RequestError`` out."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Callable, Dict, Optional, Tuple

from python_rules.jobs import methods, paths
from python_rules.jobs.errors import RequestError
from python_rules.jobs.options import IRULE_CUT

LARGEST_REQUEST = 64 * 1024
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_JOB_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_RESOURCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")  # 5.0.2 takes 63 bytes, of any kind but ';'
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
    pack: bool = False  # the collection becomes one archive, or such an archive (stage: with decode) a collection again
    suffix: bool = True  # whether encoded names carry their formats' suffixes
    replica: str = ""  # a resource, or the collection elsewhere, that is to hold another one of each result
    decode: bool = False  # stage: decrypt and decompress on the way, as each object's metadata tell
    include: Tuple[str, ...] = ()  # stage: patterns of names or relative paths; () means all
    exclude: Tuple[str, ...] = ()
    links: str = "refuse"  # stage: what becomes of symbolic links
    delete_extra: bool = False  # stage: remove from the target what the source does not have
    preset: str = ""  # stage: the direction decides the transforms
    priority: int = 0  # 1 to 9, in the delay queue; 0: the zone's own default, which is 5
    deadline: str = ""  # UTC as 2026-11-22T12:00:00Z: not done by then, the job fails
    id: str = ""
    idempotency_key: str = ""

    @property
    def steps(self) -> Tuple[str, ...]:
        return methods.OPERATIONS[self.operation].steps

    @property
    def ends(self) -> Tuple[str, str]:
        """The systems of source and target; '' for the zone."""
        return paths.system_of(self.source)[0], paths.system_of(self.target)[0]

    @property
    def replica_is_path(self) -> bool:
        """Whether ``replica`` names a collection, not a resource."""
        return self.replica.startswith("/")

    def as_json(self) -> Dict[str, Any]:
        """The request as plain JSON values."""
        lists = {name: list(getattr(self, name)) for name in ("objects", "include", "exclude")}
        return {**asdict(self), **lists}

    def ending(self) -> str:
        """What an encoding operation appends to a name: '.zst.tink' for zstd and aes256-gcm."""
        if not self.suffix:
            return ""
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
    if checked["operation"] == methods.DELETE:
        checked.setdefault("original", "trash")
    return _with_defaults(JobRequest(**checked))


def _with_defaults(request: JobRequest) -> JobRequest:
    """Fill in what the operation needs and refuse what does not go with it."""
    filled = asdict(request)
    filled["objects"] = request.objects
    if request.operation == methods.STAGE:
        filled.update(_of_stage(request))
    elif methods.COMPRESS in request.steps:
        filled["compression"] = request.compression or "zstd"
        filled["level"] = _level(filled["compression"], request.level)
    elif request.compression or request.level is not None:
        field = "compression" if request.compression else "level"
        raise RequestError(
            "bad_value", f"{field} does not go with {request.operation}", field=field, remedy=f"leave {field} out"
        )
    if request.operation == methods.STAGE:
        pass
    elif methods.ENCRYPT in request.steps:
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
    elif request.key and not {methods.REKEY, methods.DECRYPT} & set(request.steps):
        raise RequestError(
            "bad_value",
            f"key does not go with {request.operation}",
            field="key",
            remedy="leave key out: where one is needed the object names it",
        )
    if methods.REKEY in request.steps:
        filled["existing"] = "replace"
    _check_fields(request)
    _check_target(request)
    return JobRequest(**filled)


def _check_fields(request: JobRequest) -> None:
    """Refuse what does not go with the operation, and what it lacks."""
    operation = methods.OPERATIONS[request.operation]
    if request.operation != methods.STAGE:
        _check_in_zone(request)
    for field in (*methods.CONVERTS, *methods.STAGES):
        given = getattr(request, field)
        if field in operation.needs and not given:
            raise RequestError("missing_field", f"{field} is missing", field=field, remedy=f"add {field}")
        in_force = field == "existing" and methods.REKEY in request.steps  # a checked request is checked again
        if field not in operation.takes and given != getattr(JobRequest, field) and not in_force:
            raise RequestError(
                "bad_value", f"{field} does not go with {request.operation}", field=field, remedy=f"leave {field} out"
            )
    if request.operation == methods.DELETE and request.original == "keep":
        remedy = "give 'trash', or 'remove' for good"
        raise RequestError("bad_value", "what is deleted is not kept", field="original", remedy=remedy)
    if not request.suffix and not request.target:
        text = "without a suffix a result would have its source's name"
        raise RequestError("bad_value", text, field="suffix", remedy="name a target, or leave suffix out")


def _check_in_zone(request: JobRequest) -> None:
    for field, system in zip(("source", "target"), request.ends):
        if system:
            text = f"{field} is on a system, which {request.operation} does not reach"
            raise RequestError("bad_value", text, field=field, remedy="stage it into the zone first")


def _of_stage(request: JobRequest) -> Dict[str, Any]:
    """The transforms of a staging job, with defaults filled in."""
    chosen = _preset(request) if request.preset else {}
    asked = JobRequest(**{**asdict(request), **chosen})
    for field in ("compression", "encryption", "key") if asked.decode else ():
        if getattr(asked, field) and not (field == "key" and asked.ends[0]):  # there no metadata name the key
            text = f"{field} does not go with decode"
            raise RequestError("bad_value", text, field=field, remedy=f"leave {field} out")
    if asked.pack and not any(asked.ends):
        remedy = "within the zone use compress, encrypt or their counterparts"
        raise RequestError("bad_value", "pack goes with a system at one end", field="pack", remedy=remedy)
    if asked.pack and asked.delete_extra:
        text = "delete_extra does not go with pack"
        raise RequestError("bad_value", text, field="delete_extra", remedy="leave delete_extra out")
    if asked.level is not None and not asked.compression:
        raise RequestError("bad_value", "level needs compression", field="level", remedy="leave level out")
    if asked.compression:
        chosen["level"] = _level(asked.compression, asked.level)
    if asked.encryption and not asked.key:
        raise RequestError("missing_field", "key is missing", field="key", remedy="name the key to encrypt under")
    if asked.key and not asked.encryption and not asked.decode:
        chosen["encryption"] = "aes256-gcm"
    if asked.original == "trash" and asked.ends[0]:
        remedy = "give 'keep' or 'remove'"
        raise RequestError("bad_value", "a system has no trash", field="original", remedy=remedy)
    return chosen


def _preset(request: JobRequest) -> Dict[str, Any]:
    """LEXIS's rule: into the zone compress and encrypt, out of it decrypt and decompress."""
    source, target = request.ends
    if source and not target:
        return {"compression": request.compression or "zstd", "encryption": request.encryption or "aes256-gcm"}
    return {"decode": True, "key": ""} if target and not source else {}


def _check_target(request: JobRequest) -> None:
    places = [("target", request.target)]
    if request.replica_is_path:
        places.append(("replica", request.replica))
    for field, place in places:
        if place == request.source:
            raise RequestError(
                "target_exists",
                f"{field} is the source itself",
                field=field,
                remedy="name another place, or leave it out to put results beside their sources",
            )
        if place and paths.is_within(place, request.source):
            raise RequestError(
                "bad_value", f"{field} lies inside the source", field=field, remedy="name a place outside the source"
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
    if isinstance(error, json.JSONDecodeError) and error.msg.startswith("Unterminated string"):
        return RequestError(
            "cut_json",
            f"the request ends in the middle of the text that begins at character {error.pos}: irule takes '%' for the "
            "end of a value",
            remedy="use rules/*.r, where '%' is a character as any other; or write it as \\u0025 in JSON",
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


def _not_false(value: Any, field: str) -> bool:
    return True if value == "" else _boolean(value, field)


def _patterns(value: Any, field: str) -> Tuple[str, ...]:
    """Patterns as a list, or as rule files give them: one text, with commas between."""
    given = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    if not isinstance(given, (list, tuple)) or not all(isinstance(one, str) and 0 < len(one) < 1024 for one in given):
        remedy = "give patterns as '*.csv' or 'raw/*'"
        raise RequestError("bad_value", f"{field} is not a list of patterns", field=field, remedy=remedy)
    return tuple(given)


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


def _replica(value: Any, field: str) -> str:
    if isinstance(value, str) and value.startswith("/"):
        return paths.checked(value, field)
    if not isinstance(value, str) or not _RESOURCE_NAME.fullmatch(value):
        remedy = "give the name of a resource, or the path of a collection that is to hold copies"
        raise RequestError("bad_value", f"{field} is neither a resource nor a path", field=field, remedy=remedy)
    return value


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
    "source": paths.address,
    "target": _maybe(paths.address),
    "compression": _maybe(_word(methods.COMPRESSIONS, "unknown_method", "compression method")),
    "level": _integer,
    "encryption": _maybe(_word(methods.ENCRYPTIONS, "unknown_method", "encryption method")),
    "key": _maybe(_key_name),
    "existing": _word(methods.EXISTING, "bad_value", "value"),
    "original": _word(methods.ORIGINAL, "bad_value", "value"),
    "objects": _objects,
    "pack": _boolean,
    "suffix": _not_false,
    "replica": _maybe(_replica),
    "decode": _boolean,
    "include": _patterns,
    "exclude": _patterns,
    "links": _word(methods.LINKS, "bad_value", "value"),
    "delete_extra": _boolean,
    "preset": _maybe(_word(methods.PRESETS, "bad_value", "preset")),
    "priority": _priority,
    "deadline": _maybe(_time),
    "id": _maybe(_job_id),
    "idempotency_key": _maybe(_text),
}
