"""Connections to a PostgreSQL database: how they are made, watched while they wait, and what their errors mean."""

from __future__ import annotations

import os
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from python_rules.engine.systems.system import System
from python_rules.jobs.errors import JobError

Connection = psycopg.Connection[tuple[Any, ...]]

# How values look as text must not depend on what a role or a database is set to.
_OPTIONS = (
    "-c timezone=UTC -c datestyle=ISO -c intervalstyle=postgres -c bytea_output=hex -c extra_float_digits=1 "
    "-c synchronize_seqscans=off -c statement_timeout=0"
)
_LONGEST_TEXT = 200  # characters of what the server says

# The beginning of an SQLSTATE to the code and the text of a JobError; the first row that fits.
_MEANINGS: tuple[tuple[str, str, str], ...] = (
    ("42501", "not_permitted", "the role may not do this"),
    ("25006", "not_permitted", "the query may only read"),
    ("28", "system_refused", "the role or its password is refused"),
    ("3D", "system_error", "there is no such database"),
    ("42P01", "source_not_found", "there is no such table"),
    ("3F", "source_not_found", "there is no such schema"),
    ("42P07", "target_exists", "something else has this name"),
    ("2BP01", "target_exists", "something in the database depends on the table that would be replaced"),
    ("42809", "target_exists", "what has this name is no table"),
    ("427", "bad_value", "a column's name comes twice, or is too long"),
    ("54", "bad_value", "it is more than a table can hold"),
    ("22", "bad_value", "a value does not fit"),
    ("23", "bad_value", "a value does not fit"),
    ("42", "configuration", "the query, or the table, cannot be used so"),
    ("53300", "system_unavailable", "it has too many connections"),
    ("53", "no_space", "the server is full"),
    ("08", "system_unavailable", "the connection was lost"),
    ("40", "system_unavailable", "others are at work on it"),
    ("55", "system_unavailable", "others are at work on it"),
    ("57", "system_unavailable", "the server ended the connection"),
)
_REFUSED = ("password authentication failed", "no pg_hba.conf entry", "certificate", "SSL", "no password", "role ")
_REMEDIES = {
    "bad_value": "correct the file, or the types that it says",
    "target_exists": "name another table, or remove what is in the way",
    "configuration": "an administrator must correct the query in sluice.json",
}


class Link:
    """The way to one database."""

    def __init__(self, system: System) -> None:
        self.system = system

    @contextmanager
    def opened(self, read_only: bool = False) -> Iterator[Connection]:
        """A connection for a moment."""
        connection = self.connect(read_only)
        try:
            yield connection
        finally:
            connection.close()

    def connect(self, read_only: bool = False) -> Connection:
        """A connection; ``read_only`` gives one snapshot in which nothing can be changed."""
        settings = self.system.settings
        host, port = self.system.address(5432)
        tls = {"sslmode": settings["tls"]}
        if str(settings["tls"]).startswith("verify"):
            tls["sslrootcert"] = settings["authority"]
        connection = psycopg.connect(
            host=host,
            port=port,
            dbname=self.system.base.strip("/"),
            user=settings["user"],
            password=self.system.secret("password_file"),
            passfile=os.devnull,  # only what the settings name
            application_name="sluice",
            client_encoding="UTF8",
            connect_timeout=max(2, round(self.system.timeout)),
            tcp_user_timeout=round(self.system.timeout * 1000),
            options=_OPTIONS,
            **tls,
        )
        connection.read_only = read_only
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ if read_only else None
        return connection

    @contextmanager
    def told(self, path: str) -> Iterator[None]:
        """Turn what psycopg raises in the block into a JobError about ``path``."""
        try:
            yield
        except psycopg.Error as error:
            raise self._meaning(error, path) from None

    def _meaning(self, error: psycopg.Error, path: str) -> JobError:
        said = f"{error.diag.message_primary or ''}"[:_LONGEST_TEXT]
        for state, code, text in _MEANINGS:
            if (error.sqlstate or "").startswith(state):
                return self.system.error(code, f"{text}: {said} ({error.sqlstate})", path, _REMEDIES.get(code, ""))
        if isinstance(error, psycopg.OperationalError):
            if any(word in str(error) for word in _REFUSED):
                return self.system.error("system_refused", "the role, its password or the certificate is refused", path)
            if "does not exist" in str(error):
                return self.system.error("system_error", "there is no such database", path)
            return self.system.error("system_unavailable", "no answer", path)
        if isinstance(error, psycopg.DataError):
            remedy = "take the .csv, which holds every value"
            return self.system.error("bad_value", f"a value has no place in the file: {error}"[:300], path, remedy)
        return self.system.error("system_error", f"{type(error).__name__} {error.sqlstate or ''} {said}", path)


class Watched:
    """A connection whose server must say something within the system's timeout while it is waited for."""

    def __init__(self, link: Link, connection: Connection) -> None:
        self._timeout = link.system.timeout
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        self._since = 0.0  # when the wait began; 0: nobody waits
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watched", daemon=True)
        self._thread.start()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """In the block the server is waited for."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = 0.0

    def moved(self) -> None:
        """The server said something; in a block of ``waiting``."""
        self._since = time.monotonic()

    def interrupt(self) -> None:
        """Break what waits."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it is gone already, which is what was wanted

    def close(self) -> None:
        """Nobody waits any more."""
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def _look(self) -> None:
        while not self._ended.wait(min(self._timeout / 4, 1.0)):
            if self._since and time.monotonic() - self._since > self._timeout:
                self.interrupt()
                return


class Result(ABC):
    """A query's result, in the form that ``_read`` gives it; place.Incoming."""

    def __init__(self, link: Link, path: str, query: sql.Composable) -> None:
        self._link = link
        self._path = path
        with link.told(path):
            self._connection = link.connect(read_only=True)
        self._watched = Watched(link, self._connection)
        self._blocks = self._read(query)
        self._block = memoryview(b"")

    def readinto(self, buffer: bytearray) -> int:
        """As Source.readinto."""
        view, filled = memoryview(buffer), 0
        while filled < len(view):
            if not self._block:
                self._block = memoryview(next(self._blocks, b""))
            count = min(len(view) - filled, len(self._block))
            if not count:
                break
            view[filled : filled + count] = self._block[:count]
            self._block = self._block[count:]
            filled += count
        return filled

    def interrupt(self) -> None:
        """As Source.interrupt."""
        self._watched.interrupt()

    def close(self) -> None:
        """As Incoming.close."""
        self._watched.close()
        self._connection.close()

    @abstractmethod
    def _read(self, query: sql.Composable) -> Iterator[bytes]:
        """The file, in blocks of any size but none."""
