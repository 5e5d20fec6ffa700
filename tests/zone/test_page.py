"""docs/zone/supported.md says what the zone's own tables say."""

from __future__ import annotations

from pathlib import Path

import pytest

from embedded_zone.server.page import supported_page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "zone" / "supported.md"


def test_the_page_is_current() -> None:
    """The committed page is what 'embedded-zone genpage' prints: make docs writes it."""
    assert PAGE.read_text(encoding="utf-8") == supported_page()


@pytest.mark.parametrize(
    "entry",
    ["| 602 | data_obj_open |", "`regChksum`", "`DATA_ACCESS_TIME 424`", "`DATA_RESC_HIER`", "`msiDataObjOpen(2)`"],
)
def test_the_page_lists_every_table(entry: str) -> None:
    """APIs, keywords, the columns of both query languages and microservices are all there."""
    assert entry in supported_page()
