"""What the routes have in common: a body that is JSON, a rule of the zone, an answer in JSON."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, request

from api_shim.problems import Problem
from api_shim.service import caller, service
from python_rules.jobs.errors import JobError


def answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(json.dumps(value), status, headers, content_type="application/json")


def require_json() -> None:
    """Refuse a body that does not say that it is JSON."""
    if not request.is_json:
        raise Problem("unsupported_media_type", "the body is not application/json", remedy="send application/json")


def parsed(text: bytes) -> Any:
    """The JSON values of a body; None for what is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def asked(rule: str, *texts: str) -> Any:
    """The zone's answer to a named rule, called as the caller and never as anybody else; raises JobError."""
    told = service().zone.call(caller(), rule, *texts)
    if "error" in told:
        raise JobError.from_public(told["error"])
    return told["ok"]
