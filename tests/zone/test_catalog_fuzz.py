"""Whatever a client sends, the query languages answer rows or an iRODS code, and the catalogue stays as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedded_zone.catalog import genquery2
from embedded_zone.catalog.genquery import COLUMNS, text
from embedded_zone.errors import IrodsError
from tests.zone.catalog_zone import CatalogZone

SOME_WORDS = r"""
    select distinct where like in between and or not is null order by desc group limit offset cast as
    DATA_NAME COLL_NAME DATA_SIZE META_DATA_ATTR_VALUE DATA_RESC_HIER USER_NAME count sum upper concat int
    ( ) , = != < || && '' 'a' '%' '\x41' 5 -1 ; -- ' n< begin_of parent_of R_DATA_MAIN
"""
WORDS = SOME_WORDS.split()
WORDY = st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join)
ANY_TEXT = st.one_of(WORDY, WORDY.map("select DATA_NAME where DATA_NAME {}".format), st.text(max_size=40))


@pytest.fixture(scope="module")
def zone() -> Iterator[CatalogZone]:
    with TemporaryDirectory() as home:
        zone = CatalogZone(Path(home))
        zone.annotate(zone.add_data("/tempZone/home/rods/a", 5), "a", "b")
        yield zone
        assert zone.db.value("select count(*) from R_DATA_MAIN") == 1


def answers(action: object, *args: object, **kwargs: object) -> None:
    try:
        action(*args, **kwargs)  # type: ignore[operator]
    except IrodsError as error:
        assert error.code < 0  # noqa: PT017 either is right


@settings(max_examples=300, deadline=None)
@given(query=ANY_TEXT)
def test_text_forms(zone: CatalogZone, query: str) -> None:
    """Both text forms parse or are refused."""
    answers(text.parse, query)
    answers(genquery2.execute, zone.db, zone.alice, query)
    answers(genquery2.execute, zone.db, zone.admin, query, sql_only=True)


@settings(max_examples=300, deadline=None)
@given(
    columns=st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=4),
    functions=st.lists(st.integers(0, 0xFFF), min_size=4, max_size=4),
    conditions=st.lists(st.tuples(st.sampled_from(sorted(COLUMNS)), ANY_TEXT), max_size=3),
    options=st.integers(0, 0x3FF),
)
def test_requests(
    zone: CatalogZone, columns: list[str], functions: list[int], conditions: list[tuple[str, str]], options: int
) -> None:
    """Any columns, functions, conditions and options give rows or a code."""
    asked = tuple(zip(columns, functions, strict=False))
    answers(zone.page, *asked, where=conditions, options=options, identity=zone.alice)
    answers(zone.page, *asked, where=conditions, options=options, ticket="none")
