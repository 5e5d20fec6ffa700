"""The routes of administrators: hold all jobs of the zone, and let them go on. The zone decides who is one."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, request

from api_shim.exchange import answer, asked, require_json
from api_shim.service import caller, require_caller, service
from python_rules import names
from python_rules.jobs import beat
from python_rules.jobs.errors import RequestError
from workers import catalogue

blueprint = APIBlueprint("administration", __name__, url_prefix="/api/v1")
blueprint.before_request(require_caller)
_LONGEST_REASON = 400


@blueprint.get("/service")
@blueprint.doc(operation_id="getService", tags=["service"])
def show() -> Response:
    """Tell whether the zone's jobs are paused, by whom and why."""
    zone = service().zone
    told = zone.work(caller(), lambda session: catalogue.told(session, zone.ledger, beat.PAUSED_ATTRIBUTE))
    return answer({"paused": next(iter(told), None)})


@blueprint.post("/service/pause")
@blueprint.doc(operation_id="pauseService", tags=["service"])
def pause() -> Response:
    """Let no job begin; running ones stop between two objects. Administrators only."""
    return answer({"paused": asked(names.PAUSE, _reason())["paused"]})


@blueprint.post("/service/resume")
@blueprint.doc(operation_id="resumeService", tags=["service"])
def resume() -> Response:
    """Let jobs run again. Administrators only."""
    asked(names.RESUME)
    return answer({"paused": None})


def _reason() -> str:
    """The body's one member, a short text; '' for no body."""
    if not request.get_data():
        return ""
    require_json()
    given = request.get_json(silent=True)
    if not isinstance(given, dict) or set(given) - {"reason"}:
        raise RequestError("malformed_json", "the body is not an object with a reason", remedy='{"reason": "..."}')
    reason = given.get("reason", "")
    if not isinstance(reason, str) or len(reason) > _LONGEST_REASON or not reason.isprintable():
        remedy = f"at most {_LONGEST_REASON} characters in one line"
        raise RequestError("bad_value", "reason is not a short text", field="reason", remedy=remedy)
    return reason
