"""LEXIS v0.2, byte for byte: encryption and compression (the rest of LEXIS's interface is not here yet).

Orchestrators compare the status texts literally and fail on any other; so members may be added, texts never changed.
An unknown id is "still in the queue", and a request that the zone refuses fails when it is polled, as with LEXIS.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from apiflask import APIBlueprint
from flask import Response, g, request, url_for
from werkzeug.datastructures import Authorization
from werkzeug.exceptions import HTTPException

from api_shim import forwarding, reading
from api_shim.problems import Problem
from api_shim.service import caller, service
from python_rules.jobs import methods, model, states
from python_rules.jobs.errors import CODES, JobError

# Where the same calls are found: the service itself, its internal gateway, the portal.
PREFIXES = {"service": "", "gateway": "/api/v0.1.1", "portal": "/api/v0.2/dataset"}

PENDING = "Task still in the queue, or task does not exist"
RUNNING = "In progress"
FAILED = "Task Failed, reason: "


class Operation(NamedTuple):
    """A LEXIS operation, named as ours: what it requires, what it says when done, how it names a target."""

    required: tuple[str, ...]
    done: str
    word: str


_SOURCE = ("source_system", "source_path")
OPERATIONS: dict[str, Operation] = {
    "encrypt": Operation((*_SOURCE, "project"), "Encryption completed", "encrypted"),
    "decrypt": Operation((*_SOURCE, "project"), "Decryption completed", "decrypted"),
    "compress": Operation(_SOURCE, "Compression completed", "compressed"),
    "decompress": Operation(_SOURCE, "Decompression completed", "decompressed"),
    "compress_encrypt": Operation(
        (*_SOURCE, "project"), "Compression and Encryption completed", "compressed_encrypted"
    ),
    "decrypt_decompress": Operation(
        (*_SOURCE, "project"), "Decryption and Decompression completed", "decrypted_decompressed"
    ),
}
# How our fields are called by LEXIS.
_FIELDS = {"source": "source_path", "target": "target_path", "key": "project"}


def blueprint_at(name: str, prefix: str) -> APIBlueprint:
    """LEXIS's routes under one of the prefixes."""
    blueprint = APIBlueprint(f"lexis_{name}", __name__, url_prefix=prefix or None, enable_openapi=False)
    blueprint.before_request(_require_caller)
    words = ",".join(OPERATIONS)
    submits, polls = f"/encryption/<any({words}):operation>", f"/encryption/<any({words}):operation>/<request_id>"
    blueprint.add_url_rule(submits, "submit", submit, methods=["POST"])
    blueprint.add_url_rule(submits, "no_submit", _not_allowed, methods=["GET", "PUT", "PATCH", "DELETE"])
    blueprint.add_url_rule(polls, "poll", poll, methods=["GET"])
    blueprint.add_url_rule(polls, "no_poll", _not_allowed, methods=["POST", "PUT", "PATCH", "DELETE"])
    blueprint.register_error_handler(JobError, lambda error: _error(CODES[error.code], _named(error)))
    blueprint.register_error_handler(Problem, lambda error: _error(error.status, str(error)))
    blueprint.register_error_handler(HTTPException, lambda error: _error(error.code or 500, error.name))
    return blueprint


def submit(operation: str) -> Response:
    """201 with the request's id once it is owed to the zone; 400 names the field that is wrong."""
    given = _body()
    for name in OPERATIONS[operation].required:
        if not isinstance(given.get(name), str) or not given[name]:
            raise JobError("missing_field", f"{name} is missing", field=name)
    asked = model.from_json(_request(operation, given))
    done = forwarding.submit(service(), caller(), asked, 0)
    return _json({"request_id": done.job_id, "links": {"job": _link(done.job_id)}}, 201)


def poll(operation: str, request_id: str) -> Response:
    """200 with the status text of the job's own operation, and where its result lies."""
    try:
        job = reading.job(service(), caller(), request_id)
    except JobError as error:
        if error.code in ("zone_unavailable", "zone_error", "configuration"):
            raise
        return _json({"status": PENDING if error.code == "job_not_found" else FAILED + error.text})
    shown = {name: job[name] for name in ("state", "waiting", "progress", "error")}
    target = _relative(job["target"] or job["source"])
    return _json({"status": status_of(job), "target_path": target, **shown, "links": {"job": _link(job["id"])}})


def status_of(job: dict[str, Any]) -> str:
    """LEXIS's text for a job's state."""
    if job["state"] in _TEXTS:
        return _TEXTS[job["state"]]
    if job["state"] == states.SUCCEEDED:
        return OPERATIONS[job["operation"]].done
    return FAILED + (job["error"]["text"] if job["error"] else job["state"])


_TEXTS = {states.QUEUED: PENDING, states.RUNNING: RUNNING, states.RETRYING: RUNNING}


def _request(operation: str, given: dict[str, Any]) -> dict[str, Any]:
    source = _absolute(given["source_system"], given["source_path"])
    target = given.get("target_path")
    values = {
        "operation": operation,
        "source": source,
        "target": _absolute(given["source_system"], target) if target else f"{source}_{OPERATIONS[operation].word}",
    }
    if methods.ENCRYPT in methods.OPERATIONS[operation].steps:
        values["key"] = service().settings.lexis.key.replace("{project}", given["project"])
    return values


def _absolute(system: str, path: object) -> str:
    base = _systems().get(system)
    if base is None:
        raise JobError("bad_value", f"unknown system {ascii(system)[:80]}", field="source_system")
    if not isinstance(path, str):
        raise JobError("bad_value", "a path is not a text", field="source_path")
    base = base.rstrip("/")
    path = path.rstrip("/")
    return path if path.startswith(f"{base}/") else f"{base}/{path.lstrip('/')}"


def _systems() -> dict[str, str]:
    """The zone itself is a system, unless the settings say otherwise."""
    zone = service().zone.name
    return {zone: f"/{zone}", **service().settings.lexis.systems}


def _relative(path: str) -> str:
    bases = [base.rstrip("/") + "/" for base in _systems().values()]
    return path.removeprefix(max((base for base in bases if path.startswith(base)), key=len, default=""))


def _body() -> dict[str, Any]:
    try:
        given = json.loads(request.get_data())
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise JobError("malformed_json", "the body is not a JSON object")
    return given


def _require_caller() -> None:
    """LEXIS's code takes the second word of the header, whatever the first says."""
    words = request.headers.get("Authorization", "").split()
    try:
        known = Authorization.from_header(f"Basic {words[1]}") if len(words) == 2 else None
        g.user = service().callers.user(known)
    except Problem:
        raise Problem("login_required", "invalid token") from None


def _not_allowed(**_: str) -> Response:
    return _error(405, "method not allowed")


def _named(error: JobError) -> str:
    """The error's text, with the field as LEXIS calls it."""
    field = _FIELDS.get(error.field or "", error.field)
    return f"{field}: {error.text}" if field else error.text


def _error(status: int, text: str) -> Response:
    return _json({"status": str(status), "errorString": text}, status)


def _link(job_id: str) -> str:
    return url_for("jobs.get_job", job_id=job_id)


def _json(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value), status, content_type="application/json")
