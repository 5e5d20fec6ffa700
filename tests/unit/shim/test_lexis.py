"""LEXIS v0.2 for encryption and compression, row by row: the tables here are the interface's documentation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api_shim import lexis, lexis_table
from api_shim.app import create_app
from python_rules.jobs import model, record, states
from tests.unit.shim.conftest import basic, login
from workers import settings as settings_module
from workers.app import make_app

PREFIXES = ["", "/api/v0.1.1", "/api/v0.2/dataset"]

# operation, required members, the text of success
ROWS = [
    ("encrypt", ["source_system", "source_path", "project"], "Encryption completed"),
    ("decrypt", ["source_system", "source_path", "project"], "Decryption completed"),
    ("compress", ["source_system", "source_path"], "Compression completed"),
    ("decompress", ["source_system", "source_path"], "Decompression completed"),
    ("compress_encrypt", ["source_system", "source_path", "project"], "Compression and Encryption completed"),
    ("decrypt_decompress", ["source_system", "source_path", "project"], "Decryption and Decompression completed"),
]
# our state, LEXIS's text
TEXTS = [
    ("queued", "Task still in the queue, or task does not exist"),
    ("running", "In progress"),
    ("retrying", "In progress"),
    ("failed", "Task Failed, reason: the disk is full"),
    ("partial", "Task Failed, reason: the disk is full"),
    ("cancelled", "Task Failed, reason: cancelled"),
]
BODY = {"source_system": "it4i_iwds", "source_path": "project/proj1/abc", "project": "wp5"}


@pytest.fixture(scope="module")
def app(content: dict[str, Any]) -> Flask:
    """The shim, with one LEXIS system."""
    lexis_settings = {"systems": {"it4i_iwds": "/tempZone/lexis"}, "key": "lexis-{project}"}
    settings = settings_module.from_json({**content, "lexis": lexis_settings})
    return create_app(settings, make_app(settings), login)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(("operation", "required", "_"), ROWS)
def test_submit_answers_201_with_the_request_id(
    client: FlaskClient, prefix: str, operation: str, required: list[str], _: str
) -> None:
    """POST <prefix>/encryption/<operation>, with the required members alone."""
    body = {name: BODY[name] for name in required}

    answer = client.post(f"{prefix}/encryption/{operation}", json=body, headers=basic("alice"))

    assert answer.status_code == 201
    assert model.is_job_id(answer.get_json()["request_id"])


@pytest.mark.parametrize(("operation", "required", "_"), ROWS)
def test_each_required_member_is_asked_for(client: FlaskClient, operation: str, required: list[str], _: str) -> None:
    """Without it: 400 {"status": "400", "errorString": ...} that names it."""
    for missing in required:
        body = {name: BODY[name] for name in required if name != missing}
        answer = client.post(f"/encryption/{operation}", json=body, headers=basic("alice"))

        assert answer.status_code == 400
        assert answer.get_json()["status"] == "400"
        assert missing in answer.get_json()["errorString"]


@pytest.mark.parametrize(("operation", "_", "text"), ROWS)
def test_the_text_of_success(operation: str, _: list[str], text: str) -> None:
    """Orchestrators compare it literally."""
    assert lexis.status_of({"state": states.SUCCEEDED, "operation": operation, "error": None}) == text


@pytest.mark.parametrize(("state", "text"), TEXTS)
def test_the_text_of_every_other_state(state: str, text: str) -> None:
    """A failure says why after the fixed prefix."""
    error = {"text": "the disk is full"} if state in ("failed", "partial") else None

    assert lexis.status_of({"state": state, "operation": "encrypt", "error": error}) == text


def test_the_tables_cover_every_operation_and_state() -> None:
    """Nothing of ours can show a text that an orchestrator does not know."""
    others = {"stage", "delete", "replicate", "duplicate"}  # tests/unit/shim/test_lexis_routes.py
    assert {row[0] for row in ROWS} | others == set(lexis_table.DONE)
    assert {row[0] for row in TEXTS} | {"succeeded"} == states.STATES


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"source_system": "elsewhere"}, "source_system"),
        ({"source_path": "../../home/bob"}, "source_path"),
        ({"source_path": 7}, "source_path"),
        ({"target_path": "a\nb"}, "target_path"),
        ({"project": "a key with spaces"}, "project"),
    ],
)
def test_a_wrong_member_is_named_as_lexis_calls_it(client: FlaskClient, change: dict[str, Any], named: str) -> None:
    """400 with the name that the caller used."""
    answer = client.post("/encryption/encrypt", json={**BODY, **change}, headers=basic("alice"))

    assert (answer.status_code, answer.get_json()["status"]) == (400, "400")
    assert answer.get_json()["errorString"].startswith(named)


@pytest.mark.parametrize("scheme", ["Basic", "Bearer", "anything"])
def test_the_second_word_of_the_header_counts(client: FlaskClient, scheme: str) -> None:
    """LEXIS's own services send "Basic <token>" and "Bearer <token>" alike."""
    word = basic("alice")["Authorization"].split()[1]

    answer = client.post("/encryption/compress", json=BODY, headers={"Authorization": f"{scheme} {word}"})

    assert answer.status_code == 201


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer"}, {"Authorization": "Bearer x"}, basic("alice", "no")]
)
def test_without_a_known_caller_it_is_401_invalid_token(client: FlaskClient, headers: dict[str, str]) -> None:
    """Yorc looks for these words in lower case."""
    answer = client.post("/encryption/compress", json=BODY, headers=headers)

    assert (answer.status_code, answer.get_json()) == (401, {"status": "401", "errorString": "invalid token"})


@pytest.mark.parametrize(("method", "path"), [("GET", "/encryption/encrypt"), ("POST", "/encryption/encrypt/some-id")])
def test_another_method_is_405(client: FlaskClient, method: str, path: str) -> None:
    """In LEXIS's own form."""
    answer = client.open(path, method=method, headers=basic("alice"))

    assert (answer.status_code, answer.get_json()["status"]) == (405, "405")


def test_an_id_that_is_no_id_is_still_in_the_queue(client: FlaskClient) -> None:
    """LEXIS never answers 404 here."""
    answer = client.get("/encryption/encrypt/not-an-id", headers=basic("alice"))

    assert (answer.status_code, answer.get_json()) == (
        200,
        {"status": "Task still in the queue, or task does not exist"},
    )


def test_the_request_that_reaches_the_zone(app: Flask) -> None:
    """System and project become a collection and the name of a key; the target lies beside the source."""
    answer = app.test_client().post("/encryption/compress_encrypt", json=BODY, headers=basic("alice"))

    row = app.extensions["sluice"].celery.rows.find(answer.get_json()["request_id"])
    request = record.from_json(json.loads(row.content["request"]))
    assert (request.source, request.target, request.key) == (
        "/tempZone/lexis/project/proj1/abc",
        "/tempZone/lexis/project/proj1/abc_compressed_encrypted",
        "lexis-wp5",
    )
