"""What goes wrong, as ``application/problem+json`` (RFC 9457) with code, field and remedy.

JobError         from the model or the zone; its status is in ``errors.CODES``
Problem          from HTTP itself: who is asking, which route, how large
anything else    a fault of ours: logged under a number, shown as that number
"""

from __future__ import annotations

import json
import logging
import uuid
from http import HTTPStatus
from typing import Any

from celery.exceptions import BackendError
from flask import Flask, Response
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from python_rules.jobs.errors import CODES, JobError

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger(__name__)

# Status of an error that HTTP itself found, and what a caller is told: code, remedy.
OF_HTTP: dict[int, tuple[str, str]] = {
    400: ("bad_request", "see /docs"),
    404: ("no_such_route", "see /docs for the routes"),
    405: ("method_not_allowed", "see the Allow header"),
    408: ("request_timeout", "send the request again"),
    413: ("body_too_large", "send less"),
    415: ("unsupported_media_type", "send application/json"),
}
# Codes that only the shim uses.
OF_SHIM: dict[str, int] = {
    "login_required": 401,
    "login_unavailable": 503,
    "too_many_requests": 429,
    "queue_unavailable": 503,
    "too_many_streams": 503,
    "not_ready": 503,
    "upload_not_found": 404,
    "wrong_offset": 409,
    "tus_version": 412,
    "range_not_satisfiable": 416,
    "upload_busy": 423,
    "checksum_mismatch": 460,
    "internal": 500,
    **{code: status for status, (code, _) in OF_HTTP.items()},
}


_TITLES = {460: "Checksum Mismatch"}  # of TUS, not of HTTP


class Problem(Exception):
    """Something that only a caller over HTTP is told; ``code`` is one of ``OF_SHIM``."""

    def __init__(self, code: str, text: str, *, remedy: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = OF_SHIM[code]
        self.shown = {"code": code, "text": text, "field": None, "remedy": remedy}
        self.headers = headers or {}


def body(status: int, shown: dict[str, Any]) -> dict[str, Any]:
    """The problem document for what ``JobError.public`` shows; further members are kept."""
    rest = {name: value for name, value in shown.items() if name != "text"}
    title = _TITLES.get(status) or HTTPStatus(status).phrase
    return {
        "type": f"urn:sluice:problem:{shown['code']}",
        "title": title,
        "status": status,
        "detail": shown["text"],
        **rest,
    }


def response(status: int, shown: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """The answer for what ``JobError.public`` shows."""
    return Response(json.dumps(body(status, shown)), status, headers, content_type=MEDIA_TYPE)


def of_job_error(error: JobError) -> Response:
    """The answer for an error of the model or the zone."""
    headers = {"Retry-After": "5"} if error.code == "zone_unavailable" else None
    return response(CODES[error.code], error.public(), headers)


def register(app: Flask) -> None:
    """Answer every error of the application with a problem document."""
    app.register_error_handler(JobError, of_job_error)
    app.register_error_handler(Problem, lambda problem: response(problem.status, problem.shown, problem.headers))
    for kind in (BrokerError, SQLAlchemyError, BackendError):
        app.register_error_handler(kind, _queue_down)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(Exception, _of_ours)


def _of_http(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        return Response(error.get_body(), status, error.get_headers())
    code, remedy = OF_HTTP.get(status, ("bad_request" if status < 500 else "internal", ""))
    shown = {"code": code, "text": error.name, "field": None, "remedy": remedy}
    kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    return response(status, shown, kept)


def _queue_down(error: Exception) -> Response:
    log.warning("the queue or its result database does not answer: %s", type(error).__name__)
    text = "the queue or its database does not answer; nothing was promised"
    remedy = "try again later; the same Idempotency-Key never makes two jobs"
    shown = {"code": "queue_unavailable", "text": text, "field": None, "remedy": remedy}
    return response(503, shown, {"Retry-After": "5"})


def _of_ours(error: Exception) -> Response:
    incident = str(uuid.uuid4())
    log.error("incident %s", incident, exc_info=error)
    text = f"a fault of the service, written down as incident {incident}"
    return response(500, {"code": "internal", "text": text, "field": None, "remedy": "tell the administrator"})
