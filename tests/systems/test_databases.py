"""PostgreSQL on its real server: what is read is what is there, and what is written too."""

from __future__ import annotations

import csv
import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from python_rules.engine.systems.place import FILE, FOLDER, Place
from python_rules.jobs.errors import JobError
from tests.systems.files import read, sha256
from tests.systems.objects import finish, place_of, put
from tests.systems.servers_databases import Postgres

pytestmark = pytest.mark.long

TYPES = """
create schema if not exists lab;
drop table if exists lab.typed;
create table lab.typed (
    a smallint, b integer, c bigint, d real, e double precision, f numeric, g numeric(10,2), h boolean, i text,
    j varchar(5), k char(4), l bytea, m date, n time, o timestamp, p timestamptz, q interval, r uuid, s jsonb,
    t integer[], u text[], v numeric(6,3)[], w timestamptz(3), x inet);
insert into lab.typed values
    (1, -2, 9007199254740993, 1.5, 0.1, 123456789012345678901234567890.123456789, 12345678.90, true,
     'a,"b"\n\u00fc \U0001f600', 'abc', 'ab', '\\x00ff0a'::bytea, '2024-02-29', '23:59:59.999999',
     '2024-01-01 12:00:00.000001', '2024-06-01 12:00:00.5+02', '1 year 2 days 03:04:05',
     'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{"b": 1.50, "a": null}', '{1,NULL,3}', '{"x,y","",NULL,"NULL"}',
     '{1.500,-2.250}', '2024-06-01 12:00:00.123+00', '10.0.0.1/8'),
    (null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
     null, null, null, null, null),
    (0, 0, -1, 'NaN', '-Infinity', 'NaN', -0.01, false, '', '', '', ''::bytea, '0001-01-01', '00:00', '1900-01-01',
     '1970-01-01 00:00:00+00', '-1 day', '00000000-0000-0000-0000-000000000000', '[]', '{}', '{}', '{}',
     '1999-12-31 23:59:59.999+00', '::1');
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A cluster with the table of all types."""
    with Postgres() as server:
        server.start()
        run(server, TYPES)
        yield server


@pytest.fixture
def place(postgres: Postgres, tmp_path: Path) -> Place:
    """The database as a system; the spool lies in this test's folder."""
    return database(postgres, tmp_path)


def database(postgres: Postgres, folder: Path, **given: Any) -> Place:
    """The database, with other settings if wanted."""
    row = {
        "address": f"127.0.0.1:{postgres.port}",
        "base": "postgres",
        "user": "sluice",
        "tls": "disable",
        "schemas": ["lab", "public"],
        "queries": {"answer": "select 42 as answer, 'x'::text as why;", "broken": "select from where"},
        "spool": str(folder),
        **given,
    }
    return place_of("postgresql", **row)


def run(postgres: Postgres, text: str) -> None:
    """SQL, beside the code that is tested."""
    import psycopg

    with psycopg.connect(f"host=127.0.0.1 port={postgres.port} user=sluice dbname=postgres") as connection:
        connection.execute(text.encode())


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_every_type_and_value_survives_the_way_out_and_in(place: Place, postgres: Postgres, form: str) -> None:
    """The copy has the same columns of the same types, and no row differs, NULL and the empty text included."""
    content = read(place, f"lab/typed.{form}")
    assert put(place, f"lab/copy_{form}.{form}", content) == "read back"
    shape = (
        "select attname, format_type(atttypid, atttypmod) from pg_attribute "
        "where attrelid = 'lab.%s'::regclass and attnum > 0 order by attnum"
    )
    assert postgres.ask(shape % f"copy_{form}") == postgres.ask(shape % "typed")
    differ = "select count(*) from (select t::text from lab.%s t except all select t::text from lab.%s t) d"
    assert postgres.ask(differ % ("typed", f"copy_{form}")) == [(0,)]
    assert postgres.ask(f"table lab.copy_{form}")[1] == (None,) * 24


def test_parquet_has_the_types_that_other_readers_know(place: Place) -> None:
    """Numbers, times, bytes and lists are those of Parquet; what it has no type for is text with a note."""
    schema = pq.read_schema(io.BytesIO(read(place, "lab/typed.parquet")))
    found = {name: str(schema.field(name).type) for name in "acgflpmtvr"}
    assert found == {
        "a": "int16", "c": "int64", "g": "decimal128(10, 2)", "f": "string", "l": "binary",
        "p": "timestamp[us, tz=UTC]", "m": "date32[day]", "t": "list<element: int32>",
        "v": "list<element: decimal128(6, 3)>", "r": "string",
    }  # fmt: skip
    assert schema.field("r").metadata == {b"postgresql.type": b"uuid"}


def test_parquet_of_others_is_taken(place: Place, postgres: Postgres) -> None:
    """A file that never saw PostgreSQL: types that it lacks become wider ones; what has none is refused by name."""
    table = pa.table(
        {
            "u8": pa.array([255, None], pa.uint8()),
            "u64": pa.array([2**64 - 1, 0], pa.uint64()),
            "word": pa.array(["a", "b"]).dictionary_encode(),
            "when": pa.array([0, 1_000], pa.timestamp("ms", "Europe/Prague")),
            'quo"te; drop table x--': pa.array([b"\x00", None], pa.large_binary()),
        }
    )
    put(place, "lab/foreign.parquet", parquet(table))
    asked = 'select u8, u64::text, word, extract(epoch from "when")::int from lab.foreign order by u64 desc'
    assert postgres.ask(asked) == [(255, "18446744073709551615", "a", 0), (None, "0", "b", 1)]
    nested = parquet(pa.table({"inner": pa.array([{"x": 1}])}))
    with pytest.raises(JobError) as raised:
        put(place, "lab/nested.parquet", nested)
    assert raised.value.code == "bad_value"
    assert "inner" in raised.value.text
    assert place.find("lab/nested.parquet") is None


def test_a_large_result_comes_in_row_groups(place: Place, postgres: Postgres) -> None:
    """More than one, so that memory is bounded; every row is there."""
    run(postgres, "drop table if exists lab.wide; create table lab.wide as "
                  "select n, repeat(md5(n::text), 100) as t from generate_series(1, 25000) n")  # fmt: skip
    file = pq.ParquetFile(io.BytesIO(read(place, "lab/wide.parquet")))
    assert file.metadata.num_rows == 25_000
    assert file.metadata.num_row_groups > 1


def test_csv_of_others_is_taken(place: Place, postgres: Postgres) -> None:
    """Plain names, CRLF, a byte order mark, quoted line breaks, no line break at the end: columns are text."""
    content = '\ufeffid,"na\nme"\r\n1,"a\r\n""b"""\r\n2,'.encode()
    assert put(place, "public/foreign.csv", content) == "row count"
    assert postgres.ask('select id, "na\nme" from public.foreign order by id') == [("1", 'a\r\n"b"'), ("2", None)]


def test_plain_csv_has_plain_names(postgres: Postgres, tmp_path: Path) -> None:
    """For readers that do not know types in a header."""
    place = database(postgres, tmp_path, csv_types=False)
    assert next(csv.reader(io.StringIO(read(place, "answer.csv").decode()))) == ["answer", "why"]


def test_a_named_query_is_a_file_beside_the_schemas(place: Place) -> None:
    """Read only, and only by its name."""
    assert read(place, "answer.csv") == b"answer::integer,why::text\n42,x\n"
    assert pq.read_table(io.BytesIO(read(place, "answer.parquet"))).to_pylist() == [{"answer": 42, "why": "x"}]
    paths = [(item.path, item.kind) for item in place.walk("")]
    assert ("answer.parquet", FILE) in paths
    assert ("lab", FOLDER) in paths
    with pytest.raises(JobError) as raised:
        place.write("answer.csv")
    assert raised.value.code == "bad_path"
    with pytest.raises(JobError) as raised:
        read(place, "broken.csv")
    assert raised.value.code == "configuration"


def test_a_query_may_only_read(postgres: Postgres, tmp_path: Path) -> None:
    """Even if the administrator's text would write."""
    run(postgres, "create or replace function lab.sneaky() returns int language sql as "
                  "$$ create table lab.made(); select 1 $$")  # fmt: skip
    place = database(postgres, tmp_path, queries={"sneaky": "select lab.sneaky()"})
    with pytest.raises(JobError) as raised:
        read(place, "sneaky.csv")
    assert raised.value.code == "not_permitted"


@pytest.mark.parametrize(
    "name",
    [
        'x"; drop table lab.typed; --',
        "x'; select 1; --",
        "t); drop table lab.typed; --",
        "%s",
        "{}",
        "ta\u0308ble 100%",
    ],
)
def test_a_name_is_never_sql(place: Place, postgres: Postgres, name: str) -> None:
    """A table of just this name is made, read and removed; nothing else happens."""
    put(place, f"lab/{name}.csv", b"a::integer\n1\n")
    assert read(place, f"lab/{name}.csv") == b"a::integer\n1\n"
    assert f"lab/{name}.parquet" in [item.path for item in place.walk("lab")]
    place.remove(f"lab/{name}.csv")
    assert place.find(f"lab/{name}.csv") is None
    assert postgres.ask("select count(*) from lab.typed") == [(3,)]


@pytest.mark.parametrize("kind", ["integer; drop table lab.typed", "lab.sneaky()", "text default 1", "int4 --"])
def test_a_type_in_a_header_is_never_sql(place: Place, postgres: Postgres, kind: str) -> None:
    """What is no type of PostgreSQL's own is part of the name."""
    put(place, "lab/typedheader.csv", f'"a::{kind}"\n1\n'.encode())
    assert postgres.ask("select count(*) from lab.typed") == [(3,)]
    place.remove("lab/typedheader.csv")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("pg_catalog/pg_authid.csv", "source_not_found"),
        ("information_schema/tables.csv", "source_not_found"),
        ("lab/../pg_catalog/pg_authid.csv", "bad_path"),
        ("lab/missing.csv", "source_not_found"),
        ("lab/typed.xlsx", "source_not_found"),
        ("nothing.csv", "source_not_found"),
    ],
)
def test_only_the_schemas_and_queries_of_the_settings_are_read(place: Place, path: str, code: str) -> None:
    """Nothing of the catalogue, and nothing that is not there."""
    with pytest.raises(JobError) as raised:
        read(place, path)
    assert raised.value.code == code


@pytest.mark.parametrize("name", ["x" * 64, "\u00e9" * 32, "a\nb"])
def test_a_name_that_would_be_cut_is_refused(place: Place, name: str) -> None:
    """63 bytes is what PostgreSQL keeps."""
    with pytest.raises(JobError) as raised:
        place.write(f"lab/{name}.csv")
    assert raised.value.code == "bad_path"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("bad.csv", b"a::integer\n1\nx\n", "bad_value"),
        ("bad.csv", b"a,b\n1\n", "bad_value"),
        ("bad.csv", b"", "wrong_encoding"),
        ("bad.csv", b"a,a\n1,2\n", "bad_value"),
        ("bad.csv", b"a,\n1,2\n", "bad_value"),
        ("bad.parquet", b"no parquet", "wrong_encoding"),
    ],
)
def test_what_cannot_be_a_table_leaves_none(place: Place, name: str, content: bytes, code: str) -> None:
    """The old table stays, the error says why."""
    put(place, f"lab/{name}", b"a::integer\n7\n") if name.endswith("csv") else None
    with pytest.raises(JobError) as raised:
        put(place, f"lab/{name}", content)
    assert raised.value.code == code
    assert raised.value.remedy
    if name.endswith("csv"):
        assert read(place, "lab/bad.csv") == b"a::integer\n7\n"
        place.remove("lab/bad.csv")
    assert place.find(f"lab/{name}") is None


def test_a_damaged_parquet_file_makes_no_table(place: Place) -> None:
    """A byte in the middle is changed: the page's checksum says so."""
    table = pa.table({"a": [b"x" * 100_000]})
    content = bytearray(parquet(table, compression="none", use_dictionary=False, write_page_checksum=True))
    content[50_000] ^= 1
    with pytest.raises(JobError) as raised:
        put(place, "lab/damaged.parquet", bytes(content))
    assert raised.value.code in ("wrong_encoding", "verification_failed")
    assert place.find("lab/damaged.parquet") is None


def test_a_table_is_seen_by_others_when_it_is_whole(place: Place, postgres: Postgres) -> None:
    """The old one until then; nothing of a broken attempt stays."""
    put(place, "lab/t.csv", b"a::integer\n1\n")
    writer = place.write("lab/t.csv")
    writer.write(b"a::integer\n2\n")
    assert postgres.ask("select a from lab.t") == [(1,)]
    with pytest.raises(JobError) as raised:
        writer.publish(13, sha256(b"something else"))
    assert raised.value.code == "verification_failed"
    writer.abandon()
    assert postgres.ask("select a from lab.t") == [(1,)]
    assert postgres.ask("select count(*) from pg_class where relname like '.sluice%'") == [(0,)]
    put(place, "lab/t.csv", b"a::integer\n2\n")
    assert postgres.ask("select a from lab.t") == [(2,)]


def test_a_table_on_which_a_view_depends_is_not_replaced(place: Place, postgres: Postgres) -> None:
    """Nor is the view that has the name."""
    put(place, "lab/under.csv", b"a::integer\n1\n")
    run(postgres, "create or replace view lab.over as select * from lab.under")
    for path in ("lab/under.csv", "lab/over.csv"):
        with pytest.raises(JobError) as raised:
            put(place, path, b"a::integer\n2\n")
        assert raised.value.code == "target_exists"
    assert read(place, "lab/over.csv") == b"a::integer\n1\n"


def test_parquet_on_its_way_in_is_on_the_disk_only_encrypted(place: Place, tmp_path: Path) -> None:
    """The temporary file has no name; what is in it is read through the open descriptor."""
    secret_text = b"plaintext that must not be seen" * 1000
    content = parquet(pa.table({"a": [secret_text]}), compression="none")
    writer = place.write("lab/sealed.parquet")
    writer.write(content)
    spooled = writer._spool._file  # type: ignore[attr-defined]
    spooled.flush()
    spooled.seek(0)
    assert b"plaintext" not in spooled.read()
    spooled.seek(0, 2)
    assert list(tmp_path.iterdir()) == []
    writer.publish(len(content), sha256(content))
    assert pq.read_table(io.BytesIO(read(place, "lab/sealed.parquet"))).to_pylist() == [{"a": secret_text}]


def test_a_server_that_is_silent_is_taken_for_stalled(postgres: Postgres, tmp_path: Path) -> None:
    """While it is read from and while it is written to."""
    place = database(postgres, tmp_path, timeout_seconds=1)
    reader = place.read("lab/typed.csv")
    writer = place.write("lab/stalled.csv")
    writer.write(b"a::integer\n1\n")
    backends = [one.info.backend_pid for one in (reader._connection, writer.connection)]  # type: ignore[attr-defined]
    for pid in backends:
        os.kill(pid, signal.SIGSTOP)
    try:
        for attempt in (lambda: reader.readinto(bytearray(9)), lambda: finish(writer, b"2\n", b"a::integer\n1\n2\n")):
            with pytest.raises(JobError) as raised:
                attempt()
            assert raised.value.code == "system_unavailable"
    finally:
        for pid in backends:
            os.kill(pid, signal.SIGCONT)
    reader.close()
    writer.abandon()


def test_what_is_wrong_with_the_connection_is_told(postgres: Postgres, tmp_path: Path) -> None:
    """A role that is not there, a database, a port."""
    for given, code in (
        ({"user": "nobody"}, "system_refused"),
        ({"base": "missing"}, "system_error"),
        ({"address": "127.0.0.1:1"}, "system_unavailable"),
        ({"tls": "require"}, "system_refused"),
    ):
        with pytest.raises(JobError) as raised:
            database(postgres, tmp_path, **given).check()
        assert raised.value.code == code, raised.value.text
        assert raised.value.remedy
    assert "tables" in database(postgres, tmp_path).check()


def parquet(table: pa.Table, **options: Any) -> bytes:
    """A table as a file."""
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()
