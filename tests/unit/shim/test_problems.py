"""Every error is a problem document: code, field and remedy; no traceback, no secret."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from flask.testing import FlaskClient

from api_shim.app import create_app
from tests.unit.shim.conftest import basic, login
from workers.app import SluiceCelery
from workers.settings import Settings

GOOD = {"operation": "compress", "source": "/tempZone/home/alice/data"}


def post(client: FlaskClient, body: object, **headers: str) -> tuple[int, dict[str, Any]]:
    """A submit of alice; status and document."""
    data = body if isinstance(body, (str, bytes)) else json.dumps(body)
    answer = client.post(
        "/api/v1/jobs", data=data, headers={"Content-Type": "application/json", **basic("alice"), **headers}
    )
    return answer.status_code, answer.get_json(force=True)


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ("{", 400, "malformed_json", None),
        ("[]", 400, "malformed_json", None),
        (b"\xff\xfe", 400, "malformed_json", None),
        ("[" * 2000, 400, "malformed_json", None),
        ({}, 400, "missing_field", "operation"),
        ({"operation": "compress"}, 400, "missing_field", "source"),
        ({**GOOD, "operation": "shred"}, 400, "unknown_operation", "operation"),
        ({**GOOD, "compression": "lzw"}, 400, "unknown_method", "compression"),
        ({**GOOD, "colour": "red"}, 400, "unknown_field", "colour"),
        ({**GOOD, "source": "/tempZone/home/../rods"}, 400, "bad_path", "source"),
        ({**GOOD, "source": "/tempZone/a\nb"}, 400, "bad_path", "source"),
        ({**GOOD, "source": "/tempZone/a\0b"}, 400, "bad_path", "source"),
        ({**GOOD, "source": "/tempZone/\ud800"}, 400, "bad_path", "source"),
        ({**GOOD, "source": 7}, 400, "missing_field", "source"),
        ({**GOOD, "level": 99}, 400, "bad_value", "level"),
        ({**GOOD, "operation": "encrypt"}, 400, "missing_field", "key"),
        ({**GOOD, "id": "00000000-0000-4000-8000-000000000000"}, 400, "bad_value", "id"),
        ({**GOOD, "objects": ["x" * 3000]}, 413, "body_too_large", None),
    ],
)
def test_a_bad_request_is_refused_at_once(
    client: FlaskClient, body: object, status: int, code: str, field: str | None
) -> None:
    """The document names the field, the code and a remedy; nothing is queued."""
    answered, problem = post(client, body)

    assert (answered, problem["code"], problem["field"]) == (status, code, field)
    assert problem["remedy"]
    assert problem["status"] == status


def test_two_idempotency_keys_are_one_too_many(client: FlaskClient) -> None:
    """Header and body must agree."""
    status, problem = post(client, {**GOOD, "idempotency_key": "a"}, **{"Idempotency-Key": "b"})

    assert (status, problem["field"]) == (400, "idempotency_key")


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_that_is_not_json_is_refused(client: FlaskClient, media_type: str) -> None:
    """Another media type is 415, before the body is looked at."""
    answer = client.post("/api/v1/jobs", data="x", headers={**basic("alice"), "Content-Type": media_type})

    assert (answer.status_code, answer.get_json(force=True)["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "no_such_route"),
        ("GET", "/api/v1/nothing", 404, "no_such_route"),
        ("GET", "/docs/../../etc/passwd", 404, "no_such_route"),
        ("GET", "/docs/%2e%2e%2fapp.py", 404, "no_such_route"),
        ("DELETE", "/api/v1/jobs", 405, "method_not_allowed"),
        ("GET", "/api/v1/jobs?limit=0", 400, "bad_value"),
        ("GET", "/api/v1/jobs?limit=1e3", 400, "bad_value"),
        ("GET", "/api/v1/jobs?limit=٣", 400, "bad_value"),
        ("GET", "/api/v1/jobs?state=lost", 400, "bad_value"),
        ("GET", "/api/v1/jobs?cursor=!!", 400, "bad_value"),
        ("GET", "/api/v1/jobs?cursor=W10", 400, "bad_value"),
        ("GET", "/api/v1/jobs?colour=red", 400, "unknown_field"),
        ("GET", "/api/v1/jobs/not-a-job", 404, "job_not_found"),
        ("POST", "/api/v1/jobs/not-a-job/cancel", 404, "job_not_found"),
        ("GET", "/api/v1/jobs", 503, "zone_unavailable"),
    ],
)
def test_every_route_answers_with_a_problem(
    client: FlaskClient, method: str, path: str, status: int, code: str
) -> None:
    """Also routes that do not exist, and a zone that is away."""
    answer = client.open(path, method=method, headers=basic("alice"))

    problem = json.loads(answer.data)
    assert (answer.status_code, problem["code"]) == (status, code)
    assert answer.content_type == "application/problem+json"


def test_a_fault_of_ours_is_a_number(
    settings: Settings, celery: SluiceCelery, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller gets the incident's number; the log gets the traceback under it."""
    app = create_app(settings, celery, login)

    @app.get("/fault")
    def fault() -> str:
        raise RuntimeError("canary-7f3a")

    with caplog.at_level(logging.ERROR):
        answer = app.test_client().get("/fault")

    problem = json.loads(answer.data)
    assert (answer.status_code, problem["code"]) == (500, "internal")
    assert b"canary" not in answer.data
    assert problem["detail"].rpartition(" ")[2] in caplog.text
    assert "canary-7f3a" in caplog.text
