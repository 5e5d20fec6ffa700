"""Files and standard streams as the ends of a pipeline; a file gets its name only when it is whole."""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from python_rules.engine.blocks import MIB, Block
from python_rules.jobs.errors import JobError

STREAM = "-"


class FileSource:
    """A pipeline's source, and ranges.Bytes where the file can be read at any place; '-' is standard input."""

    def __init__(self, path: str) -> None:
        try:
            self._file = open(sys.stdin.fileno() if path == STREAM else path, "rb", 0, closefd=path != STREAM)  # noqa: SIM115
            self.size = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise _failed(path, error, None) from None
        self.is_stream = not os.path.isfile(path)
        if self.is_stream:
            _widen(self._file.fileno())
        self._ahead = b""

    def start(self, size: int) -> bytes:
        """The first bytes, which are read again afterwards."""
        while len(self._ahead) < size and (more := self._file.read(size - len(self._ahead))):
            self._ahead += more
        return self._ahead

    def readinto(self, buffer: bytearray) -> int:
        """As pipeline.Source."""
        if self._ahead:
            count = min(len(buffer), len(self._ahead))
            buffer[:count], self._ahead = self._ahead[:count], self._ahead[count:]
            return count
        return self._filled(buffer) if self.is_stream else self._file.readinto(buffer) or 0

    def _filled(self, buffer: bytearray) -> int:
        """A pipe gives little at a time, and a block that is not full costs the pipeline as much as a full one."""
        view, filled = memoryview(buffer), 0
        while filled < len(view) and (count := self._file.readinto(view[filled:])):
            filled += count
        return filled

    def read(self, offset: int, length: int) -> bytes:
        """As ranges.Bytes."""
        return os.pread(self._file.fileno(), length, offset)

    def interrupt(self) -> None:
        """As pipeline.Source; a read of a file ends by itself, one of a terminal or pipe ends with the process."""

    def close(self) -> None:
        """Nothing more is wanted."""
        self._file.close()


class FileSink:
    """A pipeline's sink; raises JobError that tells how many bytes had been written."""

    def __init__(self, file: BinaryIO, shown: str) -> None:
        self._descriptor = file.fileno()
        self._shown = shown
        self.written = 0

    def write(self, block: Block) -> None:
        """As pipeline.Sink."""
        view = memoryview(block)
        while view:
            try:
                count = os.write(self._descriptor, view)
            except OSError as error:
                raise _failed(self._shown, error, self.written) from None
            self.written += count
            view = view[count:]


@contextmanager
def made(path: str, replace: bool = False) -> Iterator[FileSink]:
    """A sink whose file appears under its name when the block ends well, and leaves nothing otherwise."""
    if path == STREAM:
        sys.stdout.flush()
        _widen(sys.stdout.fileno())
        yield FileSink(sys.stdout.buffer, "standard output")
        return
    folder, name = os.path.split(os.path.abspath(path))
    try:
        descriptor, hidden = tempfile.mkstemp(prefix=".sluice-", dir=folder)  # mode 0600
    except OSError as error:
        raise _failed(path, error, None) from None
    try:
        with os.fdopen(descriptor, "wb", 0) as file:
            yield FileSink(file, path)
            os.fchmod(descriptor, 0o666 & ~_umask())
            os.fsync(descriptor)
        _publish(hidden, os.path.join(folder, name), replace)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(hidden)


def _publish(hidden: str, path: str, replace: bool) -> None:
    if replace:
        os.replace(hidden, path)
        return
    try:
        os.link(hidden, path)  # unlike a rename it never takes the place of what is there
    except FileExistsError:
        raise JobError("target_exists", f"{path} exists", remedy="name another file, or give --force") from None


def _widen(descriptor: int) -> None:
    """Let a pipe hold more than 64 KiB, so that its two ends wait less for each other."""
    with suppress(OSError):  # not a pipe, or this user's pipes hold enough together
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, MIB)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _failed(path: str, error: OSError, offset: int | None) -> JobError:
    where = "" if offset is None else f", after {offset} bytes"
    return JobError("engine_failed", f"{path}: {error.strerror}{where}", remedy="nothing was made", offset=offset)
