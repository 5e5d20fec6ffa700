"""PostgreSQL from Debian's package, and a document store with CouchDB's interface from npm (pouchdb-server)."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

from tests.peers.daemon import Daemon, answers
from tests.peers.npm import install
from tests.peers.postgres import Postgres

__all__ = ["Couch", "Postgres"]

SOURCE = Path(__file__).parent / "couch"
INSTALLED = Path(sys.prefix) / "couch"


class Couch(Daemon):
    """PouchDB Server: CouchDB's interface by the Apache CouchDB community, on LevelDB; ids, revisions, attachments."""

    def __init__(self) -> None:
        install(SOURCE, INSTALLED)
        super().__init__("couch", "")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        server = str(INSTALLED / "node_modules/pouchdb-server/bin/pouchdb-server")
        return ["node", server, "--port", str(self.port), "--dir", str(self.home), "--no-stdout-logs"]

    def serves(self) -> bool:
        return answers(f"{self.url}/")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """An answer, beside the code that is tested."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310  (http)
            f"{self.url}/{path}", data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)
