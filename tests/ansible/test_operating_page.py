"""What the operators' page names is there: settings, metrics, inventory values, commands, rule files, parts."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import get_type_hints

import pytest
import typer
import yaml

from api_shim.client.command import app
from python_rules import config, names
from python_rules.engine import health, key_command
from tests.ansible.deployment import ANSIBLE, TREE
from tests.ansible.test_monitoring import metrics
from workers.settings import Settings

PAGE = (TREE / "docs/operating.md").read_text()
SECTIONS = {name: kind for name, kind in get_type_hints(Settings).items() if name != "path"}


def named(pattern: str) -> set[str]:
    """What the page has of this kind; there must be some."""
    found = set(re.findall(pattern, PAGE))
    assert found, pattern
    return found


def test_settings() -> None:
    """Of sluice.json and of shim.json."""
    known = set(config.SETTINGS)
    known |= {f"{name}.{item.name}" for name, kind in SECTIONS.items() for item in fields(kind)}
    sections = "|".join({name.partition(".")[0] for name in known})
    assert named(rf"`((?:{sections})\.\w+)`") <= known


def test_metrics_and_values_of_the_inventory() -> None:
    values = {
        name
        for path in ANSIBLE.glob("roles/*/defaults/main.yml")
        for name in yaml.safe_load(path.read_text())
        if not name.startswith("sluice_")
    }
    values |= set(re.findall(r"`(sluice_\w+)`", (ANSIBLE / "README.md").read_text()))
    rules = {value for value in vars(names).values() if isinstance(value, str)}
    roles = "|".join({name.partition("_")[0] for name in values})
    assert named(rf"`((?:{roles})_\w+)`") <= values | metrics() | rules


@pytest.mark.parametrize(
    ("command", "known"),
    [
        ("sluice", {*typer.main.get_command(app).commands}),  # type: ignore[attr-defined]
        ("sluice-keys", {*key_command.COMMANDS, *key_command.LIFE}),
    ],
)
def test_commands(command: str, known: set[str]) -> None:
    assert named(rf"(?:`|^    |/bin/){command}(?: --config \S+)? ([a-z-]+)") <= known


def test_files() -> None:
    """Of this repository."""
    for path in named(r"\b((?:rules|tests|docs|ansible)/[\w/.-]+\w)"):
        assert (TREE / path).exists(), path


def test_parts_of_the_self_check() -> None:
    table = PAGE.partition("| part | a problem means |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.M)) == {*health.CHECKS, "engine"}
