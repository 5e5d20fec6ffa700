"""Tables as CSV, as PostgreSQL itself writes and reads it: NULL is nothing between two commas, an empty text is ``""``.

The header says each column's type after its name (``id::bigint``), unless the settings want plain names.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress

import psycopg
from psycopg import Copy, sql

from python_rules.engine.blocks import Block
from python_rules.engine.pipeline import Tally
from python_rules.engine.systems.place import Fence, unfenced
from python_rules.engine.systems.postgres_link import Connection, Link, Result, Watched
from python_rules.engine.systems.postgres_tables import Columns, NewTable, columns_of
from python_rules.engine.systems.postgres_types import known_type

_LONGEST_HEADER = 1 << 20  # bytes
_BLOCK = 1 << 18  # bytes that are gathered from the server's rows
_TYPED = "::"


class Reading(Result):
    """A query's result as CSV; place.Incoming."""

    def _read(self, query: sql.Composable) -> Iterator[bytes]:
        with self._link.told(self._path), self._watched.waiting():
            names = columns_of(self._connection, query)
        yield header(names, bool(self._link.system.settings["csv_types"]))
        copied = rows(self._connection, self._watched, query)
        while True:
            with self._link.told(self._path), self._watched.waiting():
                block = next(copied, b"")
            if not block:
                return
            yield block


class Writing(NewTable):
    """A table that is made; place.Outgoing."""

    def __init__(self, link: Link, path: str, table: tuple[str, str]) -> None:
        super().__init__(link, path, table)
        self._cursor = self.connection.cursor()
        self._copying: AbstractContextManager[Copy] | None = None
        self._copy: Copy | None = None
        self._start = bytearray()  # until the header is complete
        self._header = b""
        self._tally = Tally()
        self._records = Records()

    def write(self, block: Block) -> None:
        """As Sink.write."""
        self._tally.add(block)
        if self._copy is None:
            self._start += block
            if self._begin(_end_of_record(self._start)):
                self._pass_on(bytes(self._start[len(self._header) :]))
                self._start.clear()
        else:
            self._pass_on(bytes(block))

    def publish(self, size: int, sha256: str, modified: float | None = None, fence: Fence = unfenced) -> str:
        """As Outgoing.publish: what comes back is compared; where the file's text is not how PostgreSQL would write
        it, the rows are counted."""
        if self._copy is None and not self._begin(len(self._start)):
            raise self.link.system.error("wrong_encoding", "it has no header", self.path, "give the columns' names")
        if (self._tally.size, self._tally.sha256) != (size, sha256):
            raise self.unverified("what arrived is not what was read")
        with self.link.told(self.path), self.watched.waiting():
            self._end_copy(None)
            how = self._verified(sha256)
            fence()
            self.put_in_place()
        self.close()
        return how

    def abandon(self, keep: bool = False) -> None:
        """As Outgoing.abandon: the transaction is undone when its connection is closed."""
        if not self.connection.closed:
            with suppress(psycopg.Error), self.watched.waiting():
                self._end_copy(_AbandonedError())
        self.close()

    def _begin(self, end: int) -> bool:
        """Make the table if its header is there, and ends at an offset."""
        if end <= 0:
            if len(self._start) > _LONGEST_HEADER:
                raise self.link.system.error("wrong_encoding", "it has no header in its first MiB", self.path)
            return False
        self._header = bytes(self._start[:end])
        with self.link.told(self.path), self.watched.waiting():
            self.make(self._parsed())
            self._copying = self._cursor.copy(sql.SQL("copy {} from stdin (format csv)").format(self.name))
            self._copy = self._copying.__enter__()
        return True

    def _pass_on(self, block: bytes) -> None:
        self._records.count(block)
        with self.link.told(self.path), self.watched.waiting():
            if self._copy is not None:
                self._copy.write(block)

    def _end_copy(self, why: Exception | None) -> None:
        copying, self._copying = self._copying, None
        if copying is not None:
            copying.__exit__(type(why) if why else None, why, None)

    def _parsed(self) -> Columns:
        """Names and types; one that has no type we know is text."""
        try:
            cells = next(csv.reader(io.StringIO(self._header.decode("utf-8-sig"), newline="")))
        except (UnicodeDecodeError, csv.Error, StopIteration):
            raise self.link.system.error("wrong_encoding", "its header is no CSV in UTF-8", self.path) from None
        found = []
        for cell in cells:
            name, _, given = cell.rpartition(_TYPED)
            found.append((name, given) if name and known_type(given) else (cell, "text"))
        return found

    def _verified(self, sha256: str) -> str:
        counted = self._records.total
        if self._cursor.rowcount != counted:
            raise self.unverified(f"the table has {self._cursor.rowcount} of {counted} rows")
        back = Tally()
        back.add(self._header)
        for block in rows(self.connection, self.watched, sql.SQL("select * from {}").format(self.name)):
            back.add(block)
        return "read back" if back.sha256 == sha256 else "row count"


class _AbandonedError(Exception):
    """What the server is told about a COPY that is broken off."""


class Records:
    """Counts the records of CSV after its header: lines, but not those within quotes."""

    def __init__(self) -> None:
        self._lines = 0
        self._quoted = False
        self._open = False  # the last record has no end yet

    @property
    def total(self) -> int:
        """Records so far."""
        return self._lines + self._open

    def count(self, block: bytes) -> None:
        """Take the next block."""
        if not block:
            return
        pieces = block.split(b'"')
        outside = pieces[1::2] if self._quoted else pieces[::2]
        self._lines += sum(piece.count(b"\n") for piece in outside)
        self._quoted ^= len(pieces) % 2 == 0
        self._open = not block.endswith(b"\n") or self._quoted


def rows(connection: Connection, watched: Watched, query: sql.Composable) -> Iterator[bytes]:
    """A query's rows as CSV without a header, in blocks."""
    asked = sql.SQL("copy ({}) to stdout (format csv)").format(query)
    block = bytearray()
    with connection.cursor().copy(asked) as copy:
        for row in copy:
            watched.moved()
            block += row
            if len(block) >= _BLOCK:
                yield bytes(block)
                block.clear()
    if block:
        yield bytes(block)


def header(names: Columns, typed: bool) -> bytes:
    """The first record; a type that we would not take back is not said."""
    text = io.StringIO()
    cells = [f"{name}{_TYPED}{kind}" if typed and known_type(kind) else name for name, kind in names]
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def _end_of_record(data: bytearray) -> int:
    """The offset after the first line break that is not quoted; -1 if there is none."""
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        if data.count(b'"', 0, end) % 2 == 0:
            return end + 1
        start = end + 1
    return -1
