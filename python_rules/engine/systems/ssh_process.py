"""A running ``ssh`` and the socket to its standard input and output: what SFTP and rsync's protocol are spoken over."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import suppress

from python_rules.engine.blocks import Block

_SOCKET_BUFFER = 1 << 20  # bytes


class Lost(Exception):
    """The connection is gone, or silent for too long."""


class Process:
    """One connection; for one thread at a time. Every method raises Lost."""

    def __init__(self, command: list[str], timeout: float, buffer: int = _SOCKET_BUFFER) -> None:
        ours, theirs = socket.socketpair()
        self._complaints, complain = os.pipe()
        try:
            self._process = subprocess.Popen(command, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=complain)
        finally:
            theirs.close()
            os.close(complain)
        self._socket = ours
        self._socket.settimeout(timeout)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            self._socket.setsockopt(socket.SOL_SOCKET, option, buffer)

    def complaints(self) -> str:
        """What ``ssh`` wrote to its standard error, once the connection is gone."""
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
        with os.fdopen(os.dup(self._complaints), "rb") as pipe:
            os.set_blocking(pipe.fileno(), False)
            return (pipe.read() or b"").decode("utf-8", "replace")

    def interrupt(self) -> None:
        """Break what waits in another thread."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def _end_sending(self) -> None:
        """Tell the far side that nothing more comes."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End the connection and its process."""
        self._socket.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._complaints)

    def _send(self, data: Block) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise Lost(str(error)) from None

    def _received(self, size: int) -> bytes:
        buffer = bytearray(size)
        self._received_into(memoryview(buffer))
        return bytes(buffer)

    def _received_into(self, view: memoryview) -> None:
        while len(view):
            view = view[self._received_some(view) :]

    def _received_some(self, view: memoryview) -> int:
        """What is there, or comes next; so many bytes."""
        try:
            count = self._socket.recv_into(view)
        except TimeoutError:
            self.interrupt()
            raise Lost("no answer in time") from None
        except OSError as error:
            raise Lost(str(error)) from None
        if not count:
            raise Lost("the connection was closed")
        return count
