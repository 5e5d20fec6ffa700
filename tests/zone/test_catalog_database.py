"""The catalogue file: seed, transactions, concurrent writers, error codes."""

from __future__ import annotations

import multiprocessing
import stat
from pathlib import Path

import pytest

from embedded_zone.catalog import access, specific_query
from embedded_zone.catalog.database import Database
from embedded_zone.catalog.stored_queries import STORED_QUERIES
from embedded_zone.config import ZoneConfig
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes
from tests.zone.catalog_zone import HOME, CatalogZone


@pytest.fixture
def zone(tmp_path: Path) -> CatalogZone:
    return CatalogZone(tmp_path)


def test_seed(zone: CatalogZone) -> None:
    """A new catalogue has the zone, its administrator, the home collections and the default resource."""
    assert zone.db.zone_name() == "tempZone"
    assert zone.db.value("select zone_id from R_ZONE_MAIN") == 10000
    paths = [row[0] for row in zone.db.all("select coll_name from R_COLL_MAIN order by 1")]
    assert paths[:4] == ["/", "/tempZone", "/tempZone/home", "/tempZone/home/public"]
    assert {row[0] for row in zone.db.all("select resc_name from R_RESC_MAIN")} == {"bundleResc", "demoResc"}
    assert zone.db.value("select count(*) from R_TOKN_MAIN where token_namespace = 'data_type'") > 100


def test_the_file_is_private_and_not_overwritten(tmp_path: Path, zone: CatalogZone) -> None:
    """Only its owner may read the catalogue, and a second init does not destroy it."""
    assert stat.S_IMODE(zone.config.catalog.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        Database.create(zone.config.catalog, ZoneConfig(tmp_path))
    with pytest.raises(IrodsError):
        Database.open(tmp_path / "absent.sqlite")


def test_a_failed_transaction_leaves_nothing(zone: CatalogZone) -> None:
    """What a nested transaction wrote goes with the outer one."""

    def fail() -> None:
        with zone.db.transaction():
            with zone.db.transaction():
                zone.add_collection(f"{HOME}/gone")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert access.collection_id(zone.db, f"{HOME}/gone") is None
    assert not zone.db.in_transaction


@pytest.mark.parametrize(
    ("path", "code"),
    [(f"{HOME}/rods", codes.CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME), ("/" + "x" * 2700, codes.CAT_SQL_ERR)],
)
def test_error_codes(zone: CatalogZone, path: str, code: int) -> None:
    """A duplicate key and a value that is too long fail with a real server's codes."""
    with pytest.raises(IrodsError) as caught:
        zone.add_collection(path)
    assert caught.value.code == code


def test_text_that_is_no_unicode(zone: CatalogZone) -> None:
    """Bytes that are not UTF-8 cannot be stored: CAT_SQL_ERR, as on PostgreSQL."""
    with pytest.raises(IrodsError) as caught:
        zone.add_collection("/\udcff")
    assert caught.value.code == codes.CAT_SQL_ERR


def _take_numbers(path: Path, count: int, results: multiprocessing.Queue[list[int]]) -> None:
    db = Database.open(path)
    numbers = []
    for _ in range(count):
        with db.transaction():
            number = db.next_id()
            db.execute("insert into R_OBJT_METAMAP values (?,?,?,?)", (number, 1, db.now(), db.now()))
        numbers.append(number)
    results.put(numbers)


def test_many_processes_write(zone: CatalogZone) -> None:
    """Four processes at once never get the same number and lose no row."""
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[list[int]] = context.Queue()
    workers = [context.Process(target=_take_numbers, args=(zone.config.catalog, 50, results)) for _ in range(4)]
    for worker in workers:
        worker.start()
    numbers = [number for _ in workers for number in results.get(timeout=60)]
    for worker in workers:
        worker.join()
    assert len(set(numbers)) == 200
    assert zone.db.value("select count(*) from R_OBJT_METAMAP") == 200


def test_access_levels(zone: CatalogZone) -> None:
    """The highest level counts, whether it was given to the user or to a group of his."""
    number = zone.add_collection(f"{HOME}/shared")
    assert access.access_level(zone.db, zone.alice.user_id, number) == access.NULL
    row = (number, zone.user_id("public"), access.READ_OBJECT, "0", "0")
    zone.db.execute("insert into R_OBJT_ACCESS values (?,?,?,?,?)", row)
    assert access.may(zone.db, zone.alice, number, access.READ_OBJECT)
    assert not access.may(zone.db, zone.alice, number, access.MODIFY_OBJECT)
    assert access.level_number("modify object") == access.level_number("write") == access.MODIFY_OBJECT


def test_lookups(zone: CatalogZone) -> None:
    """Paths become numbers; what does not exist is None."""
    number = zone.add_data(f"{HOME}/rods/a")
    assert access.data_id(zone.db, f"{HOME}/rods/a") == number
    assert access.data_id(zone.db, f"{HOME}/rods/b") is None
    assert access.user_id(zone.db, "alice", "otherZone") is None


@pytest.mark.parametrize("alias", STORED_QUERIES)
def test_stored_queries_run(zone: CatalogZone, alias: str) -> None:
    """Every preloaded specific query is SQL that SQLite understands."""
    arguments = {f"arg{n}": "5" for n in range(1, STORED_QUERIES[alias].count("?") + 1)}
    sql = zone.db.value("select sqlStr from R_SPECIFIC_QUERY where alias = ?", (alias,))
    zone.db.tuples(sql, list(arguments.values()))


def test_specific_query_life(zone: CatalogZone) -> None:
    """Add, run by alias and by text, page, refuse a second one of that name, remove."""
    sql = "select coll_name from R_COLL_MAIN where coll_name like ? order by 1"
    specific_query.add(zone.db, sql, "mine")
    with pytest.raises(IrodsError) as caught:
        specific_query.add(zone.db, sql, "mine")
    assert caught.value.code == codes.CAT_INVALID_ARGUMENT
    result = specific_query.execute(zone.db, {"sql": "mine", "arg1": f"{HOME}%", "maxRows": 2})
    assert result["SqlResult_PI"][0] == {"attriInx": 0, "reslen": 50, "value": [HOME, f"{HOME}/public"]}
    assert result["continueInx"] == 1
    assert specific_query.execute(zone.db, {"sql": sql, "arg1": HOME, "maxRows": 2})["rowCnt"] == 1
    specific_query.remove(zone.db, "mine")
    for action, code in (
        (lambda: specific_query.remove(zone.db, "mine"), codes.CAT_SUCCESS_BUT_WITH_NO_INFO),
        (lambda: specific_query.execute(zone.db, {"sql": "mine", "maxRows": 1}), codes.CAT_UNKNOWN_SPECIFIC_QUERY),
        (lambda: specific_query.execute(zone.db, {"sql": "lsl", "maxRows": 1}), codes.CAT_SQL_ERR),
    ):
        with pytest.raises(IrodsError) as caught:
            action()
        assert caught.value.code == code
