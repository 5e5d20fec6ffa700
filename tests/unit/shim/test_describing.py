"""Metadata of a request to stage, without a zone: they wait for their job, and for the zone."""

from __future__ import annotations

import time
from typing import Any

from flask.testing import FlaskClient

from tests.unit.shim.conftest import basic
from workers import describing
from workers.app import SluiceCelery
from workers.rows import DESCRIBED

ENDS = {"source_system": "tempZone", "source_path": "home/alice/a", "target_system": "tempZone"}
ASKED = {**ENDS, "target_path": "home/alice/b", "encryption": "no", "compression": "no"}
METADATA = {"title": "t", "creator": ["A", "B"]}


def staged(client: FlaskClient, **more: Any) -> str:
    """The id of a request to stage that was taken."""
    answer = client.post("/staging/stage", json={**ASKED, **more}, headers=basic("alice"))
    assert answer.status_code == 201, answer.data
    return str(answer.get_json()["request_id"])


def ended(celery: SluiceCelery, job_id: str, state: str) -> None:
    """The job's row as a watch round leaves it."""
    job = {"operation": "stage", "source": "/tempZone/home/alice/a", "target": "/tempZone/home/alice/b"}
    celery.rows.show(job_id, {**job, "user": "alice#tempZone", "state": state, "error": None})


def test_metadata_are_kept_under_the_id_of_their_job(client: FlaskClient, celery: SluiceCelery) -> None:
    """Every text and every entry of a list; where there are none nothing is kept."""
    row = describing.owed(celery.rows, staged(client, metadata=METADATA))

    assert row
    assert row.content["avus"] == [["title", "t"], ["creator", "A"], ["creator", "B"]]
    assert describing.owed(celery.rows, staged(client, metadata={})) is None


def test_they_stay_until_the_zone_has_them(client: FlaskClient, celery: SluiceCelery) -> None:
    """Neither a job that runs or failed, nor a zone that is away, loses them."""
    job_id = staged(client, metadata=METADATA)

    for state in ("running", "failed", "succeeded"):
        ended(celery, job_id, state)
        describing.go_on(celery)
        row = describing.owed(celery.rows, job_id)
        assert row
        assert "error" not in row.content


def test_those_of_a_request_that_was_never_accepted_go(celery: SluiceCelery) -> None:
    """After a minute; not while it may be on its way."""
    content = {"user": "alice#tempZone", "source": "", "target": "", "avus": [], "taken_over": {}}
    celery.rows.keep("old.metadata", {**content, "kept": time.time() - 100}, DESCRIBED)
    celery.rows.keep("new.metadata", {**content, "kept": time.time()}, DESCRIBED)

    describing.go_on(celery)

    assert describing.owed(celery.rows, "old") is None
    assert describing.owed(celery.rows, "new")
