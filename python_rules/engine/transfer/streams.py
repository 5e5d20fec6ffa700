"""Data objects as streams, straight over the connection.

python-irodsclient's own file objects add a seek before the first and after the last byte (two round trips for each
object), name the client's default resource, and copy every block through a buffer.
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
from contextlib import suppress
from typing import Any

import irods.keywords as kw
from irods.api_number import api_number
from irods.connection import Connection
from irods.message import FileOpenRequest, StringStringMap, iRODSMessage
from irods.session import iRODSSession

from python_rules.engine.blocks import Block
from python_rules.engine.transfer.errors import told
from python_rules.engine.undoing import undone_by
from python_rules.jobs.errors import JobError

_UNKNOWN_SIZE = -1
_PUT = 1  # oprType PUT_OPR


class _Stream:
    """An open data object on a connection of its own."""

    def __init__(self, session: iRODSSession, path: str, flags: int, **options: str) -> None:
        self.path = path
        self._options = options
        self._connection: Connection = session.pool.get_connection()
        with undone_by(self._connection.release), told(path):
            self._descriptor = self._opened(flags)

    def close(self) -> None:
        """Close it; for a writer the server then computes the checksum. Raises JobError."""
        try:
            with told(self.path):
                self._connection.close_file(self._descriptor, **self._options)
        finally:
            self._connection.release()

    def write(self, block: bytes) -> None:
        """Write all of a block, in one round trip."""
        with told(self.path):
            self._connection.write_file(self._descriptor, block)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> None:
        """Go on at an offset, in bytes, from the start or from what ``whence`` says."""
        with told(self.path):
            self._connection.seek_file(self._descriptor, offset, whence)

    def _opened(self, flags: int) -> int:
        request = _request(self.path, flags, _UNKNOWN_SIZE, 0, self._options)
        self._connection.send(iRODSMessage("RODS_API_REQ", msg=request, int_info=api_number["DATA_OBJ_OPEN_AN"]))
        return int(self._connection.recv().int_info)


class Reader(_Stream):
    """A pipeline's source."""

    def __init__(self, session: iRODSSession, path: str) -> None:
        super().__init__(session, path, os.O_RDONLY)
        self._connection.socket = _Ending(self._connection.socket)

    def close(self) -> None:
        """As _Stream.close."""
        if isinstance(self._connection.socket, _Ending):  # not once the connection is gone
            self._connection.socket = self._connection.socket.inner
        super().close()

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Read up to the buffer's size, in one round trip; 0 at the end."""
        with told(self.path):
            got = self._connection.read_file(self._descriptor, buffer=buffer)
        return 0 if got is None else len(got)

    def interrupt(self) -> None:
        """Break a read that waits in another thread; the connection is of no use afterwards."""
        try:
            self._connection.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it is gone already, which is what was wanted


class _Ending:
    """A socket whose end is an error: python-irodsclient waits for ever, with all of a core, for the rest of a block
    whose connection was closed."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def recv_into(self, *arguments: Any) -> int:
        """As socket.recv_into."""
        count = int(self.inner.recv_into(*arguments))
        if not count:
            raise ConnectionResetError("the connection was closed")
        return count


def write_over(session: iRODSSession, path: str, start: bytes) -> None:
    """Write over the first bytes of an object; the server then computes its checksum anew."""
    stream = _Stream(session, path, os.O_RDWR, **{kw.REG_CHKSUM_KW: ""})
    try:
        stream.write(start)
    finally:
        stream.close()


def append(session: iRODSSession, path: str, data: bytes) -> None:
    """Write at the end of an object, which is made if it is not there; raises JobError."""
    stream = _Stream(session, path, os.O_WRONLY | os.O_CREAT, **{kw.REG_CHKSUM_KW: ""})
    try:
        stream.seek(0, os.SEEK_END)
        stream.write(data)
    except JobError:
        with suppress(JobError):
            stream.close()
        raise
    stream.close()


class Writer:
    """A pipeline's sink: makes a new data object, or begins one anew; the server computes its checksum. With an
    offset it goes on behind what is there.

    The first block waits for a second one. An object of a single block, as most small ones are, is then sent in one
    call, in which the server also compares what it stored with the checksum told here.
    """

    def __init__(self, session: iRODSSession, path: str, offset: int = 0) -> None:
        self.path = path
        self._session = session
        self._first: bytes | None = None
        self._stream: _Stream | None = None
        if offset:
            self._stream = _Stream(session, path, os.O_RDWR, **{kw.REG_CHKSUM_KW: ""})
            self._stream.seek(offset)

    def write(self, block: Block) -> None:
        """Write all of a block of up to 4 MiB, in one round trip."""
        if self._stream is None and self._first is None:
            self._first = bytes(block)
            return
        if self._stream is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            self._stream = _Stream(self._session, self.path, flags, **{kw.REG_CHKSUM_KW: ""})
            self._stream.write(self._first or b"")
        self._stream.write(bytes(block))

    def close(self) -> None:
        """End the object; raises JobError."""
        if self._stream is not None:
            return self._stream.close()
        data = self._first or b""
        checksum = "sha2:" + base64.b64encode(hashlib.sha256(data).digest()).decode()
        options = {kw.DATA_INCLUDED_KW: "", kw.FORCE_FLAG_KW: "", kw.VERIFY_CHKSUM_KW: checksum}
        request = _request(self.path, os.O_RDWR, len(data), _PUT, options)
        with told(self.path), self._session.pool.get_connection() as connection:
            message = iRODSMessage("RODS_API_REQ", msg=request, bs=data, int_info=api_number["DATA_OBJ_PUT_AN"])
            connection.send(message)
            connection.recv()
        return None

    def abandon(self) -> None:
        """End it without the block that waits: what is there is going to be removed."""
        if self._stream is not None:
            self._stream.close()


def _request(path: str, flags: int, size: int, operation: int, options: dict[str, str]) -> FileOpenRequest:
    return FileOpenRequest(
        objPath=path,
        createMode=0,
        openFlags=flags,
        offset=0,
        dataSize=size,
        numThreads=0,
        oprType=operation,
        KeyValPair_PI=StringStringMap(options),
    )
