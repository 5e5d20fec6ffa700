"""Tables as Parquet, with their types: in row groups out of a query, and out of a file into a new table.

A file is read from its end, so what comes in is kept in an encrypted temporary file until it is whole.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from python_rules.engine.blocks import MIB, Block
from python_rules.engine.pipeline import Tally
from python_rules.engine.systems.place import Fence, unfenced
from python_rules.engine.systems.postgres_link import Connection, Link, Result, Watched
from python_rules.engine.systems.postgres_tables import Columns, NewTable, columns_of
from python_rules.engine.systems.postgres_types import (
    TYPE_KEY,
    arrow_type,
    column_type,
    field_of,
    known_type,
    plain_type,
)
from python_rules.engine.systems.sealed_spool import SealedSpool
from python_rules.engine.systems.system import System
from python_rules.jobs.errors import JobError

_ROWS = 10_000  # of a batch at most
_BATCH = 4 * MIB  # bytes of a batch, about
_GROUP = 32 * MIB  # bytes of a row group, about


class Reading(Result):
    """A query's result as Parquet; place.Incoming."""

    def _read(self, query: sql.Composable) -> Iterator[bytes]:
        out = _Taken()
        with self._told(), self._watched.waiting():
            columns = columns_of(self._connection, query)
        schema = pa.schema([field_of(name, kind) for name, kind in columns])
        found = batches(self._connection, self._watched, query, columns, schema)
        with self._told(), pq.ParquetWriter(out, schema, compression="zstd", write_page_checksum=True) as writer:
            group: list[pa.RecordBatch] = []
            while (batch := self._next(found)) is not None:
                group.append(batch)
                if sum(one.nbytes for one in group) >= _GROUP:
                    writer.write_table(pa.Table.from_batches(group, schema))
                    group = []
                    yield out.taken()
            if group:
                writer.write_table(pa.Table.from_batches(group, schema))
        yield out.taken()

    def _next(self, found: Iterator[pa.RecordBatch]) -> pa.RecordBatch | None:
        with self._watched.waiting():
            return next(found, None)

    @contextmanager
    def _told(self) -> Iterator[None]:
        with self._link.told(self._path), arrow_told(self._link.system, self._path):
            yield


class Writing(NewTable):
    """A table that is made; place.Outgoing."""

    def __init__(self, link: Link, path: str, table: tuple[str, str]) -> None:
        super().__init__(link, path, table)
        self._spool = SealedSpool(str(link.system.settings["spool"]))
        self._tally = Tally()

    def write(self, block: Block) -> None:
        """As Sink.write."""
        self._tally.add(block)
        try:
            self._spool.append(block)
        except OSError as error:
            remedy = "an administrator makes room in the folder 'spool' of the system"
            text = f"the temporary file cannot be written: {error.strerror}"
            raise self.link.system.error("no_space", text, self.path, remedy) from None

    def publish(self, size: int, sha256: str, modified: float | None = None, fence: Fence = unfenced) -> str:
        """As Outgoing.publish: every value that comes back from the table is compared with that of the file."""
        if (self._tally.size, self._tally.sha256) != (size, sha256):
            raise self.unverified("what arrived is not what was read")
        system = self.link.system
        with self.link.told(self.path), arrow_told(system, self.path), self.watched.waiting():
            file = pq.ParquetFile(self._spool, page_checksum_verification=True)
            columns, schema = self._columns(file.schema_arrow)
            self.make(columns)
            whole = sql.SQL("select * from {}").format(self.name)
            written = self._copy(file, schema)
            held = Digest()
            for batch in batches(self.connection, self.watched, whole, columns, schema):
                held.add(batch)
            if held.value != written.value:
                raise self.unverified(f"{held.rows} rows came back, {written.rows} were written, and they differ")
            fence()
            self.put_in_place()
        self.close()
        return "read back"

    def abandon(self, keep: bool = False) -> None:
        """As Outgoing.abandon."""
        self.close()

    def close(self) -> None:
        """Close the connection and the temporary file."""
        super().close()
        self._spool.close()

    def _columns(self, given: pa.Schema) -> tuple[Columns, pa.Schema]:
        """The table's columns, and the schema that the file's values are cast to."""
        columns, fields = [], []
        for one in given:
            plain = plain_type(one.type)
            if plain is None:
                remedy = "flatten it, or turn it into text or JSON, in the file"
                text = f"the column {one.name[:80]!a} has the type {one.type}, which no column holds"
                raise self.link.system.error("bad_value", text, self.path, remedy)
            kind = known_type((one.metadata or {}).get(TYPE_KEY, b"").decode("ascii", "replace"))
            if not kind or (arrow_type(kind) or pa.string()) != plain:
                kind = column_type(plain)
            columns.append((one.name, kind))
            fields.append(pa.field(one.name, plain))
        return columns, pa.schema(fields)

    def _copy(self, file: pq.ParquetFile, schema: pa.Schema) -> Digest:
        digest = Digest()
        into = sql.SQL("copy {} from stdin").format(self.name)
        with self.connection.cursor() as cursor, cursor.copy(into) as copy:
            for batch in file.iter_batches(batch_size=_ROWS):
                cast = pa.Table.from_batches([batch]).cast(schema)
                for piece in cast.to_batches():
                    digest.add(piece)
                    for row in zip(*(column.to_pylist() for column in piece.columns), strict=True):
                        copy.write_row(row)
                    self.watched.moved()
        return digest


class Digest:
    """A hash over the values of rows, in their order, however they are cut into batches."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.rows = 0

    @property
    def value(self) -> tuple[int, bytes]:
        """Rows and hash so far."""
        return self.rows, self._hash.digest()

    def add(self, batch: pa.RecordBatch) -> None:
        """Take the next rows."""
        self.rows += batch.num_rows
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            self._hash.update(repr(row).encode("utf-8", "surrogatepass"))


def batches(
    connection: Connection, watched: Watched, query: sql.Composable, columns: Columns, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """A query's rows, by COPY, in batches of about 4 MiB; what Arrow has no type for comes as PostgreSQL's text."""
    names = [sql.Identifier(f"c{number}") for number in range(len(columns))]
    wanted = [
        name if arrow_type(kind) else sql.SQL("{}::text").format(name)
        for name, (_, kind) in zip(names, columns, strict=True)
    ]
    asked = sql.SQL("copy (select {} from ({}) as q({})) to stdout").format(
        sql.SQL(", ").join(wanted), query, sql.SQL(", ").join(names)
    )
    with connection.cursor() as cursor, cursor.copy(asked) as copy:
        copy.set_types([_loaded(kind) for _, kind in columns])
        values: list[tuple[Any, ...]] = []
        size = 0
        for row in copy.rows():
            watched.moved()
            values.append(row)
            size += sum(len(value) if isinstance(value, (str, bytes, list)) else 8 for value in row)
            if len(values) >= _ROWS or size >= _BATCH:
                yield _batch(values, schema)
                values, size = [], 0
        if values:
            yield _batch(values, schema)


def _batch(values: list[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*values, strict=True)
    arrays = [pa.array(column, one.type) for column, one in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _loaded(kind: str) -> str:
    """The type as psycopg's registry has it, by which it makes values."""
    if arrow_type(kind) is None:
        return "text"
    return re.sub(r"\(\d+(,-?\d+)?\)", "", kind)


class _Taken(io.RawIOBase):
    """A file that is only appended to; what was written is taken away."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        self._size += len(self._parts[-1])
        return len(self._parts[-1])

    def tell(self) -> int:
        return self._size

    def taken(self) -> bytes:
        """What was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


@contextmanager
def arrow_told(system: System, path: str) -> Iterator[None]:
    """Turn what pyarrow raises in the block into a JobError about ``path``."""
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as error:
        text = f"Parquet cannot hold this, or it is no Parquet file: {str(error).splitlines()[0][:200]}"
        raise _unfit(system, path, text) from None
    except OSError:
        raise _unfit(system, path, "the Parquet file is damaged") from None


def _unfit(system: System, path: str, text: str) -> JobError:
    return system.error("wrong_encoding", text, path, "take the .csv, which holds every value, or correct the file")
