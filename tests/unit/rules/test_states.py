"""The states of a job."""

from __future__ import annotations

from python_rules.jobs import states


def test_a_final_state_is_left_only_by_a_retry() -> None:
    """Succeeded is for ever; partial, failed and cancelled jobs can only be queued again."""
    assert states.TRANSITIONS[states.SUCCEEDED] == frozenset()
    for state in (states.PARTIAL, states.FAILED, states.CANCELLED):
        assert states.TRANSITIONS[state] == {states.QUEUED}


def test_every_state_can_be_reached_from_queued() -> None:
    """No state of the table is unreachable."""
    reached, frontier = {states.QUEUED}, [states.QUEUED]
    while frontier:
        frontier = [after for state in frontier for after in states.TRANSITIONS[state] if after not in reached]
        reached.update(frontier)

    assert reached == states.STATES


def test_an_unlisted_change_is_illegal() -> None:
    """What is not in the table may not happen."""
    assert not states.legal(states.SUCCEEDED, states.RUNNING)
    assert not states.legal("nonsense", states.RUNNING)
