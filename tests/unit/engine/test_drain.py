"""When a drain makes a job of what arrived, and when it waits for more."""

from __future__ import annotations

import time

import pytest

from python_rules.config import Config
from python_rules.engine import drain
from python_rules.engine.drain import Mark
from python_rules.policy import terms

CONFIG = Config({"hooks.quiet_seconds": 10, "hooks.longest_seconds": 60}, "", {})


def marks(*ages: float) -> list[Mark]:
    """Marks that were set so many seconds ago."""
    now = time.time()
    return [Mark(f"/z/{number}", f"{now - age:.6f}", "u#z", 1, "") for number, age in enumerate(ages)]


@pytest.mark.parametrize(
    ("ages", "policy", "waits"),
    [
        ((3.0,), "{}", 7.0),  # something came three seconds ago
        ((11.0,), "{}", 0.0),  # nothing came for the quiet period
        ((9.9,), "{}", 1.0),  # the delay queue knows whole seconds
        ((50.0, 3.0), "{}", 7.0),  # more keeps coming
        ((61.0, 3.0), "{}", 0.0),  # and has for long enough
        ((3.0,), '{"quiet_seconds": 0}', 0.0),
        ((100.0, 3.0), '{"quiet_seconds": 120}', 117.0),  # a longer quiet period than the longest wait
        ((-3600.0,), "{}", 0.0),  # a clock was set
        ((), "{}", 0.0),
        ((1.0,) * drain.MOST_OBJECTS, "{}", 0.0),  # a job's worth
    ],
)
def test_a_drain_waits_while_more_keeps_coming(ages: tuple[float, ...], policy: str, waits: float) -> None:
    """For the quiet period, up to the longest wait or as many objects as a job takes."""
    asked = terms.parse(policy.replace("{", '{"operation": "compress", ', 1).replace(", }", "}"))

    assert drain._still_coming(CONFIG, asked, marks(*ages)) == pytest.approx(waits, abs=0.5)


def test_a_mark_that_no_hook_made_is_old() -> None:
    """Any user can give an object the attribute, with any value."""
    assert Mark("/z/o", "yesterday", "u#z", 1, "").at == 0.0
