"""Decisions of the policies."""

from __future__ import annotations

import pytest

from python_rules.policy import arrival, guard
from python_rules.policy.arrival import Policy

NATIVE = "irods_rule_engine_plugin-irods_rule_language-instance"
PYTHON = "irods_rule_engine_plugin-python-instance"
RUN = "callback.sluice_run('6a1f8f6e-0000-4000-8000-000000000001')"


@pytest.mark.parametrize(
    ("text", "engine", "admin", "allowed"),
    [
        (RUN, PYTHON, False, True),
        ("callback.sluice_drain('10017')", PYTHON, False, True),
        ("import os", PYTHON, False, False),
        ("import os", "", False, False),
        ("import os", PYTHON, True, True),
        ("writeLine('serverLog', 'x');", NATIVE, False, True),
        (RUN + "\nimport os", PYTHON, False, False),
        (RUN + "; import os", PYTHON, False, False),
        ("callback.sluice_run('x') or __import__('os')", PYTHON, False, False),
        ("callback.sluice_drain('1')\n", PYTHON, False, False),
    ],
)
def test_only_our_own_text_reaches_a_python_engine(text: str, engine: str, admin: bool, allowed: bool) -> None:
    """A user's Python text is refused, named engine or not; native text and administrators are not our concern."""
    assert guard.may_be_queued(text, engine, NATIVE, admin) is allowed


def test_what_repeats_is_not_for_users() -> None:
    """A user may ask for a round of the patrol, once; only the service account's rows repeat."""
    assert guard.may_be_queued(guard.PATROL_TEXT, PYTHON, NATIVE, False)
    assert not guard.may_be_queued(guard.PATROL_TEXT, PYTHON, NATIVE, False, "1s")
    assert guard.may_be_queued(guard.PATROL_TEXT, PYTHON, NATIVE, True, "1s")


def test_the_texts_that_we_queue_are_our_own() -> None:
    """What is submitted passes the guard."""
    assert guard.is_our_own(guard.run_text("6a1f8f6e-0000-4000-8000-000000000001"))
    assert guard.is_our_own(guard.drain_text("10017"))


@pytest.mark.parametrize(
    ("path", "option", "proxy_is_admin", "concerned"),
    [
        ("/tempZone/home/a/x", "iput", False, True),
        ("/tempZone/home/a/x", "sluice-engine", True, False),
        ("/tempZone/home/a/x", "sluice-engine", False, True),
        ("/otherZone/home/a/x", "iput", False, False),
        ("/tempZone/home/a/.sluice-1-2", "iput", False, False),
        ("/tempZone/sluice/jobs/a/x.json", "iput", True, False),
        ("/tempZone/trash/home/a/x", "irm", False, False),
    ],
)
def test_what_policies_look_at(path: str, option: str, proxy_is_admin: bool, concerned: bool) -> None:
    """Writes of the engine itself are known by name and proxy together: a user who borrows the name is not exempt."""
    assert arrival.concerns(path, "tempZone", "/tempZone/sluice", option, proxy_is_admin) is concerned


def test_the_nearest_policy_holds() -> None:
    """A policy on a sub-collection wins over one above, and a similar name is no parent."""
    above, below = Policy("/z/a", "1"), Policy("/z/a/b", "2")

    assert arrival.nearest("/z/a/b/c/x", [above, below]) == below
    assert arrival.nearest("/z/a/bc/x", [above, below]) == above
    assert arrival.nearest("/z/ab/x", [above, below]) is None
