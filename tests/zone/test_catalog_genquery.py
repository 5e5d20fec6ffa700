"""GenQuery1: conditions, joins, order, paging, access, special columns, the text form."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from embedded_zone.catalog import access
from embedded_zone.catalog.genquery import COLUMNS, Statements, text
from embedded_zone.catalog.genquery.conditions import condition_sql
from embedded_zone.catalog.genquery.joins import connect
from embedded_zone.catalog.genquery.request import AUTO_CLOSE, NO_DISTINCT, ORDER_BY_DESC, RETURN_TOTAL_ROW_COUNT
from embedded_zone.catalog.genquery.schema import BASE_TABLE, COLUMN_PLACE, LINKS
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes
from tests.zone.catalog_zone import HOME, CatalogZone

WORK = f"{HOME}/rods/work"


@pytest.fixture
def zone(tmp_path: Path) -> CatalogZone:
    zone = CatalogZone(tmp_path)
    zone.add_collection(WORK)
    for name, size in (("a", 5), ("b", 50), ("c'd", 500)):
        number = zone.add_data(f"{WORK}/{name}", size)
        zone.annotate(number, "kind", "table" if name == "a" else "image")
        zone.annotate(number, "size", str(size), "bytes")
    return zone


def code_of(action: object, *args: object, **kwargs: object) -> int:
    with pytest.raises(IrodsError) as caught:
        action(*args, **kwargs)  # type: ignore[operator]
    return caught.value.code


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("= 'a'", ["a"]),
        ("='a'", ["a"]),
        ("= 'c'd'", ["c'd"]),
        ("<> 'a'", ["b", "c'd"]),
        ("!= 'a'", ["b", "c'd"]),
        ("> 'a'", ["b", "c'd"]),
        ("<= 'b'", ["a", "b"]),
        ("like 'c%'", ["c'd"]),
        ("LIKE '_'", ["a", "b"]),
        ("not like 'c%'", ["a", "b"]),
        ("NOT LIKE 'c%'", ["a", "b"]),
        ("like 'A'", []),
        ("in ('a','b')", ["a", "b"]),
        ("IN ('a', 'x')", ["a"]),
        ("between 'a' 'b'", ["a", "b"]),
        ("= 'a' || = 'b'", ["a", "b"]),
        ("like 'c%' || = 'a'", ["a", "c'd"]),
        ("> 'a' && < 'c'", ["b"]),
        ("= 'a || b'", []),
        ("IS NULL", []),
        ("IS NOT NULL", ["a", "b", "c'd"]),
    ],
)
def test_conditions(zone: CatalogZone, condition: str, names: list[str]) -> None:
    """Every operator selects what it says; a value reaches from the first quote to the last."""
    found = zone.rows_or_none("DATA_NAME", where={"COLL_NAME": f"= '{WORK}'", "DATA_NAME": condition})
    assert [row[0] for row in found] == names


@pytest.mark.parametrize(
    ("condition", "sizes"),
    [
        ("n> '40'", ["50", "500"]),
        ("n< '50'", ["5"]),
        ("n>= '50'", ["50", "500"]),
        ("n= '5'", ["5"]),
        ("> '40'", ["5", "50", "500"]),
    ],
)
def test_numeric_conditions(zone: CatalogZone, condition: str, sizes: list[str]) -> None:
    """With an n a text column is compared as a number."""
    rows = zone.query(
        "META_DATA_ATTR_VALUE", where={"META_DATA_ATTR_NAME": "= 'size'", "META_DATA_ATTR_VALUE": condition}
    )
    assert sorted(row[0] for row in rows) == sorted(sizes)


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("= a", codes.CAT_INVALID_ARGUMENT),
        ("= 'a", codes.CAT_INVALID_ARGUMENT),
        ("", codes.CAT_INVALID_ARGUMENT),
        ("in ()", codes.CAT_INVALID_ARGUMENT),
        ("between 'a'", codes.CAT_INVALID_ARGUMENT),
        ("; drop 'a'", codes.CAT_INVALID_ARGUMENT),
        ("ilike 'a'", codes.CAT_INVALID_ARGUMENT),
        ("not in ('a')", codes.CAT_INVALID_ARGUMENT),
        ("not in 'a'", codes.CAT_SQL_ERR),
        ("'a'", codes.CAT_SQL_ERR),
        ("like" + " " * 9 + "'a'", codes.CAT_INVALID_ARGUMENT),
        ("= 'a' || " * 300 + "= 'a'", codes.USER_STRLEN_TOOLONG),
    ],
)
def test_bad_conditions(condition: str, code: int) -> None:
    """What is no condition fails with a real server's code and never reaches the database."""
    assert code_of(condition_sql, "t.c", condition) == code


@pytest.mark.parametrize(
    ("name", "condition"), [("DATA_ID", "= 'x'"), ("DATA_SIZE", "like '5%'"), ("META_DATA_ATTR_VALUE", "n> 'x'")]
)
def test_types_are_strict(zone: CatalogZone, name: str, condition: str) -> None:
    """What PostgreSQL does not compare fails here too."""
    assert code_of(zone.query, "DATA_NAME", where={name: condition}) == codes.CAT_SQL_ERR


def test_only_numbers_are_summed(zone: CatalogZone) -> None:
    """The sum of a text column fails as on PostgreSQL."""
    assert code_of(zone.query, ("META_DATA_ATTR_VALUE", 4)) == codes.CAT_SQL_ERR


def test_values_are_bound() -> None:
    """The text of a value is never part of the statement."""
    sql, values = condition_sql("t.c", "= 'x' or 1=1 --'")
    assert sql == "t.c = ?"
    assert values == ["x' or 1=1 --"]


def test_backslash_escapes_in_like(zone: CatalogZone) -> None:
    """A backslash takes the meaning from % and _, as on PostgreSQL."""
    zone.add_data(f"{WORK}/x_y")
    zone.add_data(f"{WORK}/xzy")
    assert zone.query("DATA_NAME", where={"DATA_NAME": r"like 'x\_y'"}) == [("x_y",)]


def test_ancestors(zone: CatalogZone) -> None:
    """parent_of and begin_of find the collections above a path."""
    rows = zone.query("COLL_NAME", where={"COLL_NAME": f"parent_of '{WORK}'"})
    assert [row[0] for row in rows] == ["/", "/tempZone", HOME, f"{HOME}/rods", WORK]
    assert ("/tempZone",) in zone.query("COLL_NAME", where={"COLL_NAME": f"begin_of '{WORK}'"})


def test_implicit_and_explicit_order(zone: CatalogZone) -> None:
    """Names come sorted; a wish goes before that."""
    assert zone.query("DATA_NAME", "DATA_SIZE") == [("a", "5"), ("b", "50"), ("c'd", "500")]
    assert [row[0] for row in zone.query("DATA_NAME", ("DATA_SIZE", ORDER_BY_DESC))] == ["c'd", "b", "a"]


def test_aggregates_and_grouping(zone: CatalogZone) -> None:
    """Functions give one row for each value of the plain columns; an average has PostgreSQL's decimals."""
    columns = (("DATA_ID", 6), ("DATA_SIZE", 4), ("DATA_SIZE", 3), ("DATA_SIZE", 2), ("DATA_SIZE", 5))
    assert zone.query(*columns) == [("3", "555", "500", "5", "185.0000000000000000")]
    assert zone.query("META_DATA_ATTR_VALUE", ("DATA_ID", 6), where={"META_DATA_ATTR_NAME": "= 'kind'"}) == [
        ("image", "2"),
        ("table", "1"),
    ]


def test_distinct(zone: CatalogZone) -> None:
    """Equal rows come once unless the client asks for all of them."""
    assert len(zone.query("META_DATA_ATTR_UNITS", where={"META_DATA_ATTR_NAME": "= 'size'"})) == 1
    assert len(zone.query("META_DATA_ATTR_UNITS", where={"META_DATA_ATTR_NAME": "= 'size'"}, options=NO_DISTINCT)) == 3


def test_several_avus_of_one_object(zone: CatalogZone) -> None:
    """Two conditions on an attribute name mean two AVUs of the same object; users cannot be asked like that."""
    where = [
        ("META_DATA_ATTR_NAME", "= 'kind'"),
        ("META_DATA_ATTR_VALUE", "= 'image'"),
        ("META_DATA_ATTR_NAME", "= 'size'"),
        ("META_DATA_ATTR_VALUE", "n> '100'"),
    ]
    assert zone.query("DATA_NAME", where=where) == [("c'd",)]
    twice = [("META_USER_ATTR_NAME", "= 'a'"), ("META_USER_ATTR_NAME", "= 'b'")]
    assert code_of(zone.query, "USER_NAME", where=twice) == codes.CAT_INVALID_ARGUMENT


def test_paging(zone: CatalogZone) -> None:
    """A full page leaves the statement open, even when it was the last one; then there are no more rows."""
    statements = Statements()
    first = zone.page("DATA_NAME", maxRows=2, statements=statements)
    assert (first["rowCnt"], first["continueInx"]) == (2, 1)
    second = zone.page("DATA_NAME", maxRows=2, continueInx=1, statements=statements)
    assert (second["rowCnt"], second["continueInx"]) == (1, 0)
    full = zone.page("DATA_NAME", maxRows=3, statements=statements)
    assert full["continueInx"] == 1
    assert code_of(zone.page, maxRows=3, continueInx=1, statements=statements) == codes.CAT_NO_ROWS_FOUND


def test_closing_and_running_out_of_statements(zone: CatalogZone) -> None:
    """maxRows 0 closes a statement; 50 may be open at a time."""
    statements = Statements()
    for number in range(1, 51):
        assert zone.page("DATA_NAME", maxRows=1, statements=statements)["continueInx"] == number
    assert code_of(zone.page, "DATA_NAME", maxRows=1, statements=statements) == codes.CAT_STATEMENT_TABLE_FULL
    assert zone.page(maxRows=0, continueInx=7, statements=statements)["rowCnt"] == 0
    assert zone.page("DATA_NAME", maxRows=1, statements=statements)["continueInx"] == 7
    assert (
        zone.page("DATA_NAME", maxRows=1, continueInx=1, options=AUTO_CLOSE, statements=statements)["continueInx"] == -1
    )


def test_offset_and_total(zone: CatalogZone) -> None:
    """The total counts the rows that the offset left out."""
    page = zone.page("DATA_NAME", maxRows=1, partialStartIndex=1, options=RETURN_TOTAL_ROW_COUNT)
    assert page["SqlResult_PI"][0]["value"] == ["b"]
    assert page["totalRowCount"] == 3


def test_strict_access(zone: CatalogZone) -> None:
    """A user sees an object only with read access to it and, where a collection is part of the query, to that."""
    assert code_of(zone.query, "DATA_NAME", identity=zone.alice) == codes.CAT_NO_ROWS_FOUND
    zone.grant(access.data_id(zone.db, f"{WORK}/a") or 0, zone.alice, access.READ_OBJECT)
    zone.grant(access.data_id(zone.db, f"{WORK}/b") or 0, zone.alice, access.READ_METADATA)
    assert zone.query("DATA_NAME", identity=zone.alice) == [("a",)]
    assert code_of(zone.query, "DATA_NAME", "COLL_NAME", identity=zone.alice) == codes.CAT_NO_ROWS_FOUND
    zone.grant(access.collection_id(zone.db, WORK) or 0, zone.alice, access.READ_OBJECT)
    assert zone.query("DATA_NAME", "COLL_NAME", identity=zone.alice) == [("a", WORK)]


def test_ticket(zone: CatalogZone) -> None:
    """A ticket shows its object and nothing else."""
    number = access.data_id(zone.db, f"{WORK}/b")
    sql = "insert into R_TICKET_MAIN (ticket_id, ticket_string, user_id, object_id) values (1, 'open', ?, ?)"
    zone.db.execute(sql, (zone.admin.user_id, number))
    assert zone.query("DATA_NAME", "COLL_NAME", identity=zone.alice, ticket="open") == [("b", WORK)]
    assert code_of(zone.query, "TICKET_STRING", identity=zone.alice) == codes.CAT_NO_ROWS_FOUND


def test_permissions_of_an_object(zone: CatalogZone) -> None:
    """The columns that PRC's access manager asks for are joined through tokens and users."""
    rows = zone.query(
        "DATA_ACCESS_USER_ID",
        "DATA_ACCESS_NAME",
        where={"DATA_TOKEN_NAMESPACE": "= 'access_type'", "DATA_NAME": "= 'a'"},
    )
    assert rows == [(str(zone.admin.user_id), "own")]


def test_resource_hierarchy(zone: CatalogZone) -> None:
    """The hierarchy is computed from the leaf, in results and in conditions."""
    now = zone.db.now()
    parent = zone.db.next_id()
    sql = """insert into R_RESC_MAIN (resc_id, resc_name, zone_name, resc_type_name, resc_class_name, resc_net,
        resc_def_path, create_ts, modify_ts, resc_parent)
        values (?, 'root', 'tempZone', 'passthru', '', '', '', ?, ?, '')"""
    zone.db.execute(sql, (parent, now, now))
    zone.db.execute("update R_RESC_MAIN set resc_parent = ? where resc_name = 'demoResc'", (str(parent),))
    asked = {"DATA_NAME": "= 'a'"}
    assert zone.query("DATA_NAME", "DATA_RESC_HIER", "DATA_RESC_NAME", where=asked) == [
        ("a", "root;demoResc", "demoResc")
    ]
    assert zone.query("DATA_NAME", where=asked | {"DATA_RESC_HIER": "like 'root;%'"}) == [("a",)]
    assert zone.query("DATA_NAME", where=asked | {"DATA_RESC_HIER": "= 'x' || = 'root;demoResc'"}) == [("a",)]
    assert code_of(zone.query, "DATA_NAME", where={"DATA_RESC_HIER": "= 'root'"}) == codes.CAT_NO_ROWS_FOUND
    assert code_of(zone.query, "DATA_NAME", where={"DATA_RESC_HIER": "> 'root'"}) == codes.CAT_INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        (("RESC_GROUP_NAME",), codes.CAT_UNKNOWN_TABLE),
        (("DATA_NAME", "ZONE_NAME"), codes.CAT_FAILED_TO_LINK_TABLES),
        (("META_ACCESS_TYPE",), codes.CAT_UNKNOWN_TABLE),
    ],
)
def test_impossible_queries(zone: CatalogZone, columns: tuple[str, ...], code: int) -> None:
    """Columns without a table and tables without a connection fail with a real server's codes."""
    assert code_of(zone.query, *columns) == code


def test_every_column_can_be_asked_for(zone: CatalogZone) -> None:
    """Each column alone gives rows, no rows, or no table: never a broken statement."""
    for name, number in COLUMNS.items():
        if COLUMN_PLACE.get(number, ("",))[0] in BASE_TABLE:
            assert zone.rows_or_none(name) is not None


def test_links_name_known_tables() -> None:
    """The table of links agrees with the table of tables."""
    assert len(LINKS) == 115
    assert {table for link in LINKS for table in link[:2]} <= set(BASE_TABLE)


def test_the_join_that_irods_finds() -> None:
    """The search goes forward before backward and needs nothing between collection and its metadata."""
    joins = connect(frozenset({"R_COLL_MAIN", "r_coll_meta_main"}), "R_COLL_MAIN")
    assert joins.conditions == (
        "r_coll_metamap.meta_id = r_coll_meta_main.meta_id",
        "R_COLL_MAIN.coll_id = r_coll_metamap.object_id",
    )


def test_keywords(zone: CatalogZone) -> None:
    """Keywords ask whether a user has a permission on what was found; others are refused."""
    where = {"DATA_NAME": "= 'a'"}
    asked = {"userNameClient": "rods", "rodsZoneClient": "", "accessPermission": "read_object"}
    assert zone.query("DATA_ID", where=where, KeyValPair_PI=asked)
    refused = asked | {"userNameClient": "alice"}
    assert code_of(zone.query, "DATA_ID", where=where, KeyValPair_PI=refused) == codes.CAT_NO_ACCESS_PERMISSION
    assert code_of(zone.query, "DATA_ID", KeyValPair_PI={"ticket": "x"}) == codes.CAT_INVALID_ARGUMENT
    assert zone.query("DATA_ID", where=where, KeyValPair_PI={"zone": "tempZone"})


def test_text_form() -> None:
    """The text form becomes the same request as a client sends."""
    request = text.parse("select COLL_NAME, count(DATA_ID) where DATA_NAME like 'a''%' || = 'b' and DATA_SIZE >= '5'")
    assert request["InxIvalPair_PI"] == [(501, 1), (401, 6)]
    assert request["InxValPair_PI"] == [(403, "like 'a'%' || = 'b'"), (407, ">= '5'")]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("select", codes.INPUT_ARG_NOT_WELL_FORMED_ERR),
        ("select DATA_NAME where", codes.INPUT_ARG_NOT_WELL_FORMED_ERR),
        ("select DATA_NAME where DATA_NAME = 'a", codes.INPUT_ARG_NOT_WELL_FORMED_ERR),
        ("select DATA_NAME order", codes.INPUT_ARG_NOT_WELL_FORMED_ERR),
        ("select NO_SUCH", codes.NO_COLUMN_NAME_FOUND),
        ("select median(DATA_SIZE)", codes.INVALID_GENQUERY_AGGREGATE_FUNCTION),
    ],
)
def test_malformed_text(query: str, code: int) -> None:
    """Each kind of mistake has its code."""
    assert code_of(text.parse, query) == code


def test_ten_thousand_avus(zone: CatalogZone) -> None:
    """10,000 AVUs come in one query within a second, and one of them within milliseconds."""
    number = access.data_id(zone.db, f"{WORK}/a") or 0
    with zone.db.transaction():
        for n in range(10_000):
            zone.annotate(number, f"attribute{n}", f"value{n}")
    start = time.perf_counter()
    rows = zone.query("META_DATA_ATTR_NAME", "META_DATA_ATTR_VALUE", where={"DATA_ID": f"= '{number}'"}, maxRows=20_000)
    assert len(rows) == 10_002
    assert time.perf_counter() - start < 1
