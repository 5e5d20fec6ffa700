"""A PostgreSQL database as a system: ``schema/table.csv`` and ``.parquet``, and the named queries beside the schemas.

Both directions are COPY. What is read comes from one read-only snapshot; what is written is a new table in a
transaction that is committed, under the table's name, once it was verified. No text of a user becomes SQL: names are
quoted, queries are the administrator's.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from psycopg import sql

from python_rules.engine.systems.place import FILE, FOLDER, Incoming, Item, Outgoing
from python_rules.engine.systems.postgres_link import Link
from python_rules.engine.systems.postgres_tables import LONGEST_NAME
from python_rules.engine.systems.system import System, checked_path

# The form of a file to the module that reads and writes it; Parquet's library is large and loaded when it is used.
_FORMS = {"csv": "postgres_csv", "parquet": "postgres_parquet"}
_TABLES = (
    "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
    "where n.nspname = any(%s) and c.relkind = any('{r,v,m,p,f}') and not c.relispartition "
    "and has_table_privilege(c.oid, 'SELECT') order by n.nspname, c.relname"
)


class Postgres:
    """A Place in a database."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._link = Link(system)
        self._schemas = [str(name) for name in system.settings["schemas"]]
        self._queries: dict[str, str] = dict(system.settings["queries"])

    def check(self) -> str:
        """As Place.check."""
        with self._link.told(""), self._link.opened(read_only=True) as connection:
            tables = len(connection.execute(_TABLES, [self._schemas]).fetchall())
            version = connection.info.server_version // 10_000
        seen = f"{tables} tables in {', '.join(self._schemas)}, {len(self._queries)} named queries"
        return f"PostgreSQL {version} with {seen}; how much is free it does not say"

    def find(self, path: str) -> Item | None:
        """As Place.find; how large a table is as a file is not known before it was read."""
        if checked_path(self._system, path) in ("", *self._schemas):
            return Item(path, FOLDER)
        schema, name, form = self._parsed(path)
        if not form:
            return None
        if not schema:
            return Item(path, FILE, -1) if name in self._queries else None
        return Item(path, FILE, -1) if (schema, name) in self._tables([schema]) else None

    def walk(self, path: str) -> Iterator[Item]:
        """As Place.walk; each table in the one form that the settings say."""
        checked_path(self._system, path)
        form = self._system.settings["listed"]
        schemas = [name for name in sorted(self._schemas) if path in ("", name)]
        tables = self._tables(schemas) if schemas else []
        names = [] if path else [Item(f"{name}.{form}", FILE, -1) for name in self._queries]
        names += [] if path else [Item(name, FOLDER) for name in schemas]
        names += [Item(f"{schema}/{table}.{form}", FILE, -1) for schema, table in tables]
        return iter(sorted(names, key=lambda item: item.path))

    def read(self, path: str, offset: int = 0) -> Incoming:
        """As Place.read; a result is not the same when it is asked for again, so it is read from its start alone."""
        schema, name, form = self._parsed(path)
        if offset:
            remedy = "the job is tried again from the start"
            raise self._system.error("system_unavailable", "a result cannot be read from its middle", path, remedy)
        if not form or (not schema and name not in self._queries):
            raise self._system.missing(path)
        query: sql.Composable = sql.SQL("select * from {}").format(sql.Identifier(schema, name))
        if not schema:
            query = sql.SQL(self._queries[name].rstrip().rstrip(";"))  # the administrator's text
        reading: Incoming = self._form(form).Reading(self._link, path, query)
        return reading

    def write(self, path: str, size: int | None = None, resume: str = "") -> Outgoing:
        """As Place.write; an attempt that broke left nothing, for its transaction is gone."""
        schema, name, form = self._parsed(path)
        if not schema or not form:
            remedy = "name it schema/table.csv or schema/table.parquet"
            raise self._system.error("bad_path", "it is no table", path, remedy)
        if not name.isprintable() or len(name.encode()) > LONGEST_NAME:  # a lone surrogate is not printable
            text = f"a table's name has at most {LONGEST_NAME} bytes, all printable"
            raise self._system.error("bad_path", text, path)
        writing: Outgoing = self._form(form).Writing(self._link, path, (schema, name))
        return writing

    def make_folder(self, path: str, mode: int | None = None) -> None:
        """As Place.make_folder: schemas are made by the database's owner."""
        if checked_path(self._system, path) not in ("", *self._schemas):
            remedy = f"write into one of {', '.join(self._schemas)}"
            raise self._system.error("bad_path", "there is no such schema among those of the settings", path, remedy)

    def make_link(self, path: str, target: str) -> None:
        """As Place.make_link."""
        raise self._system.error("bad_value", "a database has no symbolic links", path, "let links be followed")

    def remove(self, path: str) -> None:
        """As Place.remove: drops a table, unless something depends on it."""
        schema, name, form = self._parsed(path)
        if not schema or not form:
            raise self._system.error("not_permitted", "only tables are removed", path)
        with self._link.told(path), self._link.opened() as connection:
            connection.execute(sql.SQL("drop table if exists {}").format(sql.Identifier(schema, name)))
            connection.commit()

    def clean(self, path: str, job: str) -> None:
        """As Place.clean: what was not committed is gone."""

    def free(self) -> None:
        """As Place.free."""

    def close(self) -> None:
        """As Place.close; each file has a connection of its own."""

    def _tables(self, schemas: list[str]) -> list[tuple[str, str]]:
        with self._link.told(""), self._link.opened(read_only=True) as connection:
            return [(str(schema), str(name)) for schema, name in connection.execute(_TABLES, [schemas]).fetchall()]

    def _parsed(self, path: str) -> tuple[str, str, str]:
        """Schema ('' for a named query), name, and form ('' for what is none of ours)."""
        folder, _, last = checked_path(self._system, path).rpartition("/")
        name, _, form = last.rpartition(".")
        if form not in _FORMS or not name or (folder and folder not in self._schemas):
            return folder, name, ""
        return folder, name, form

    def _form(self, form: str) -> Any:
        try:
            return import_module(f"python_rules.engine.systems.{_FORMS[form]}")
        except ImportError as error:
            remedy = "an administrator installs pyarrow into the engine's environment, or .csv is used"
            raise self._system.error("configuration", f"{error.name} is not installed", remedy=remedy) from None
