"""What the routes of keys refuse before the zone is asked; the rest is tests/e2e/test_keys_doors.py."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.unit.shim.conftest import basic


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/keys", {"name": "k", "secret": "AAAA"}, "secret"),
        ("/keys", {"name": 7}, "name"),
        ("/keys/k/rotate", {"version": 1}, "version"),
        ("/keys/k/grant", {"who": ["a#z", 1], "rights": []}, "who"),
        ("/keys/k/destroy", {"days": 0}, "days"),
        ("/keys/k/enable", {"version": True}, "version"),
        ("/shares", {"path": "/z/a", "private": "AAAA"}, "private"),
    ],
)
def test_a_member_that_does_not_belong_is_named(client: FlaskClient, path: str, body: Any, field: str) -> None:
    """No body brings a secret, or shortens the zone's delay."""
    answer = client.post(f"/api/v1{path}", json=body, headers=basic("alice"))
    assert (answer.status_code, answer.get_json(force=True)["field"]) == (400, field)


@pytest.mark.parametrize("text", [b"[]", b"1", b"{", b'"x"'])
def test_a_body_that_is_no_object_is_refused(client: FlaskClient, text: bytes) -> None:
    """Whatever else it is."""
    headers = {**basic("alice"), "Content-Type": "application/json"}
    answer = client.post("/api/v1/keys/k/grant", data=text, headers=headers)
    assert (answer.status_code, answer.get_json(force=True)["code"]) == (400, "malformed_json")


def test_other_media_types_are_refused(client: FlaskClient) -> None:
    """A form is not JSON."""
    answer = client.post("/api/v1/keys", data={"name": "k"}, headers=basic("alice"))
    assert answer.status_code == 415


@pytest.mark.parametrize("path", ["/keys", "/keys/k"])
def test_nobody_is_told_anything(client: FlaskClient, path: str) -> None:
    """Without credentials."""
    assert client.get(f"/api/v1{path}").status_code == 401
