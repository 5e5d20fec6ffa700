"""docs/THREATS.md and the tests that it names."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_guarantee_names_a_test_that_exists() -> None:
    """A row of the table without one, or with one that is gone, promises too much."""
    text = (ROOT / "docs" / "THREATS.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| **")]
    there = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}

    assert len(rows) >= 12
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row.rpartition("|")[0].rpartition("|")[2])
        assert named, row
        assert set(named) <= there, row
