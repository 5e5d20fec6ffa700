"""The description of the API is valid, complete and what the code does."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from api_shim import openapi, shapes
from python_rules.jobs import model, record, states
from tests.unit.shim.conftest import basic


@pytest.fixture
def spec(client: FlaskClient) -> dict[str, Any]:
    """The description as it is served."""
    answer: dict[str, Any] = client.get("/openapi.json").get_json()
    return answer


def test_it_is_valid_openapi_3_1(spec: dict[str, Any]) -> None:
    """An independent validator says so."""
    assert spec["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(spec).validate()


def test_every_route_of_the_api_is_described(app: Flask, spec: dict[str, Any]) -> None:
    """A route without a row in the table, or a row without a route, is a mistake; uploads are described by TUS."""
    routes = {re.sub(r"<(?:path:)?(\w+)>", r"{\1}", str(rule)) for rule in app.url_map.iter_rules()}
    routes = {path for path in routes if path.startswith("/api/v1/") and not path.startswith("/api/v1/uploads/")}
    described = {row["operationId"] for path in spec["paths"].values() for row in path.values() if "operationId" in row}

    assert routes <= set(spec["paths"])
    assert described == set(openapi.OPERATIONS)


def test_the_request_has_the_fields_of_the_model() -> None:
    """All but the id, which the service makes."""
    assert set(shapes.REQUEST) == set(model.JobRequest.__dataclass_fields__) - {"id"}


@pytest.mark.parametrize("state", sorted(states.STATES))
def test_jobs_have_the_shape_that_is_described(spec: dict[str, Any], state: str) -> None:
    """What record.public makes is valid against the schema, with nothing more and nothing less."""
    request = model.from_json(
        {"operation": "encrypt", "source": "/z/a", "key": "k", "id": "6b1f8d1e-6f0a-4f57-8d1c-0f3f0f5d2b11"}
    )
    body = record.Body(request.id, "alice#z", "rest", "2026-11-22T12:00:00Z", request)
    error = {"code": "engine_failed", "text": "t", "field": None, "remedy": "", "object": "/z/a", "offset": 3}
    status = record.Status(state=state, error=error if state == "failed" else None)
    status.transitions.append({"number": "1", "state": state, "time": "2026-11-22T12:00:01Z", "actor": "x"})

    jsonschema.validate(
        record.public(body, status), {"$ref": "#/components/schemas/Job", "components": spec["components"]}
    )


def test_problems_have_the_shape_that_is_described(client: FlaskClient, spec: dict[str, Any]) -> None:
    """One from HTTP and one from the model."""
    schema = {"$ref": "#/components/schemas/Problem", "components": spec["components"]}
    for path in ("/nothing", "/api/v1/jobs/not-a-job"):
        jsonschema.validate(client.get(path, headers=basic("alice")).get_json(force=True), schema)


def test_readiness_names_what_is_missing(client: FlaskClient) -> None:
    """The zone of these tests is away, and no worker runs; the spool and the database are there."""
    answer = client.get("/ready")

    assert answer.status_code == 503
    assert [row["what"] for row in answer.get_json()["missing"]] == ["zone", "worker"]
    assert client.get("/health").get_json()["alive"] is True


def test_the_page_loads_nothing_from_elsewhere(client: FlaskClient) -> None:
    """Each file that the page names is served by us; the policy forbids others."""
    page = client.get("/docs")
    named = re.findall(r'(?:src|href)="([^"]+)"', page.get_data(as_text=True))

    assert "//" not in page.get_data(as_text=True)
    assert len(named) == 4
    for name in named:
        assert client.get(f"/{name}").status_code == 200
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert client.get("/").headers["Location"] == "/docs"
