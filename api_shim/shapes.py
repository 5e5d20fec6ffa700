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
    "source": {"type": "string", "description": f"{_PATH} of a data object or collection; stage: or system:path"},
    "target": {
        "type": "string",
        "description": f"{_PATH} of what to make; left out: beside its source; or system:path",
    },
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
    "pack": {"type": "boolean", "description": "a collection becomes one tar, or such an object a collection again"},
    "suffix": {"type": "boolean", "description": "whether encoded names carry their formats' suffixes; default true"},
    "replica": {"type": "string", "description": "a resource, or a collection elsewhere, for one more of each result"},
    "decode": {"type": "boolean", "description": "stage: decrypt and decompress on the way, as each object needs it"},
    "include": {"type": "array", "items": _TEXT, "description": "stage: only files that one of these patterns fits"},
    "exclude": {"type": "array", "items": _TEXT, "description": "stage: nothing that one of these patterns fits"},
    "links": _one_of(methods.LINKS, "stage: what becomes of symbolic links"),
    "delete_extra": {"type": "boolean", "description": "stage: remove from the target what the source does not have"},
    "preset": _one_of(methods.PRESETS, "stage: lexis: compress and encrypt into the zone, undo it out of the zone"),
    "priority": {"type": "integer", "minimum": 0, "maximum": 9, "description": "9 is first; 0: the zone's default"},
    "deadline": {"type": "string", "description": "UTC as 2026-11-22T12:00:00Z: not done by then, the job fails"},
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
    "replica": {"type": "string", "description": "where one more of each result is; empty: nowhere"},
    "priority": {"type": ["integer", "null"], "description": "in the delay queue; null: the zone's default"},
    "deadline": {"type": ["string", "null"], "description": "UTC; null: none"},
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
    "result": {"type": ["object", "null"], "description": "what size and verify found out; see docs/jobs.md"},
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

_RIGHTS: Schema = {"type": "array", "items": {"type": "string", "enum": ["seal", "open", "manage"]}, "minItems": 1}
_WHO: Schema = {"type": "string", "description": "user or group as name#zone; everybody is public#<zone>"}
_PLACE: Schema = {"type": "string", "description": "the rights hold in this collection; empty or left out: everywhere"}

KEY_VERSION: dict[str, Schema] = {
    "number": {"type": "integer", "minimum": 1},
    "status": _one_of(("enabled", "disabled", "condemned", "destroyed"), "condemned: destroyed at destroy_at"),
    "created": _TEXT,
    "primary": {"type": "boolean", "description": "the version that seals"},
    "destroy_at": {"type": "string", "description": "UTC, or empty"},
}

KEY_SCHEMAS: dict[str, Schema] = {
    "Key": _closed(
        {
            "name": _TEXT,
            "owner": {"type": "string", "description": "name#zone of who may do everything with it, or empty"},
            "grants": {"type": "array", "items": _closed({"who": _WHO, "may": _RIGHTS, "collection": _PLACE})},
            "versions": {"type": "array", "items": _closed(KEY_VERSION)},
        }
    ),
    "ShareRequest": _closed(
        {"path": {"type": "string", "description": _PATH}, "reader": {"type": "string", "description": "public key"}}
    ),
    "Share": _closed(
        {
            "path": _TEXT,
            "method": _TEXT,
            "replaces": {"type": "integer", "description": "bytes at the object's start that the header replaces"},
            "header": {"type": "string", "description": "Crypt4GH header in base64"},
        }
    ),
    "Keys": _closed({"keys": {"type": "array", "items": ref("Key")}}),
    "KeyCreate": _closed({"name": _TEXT, "owner": _WHO}, ("owner",)),
    "KeyGrant": _closed({"who": _WHO, "rights": _RIGHTS, "collection": _PLACE}, ("collection",)),
    "KeyRevoke": _closed({"who": _WHO, "rights": _RIGHTS}, ("rights",)),
    "KeyVersion": _closed({"version": {"type": "integer", "minimum": 1, "description": "default: all"}}, ("version",)),
}

_STEP_STATE = _one_of(("waiting", *states.TRANSITIONS), "waiting: its turn has not come")
_CHAIN_JOB: dict[str, Schema] = {
    "id": _UUID,
    **dict.fromkeys(("operation", "source", "target"), _TEXT),
    "zone": {"type": "string", "description": "where it runs"},
    "state": _STEP_STATE,
    "error": _or_null(ref("JobError")),
}
CHAIN: dict[str, Schema] = {
    "id": _UUID,
    "user": _TEXT,
    "state": _one_of(("running", "succeeded", "failed", "cancelled"), "of the whole"),
    "submitted": _TIME,
    "finished": _TIME,
    "failed_step": {"type": ["integer", "null"], "description": "number of the step that ended it, from 0"},
    "steps": {
        "type": "array",
        "items": _closed({"state": _STEP_STATE, "jobs": {"type": "array", "items": _closed(_CHAIN_JOB)}}),
    },
}
_ASKED: Schema = {"oneOf": [ref("JobRequest"), {"type": "array", "items": ref("JobRequest"), "minItems": 1}]}

SYSTEM: dict[str, Schema] = {
    "name": {"type": "string", "description": "what requests call it: name:path"},
    "type": {"type": "string", "description": "zone: a collection of the zone; else as in sluice.json"},
    "description": _TEXT,
    "read_only": {"type": "boolean"},
    "collection": {"type": "string", "description": "of type zone: where its paths begin"},
}

SCHEMAS: dict[str, Schema] = {
    "ChainRequest": _closed(
        {
            "steps": {
                "type": "array",
                "items": _ASKED,
                "minItems": 1,
                "maxItems": 20,
                "description": "a request, or several that run at the same time; each step begins after the one before",
            }
        }
    ),
    "Chain": _closed(CHAIN),
    "Chains": _closed({"chains": {"type": "array", "items": ref("Chain")}}),
    "JobRequest": _closed(REQUEST, tuple(name for name in REQUEST if name not in ("operation", "source"))),
    "Job": _closed(JOB),
    "Progress": _closed(PROGRESS),
    "JobError": _closed(ERROR, ("object", "offset")),
    "Transition": _closed(dict.fromkeys(("number", "state", "time", "actor"), _TEXT)),
    "Problem": _closed(PROBLEM, ("object", "offset")),
    "JobPage": _closed({"jobs": {"type": "array", "items": ref("Job")}, "next": {"type": ["string", "null"]}}),
    "Plan": {"type": "object", "description": "objects, bytes, what would be refused; see docs/jobs.md"},
    "Policy": {"type": "object", "description": "what is done to data that is put there; see docs/jobs.md"},
    "Systems": _closed({"systems": {"type": "array", "items": _closed(SYSTEM, ("collection",))}}),
    "SystemCheck": _closed(
        {
            "name": _TEXT,
            "type": _TEXT,
            "works": {"type": "boolean"},
            "told": {"type": "string", "description": "what was found, in one line"},
            "error": _or_null(ref("JobError")),
        }
    ),
    "Methods": {"type": "object", "description": "operations, compressions and encryptions by name"},
    "ServiceState": _closed({"paused": {"type": ["string", "null"], "description": "by whom and why; null: not"}}),
    "Pause": _closed({"reason": {"type": "string", "maxLength": 400}}, ("reason",)),
    "Health": _closed({"alive": {"const": True}, "version": _TEXT}),
    "Ready": _closed(READY),
    **KEY_SCHEMAS,
}
