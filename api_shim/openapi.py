"""The OpenAPI 3.1 description: APIFlask reads routes and summaries from the code; the rest is the table here."""

from __future__ import annotations

from typing import Any, NamedTuple

from apiflask import APIFlask

from api_shim import problems, shapes
from api_shim.keys import ON_VERSIONS
from api_shim.reading import LARGEST_PAGE, PAGE
from python_rules.jobs import methods, states


class Operation(NamedTuple):
    """What a route takes and gives: schema names and descriptions by status."""

    answers: dict[int, tuple[str, str, str]]  # status: description, schema, media type
    problems: tuple[int, ...]
    takes: str = ""
    parameters: tuple[dict[str, Any], ...] = ()
    links: tuple[str, ...] = ()  # operations that take the job's id
    open: bool = False  # without credentials


# One server-sent event; its data is a JSON text.
_EVENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "event": {"enum": ["job", "end", "problem"]},
        "data": {"type": "string"},
    },
    "required": ["event", "data"],
}
JSON, NDJSON, EVENTS = "application/json", "application/x-ndjson", "text/event-stream"
BYTES = "application/octet-stream"
_USUAL = (401, 429, 502, 503)


def _query(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string"}}


def _words(words: Any) -> dict[str, Any]:
    """One or several words, with commas between them."""
    alternatives = "|".join(sorted(words))
    return {"type": "string", "pattern": f"^({alternatives})(,({alternatives}))*$"}


_PREFER = _header("Prefer", "respond-async: do not wait for the zone; wait=N: wait at most N seconds (RFC 7240)")
_KEY = _header("Idempotency-Key", "1 to 255 characters; the same key is the same job")
_FILTER = (
    _query("state", "only jobs in one of these states", _words(states.STATES)),
    _query("operation", "only jobs of one of these operations", _words(methods.OPERATIONS)),
    _query("path", "only jobs whose source lies at or below this path", {"type": "string"}),
    _query("user", "jobs of this user (name#zone); only what the zone lets you see", {"type": "string"}),
    _query("zone", "jobs of this zone; default: the service's own", {"type": "string"}),
    _query("since", "only jobs submitted at or after this time (UTC, as 2026-11-22T12:00:00Z)", {"type": "string"}),
    _query("until", "only jobs submitted before this time", {"type": "string"}),
    _query("limit", f"jobs on a page; default {PAGE}", {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE}),
    _query("cursor", "the next of an earlier page", {"type": "string"}),
)
_PATH = ({**_query("path", "a logical path", {"type": "string"}), "required": True},)
_SHOWN = {200: ("the job", "Job", JSON)}
_LATER = {202: ("accepted; the zone has not answered yet", "Job", JSON)}

OPERATIONS: dict[str, Operation] = {
    "submitJob": Operation(
        {201: ("the job is made", "Job", JSON), 200: ("the job of this key was made earlier", "Job", JSON), **_LATER},
        (400, 403, 404, 409, 413, 415, 422, 500, *_USUAL),
        takes="JobRequest",
        parameters=(_KEY, _PREFER),
        links=("getJob", "cancelJob", "retryJob", "getResults", "watchJob"),
    ),
    "listJobs": Operation({200: ("a page of jobs", "JobPage", JSON)}, (400, 403, 500, *_USUAL), parameters=_FILTER),
    "getJob": Operation(_SHOWN, (400, 403, 404, 409, 422, 500, *_USUAL)),
    "cancelJob": Operation({**_SHOWN, **_LATER}, (400, 403, 404, 409, 500, *_USUAL), parameters=(_PREFER,)),
    "retryJob": Operation({**_SHOWN, **_LATER}, (400, 403, 404, 409, 500, *_USUAL), parameters=(_PREFER,)),
    "getResults": Operation({200: ("a JSON line for each object", "", NDJSON)}, (403, 404, 409, 500, *_USUAL)),
    "watchJob": Operation(
        {200: ("events job, end, problem", "", EVENTS), 204: ("you have seen the end: do not come again", "", "")},
        (403, 404, 409, 500, *_USUAL),
        parameters=(_header("Last-Event-ID", "the id of the last event that you have seen"),),
    ),
    "planJob": Operation(
        {200: ("what the job would do", "Plan", JSON)},
        (400, 403, 404, 409, 413, 415, 422, 500, *_USUAL),
        takes="JobRequest",
    ),
    "getPolicy": Operation({200: ("the policy", "Policy", JSON)}, (400, 403, 404, 409, 500, *_USUAL), parameters=_PATH),
    "setPolicy": Operation(
        {200: ("the policy", "Policy", JSON)},
        (400, 403, 404, 409, 413, 415, 422, 500, *_USUAL),
        takes="Policy",
        parameters=_PATH,
    ),
    "dropPolicy": Operation({200: ("gone", "Policy", JSON)}, (400, 403, 404, 409, 500, *_USUAL), parameters=_PATH),
    "listSystems": Operation({200: ("the systems", "Systems", JSON)}, (403, 500, *_USUAL)),
    "checkSystem": Operation({200: ("whether it works", "SystemCheck", JSON)}, (400, 403, 404, 500, *_USUAL)),
    "listMethods": Operation({200: ("what the zone knows", "Methods", JSON)}, (403, 500, *_USUAL)),
    "health": Operation({200: ("the service is alive", "Health", JSON)}, (), open=True),
    "ready": Operation(
        {200: ("requests can be served", "Ready", JSON), 503: ("something is missing", "Ready", JSON)}, (), open=True
    ),
}

OPERATIONS["getData"] = Operation(
    {200: ("the bytes", "", BYTES), 206: ("the bytes of the range", "", BYTES), 304: ("as you have it", "", BYTES)},
    (400, 403, 404, 409, 416, 500, *_USUAL),
    parameters=(_header("Range", "bytes=first-last; one range"), _header("If-Range", "the ETag of the object meant")),
)
_SERVICE_SHOWN = {200: ("whether the jobs are paused", "ServiceState", JSON)}
OPERATIONS |= {
    "getService": Operation(_SERVICE_SHOWN, (403, 500, *_USUAL)),
    "pauseService": Operation(_SERVICE_SHOWN, (400, 403, 413, 415, 500, *_USUAL), takes="Pause"),
    "resumeService": Operation(_SERVICE_SHOWN, (403, 500, *_USUAL)),
}
_CHAIN_SHOWN = {200: ("the chain", "Chain", JSON)}
OPERATIONS |= {
    "submitChain": Operation(
        {
            201: ("the chain is accepted", "Chain", JSON),
            200: ("the chain of this key was accepted earlier", "Chain", JSON),
        },
        (400, 403, 409, 413, 415, 422, 500, *_USUAL),
        takes="ChainRequest",
        parameters=(_KEY,),
    ),
    "listChains": Operation({200: ("the chains", "Chains", JSON)}, (400, 403, 500, *_USUAL)),
    "getChain": Operation(_CHAIN_SHOWN, (403, 404, 500, *_USUAL)),
    "cancelChain": Operation(_CHAIN_SHOWN, (403, 404, 500, *_USUAL)),
}

_KEY_SHOWN = {200: ("the key as it is now", "Key", JSON)}
_KEY_TROUBLE = (400, 403, 404, 409, 415, 500, *_USUAL)
OPERATIONS |= {
    "listKeys": Operation({200: ("the keys", "Keys", JSON)}, (403, 500, *_USUAL)),
    "createKey": Operation({201: ("the key is made", "Key", JSON)}, _KEY_TROUBLE, takes="KeyCreate"),
    "getKey": Operation(_KEY_SHOWN, (400, 403, 404, 500, *_USUAL)),
    "grantKey": Operation(_KEY_SHOWN, _KEY_TROUBLE, takes="KeyGrant"),
    "revokeKey": Operation(_KEY_SHOWN, _KEY_TROUBLE, takes="KeyRevoke"),
    "shareObject": Operation(
        {200: ("a header for the reader", "Share", JSON)}, (*_KEY_TROUBLE, 422), takes="ShareRequest"
    ),
    "rotateKey": Operation(_KEY_SHOWN, _KEY_TROUBLE),
    **{f"{action}Key": Operation(_KEY_SHOWN, _KEY_TROUBLE, takes="KeyVersion") for action in ON_VERSIONS},
}


def describe(app: APIFlask) -> None:
    """Have the application serve its description at /openapi.json."""
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        AUTO_404_RESPONSE=False,
        AUTO_200_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_AUTH_ERROR_RESPONSE=False,
        AUTO_SERVERS=False,
        SECURITY_SCHEMES={
            "irods": {"type": "http", "scheme": "basic", "description": "iRODS credentials"},
            "openid": {"type": "http", "scheme": "bearer", "description": "a token of the configured OpenID provider"},
        },
        DESCRIPTION="Compress and encrypt data inside an iRODS zone. Errors are problem documents (RFC 9457).",
    )
    app.spec_processor(_completed)


def _completed(spec: Any) -> Any:
    spec.setdefault("components", {})["schemas"] = shapes.SCHEMAS
    spec["servers"] = [{"url": "/"}]
    for path in spec["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict) and operation.get("operationId") in OPERATIONS:
                _complete(operation, OPERATIONS[operation["operationId"]])
    return spec


def _complete(operation: dict[str, Any], row: Operation) -> None:
    operation["responses"] = {str(status): _response(*answer) for status, answer in row.answers.items()}
    for status in row.answers if row.links else ():
        operation["responses"][str(status)]["links"] = {name: _link(name) for name in row.links}
    for status in row.problems:
        operation["responses"][str(status)] = _response("a problem", "Problem", problems.MEDIA_TYPE)
    if row.takes:
        operation["requestBody"] = {"required": True, "content": _content(row.takes, JSON)}
    operation["parameters"] = [*operation.get("parameters", ()), *row.parameters]
    operation["security"] = [] if row.open else [{"irods": []}, {"openid": []}]


def _link(name: str) -> dict[str, Any]:
    return {"operationId": name, "parameters": {"job_id": "$response.body#/id"}}


def _response(description: str, schema: str, media_type: str) -> dict[str, Any]:
    content = {"content": _content(schema, media_type)} if media_type else {}
    return {"description": description, **content}


def _content(schema: str, media_type: str) -> dict[str, Any]:
    if media_type == EVENTS:
        return {media_type: {"schema": _EVENT}}
    return {media_type: {"schema": shapes.ref(schema) if schema else {"type": "string"}}}
