"""PostgreSQL from Debian's package, as Celery's result backend."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.peers.daemon import Daemon

BINARIES = Path("/usr/lib/postgresql")


class Postgres(Daemon):
    """A cluster of its own; ``url`` is what ``celery.results`` takes."""

    stop_signal = signal.SIGINT  # PostgreSQL's fast shutdown

    def __init__(self) -> None:
        super().__init__("postgres", "postgres")
        self._bin = sorted(BINARIES.glob("*/bin"))[-1]
        self.run(
            str(self._bin / "initdb"), "-D", "data", "-U", "sluice", "-A", "trust", "-E", "UTF8", "--no-instructions"
        )

    @property
    def url(self) -> str:
        return f"db+postgresql+psycopg://sluice@127.0.0.1:{self.port}/postgres"

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.home),
            "max_connections": "100",
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(self._bin / "postgres"), "-D", "data", "-p", str(self.port), *words]

    def serves(self) -> bool:
        try:
            self.ask("select 1")
        except OSError:
            return False
        return True

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        """The rows of a query; raises OSError while the server does not answer."""
        import psycopg

        try:
            with psycopg.connect(f"host=127.0.0.1 port={self.port} user=sluice dbname=postgres") as connection:
                return connection.execute(sql.encode()).fetchall()
        except psycopg.OperationalError as error:
            raise OSError(str(error)) from error
