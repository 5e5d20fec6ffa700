"""How the catalogue holds a job."""

from __future__ import annotations

import json

import pytest

from python_rules.jobs import model, record, states
from python_rules.jobs.record import Body, Status

REQUEST = model.from_json({"operation": "encrypt", "source": "/tempZone/home/alice/Ü", "key": "k"})
BODY = Body("6a1f8f6e-0000-4000-8000-000000000001", "alice#tempZone", "rest", "2026-11-22T12:00:00Z", REQUEST)


def test_a_body_survives_its_text() -> None:
    """What was written is what is read, apart from the id that the body now carries."""
    again = Body.from_text(BODY.to_json())

    assert (again.id, again.user, again.door, again.submitted) == (BODY.id, BODY.user, BODY.door, BODY.submitted)
    assert {**again.request.as_json(), "id": ""} == REQUEST.as_json()


def test_a_body_of_a_later_format_is_refused() -> None:
    """A record that a later release wrote is not misread."""
    values = {**json.loads(BODY.to_json()), "format": 2}

    with pytest.raises(ValueError, match="format"):
        Body.from_text(json.dumps(values))


def test_the_state_is_told_by_avus_in_any_order() -> None:
    """AVU rows come unordered and among others; transitions are sorted by their number."""
    avus = [
        record.transition_avu(2, states.RUNNING, "2026-11-22T12:00:02Z", "engine@host:7"),
        ("somebody's", "own", ""),
        (record.STATE, states.RUNNING, ""),
        record.transition_avu(1, states.QUEUED, "2026-11-22T12:00:00Z", "alice#tempZone by rest"),
        record.json_value(record.PROGRESS, {"bytes_done": 50, "bytes_total": 100, "rate": 10.0}),
        (record.ATTEMPT, "1", ""),
    ]

    shown = record.public(BODY, Status.from_avus(avus))

    assert (shown["state"], shown["attempt"], shown["started"]) == ("running", 1, "2026-11-22T12:00:02Z")
    assert [row["state"] for row in shown["transitions"]] == ["queued", "running"]
    assert shown["progress"]["seconds_left"] == 5.0
    assert shown["finished"] is None


def test_a_value_never_outgrows_an_avu() -> None:
    """A long error text is shortened until the value has at most 2,700 bytes, in bytes and not characters."""
    _, value, _ = record.json_value(record.ERROR, {"code": "engine_failed", "text": "数" * 5000})

    assert len(value.encode()) <= record.LONGEST_VALUE
    assert json.loads(value)["code"] == "engine_failed"


def _walk(*rows: tuple[str, str]) -> list[record.Avu]:
    return [record.transition_avu(n, state, "2026-11-22T12:00:00Z", actor) for n, (state, actor) in enumerate(rows, 1)]


def test_tries_count_since_the_job_was_queued_and_without_pauses() -> None:
    """A retry by hand begins anew; an attempt that a pause ended is not a try."""
    avus = _walk(
        ("queued", "alice"),
        ("running", "engine@h:1"),
        ("retrying", "patrol"),
        ("failed", "patrol"),
        ("queued", "alice"),
        ("running", "engine@h:2"),
        ("retrying", "engine@h:2"),
        ("running", "engine@h:3"),
        ("retrying", record.PAUSE_ACTOR),
    )

    assert Status.from_avus(avus).tries == 1


def test_of_two_states_an_end_counts() -> None:
    """Two that wrote at the same moment leave two states: the last transition tells, an end first."""
    both = [(record.STATE, states.RETRYING, ""), (record.STATE, states.SUCCEEDED, "")]
    same = [record.transition_avu(3, state, "2026-11-22T12:00:00Z", "x") for _, state, _ in both]

    assert Status.from_avus([*both, *same]).state == states.SUCCEEDED
    assert Status.from_avus([(record.ATTEMPT, "2", ""), (record.ATTEMPT, "1", "")]).attempt == 2
