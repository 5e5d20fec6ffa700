"""The routes of plans, policies and systems: each asks the zone as the caller."""

from __future__ import annotations

import json
from typing import Any

from apiflask import APIBlueprint
from flask import Response, request

from api_shim import forwarding
from api_shim.problems import Problem
from api_shim.service import caller, require_caller, service
from python_rules import names
from python_rules.jobs.errors import JobError, RequestError
from python_rules.jobs.paths import checked

blueprint = APIBlueprint("policies", __name__, url_prefix="/api/v1")
blueprint.before_request(require_caller)
_LONGEST_POLICY = 2700  # bytes: a policy is the value of an AVU


@blueprint.post("/plans")
@blueprint.doc(operation_id="planJob", tags=["jobs"])
def plan() -> Response:
    """Tell what a job would do and need, and why it would be refused; nothing is created."""
    _require_json()
    wanted = forwarding.request_of(request.get_data(), None)
    return _asked(names.PLAN, json.dumps(wanted.as_json()))


@blueprint.get("/policies")
@blueprint.doc(operation_id="getPolicy", tags=["policies"])
def show() -> Response:
    """Show what happens to data that is put at a path."""
    return _asked(names.POLICY_SHOW, _path())


@blueprint.put("/policies")
@blueprint.doc(operation_id="setPolicy", tags=["policies"])
def put() -> Response:
    """Set the policy of a collection."""
    _require_json()
    text = request.get_data()
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise RequestError("malformed_json", "the policy is not a JSON object", remedy="see docs/jobs.md")
    policy = json.dumps(given, separators=(",", ":"))
    if len(policy) > _LONGEST_POLICY:
        raise RequestError("bad_value", "the policy is too long", remedy=f"at most {_LONGEST_POLICY} bytes")
    return _asked(names.POLICY_SET, _path(), policy)


@blueprint.delete("/policies")
@blueprint.doc(operation_id="dropPolicy", tags=["policies"])
def drop() -> Response:
    """Take the policy of a collection away."""
    return _asked(names.POLICY_SET, _path(), "")


@blueprint.get("/systems")
@blueprint.doc(operation_id="listSystems", tags=["service"])
def systems() -> Response:
    """List the systems that requests may name: the zone's own, and collections of the zone that have such a name."""
    zone = service().zone.name
    known = {zone: f"/{zone}", **service().settings.lexis.systems}
    rows = [_collection(name, base) for name, base in known.items()] + _answered(names.SYSTEMS, "")["systems"]
    return _json({"systems": sorted(rows, key=lambda row: str(row["name"]))})


@blueprint.get("/systems/<name>")
@blueprint.doc(operation_id="checkSystem", tags=["service"])
def check_system(name: str) -> Response:
    """Tell in one line whether a system works."""
    return _asked(names.SYSTEMS, json.dumps({"check": name}))


def _collection(name: str, base: str) -> dict[str, Any]:
    return {"name": name, "type": "zone", "description": "", "read_only": False, "collection": base}


def _asked(rule: str, *texts: str) -> Response:
    return _json(_answered(rule, *texts))


def _answered(rule: str, *texts: str) -> Any:
    """The zone's answer to a rule, called as the caller; never anybody else."""
    answer = service().zone.call(caller(), rule, *texts)
    if "error" in answer:
        raise JobError.from_public(answer["error"])
    return answer["ok"]


def _path() -> str:
    unknown = sorted(set(request.args) - {"path"})
    if unknown:
        raise RequestError("unknown_field", "unknown parameter", field=unknown[0][:64], remedy="known is path")
    if not request.args.get("path"):
        raise RequestError("missing_field", "path is missing", field="path", remedy="name a collection")
    return checked(request.args["path"], "path")


def _require_json() -> None:
    if not request.is_json:
        raise Problem("unsupported_media_type", "the body is not application/json", remedy="send application/json")


def _json(value: Any) -> Response:
    return Response(json.dumps(value), 200, content_type="application/json")
