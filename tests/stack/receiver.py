"""A receiver of webhooks in this process: keeps what was posted to it."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple, Self


class Posted(NamedTuple):
    """One request."""

    headers: dict[str, str]
    body: bytes


class Receiver:
    """Answers the first ``failures`` requests with 503 and takes the others."""

    def __init__(self, failures: int = 0) -> None:
        self.refused: list[Posted] = []
        self.taken: list[Posted] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                refuse = len(receiver.refused) < failures
                kept = receiver.refused if refuse else receiver.taken
                kept.append(Posted({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(503 if refuse else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing: the test looks at what was kept."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
