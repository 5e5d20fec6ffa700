"""The patrol's heartbeat."""

from __future__ import annotations

import pytest

from python_rules.jobs import beat
from python_rules.jobs.beat import Beat

NOW = 1_800_000_000.0


@pytest.mark.parametrize(("at", "alive"), [(NOW, True), (NOW - 180, True), (NOW - 181, False), (NOW + 181, False)])
def test_three_missed_rounds_are_a_death(at: float, alive: bool) -> None:
    """A beat from the future is one of a clock that was set back, and counts as none."""
    assert beat.is_alive(Beat(at, 60, {}), NOW) is alive


def test_a_beat_survives_its_avu() -> None:
    """The newest of several values counts; nonsense counts as none."""
    values = ["nonsense", "{}", Beat(NOW - 60, 60, {}).value(), Beat(NOW, 60, {"requeued": 2}).value()]

    assert beat.read(values) == Beat(NOW, 60, {"requeued": 2})
    assert beat.read(["null"]) is None
    assert not beat.is_alive(None, NOW)
