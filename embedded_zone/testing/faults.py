"""A TCP proxy in front of a zone that cuts, delays and corrupts connections on demand."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field
from types import TracebackType

CHUNK = 64 << 10
TO_SERVER, TO_CLIENT = "to_server", "to_client"
DIRECTIONS = (TO_SERVER, TO_CLIENT)
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: the peer sees a reset, not an end


@dataclass
class _Weather:
    """What the proxy does to the bytes of one direction."""

    delay: float = 0.0  # seconds before each chunk
    corrupt: int = 0  # so many further chunks get a wrong byte
    budget: int = -1  # bytes that may still pass before the connections are cut; -1: no limit
    flowing: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.flowing.set()


class FaultyProxy:
    """Listens on a free port of loopback and passes everything on to ``host:port``, until told otherwise.

    with FaultyProxy(zone.config.host, zone.port) as proxy:
        session = iRODSSession(**{**zone.session_arguments(), "port": proxy.port})
        proxy.cut()
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._weather = {direction: _Weather() for direction in DIRECTIONS}
        self._closed = threading.Event()
        self._refusing = False
        threading.Thread(target=self._accept, name="faulty-proxy", daemon=True).start()

    def __enter__(self) -> FaultyProxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- faults

    def cut(self) -> None:
        """Reset all connections there are; new ones are accepted."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for sock in pair:
                _reset(sock)

    def cut_after(self, count: int, direction: str = TO_SERVER) -> None:
        """Reset all connections once so many further bytes have passed in a direction."""
        self._weather[direction].budget = count

    def refuse(self) -> None:
        """From now on reset new connections at once, as a server that is down would."""
        self._refusing = True

    def delay(self, seconds: float, direction: str = TO_SERVER) -> None:
        """Hold every chunk back for so long; 0 ends it."""
        self._weather[direction].delay = seconds

    def corrupt(self, chunks: int = 1, direction: str = TO_SERVER) -> None:
        """Change one byte in each of the next chunks (a chunk is what one receive gives, at most 64 KiB)."""
        self._weather[direction].corrupt = chunks

    def freeze(self) -> None:
        """Let nothing pass, without closing anything, until ``thaw``."""
        for weather in self._weather.values():
            weather.flowing.clear()

    def thaw(self) -> None:
        """Let everything pass that waited."""
        for weather in self._weather.values():
            weather.flowing.set()

    def heal(self) -> None:
        """No faults from now on."""
        self._refusing = False
        for weather in self._weather.values():
            weather.delay, weather.corrupt, weather.budget = 0.0, 0, -1
        self.thaw()

    def close(self) -> None:
        """End the proxy and all its connections."""
        self._closed.set()
        # A listener that is only closed would not wake its accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.heal()
        self.cut()

    # --- passing on

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                _reset(client)
                continue
            try:
                server = socket.create_connection(self._server)
            except OSError:
                _reset(client)
                continue
            self._start(client, server)

    def _start(self, client: socket.socket, server: socket.socket) -> None:
        with self._lock:
            self._pairs.append((client, server))
        for source, target, direction in ((client, server, TO_SERVER), (server, client, TO_CLIENT)):
            weather = self._weather[direction]
            threading.Thread(target=self._pass, args=(source, target, weather), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, weather: _Weather) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(CHUNK):
                weather.flowing.wait()
                if weather.delay:
                    self._closed.wait(weather.delay)
                target.sendall(self._worsened(chunk, weather))
            target.shutdown(socket.SHUT_WR)

    def _worsened(self, chunk: bytes, weather: _Weather) -> bytes:
        if weather.corrupt > 0:
            weather.corrupt -= 1
            middle = len(chunk) // 2
            chunk = chunk[:middle] + bytes([chunk[middle] ^ 0xFF]) + chunk[middle + 1 :]
        if weather.budget >= 0:
            weather.budget -= len(chunk)
            if weather.budget < 0:
                weather.budget = -1
                self.cut()
                raise ConnectionResetError
        return chunk


def _reset(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    # A socket that another thread receives from is only closed when that thread leaves it.
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
