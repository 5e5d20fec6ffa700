"""A proxy before a server that cuts its connections after so many bytes, and counts what went through."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PIECE = 64 * 1024


class Cutting:
    """Listens on ``port`` and forwards to a server of this machine; ``cuts`` are the next distances, in bytes."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.cuts: list[int] = []
        self.made = 0  # cuts that were made
        self.up = self.down = 0  # bytes to the server and from it
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
                left = [self.cuts.pop(0)] if self.cuts else []
                for source, sink, name in ((client, server, "up"), (server, client, "down")):
                    threading.Thread(target=self._forward, args=(source, sink, name, left), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, name: str, left: list[int]) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(_PIECE):
                setattr(self, name, getattr(self, name) + len(piece))
                if left:
                    left[0] -= len(piece)
                    if left[0] <= 0:
                        left.clear()
                        self.made += 1
                        break
                sink.sendall(piece)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextmanager
def cutting(server_port: int) -> Iterator[Cutting]:
    """Such a proxy, closed afterwards."""
    proxy = Cutting(server_port)
    try:
        yield proxy
    finally:
        proxy.close()
