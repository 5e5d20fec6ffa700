"""Chains without a zone: what is refused, and that one that is accepted is owed step by step."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.unit.shim.conftest import basic
from workers import chains
from workers.app import SluiceCelery
from workers.rows import CHAIN, CHAIN_ENDED

GOOD = {"operation": "compress", "source": "/tempZone/home/alice/in"}


def begin(client: FlaskClient, *steps: Any) -> dict[str, Any]:
    """A chain of alice's."""
    answer = client.post("/api/v1/chains", json={"steps": steps}, headers=basic("alice"))
    assert answer.status_code == 201, answer.data
    made: dict[str, Any] = answer.get_json()
    return made


def advanced(celery: SluiceCelery, chain_id: str) -> dict[str, Any]:
    """The chain after a watch round's step."""
    row = celery.rows.find(chain_id)
    assert row
    return chains.shown(celery, chains.advance(celery, row))


def end(celery: SluiceCelery, job: dict[str, Any], state: str) -> None:
    """A job's row as a watch round leaves it when the job has ended."""
    celery.rows.show(job["id"], {**GOOD, "user": "alice#tempZone", "state": state, "error": None})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], None),
        ({"steps": []}, "steps"),
        ({"steps": [[]]}, "steps[0]"),
        ({"steps": [GOOD, {**GOOD, "operation": "melt"}]}, "steps[1].operation"),
        ({"steps": [[GOOD, {**GOOD, "id": "6b1f8d1e-6f0a-4f57-8d1c-0f3f0f5d2b11"}]]}, "steps[0][1].id"),
        ({"steps": [GOOD] * 21}, "steps"),
    ],
)
def test_what_is_wrong_with_a_chain_is_named(client: FlaskClient, body: Any, field: str | None) -> None:
    """The step's place stands before the field."""
    answer = client.post("/api/v1/chains", json=body, headers=basic("alice"))

    assert (answer.status_code, answer.get_json(force=True)["field"]) == (400, field)


def test_a_step_waits_for_every_job_of_the_one_before(client: FlaskClient, celery: SluiceCelery) -> None:
    """Two at once, of which one is not done: nothing moves; then the third is owed to the zone."""
    made = begin(client, [GOOD, GOOD], GOOD)
    first, second = made["steps"][0]["jobs"]
    end(celery, first, "succeeded")
    half = advanced(celery, made["id"])
    end(celery, second, "succeeded")
    whole = advanced(celery, made["id"])

    assert [step["state"] for step in made["steps"]] == ["queued", "waiting"]
    assert [step["state"] for step in half["steps"]] == ["queued", "waiting"]
    assert [step["state"] for step in whole["steps"]] == ["succeeded", "queued"]


@pytest.mark.parametrize("state", ["failed", "partial", "cancelled"])
def test_any_other_end_than_success_stops_the_chain(client: FlaskClient, celery: SluiceCelery, state: str) -> None:
    """The chain has failed in that step, for good."""
    made = begin(client, GOOD, GOOD)
    end(celery, made["steps"][0]["jobs"][0], state)

    ended = advanced(celery, made["id"])

    assert (ended["state"], ended["failed_step"], ended["steps"][1]["state"]) == ("failed", 0, "waiting")
    row = celery.rows.find(made["id"])
    assert row
    assert row.state == CHAIN_ENDED


def test_a_round_that_is_repeated_owes_nothing_twice(client: FlaskClient, celery: SluiceCelery) -> None:
    """A job that the zone has already is not owed again by a worker that saw the chain earlier."""
    made = begin(client, GOOD)
    stale = celery.rows.find(made["id"])
    assert stale
    job = made["steps"][0]["jobs"][0]
    celery.rows.show(job["id"], {**GOOD, "user": "alice#tempZone", "state": "running", "error": None})

    chains.advance(celery, stale)

    row = celery.rows.find(job["id"])
    assert row
    assert not row.is_owed
    assert stale.state == CHAIN


def test_a_chain_is_hidden_from_others(client: FlaskClient) -> None:
    """Bob sees neither the chain nor that it is there."""
    made = begin(client, GOOD)

    assert client.get(f"/api/v1/chains/{made['id']}", headers=basic("bob")).status_code == 404
    assert client.post(f"/api/v1/chains/{made['id']}/cancel", headers=basic("bob")).status_code == 404
    assert client.get("/api/v1/chains", headers=basic("bob")).get_json() == {"chains": []}
