"""Frames over a blocking socket: few system calls, and bulk data straight into a reused buffer."""

from __future__ import annotations

import socket
import ssl

from embedded_zone.wire.frame import (
    LENGTH_BYTES,
    MAX_MESSAGE,
    MAX_STREAM,
    Frame,
    Header,
    check_lengths,
    encode,
    header_length,
    parse_header,
)

SMALL = 64 << 10  # one receive takes a whole small request
TLS_GOODBYE_SECONDS = 1.0
KEEP = 64 << 20  # a larger bulk buffer is given back after its frame


class ClientGone(Exception):
    """The peer closed the connection, or it broke, between frames or within one."""


class Connection:
    """One peer; ``read`` and ``write`` raise ClientGone, ``read`` FrameError for what is no frame.

    The ``bs`` of a frame that was read is a view of a buffer that the next ``read`` overwrites.
    """

    def __init__(self, sock: socket.socket, max_message: int = MAX_MESSAGE, max_stream: int = MAX_STREAM) -> None:
        self.socket = sock
        self.limits = (max_message, max_stream)
        self._small = bytearray(SMALL)
        self._start = self._end = 0  # what of _small is received and not yet taken
        self._large = bytearray()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def read(self) -> Frame:
        """The next frame; its ``bs`` is valid until the next call."""
        header = self.read_header()
        check_lengths(header, *self.limits)
        msg = self._take(header.msg_len)
        error = self._take(header.error_len)
        return Frame(header.type, msg, error, self._bulk(header.bs_len), header.int_info)

    def read_header(self) -> Header:
        """The next header alone: TLS peers send two whose lengths mean something else."""
        length = header_length(self._take(LENGTH_BYTES))
        return parse_header(self._take(length))

    def read_bytes(self, count: int) -> bytes:
        """Bytes outside a frame: the shared secret that follows its header."""
        return self._take(count)

    def write(self, frame: Frame) -> None:
        """Send a whole frame, nothing copied on a plain connection."""
        try:
            if isinstance(self.socket, ssl.SSLSocket):
                for part in encode(frame):
                    self.socket.sendall(part)
            else:
                self._send([memoryview(part) for part in encode(frame)])
        except OSError as error:
            raise ClientGone(str(error)) from None

    def send_raw(self, data: bytes) -> None:
        """Send bytes that are no frame (the answer to a heartbeat)."""
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise ClientGone(str(error)) from None

    def upgrade(self, context: ssl.SSLContext, *, server: bool = True, host: str | None = None) -> None:
        """Continue in TLS; raises ClientGone if the handshake fails."""
        try:
            self.socket = context.wrap_socket(self.socket, server_side=server, server_hostname=host)
        except (OSError, ValueError) as error:
            raise ClientGone(f"TLS: {error}") from None

    def close(self) -> None:
        """Close the socket; safe to call twice. A TLS peer that waits for our goodbye gets it."""
        if isinstance(self.socket, ssl.SSLSocket):
            try:
                self.socket.settimeout(TLS_GOODBYE_SECONDS)
                self.socket.unwrap()
            except (OSError, ValueError):
                pass
        self.socket.close()

    def _send(self, parts: list[memoryview]) -> None:
        while parts:
            sent = self.socket.sendmsg(parts)
            while parts and sent >= len(parts[0]):
                sent -= len(parts.pop(0))
            if parts and sent:
                parts[0] = parts[0][sent:]

    def _receive(self, view: memoryview, flags: int = 0) -> int:
        try:
            count = self.socket.recv_into(view, len(view), flags)
        except (OSError, ValueError) as error:
            raise ClientGone(str(error)) from None
        if not count:
            raise ClientGone("closed")
        return count

    def _take(self, count: int) -> bytes:
        held = self._end - self._start
        if count <= held:
            data = bytes(self._small[self._start : self._start + count])
            self._start += count
            return data
        if count > SMALL:
            target = bytearray(count)
            self._fill(memoryview(target))
            return bytes(target)
        self._compact()
        while self._end < count:
            self._end += self._receive(memoryview(self._small)[self._end :])
        return self._take(count)

    def _compact(self) -> None:
        held = self._end - self._start
        self._small[:held] = self._small[self._start : self._end]
        self._start, self._end = 0, held

    def _fill(self, view: memoryview) -> None:
        """Fill ``view``: first from what is held, then from the socket without a copy."""
        held = min(self._end - self._start, len(view))
        view[:held] = memoryview(self._small)[self._start : self._start + held]
        self._start += held
        flags = 0 if isinstance(self.socket, ssl.SSLSocket) else socket.MSG_WAITALL
        while held < len(view):
            held += self._receive(view[held:], flags)

    def _bulk(self, count: int) -> memoryview:
        if len(self._large) > KEEP or len(self._large) < count:
            # A new buffer rather than a resize: a handler may still hold a view of the old one.
            self._large = bytearray(count)
        view = memoryview(self._large)[:count]
        self._fill(view)
        return view
