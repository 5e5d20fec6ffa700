"""Tables of a PostgreSQL database: what columns a query has, and a new table that takes the place of another."""

from __future__ import annotations

import uuid

from psycopg import sql

from python_rules.engine.systems.postgres_link import Connection, Link, Watched
from python_rules.jobs.errors import JobError
from python_rules.jobs.paths import HIDDEN_PREFIX

LONGEST_NAME = 63  # bytes of a table's or column's name; PostgreSQL cuts longer ones silently
_TYPES = (
    "select pg_catalog.format_type(o, m) from unnest(%s::oid[], %s::int[]) with ordinality as t(o, m, n) order by n"
)

Columns = list[tuple[str, str]]  # names and types


class NewTable:
    """A table that nobody else sees: its transaction is open, and undone unless it is put in its place."""

    held = 0

    def __init__(self, link: Link, path: str, table: tuple[str, str]) -> None:
        self.link = link
        self.path = path
        self._table = table
        self._hidden = (table[0], HIDDEN_PREFIX + uuid.uuid4().hex)
        with link.told(path):
            self.connection = link.connect()
        self.watched = Watched(link, self.connection)

    @property
    def name(self) -> sql.Identifier:
        """Its name until then."""
        return sql.Identifier(*self._hidden)

    def reread(self) -> None:
        """As Outgoing.reread."""

    def go_on_at(self, offset: int) -> None:
        """As Outgoing.go_on_at: nothing is ever held."""

    def make(self, columns: Columns) -> None:
        """Make it; the types are PostgreSQL's own (``postgres_types.known_type``)."""
        for name, _ in columns:
            if not 0 < len(name.encode()) <= LONGEST_NAME or "\0" in name:
                text = f"the column's name {name[:80]!a} has not 1 to {LONGEST_NAME} bytes"
                raise self.link.system.error("bad_value", text, self.path, "rename the column in the file")
        parts = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in columns]
        self.connection.execute(sql.SQL("create table {} ({})").format(self.name, sql.SQL(", ").join(parts)))

    def put_in_place(self) -> None:
        """Give it its final name, in place of the table that has it, for everybody at the same instant."""
        final = sql.Identifier(*self._table)
        self.connection.execute(sql.SQL("drop table if exists {}").format(final))
        last = sql.Identifier(self._table[1])
        self.connection.execute(sql.SQL("alter table {} rename to {}").format(self.name, last))
        self.connection.commit()

    def unverified(self, what: str) -> JobError:
        """The error about a table that is not what was written."""
        return self.link.system.error("verification_failed", what, self.path)

    def close(self) -> None:
        """Close the connection; what was not committed is gone."""
        if not self.connection.closed:
            self.watched.close()
            self.connection.close()


def columns_of(connection: Connection, query: sql.Composable) -> Columns:
    """Names and types of a query's columns."""
    result = connection.execute(sql.SQL("select * from ({}) as q limit 0").format(query)).pgresult
    if result is None:
        return []
    numbers = range(result.nfields)
    names = [(result.fname(number) or b"").decode() for number in numbers]
    asked = [[result.ftype(number) for number in numbers], [result.fmod(number) for number in numbers]]
    types = connection.execute(_TYPES, asked).fetchall()
    return [(name, str(row[0])) for name, row in zip(names, types, strict=True)]
