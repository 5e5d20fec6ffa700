"""LEXIS v0.2, byte for byte; what each route takes and says stands in ``lexis_table``.

Orchestrators compare the status texts literally and fail on any other; so members may be added, texts never changed.
An unknown id is "still in the queue", and a request that the zone refuses fails when it is polled, as with LEXIS.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from apiflask import APIBlueprint
from flask import Response, g, request, url_for
from werkzeug.datastructures import Authorization
from werkzeug.exceptions import HTTPException

from api_shim import forwarding, lexis_data, lexis_dataset, lexis_metadata, lexis_transfer, reading
from api_shim.lexis_table import (
    DONE,
    FAILED,
    FAILURES,
    JOBS,
    LOOKS,
    PENDING,
    PREFIXES,
    PRESENT,
    ROUTES,
    RUNNING,
    Route,
    paths,
)
from api_shim.problems import Problem
from api_shim.service import caller, service, view_of_request
from python_rules.jobs import methods, model, states
from python_rules.jobs.errors import CODES, JobError
from python_rules.jobs.paths import address, checked, split
from workers import describing
from workers.rows import REFUSED

_TEXTS = {states.QUEUED: PENDING, states.RUNNING: RUNNING, states.RETRYING: RUNNING}
# How our fields are called by LEXIS.
_FIELDS = {"source": "source_path", "target": "target_path", "key": "project"}
_DUPLICATE = "Duplicate of "  # before its title, where no other is given
_ALL = ("GET", "POST", "PUT", "PATCH", "DELETE")


def blueprint_at(name: str) -> APIBlueprint:
    """LEXIS's routes under one of the prefixes."""
    blueprint = APIBlueprint(f"lexis_{name}", __name__, url_prefix=PREFIXES[name] or None, enable_openapi=False)
    blueprint.before_request(_require_caller)
    taken: dict[str, set[str]] = {}
    for number, route in enumerate(ROUTES):
        for path in paths(route, name):
            taken.setdefault(path, set()).update(route.methods)
            blueprint.add_url_rule(path, f"{number}{path}".replace(".", "-"), _view(route), methods=list(route.methods))
    for rule in (*lexis_transfer.RULES, *lexis_dataset.rules("" if name == "portal" else "/dataset")):
        taken.setdefault(rule.path, set()).add(rule.method)
        blueprint.add_url_rule(rule.path, rule.view.__qualname__.strip("_"), rule.view, methods=[rule.method])
    for path, known in taken.items():
        others = [method for method in _ALL if method not in known]
        blueprint.add_url_rule(path, f"other{path}".replace(".", "-"), _not_allowed, methods=others)
    blueprint.register_error_handler(JobError, lambda error: _error(CODES[error.code], _named(error)))
    blueprint.register_error_handler(Problem, lambda error: _error(error.status, str(error), error.headers))
    blueprint.register_error_handler(HTTPException, lambda error: _error(error.code or 500, error.name))
    return blueprint


def _view(route: Route) -> Callable[..., Response]:
    """The function of a route; the names of its kinds stand in the table."""

    def view(**given: str) -> Response:
        return _KINDS[route.kind](route, **given)

    view.is_open = route.open  # type: ignore[attr-defined]
    return view


def _submit_job(route: Route) -> Response:
    """201 with the request's id once it is owed to the zone; 400 names the field that is wrong."""
    given = _checked(route)
    asked = model.from_json(_REQUESTS.get(route.operation, _conversion)(route.operation, given))
    asked = _with_metadata(asked, given)
    done = forwarding.submit(service(), caller(), asked, 0)
    return _submitted(done.job_id, {"links": {"job": _link(done.job_id)}})


def _with_metadata(asked: model.JobRequest, given: dict[str, Any]) -> model.JobRequest:
    """A request that makes a dataset, with the id under which the dataset's metadata are kept, if there are any."""
    told, taken_over = [], {}
    if asked.operation == methods.STAGE and asked.target.startswith("/"):
        told = lexis_metadata.avus(given.get("metadata") or {})
    elif asked.operation == methods.DUPLICATE:
        title = {"title": given.get("title")}
        lexis_metadata.check(title)
        told, taken_over = lexis_metadata.avus(title), {} if title["title"] else {"title": _DUPLICATE}
    if not (told or taken_over):
        return asked
    asked = replace(asked, id=str(uuid.uuid4()))
    describing.owe(service().celery.rows, caller(), asked, told, taken_over)
    return asked


def _submit_look(route: Route) -> Response:
    """201; what was looked up is remembered until it is polled."""
    given = _checked(route)
    end = route.required[0].partition("_")[0]
    path = _path(given, end)
    try:
        found = LOOKS[route.operation](service(), caller(), path)
    except JobError as error:
        if error.code != "unknown_operation":
            raise
        return _remembered({"user": caller(), "state": REFUSED, "error": error.public()})
    return _remembered({"user": caller(), "state": states.SUCCEEDED, "lexis": found})


def _submit_unknown(route: Route, **_: str) -> Response:
    """201 as LEXIS would; the poll tells at once that it failed, and why."""
    _checked(route)
    error = JobError("unknown_operation", FAILURES[route.operation])
    return _remembered({"user": caller(), "state": REFUSED, "error": error.public()})


def _poll(route: Route, request_id: str) -> Response:
    """200 with the status text of the job's own operation, and where its result lies."""
    row = service().celery.rows.find(request_id) if model.is_job_id(request_id) else None
    if row and row.user == caller() and (row.is_refused or "lexis" in row.content):
        told = row.content.get("lexis") or {"status": FAILED + row.content["error"]["text"]}
        return _json(told)
    try:
        job = reading.job(service(), caller(), request_id)
    except JobError as error:
        if error.code in ("zone_unavailable", "zone_error", "configuration"):
            raise
        return _json({"status": PENDING if error.code == "job_not_found" else FAILED + error.text})
    shown = {name: job[name] for name in ("state", "waiting", "progress", "error")}
    told = {"status": _status(job), "target_path": _relative(job["target"] or job["replica"] or job["source"])}
    if job["operation"] == methods.REPLICATE:
        told["PID"] = ""  # this zone gives none; the member is LEXIS's
    return _json({**told, **shown, "links": {"job": _link(job["id"])}})


def _look(route: Route) -> Response:
    """200 with what the catalogue says now."""
    given = _checked(route)
    return _json(lexis_data.NOW[route.operation](service(), caller(), _path(given, "target")))


def _download(route: Route) -> Response:
    """The stored bytes of a data object, or a collection as one .tar.gz."""
    return lexis_transfer.stream(_path(_checked(route), "source"))


def _refuse(route: Route, **_: str) -> Response:
    """LEXIS answers these at once, so there is no poll that could tell: an error in its own form."""
    _checked(route)
    return _error(400, f"this zone does not offer {route.operation}")


def _info(_: Route) -> Response:
    """The names of the systems; LEXIS does not ask who wants to know."""
    return _json(sorted(_systems()))


_KINDS: dict[str, Callable[..., Response]] = {
    "job": _submit_job,
    "look up": _submit_look,
    "unknown": _submit_unknown,
    "poll": _poll,
    "now": _look,
    "download": _download,
    "refuse": _refuse,
    "info": _info,
}


def status_of(job: dict[str, Any]) -> str:
    """LEXIS's text for a job's state."""
    if job["state"] in _TEXTS:
        return _TEXTS[job["state"]]
    if job["state"] == states.SUCCEEDED:
        return DONE[job["operation"]]
    return FAILED + (job["error"]["text"] if job["error"] else job["state"])


def _status(job: dict[str, Any]) -> str:
    """LEXIS's text for a job whose target may have metadata to come: it is not done before they are there."""
    is_new = job["state"] == states.SUCCEEDED and job["operation"] in (methods.STAGE, methods.DUPLICATE)
    left = describing.owed(service().celery.rows, job["id"]) if is_new else None
    if left is None:
        return status_of(job)
    error = left.content.get("error")
    return f"{FAILED}the data are in place, but not their metadata: {error['text']}" if error else RUNNING


def _checked(route: Route) -> dict[str, Any]:
    """The body, with every member that the route requires."""
    given = _body() if route.required else {}
    hpc = service().settings.lexis.hpc.split()
    for name in (*route.required, *(route.also(given, _systems(), hpc) if route.also else ())):
        value = given.get(name)
        if name not in given or not (name in PRESENT or (value and isinstance(value, str | int))):
            raise JobError("missing_field", f"{name} is missing", field=name)
    lexis_metadata.check(given.get("metadata"))
    for name, words in route.words.items():
        if given[name] not in words:
            raise JobError("bad_value", f"{name} must be one of {', '.join(words)}", field=name)
    return given


def _conversion(operation: str, given: dict[str, Any]) -> dict[str, Any]:
    source = _path(given, "source")
    row = JOBS[operation]
    values = {"operation": row.ours, "source": source, "target": f"{source}_{row.word}"}
    if given.get("target_path"):
        values["target"] = _absolute(str(given["source_system"]), given["target_path"], "source_system")
    if methods.ENCRYPT in methods.OPERATIONS[row.ours].steps:
        values["key"] = service().settings.lexis.key.replace("{project}", str(given["project"]))
    return values


def _deletion(operation: str, given: dict[str, Any]) -> dict[str, Any]:
    return {"operation": operation, "source": _path(given, "target")}


def _replication(operation: str, given: dict[str, Any]) -> dict[str, Any]:
    """Without a target path the replica has the same path on the other system."""
    source = _path(given, "source")
    same = {**given, "target_path": given.get("target_path") or _relative(source)}
    return {"operation": operation, "source": source, "replica": _path(same, "target")}


def _duplication(operation: str, given: dict[str, Any]) -> dict[str, Any]:
    """A new dataset has a name of its own, as with LEXIS: a UUID below the target path, or beside the source."""
    source = _path(given, "source")
    below = split(source)[0]
    if given.get("target_path"):
        below = _path({"target_system": given["source_system"], **given}, "target")
    return {"operation": operation, "source": source, "target": f"{below}/{uuid.uuid4()}"}


def _staging(operation: str, given: dict[str, Any]) -> dict[str, Any]:
    """The direction decides the verb: into the zone what is asked for is done, out of it undone."""
    source, target = (_end(given, end) for end in ("source", "target"))
    values: dict[str, Any] = {"operation": operation, "source": source, "target": target}
    asked = {name: given[name] == "yes" for name in ("compression", "encryption")}
    if target.startswith("/"):
        values["compression"] = "zstd" if asked["compression"] else ""
        if asked["encryption"]:
            values["key"] = service().settings.lexis.key.replace("{project}", _project(given, target))
    elif source.startswith("/"):
        values["decode"] = any(asked.values())
    return values


def _project(given: dict[str, Any], path: str) -> str:
    """The project that is named, or the one that LEXIS's paths tell of: /<zone>/project/proj<hash>/<dataset>."""
    told = next((part for part in path.split("/") if part.startswith("proj") and part != "project"), "")
    if not (given.get("project") or told):
        raise JobError("missing_field", "project is missing", field="project")
    return str(given.get("project") or told)


def _end(given: dict[str, Any], end: str) -> str:
    """A path of the zone, or an address on a system that the zone knows."""
    system = str(given[f"{end}_system"])
    if system in _systems():
        return _path(given, end)
    return address(f"{system}:{given[f'{end}_path']}", f"{end}_path")


_REQUESTS: dict[str, Callable[[str, dict[str, Any]], dict[str, Any]]] = {
    "stage": _staging,
    "delete": _deletion,
    "replicate": _replication,
    "duplicate": _duplication,
}


def _path(given: dict[str, Any], end: str) -> str:
    path = _absolute(str(given[f"{end}_system"]), given[f"{end}_path"], f"{end}_system")
    return checked(path, f"{end}_path")


def _absolute(system: str, path: object, field: str) -> str:
    base = _systems().get(system)
    if base is None:
        raise JobError("bad_value", f"unknown system {ascii(system)[:80]}", field=field)
    if not isinstance(path, str):
        raise JobError("bad_value", "a path is not a text", field=field.replace("system", "path"))
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


def _remembered(content: dict[str, Any]) -> Response:
    request_id = str(uuid.uuid4())
    service().celery.rows.show(request_id, content)
    return _submitted(request_id, {})


def _submitted(request_id: str, more: dict[str, Any]) -> Response:
    return _json({"request_id": request_id, **more}, 201)


def _require_caller() -> None:
    """LEXIS's code takes the second word of the header, whatever the first says: a token, or user:password."""
    if getattr(view_of_request(), "is_open", False):
        return
    words = request.headers.get("Authorization", "").split()
    scheme = "Bearer" if len(words) == 2 and words[1].count(".") == 2 else "Basic"
    try:
        known = Authorization.from_header(f"{scheme} {words[1]}") if len(words) == 2 else None
        g.user = service().callers.user(known, request.remote_addr or "")
    except Problem as problem:
        if problem.status != 401:
            raise
        raise Problem("login_required", "invalid token") from None


def _not_allowed(**_: str) -> Response:
    return _error(405, "method not allowed")


def _named(error: JobError) -> str:
    """The error's text, with the field as LEXIS calls it."""
    field = _FIELDS.get(error.field or "", error.field)
    return f"{field}: {error.text}" if field else error.text


def _error(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return _json({"status": str(status), "errorString": text}, status, headers)


def _link(job_id: str) -> str:
    return url_for("jobs.get_job", job_id=job_id)


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(value), status, headers, content_type="application/json")
