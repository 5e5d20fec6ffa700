"""docs/THREATS.md and the tests that it names."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
NAMED = re.compile(r"`(test_\w+)::(test_\w+)`")


def known() -> set[tuple[str, str]]:
    """Every test that there is: its file and its name."""
    found = ((path.stem, path.read_text()) for path in (ROOT / "tests").rglob("test_*.py"))
    return {(stem, name) for stem, text in found for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}


def test_every_guarantee_names_a_test_that_exists() -> None:
    """One without, or with one that is gone, promises too much."""
    text = (ROOT / "docs" / "THREATS.md").read_text()
    section = text.partition("## We guarantee")[2].partition("\n## ")[0]
    guarantees = re.split(r"^- ", section, flags=re.MULTILINE)[1:]

    assert len(guarantees) >= 12
    for guarantee in guarantees:
        assert NAMED.findall(guarantee), guarantee
    assert set(NAMED.findall(text)) <= known()
    assert len(re.findall(r"`test_", text)) == len(NAMED.findall(text)), "a test that is named without its file"
