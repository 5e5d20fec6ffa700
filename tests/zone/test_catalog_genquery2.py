"""GenQuery2: grammar, functions, joins, access, the SQL that it shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from embedded_zone.agent import Identity
from embedded_zone.catalog import access
from embedded_zone.catalog.genquery2 import execute
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes
from tests.zone.catalog_zone import HOME, CatalogZone

WORK = f"{HOME}/rods/work"


@pytest.fixture
def zone(tmp_path: Path) -> CatalogZone:
    zone = CatalogZone(tmp_path)
    zone.annotate(zone.add_collection(WORK), "project", "demo")
    for name, size in (("a", 5), ("b", 50), ("c'd", 500)):
        zone.annotate(zone.add_data(f"{WORK}/{name}", size), "size", str(size))
    return zone


def run(zone: CatalogZone, query: str, identity: Identity | None = None) -> list[list[Any]]:
    result: list[list[Any]] = json.loads(execute(zone.db, identity or zone.admin, query))
    return result


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("select DATA_NAME where DATA_NAME = 'c''d'", [["c'd"]]),
        ("SELECT DATA_NAME WHERE DATA_SIZE > '40' ORDER BY DATA_SIZE DESC", [["c'd"], ["b"]]),
        ("select DATA_NAME where DATA_NAME in ('a', 'b') order by DATA_NAME", [["a"], ["b"]]),
        ("select DATA_NAME where DATA_NAME not in ('a', 'b')", [["c'd"]]),
        ("select DATA_NAME where DATA_NAME between 'a' and 'b' order by DATA_NAME limit 1", [["a"]]),
        ("select DATA_NAME where not (DATA_NAME = 'a' or DATA_NAME = 'b')", [["c'd"]]),
        ("select DATA_NAME where DATA_NAME like '_' and DATA_NAME not like 'a'", [["b"]]),
        ("select DATA_NAME where DATA_CHECKSUM is null order by DATA_NAME offset 1 limit 1", [["b"]]),
        ("select DATA_NAME where DATA_NAME is not null order by DATA_NAME fetch first 1 rows only offset 2", [["c'd"]]),
        ("select DATA_NAME offset 2 limit 1 order by DATA_NAME desc", [["a"]]),
        ("select count(DATA_ID), sum(DATA_SIZE), max(DATA_SIZE)", [["3", "555", "500"]]),
        ("select count(distinct COLL_NAME) where DATA_NAME like '%'", [["1"]]),
        ("select upper(DATA_NAME), length(DATA_NAME) where length(DATA_NAME) > '2'", [["C'D", "3"]]),
        ("select concat(DATA_NAME, '-', DATA_SIZE) where DATA_NAME = 'a'", [["a-5"]]),
        ("select substr(COLL_NAME, 2, 8) where COLL_NAME = '/tempZone'", [["tempZone"]]),
        ("select cast(DATA_SIZE as varchar(1)) where cast(META_DATA_ATTR_VALUE as int) > '60'", [["5"]]),
        (
            f"select META_DATA_ATTR_VALUE, META_COLL_ATTR_VALUE where DATA_NAME = 'a' and COLL_NAME = '{WORK}'",
            [["5", "demo"]],
        ),
        ("select COLL_NAME, count(DATA_NAME) group by COLL_NAME", [[WORK, "3"]]),
        ("select DATA_ACCESS_PERM_NAME, DATA_ACCESS_USER_NAME where DATA_NAME = 'a'", [["own", "rods"]]),
        ("select DATA_RESC_HIER where DATA_NAME = 'a'", [["demoResc"]]),
        (r"select DATA_NAME where DATA_NAME = '\x61'", [["a"]]),
        ("select DATA_NAME where DATA_NAME = 'x'", []),
        ("select RESC_NAME, RESC_HOSTNAME where RESC_NAME = 'demoResc'", [["demoResc", "127.0.0.1"]]),
        ("select USER_NAME, GROUP_ID where USER_TYPE = 'rodsadmin'", [["rods", "10002"]]),
    ],
)
def test_queries(zone: CatalogZone, query: str, rows: list[list[str]]) -> None:
    """Each part of the grammar answers as PostgreSQL would, all values as strings."""
    assert run(zone, query) == rows


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", codes.SYS_LIBRARY_ERROR),
        ("select", codes.SYS_LIBRARY_ERROR),
        ("select DATA_NAME where", codes.SYS_LIBRARY_ERROR),
        ("select DATA_NAME where DATA_SIZE > 5", codes.SYS_LIBRARY_ERROR),
        ("select DATA_NAME; drop table R_DATA_MAIN", codes.SYS_LIBRARY_ERROR),
        ("select DATA_NAME limit -1", codes.SYS_LIBRARY_ERROR),
        ("select load_extension(DATA_NAME)", codes.SYS_LIBRARY_ERROR),
        ("select cast(DATA_NAME as evil)", codes.SYS_LIBRARY_ERROR),
        ("select DATA_NAME where DATA_ID = 'x'", codes.SYS_LIBRARY_ERROR),
        ("select DATA_NAME where DATA_SIZE like '5%'", codes.SYS_LIBRARY_ERROR),
        ("select sum(META_DATA_ATTR_VALUE)", codes.SYS_LIBRARY_ERROR),
        ("select NO_SUCH", codes.SYS_INVALID_INPUT_PARAM),
        ("select DATA_NAME, ZONE_NAME", codes.SYS_INVALID_INPUT_PARAM),
        ("select count(DATA_ID) group by DATA_NAME", codes.SYS_INVALID_INPUT_PARAM),
    ],
)
def test_mistakes(zone: CatalogZone, query: str, code: int) -> None:
    """A malformed query and an unknown name fail with a real server's codes."""
    with pytest.raises(IrodsError) as caught:
        run(zone, query)
    assert caught.value.code == code


def test_access(zone: CatalogZone) -> None:
    """A user sees what he may read, and no 'or' gets around that."""
    query = "select DATA_NAME where DATA_NAME = 'a' or DATA_NAME = 'b'"
    assert run(zone, query, zone.alice) == []
    zone.grant(access.data_id(zone.db, f"{WORK}/b") or 0, zone.alice, access.READ_OBJECT)
    assert run(zone, query, zone.alice) == [["b"]]
    assert run(zone, "select DATA_NAME, COLL_NAME", zone.alice) == []


def test_shown_sql(zone: CatalogZone) -> None:
    """A client may ask for the SQL; it is the text that a real server shows."""
    sql = execute(zone.db, zone.admin, "select COLL_NAME where COLL_NAME = 'x'", sql_only=True)
    assert sql == (
        "select t0.coll_name from R_COLL_MAIN t0 left join R_OBJT_ACCESS pcoa on t0.coll_id = pcoa.object_id"
        " left join R_TOKN_MAIN pct on pcoa.access_type_id = pct.token_id"
        " left join R_USER_GROUP pcug on pcoa.user_id = pcug.group_user_id"
        " left join R_USER_MAIN pcu on pcug.user_id = pcu.user_id where t0.coll_name = ? fetch first 256 rows only"
    )


def test_column_mappings(zone: CatalogZone) -> None:
    """The mapping of columns is an object of objects."""
    mappings = json.loads(execute(zone.db, zone.admin, "", column_mappings=True))
    assert mappings["COLL_ID"] == {"R_COLL_MAIN": "coll_id"}
    assert len(mappings) == 119
