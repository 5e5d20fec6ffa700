"""Hooks fire as on a real iRODS 5.0.2 server: every action of its trace is done again, and docs/zone/hooks.md tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.zone import hook_matrix
from tests.zone.hook_matrix import DIFFERENT, LEFT_OUT, Row
from tests.zone.hook_zone import Hook, hook_zone

ACTIONS = [action["action"] for action, _hooks in hook_matrix.real_actions()]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    """All actions, done one after the other in one zone."""
    with hook_zone(tmp_path_factory.mktemp("matrix")) as running:
        return {row.action: row for row in hook_matrix.replayed(running)}


@pytest.mark.parametrize("action", [name for name in ACTIONS if name not in LEFT_OUT])
def test_an_action_fires_the_hooks_of_a_real_server(rows: dict[str, Row], action: str) -> None:
    """Same hooks, same types of arguments, same order; the exceptions are listed with their reasons and differ."""
    assert rows[action].equal == (action not in DIFFERENT), "\n".join(rows[action].differences)


def test_the_exceptions_are_actions_of_the_trace() -> None:
    """No reason is given for what no longer exists."""
    assert set(DIFFERENT) | set(LEFT_OUT) <= set(ACTIONS)


def test_the_page_is_current(rows: dict[str, Row]) -> None:
    """docs/zone/hooks.md says what this run saw: python -m tests.zone.hook_matrix writes it."""
    assert hook_matrix.page(list(rows.values())) == Path(hook_matrix.PAGE).read_text(encoding="utf-8")


A: Hook = ("acPostProcForPut", ())
B: Hook = ("pep_api_touch_pre", ("str",))
CHANGED: Hook = ("pep_api_touch_pre", ("str", "int"))


@pytest.mark.parametrize(
    ("real", "ours", "told"),
    [
        ([[A, B]], [[A, B]], ""),
        ([[A, B]], [[A]], "missing: `pep_api_touch_pre(str)`"),
        ([[A]], [[A, A, A]], "more: `acPostProcForPut()` ×2"),
        ([[B]], [[CHANGED]], "missing: `pep_api_touch_pre(str)`; more: `pep_api_touch_pre(str, int)`"),
        ([[A, B]], [[B, A]], "order: a real server fires [] where this one fires ['pep_api_touch_pre']"),
        ([[A], [B]], [[A, B]], "connections: the same hooks, spread over other connections"),
        ([[A], [("acPreConnect", ("str",))]], [[A]], ""),
    ],
)
def test_differences_are_told(real: list[list[Hook]], ours: list[list[Hook]], told: str) -> None:
    """A missing, surplus or moved hook, another type or connection is a difference; logging in is not."""
    assert "; ".join(hook_matrix.compare("an action", real, ours)) == told
