"""Data objects as streams, straight over the connection.

python-irodsclient's own file objects add a seek before the first and after the last byte (two round trips for each
object), name the client's default resource, and copy every block through a buffer.
"""

from __future__ import annotations

import os
import socket

import irods.keywords as kw
from irods.api_number import api_number
from irods.connection import Connection
from irods.message import FileOpenRequest, StringStringMap, iRODSMessage
from irods.session import iRODSSession

from python_rules.engine.blocks import Block
from python_rules.engine.transfer.errors import told

_UNKNOWN_SIZE = -1


class _Stream:
    """An open data object on a connection of its own."""

    def __init__(self, session: iRODSSession, path: str, flags: int, **options: str) -> None:
        self.path = path
        self._options = options
        self._connection: Connection = session.pool.get_connection()
        try:
            with told(path):
                self._descriptor = self._opened(flags)
        except BaseException:
            self._connection.release()
            raise

    def close(self) -> None:
        """Close it; for a writer the server then computes the checksum. Raises JobError."""
        try:
            with told(self.path):
                self._connection.close_file(self._descriptor, **self._options)
        finally:
            self._connection.release()

    def _opened(self, flags: int) -> int:
        request = FileOpenRequest(
            objPath=self.path,
            createMode=0,
            openFlags=flags,
            offset=0,
            dataSize=_UNKNOWN_SIZE,
            numThreads=0,
            oprType=0,
            KeyValPair_PI=StringStringMap(self._options),
        )
        self._connection.send(iRODSMessage("RODS_API_REQ", msg=request, int_info=api_number["DATA_OBJ_OPEN_AN"]))
        return int(self._connection.recv().int_info)


class Reader(_Stream):
    """A pipeline's source."""

    def __init__(self, session: iRODSSession, path: str) -> None:
        super().__init__(session, path, os.O_RDONLY)

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Read up to the buffer's size, in one round trip; 0 at the end."""
        with told(self.path):
            got = self._connection.read_file(self._descriptor, buffer=buffer)
        return 0 if got is None else len(got)

    def seek(self, offset: int) -> None:
        """Go on at an offset, in bytes."""
        with told(self.path):
            self._connection.seek_file(self._descriptor, offset, os.SEEK_SET)

    def interrupt(self) -> None:
        """Break a read that waits in another thread; the connection is of no use afterwards."""
        try:
            self._connection.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it is gone already, which is what was wanted


class Writer(_Stream):
    """A pipeline's sink: makes a new data object, whose checksum the server computes when it is closed."""

    def __init__(self, session: iRODSSession, path: str) -> None:
        super().__init__(session, path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, **{kw.REG_CHKSUM_KW: ""})

    def write(self, block: Block) -> None:
        """Write all of a block, in one round trip."""
        with told(self.path):
            self._connection.write_file(self._descriptor, bytes(block))
