"""The JSON shapes of the API, as JSON Schema; made from the model's own tables where it has them."""

from __future__ import annotations

from typing import Any

from api_shim.problems import OF_SHIM
from python_rules.jobs import methods, states
from python_rules.jobs.errors import CODES

Schema = dict[str, Any]
_PATH = "logical path, /zone/collection/name"
_COUNT: Schema = {"type": "integer", "minimum": 0}
_TEXT: Schema = {"type": "string"}
_TIME: Schema = {"type": ["string", "null"], "format": "date-time", "description": "UTC"}
_UUID: Schema = {"type": "string", "format": "uuid"}


def _closed(properties: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    """An object with these members only; all but the optional ones are always there."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _or_null(schema: Schema) -> Schema:
    return {"oneOf": [schema, {"type": "null"}]}


def _one_of(words: Any, description: str) -> Schema:
    return {"type": "string", "enum": list(words), "description": description}


_lowest = min(row.levels[0] for row in methods.COMPRESSIONS.values() if row.levels)
_highest = max(row.levels[2] for row in methods.COMPRESSIONS.values() if row.levels)

REQUEST: dict[str, Schema] = {
    "operation": _one_of(
        methods.OPERATIONS, "; ".join(f"{name}: {row.does}" for name, row in methods.OPERATIONS.items())
    ),
    "source": {"type": "string", "description": f"{_PATH} of a data object or collection"},
    "target": {"type": "string", "description": f"{_PATH} of what to make; left out: each result beside its source"},
    "compression": _one_of(methods.COMPRESSIONS, "how to compress; default zstd"),
    "level": {
        "type": "integer",
        "minimum": _lowest,
        "maximum": _highest,
        "description": "compression level; see /methods",
    },
    "encryption": _one_of(methods.ENCRYPTIONS, "how to encrypt; default aes256-gcm"),
    "key": {"type": "string", "description": "name of the key to encrypt under; never a key or passphrase itself"},
    "existing": _one_of(methods.EXISTING, "what to do with a target that exists"),
    "original": _one_of(methods.ORIGINAL, "what becomes of the source after the result was verified"),
    "objects": {"type": "array", "items": _TEXT, "description": "only these objects below source (relative paths)"},
    "idempotency_key": {"type": "string", "maxLength": 255, "description": "the same key is the same job"},
}

PROGRESS: dict[str, Schema] = {
    "phase": _TEXT,
    **dict.fromkeys(("bytes_done", "bytes_total", "bytes_written"), _COUNT),
    **dict.fromkeys(("objects_done", "objects_failed", "objects_total"), _COUNT),
    "rate": {"type": "number", "description": "bytes of plain data per second"},
    "updated": {"type": "string", "description": "UTC, or empty"},
    "seconds_left": {"type": ["number", "null"], "description": "at the present rate; null while nothing moves"},
}

ERROR: dict[str, Schema] = {
    "code": _one_of(CODES, "what a program may build on"),
    "text": _TEXT,
    "field": {"type": ["string", "null"], "description": "the member of the request that is wrong"},
    "remedy": {"type": "string", "description": "what to do about it"},
    "object": {"type": "string", "description": "the data object that it is about"},
    "offset": {"type": "integer", "description": "where in it, in bytes"},
}

JOB: dict[str, Schema] = {
    "id": _UUID,
    "operation": _one_of(methods.OPERATIONS, "what it does"),
    "source": _TEXT,
    "target": _TEXT,
    "compression": _TEXT,
    "level": {"type": ["integer", "null"]},
    "encryption": _TEXT,
    "key": {"type": "string", "description": "the key's name"},
    "existing": _one_of(methods.EXISTING, "what to do with a target that exists"),
    "original": _one_of(methods.ORIGINAL, "what becomes of the source"),
    "user": {"type": "string", "description": "name#zone"},
    "door": _one_of(methods.DOORS, "how it was asked for"),
    "state": _one_of(states.TRANSITIONS, f"final are {', '.join(sorted(states.FINAL))}"),
    "waiting": {"type": ["string", "null"], "description": "why it waits"},
    "cancel_requested": {"type": "boolean"},
    "attempt": _COUNT,
    "submitted": _TIME,
    "started": _TIME,
    "finished": _TIME,
    "progress": ref("Progress"),
    "error": _or_null(ref("JobError")),
    "transitions": {"type": "array", "items": ref("Transition")},
}

PROBLEM: dict[str, Schema] = {
    "type": {"type": "string", "format": "uri"},
    "title": _TEXT,
    "status": {"type": "integer", "minimum": 400, "maximum": 599},
    "detail": _TEXT,
    **{name: schema for name, schema in ERROR.items() if name != "text"},
    "code": _one_of([*CODES, *OF_SHIM], "what a program may build on"),
}

READY: dict[str, Schema] = {
    "ready": {"type": "boolean"},
    "missing": {"type": "array", "items": _closed({"what": _TEXT, "why": _TEXT})},
}

SCHEMAS: dict[str, Schema] = {
    "JobRequest": _closed(REQUEST, tuple(name for name in REQUEST if name not in ("operation", "source"))),
    "Job": _closed(JOB),
    "Progress": _closed(PROGRESS),
    "JobError": _closed(ERROR, ("object", "offset")),
    "Transition": _closed(dict.fromkeys(("number", "state", "time", "actor"), _TEXT)),
    "Problem": _closed(PROBLEM, ("object", "offset")),
    "JobPage": _closed({"jobs": {"type": "array", "items": ref("Job")}, "next": {"type": ["string", "null"]}}),
    "Methods": {"type": "object", "description": "operations, compressions and encryptions by name"},
    "Health": _closed({"alive": {"const": True}, "version": _TEXT}),
    "Ready": _closed(READY),
}
