"""The catalogue file: connections, transactions, the object number sequence.

Many agent processes write at the same time. WAL lets readers never wait; writers queue for at most
``BUSY_SECONDS``. A transaction takes the write lock when it begins, so that it can never fail in the middle
because another process wrote between its first read and its first write.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedded_zone.errors import IrodsError

if TYPE_CHECKING:
    from embedded_zone.config import ZoneConfig

BUSY_SECONDS = 30.0

CAT_SQL_ERR = -806000
CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME = -809000

# NORMAL: a commit survives the death of any process; only a power cut can lose the last ones.
_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL", "case_sensitive_like=ON", "foreign_keys=OFF", "cache_size=-16000")


class Database:
    """One process's connection to the catalogue; open it after a fork, never share it.

    Failures of SQLite are raised as IrodsError with the code a real server has for them: a duplicate key
    is CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME (-809000), everything else CAT_SQL_ERR (-806000).
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._depth = 0

    @classmethod
    def open(cls, path: Path | str) -> Database:
        """Connect to an existing catalogue; raises IrodsError CAT_SQL_ERR if there is none."""
        if not os.path.exists(path):
            raise IrodsError(CAT_SQL_ERR, f"there is no catalogue {path}")
        return cls(_connect(path))

    @classmethod
    def create(cls, path: Path | str, config: ZoneConfig, admin_password: str = "rods") -> Database:  # noqa: S107 of a throw-away zone
        """Make a new catalogue with schema and seed data, readable by its owner only; raises FileExistsError."""
        from embedded_zone.catalog import seed

        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        db = cls(_connect(path))
        schema = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
        db.connection.executescript(f"BEGIN;\n{schema}\nCOMMIT;")
        with db.transaction():
            seed.populate(db, config, admin_password)
        return db

    def close(self) -> None:
        """End the connection; what no transaction committed is lost."""
        self.connection.close()

    @property
    def in_transaction(self) -> bool:
        return self._depth > 0

    @contextmanager
    def transaction(self) -> Iterator[Database]:
        """All or nothing: commits at the end of the block, rolls back if it raises. A nested one joins the outer."""
        if self._depth:
            yield self
            return
        self.execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield self
        except BaseException:
            self.connection.rollback()
            raise
        else:
            self.execute("COMMIT")
        finally:
            self._depth = 0

    def execute(self, sql: str, params: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement; ``params`` are the values of its question marks.

        For reading use ``one``, ``all``, ``tuples`` or ``value``: a cursor that is kept half read holds this
        connection at an old state of the file, from which no transaction can begin.
        """
        try:
            return self.connection.execute(sql, params)
        except (sqlite3.Error, UnicodeEncodeError, OverflowError) as error:
            raise as_irods_error(error) from error

    def one(self, sql: str, params: Sequence[Any] = ()) -> sqlite3.Row | None:
        """The first row, or None. The cursor is closed: an open one would pin an old state of the file."""
        cursor = self.execute(sql, params)
        row: sqlite3.Row | None = cursor.fetchone()
        cursor.close()
        return row

    def all(self, sql: str, params: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Every row."""
        try:
            return self.connection.execute(sql, params).fetchall()
        except (sqlite3.Error, UnicodeEncodeError, OverflowError) as error:
            raise as_irods_error(error) from error

    def tuples(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Every row as a plain tuple, which is cheaper where there are thousands."""
        cursor = self.connection.cursor()
        cursor.row_factory = None
        try:
            return cursor.execute(sql, params).fetchall()
        except (sqlite3.Error, UnicodeEncodeError, OverflowError) as error:
            raise as_irods_error(error) from error
        finally:
            cursor.close()

    def value(self, sql: str, params: Sequence[Any] = ()) -> Any:
        """The first column of the first row, or None."""
        row = self.one(sql, params)
        return None if row is None else row[0]

    def next_id(self) -> int:
        """A new object number; numbers begin at 10000 and are never used twice."""
        with self.transaction():
            number: int = self.value("select next from zone_sequence")
            self.execute("update zone_sequence set next = ?", (number + 1,))
        return number

    def zone_name(self) -> str:
        """The local zone's name."""
        name: str = self.value("select zone_name from R_ZONE_MAIN where zone_type_name = 'local'")
        return name

    @staticmethod
    def now() -> str:
        """The time as the catalogue writes it: seconds since 1970, 11 digits."""
        return f"{int(time.time()):011d}"


def as_irods_error(error: Exception) -> IrodsError:
    """What a real server answers for a failed statement."""
    duplicate = isinstance(error, sqlite3.IntegrityError) and "UNIQUE" in str(error)
    return IrodsError(CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME if duplicate else CAT_SQL_ERR, str(error))


def _connect(path: Path | str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, cached_statements=512)
    connection.row_factory = sqlite3.Row
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()
    # SQLite's own know ASCII letters only.
    connection.create_function("upper", 1, lambda value: value and str(value).upper(), deterministic=True)
    connection.create_function("lower", 1, lambda value: value and str(value).lower(), deterministic=True)
    return connection
