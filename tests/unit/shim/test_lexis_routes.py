"""LEXIS v0.2, every route: this table is the interface's documentation (encryption has test_lexis.py to itself).

Each route is found under three prefixes: none (the service), /api/v0.1.1 (the gateway), /api/v0.2/dataset (the
portal, which leaves /staging out). A submit answers 201 {"request_id": ...}; a poll answers 200 {"status": ...}.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api_shim import lexis_table
from api_shim.app import create_app
from tests.unit.shim.conftest import basic, login
from workers import settings as settings_module
from workers.app import make_app

PREFIXES = ["", "/api/v0.1.1", "/api/v0.2/dataset"]
PENDING = "Task still in the queue, or task does not exist"
FAILED = "Task Failed, reason: "

SOURCE = {"source_system": "it4i", "source_path": "project/proj1/abc"}
TARGET = {"target_system": "lrz", "target_path": "project/proj1/abc"}
FLAGS = {"encryption": "no", "compression": "no"}
HPC = {"task_id": "1", "job_id": "2", "heappe_url": "https://heappe"}
METADATA = {"metadata": {"title": "t"}}

# method, path, the members that are required, where it is polled
UNKNOWN: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("POST", "/compress/zip", {**SOURCE, "size": 100}, "/compress/zip", "this zone does not offer zip"),
    ("POST", "/cloud/add/10.0.0.1", {}, "/cloud/add", "this zone does not offer exports"),
    ("POST", "/staging/cloud/add/10.0.0.1", {}, "/staging/cloud/add", "this zone does not offer exports"),
    # There is no export that could be taken away: Yorc's plug-in counts this ending as done.
    ("POST", "/cloud/remove/10.0.0.1", {}, "/cloud/remove", "IP not found"),
]
# the same, and the request that reaches the zone
HOME = "/tempZone/it4i/project/proj1"
THERE = "/tempZone/lrz/project/proj1/abc"
YES = {"encryption": "yes", "compression": "yes"}
OUT = {**SOURCE, **TARGET, **YES, **HPC, "target_system": "hpc"}
IN = {**OUT, "source_system": "hpc", "target_system": "lrz"}
STAGE = "/staging/stage"
JOBS: list[tuple[str, str, dict[str, Any], str, dict[str, Any]]] = [
    (
        "DELETE",
        "/staging/delete",
        TARGET,
        "/staging/delete",
        {"operation": "delete", "source": "/tempZone/lrz/project/proj1/abc", "original": "trash"},
    ),
    ("POST", "/staging/delete", TARGET, "/staging/delete", {"operation": "delete", "original": "trash"}),
    (
        "POST",
        STAGE,
        {**SOURCE, **TARGET, **FLAGS, **METADATA},
        STAGE,
        {"operation": "stage", "source": f"{HOME}/abc", "target": THERE, "compression": "", "encryption": ""},
    ),
    ("POST", STAGE, OUT, STAGE, {"source": f"{HOME}/abc", "target": "hpc:project/proj1/abc", "decode": True}),
    ("POST", STAGE, IN, STAGE, {"source": "hpc:project/proj1/abc", "target": THERE, "key": "proj1"}),
    (
        "POST",
        "/staging/replicate",
        {**SOURCE, "target_system": "lrz"},
        "/staging/replicate",
        {"operation": "replicate", "source": f"{HOME}/abc", "replica": "/tempZone/lrz/project/proj1/abc"},
    ),
    (
        "POST",
        "/staging/duplicate",
        SOURCE,
        "/staging/duplicate",
        {"operation": "duplicate", "source": f"{HOME}/abc", "target": f"{HOME}/<uuid>"},
    ),
]
SUBMITS = [*(row[:4] for row in UNKNOWN), *(row[:4] for row in JOBS)]
# method, path, the members that are required: LEXIS answers at once
DATASET = {"internalID": "a", "access": "project", "project": "p"}
AT_ONCE: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/staging/pid/assign", SOURCE),
    ("POST", "/dataset", {"push_method": "empty", "access": "project", "project": "p"}),
    ("DELETE", "/dataset", DATASET),
    ("POST", "/dataset/listing", DATASET),
    ("POST", "/transfer/download", {"zone": "tempZone", "access": "project", "project": "p", "dataset_id": "a"}),
    ("POST", "/staging/replication/status", TARGET),
    ("POST", "/staging/data/flags", TARGET),
    ("POST", "/staging/data/size", TARGET),
    ("POST", "/staging/download", SOURCE),
    ("POST", "/ssh/sshfsexport", {"host": "h", "pubkey": "k", "path": "p"}),
    ("DELETE", "/ssh/sshfsexport", {"user": "u", "path": "p"}),
]
# LEXIS answers at once, and this zone never does it
NEVER = [
    ("POST", "/ssh/sshfsexport", {"host": "h", "pubkey": "k", "path": "p"}),
    ("DELETE", "/ssh/sshfsexport", {"user": "u", "path": "p"}),
]
POLLS = [
    "/encryption/encrypt",
    "/encryption/decrypt_decompress",
    "/staging/stage",
    "/staging/delete",
    "/staging/replicate",
    "/staging/pid",
    "/staging/data/size",
    "/staging/duplicate",
    "/compress/zip",
    "/cloud/add",
    "/cloud/remove",
    "/staging/cloud/add",
]


@pytest.fixture(scope="module")
def app(content: dict[str, Any]) -> Flask:
    """The shim, with two LEXIS systems in the zone."""
    systems = {"it4i": "/tempZone/it4i", "lrz": "/tempZone/lrz"}
    settings = settings_module.from_json({**content, "lexis": {"systems": systems, "hpc": "hpc"}})
    return create_app(settings, make_app(settings), login)


def portal(prefix: str, path: str) -> str:
    """The path under a prefix, as the portal writes it."""
    return prefix + (path.removeprefix("/staging") if "v0.2" in prefix else path)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(("method", "path", "body", "polled", "request_"), JOBS)
def test_what_is_a_job_here_reaches_the_zone(
    client: FlaskClient,
    app: Flask,
    prefix: str,
    method: str,
    path: str,
    body: dict[str, Any],
    polled: str,
    request_: dict[str, str],
) -> None:
    """201 and a job that is owed to the zone; a duplicate has a UUID of its own for a name, as with LEXIS."""
    submitted = client.open(portal(prefix, path), method=method, json=body, headers=basic("alice"))

    assert submitted.status_code == 201, submitted.data
    row = app.extensions["sluice"].celery.rows.find(submitted.get_json()["request_id"])
    asked = json.loads(row.content["request"])
    asked["target"] = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", "<uuid>", asked["target"])
    assert {name: asked[name] for name in request_} == request_


@pytest.mark.parametrize(
    ("more", "target"),
    [
        ({"target_path": "public/x"}, "/tempZone/it4i/public/x/<uuid>"),
        ({"target_path": "public/x", "target_system": "lrz", "title": "t"}, "/tempZone/lrz/public/x/<uuid>"),
    ],
)
def test_where_a_duplicate_goes(client: FlaskClient, app: Flask, more: dict[str, str], target: str) -> None:
    """Below the target path, on the source's system unless another is named."""
    made = client.post("/staging/duplicate", json={**SOURCE, **more}, headers=basic("alice")).get_json()

    asked = json.loads(app.extensions["sluice"].celery.rows.find(made["request_id"]).content["request"])
    assert asked["target"].rpartition("/")[0] == target.rpartition("/")[0]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(("method", "path", "body", "polled", "why"), UNKNOWN)
def test_what_the_zone_cannot_do_fails_when_it_is_polled(
    client: FlaskClient, prefix: str, method: str, path: str, body: dict[str, Any], polled: str, why: str
) -> None:
    """201 as with LEXIS; then the text that orchestrators take for a failure, with the reason."""
    submitted = client.open(portal(prefix, path), method=method, json=body, headers=basic("alice"))

    assert submitted.status_code == 201, submitted.data
    answer = client.get(f"{portal(prefix, polled)}/{submitted.get_json()['request_id']}", headers=basic("alice"))
    assert answer.status_code == 200
    assert answer.get_json()["status"].startswith(FAILED + why)


@pytest.mark.parametrize(("method", "path", "body", "polled"), SUBMITS)
def test_each_member_that_is_required_is_asked_for(
    client: FlaskClient, method: str, path: str, body: dict[str, Any], polled: str
) -> None:
    """Without it: 400 in LEXIS's form, naming it."""
    for missing in body:
        rest = {name: value for name, value in body.items() if name != missing}
        answer = client.open(path, method=method, json=rest, headers=basic("alice"))

        assert (answer.status_code, answer.get_json()["status"]) == (400, "400"), missing


@pytest.mark.parametrize(("method", "path", "body"), AT_ONCE)
def test_each_member_of_what_is_answered_at_once_is_asked_for(
    client: FlaskClient, method: str, path: str, body: dict[str, Any]
) -> None:
    """The same."""
    for missing in body:
        rest = {name: value for name, value in body.items() if name != missing}
        answer = client.open(path, method=method, json=rest, headers=basic("alice"))

        assert (answer.status_code, answer.get_json()["errorString"].split(":")[0]) == (400, missing)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(("method", "path", "body"), NEVER)
def test_what_lexis_answers_at_once_is_refused_in_its_form(
    client: FlaskClient, prefix: str, method: str, path: str, body: dict[str, Any] | None
) -> None:
    """{"status": "400", "errorString": ...}."""
    answer = client.open(prefix + path, method=method, json=body, headers=basic("alice"))

    assert (answer.status_code, answer.get_json()["status"]) == (400, "400")
    assert "does not offer" in answer.get_json()["errorString"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({**IN, "job_id": 0, "task_id": 0}, id="numbers that are 0"),
        pytest.param({**SOURCE, **TARGET, **FLAGS, "metadata": {}}, id="empty metadata"),
        pytest.param({**SOURCE, **FLAGS, "target_system": "nfs", "target_path": "a"}, id="to a cloud: no metadata"),
        pytest.param({**TARGET, **FLAGS, **METADATA, "source_system": "nfs", "source_path": "a"}, id="from a cloud"),
    ],
)
def test_what_yorcs_plugin_sends_is_taken(client: FlaskClient, body: dict[str, Any]) -> None:
    """Members are asked for as LEXIS asks: that they are there, and HEAppE's only of an HPC system."""
    answer = client.post("/staging/stage", json=body, headers=basic("alice"))

    assert answer.status_code == 201, answer.data


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"title": 1}, "Metadata title is not a string"),
        ({"creator": "me"}, "Metadata creator is not an array"),
        ({"AlternateIdentifier": [["doi"]]}, "Metadata AlternateIdentifier should be an array of pairs of strings"),
    ],
)
def test_metadata_are_checked_as_lexis_does(client: FlaskClient, metadata: dict[str, Any], told: str) -> None:
    """Texts are texts and lists are lists; 400 says which is not."""
    body = {**SOURCE, **TARGET, **FLAGS, "metadata": metadata}
    answer = client.post("/staging/stage", json=body, headers=basic("alice"))

    assert (answer.status_code, answer.get_json()) == (400, {"status": "400", "errorString": f"metadata: {told}"})


@pytest.mark.parametrize("word", ["YES", "true", "", None, True])
@pytest.mark.parametrize("name", ["encryption", "compression"])
def test_flags_are_yes_or_no(client: FlaskClient, name: str, word: object) -> None:
    """Exactly these words."""
    answer = client.post("/staging/stage", json={**IN, name: word}, headers=basic("alice"))

    assert answer.status_code == 400
    assert answer.get_json()["errorString"].startswith(name)


@pytest.mark.parametrize("value", [{"a": 1}, [1], 7, True, "\0", "../..", None])
@pytest.mark.parametrize("name", ["source_system", "target_system", "source_path", "target_path"])
def test_a_member_of_another_kind_is_refused(client: FlaskClient, name: str, value: object) -> None:
    """400, or 201 and a failure at the poll; never a fault of ours."""
    answer = client.post("/staging/stage", json={**IN, name: value}, headers=basic("alice"))

    assert answer.status_code in (201, 400)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("path", POLLS)
def test_an_unknown_id_is_still_in_the_queue(client: FlaskClient, prefix: str, path: str) -> None:
    """Never 404; also for an id that is none."""
    answer = client.get(f"{portal(prefix, path)}/no-such-id", headers=basic("alice"))

    assert (answer.status_code, answer.get_json()) == (200, {"status": PENDING})


def test_the_request_of_another_is_still_in_the_queue(client: FlaskClient) -> None:
    """Bob learns nothing about alice's request, not even that it failed."""
    body = {**SOURCE, "size": 1}
    made = client.post("/compress/zip", json=body, headers=basic("alice")).get_json()["request_id"]

    # The zone of these tests is away: a request of one's own is known without it.
    own = client.get(f"/compress/zip/{made}", headers=basic("alice")).get_json()
    other = client.get(f"/compress/zip/{made}", headers=basic("bob"))

    assert own["status"].startswith(FAILED)
    assert (other.status_code, other.get_json()) in [(200, {"status": PENDING}), (503, other.get_json())]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_systems_are_told_without_credentials(client: FlaskClient, prefix: str) -> None:
    """A JSON list of names, as LEXIS gives it."""
    answer = client.get(portal(prefix, "/staging/info"))

    assert (answer.status_code, answer.get_json()) == (200, ["it4i", "lrz", "tempZone"])


@pytest.mark.parametrize(("method", "path", "body", "polled"), SUBMITS)
def test_without_credentials_it_is_401(
    client: FlaskClient, method: str, path: str, body: dict[str, Any], polled: str
) -> None:
    """Submits and polls alike (LEXIS leaves polls open)."""
    for answer in (client.open(path, method=method, json=body), client.get(f"{polled}/some-id")):
        assert (answer.status_code, answer.get_json()["errorString"]) == (401, "invalid token")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/staging/stage"),
        ("GET", "/staging/pid/assign/x"),
        ("DELETE", "/staging/info"),
        ("PUT", "/compress/zip"),
    ],
)
def test_another_method_or_route_is_told_in_lexis_form(client: FlaskClient, method: str, path: str) -> None:
    """405, or 404 for a path that nobody has; a status and a text either way."""
    answer = client.open(path, method=method, headers=basic("alice"))

    assert answer.status_code in (404, 405)


def test_the_texts_are_those_of_the_facts() -> None:
    """Written out, so that a change of a letter is seen."""
    assert (lexis_table.PENDING, lexis_table.RUNNING, lexis_table.FAILED) == (PENDING, "In progress", FAILED)
    assert set(lexis_table.DONE.values()) == {
        "Encryption completed",
        "Decryption completed",
        "Compression completed",
        "Decompression completed",
        "Compression and Encryption completed",
        "Decryption and Decompression completed",
        "Data deleted",
        "Replication completed",
        "Duplication completed",
        "Transfer completed",
    }
