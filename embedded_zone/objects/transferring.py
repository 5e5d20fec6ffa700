"""Reading, writing and seeking in open data objects: no catalogue, no copies."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from embedded_zone.errors import IrodsError
from embedded_zone.objects import hooks, portal, vault
from embedded_zone.objects.descriptors import Descriptor
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent

MAX_BLOCK = 1 << 28  # what one read may make this process hold, whatever the client asks
_EMPTY = memoryview(b"")


def seek(agent: Agent, number: int, offset: int, whence: int) -> int:
    """Move a descriptor's position; the new one. API 674."""
    entry = agent.descriptors.lookup(number)
    return _seek(agent, entry, offset, whence)


def _seek(agent: Agent, entry: Descriptor, offset: int, whence: int) -> int:
    with hooks.resource(agent, "lseek", entry.replica, offset, whence, request=entry.request):
        try:
            return os.lseek(entry.file, offset, whence)
        except OSError as error:
            raise vault.failure(codes.UNIX_FILE_LSEEK_ERR, error) from None


def read(agent: Agent, number: int, length: int) -> memoryview:
    """Up to ``length`` bytes from the descriptor's position, none at the end. API 675.

    The view lies in a buffer of the connection: it is valid until the next read.
    """
    entry = agent.descriptors.lookup(number)
    length = min(max(length, 0), MAX_BLOCK)
    if portal.is_portal(agent, entry):
        return _portal_read(agent, entry, length)
    if not entry.writes:
        left = entry.replica.size - _seek(agent, entry, 0, os.SEEK_CUR)
        if left <= 0:
            return _EMPTY
        length = min(length, left)
    return read_block(agent, entry, length)


def _portal_read(agent: Agent, entry: Descriptor, length: int) -> memoryview:
    left = entry.replica.size - os.lseek(entry.file, 0, os.SEEK_CUR)
    block = read_block(agent, entry, min(length, left))
    portal.advance(agent, entry, entry.replica.size - left + len(block))
    return block


def read_block(agent: Agent, entry: Descriptor, length: int) -> memoryview:
    """As ``read``, without the look at the object's size."""
    buffer = _buffer(agent, length)
    with hooks.resource(agent, "read", entry.replica, None, length, request=entry.request):
        try:
            count = os.readv(entry.file, [buffer])
        except OSError as error:
            raise vault.failure(codes.UNIX_FILE_READ_ERR, error) from None
    return buffer[:count]


def _buffer(agent: Agent, length: int) -> memoryview:
    buffer = agent.scratch.get("read_buffer")
    if buffer is None or len(buffer) < length:
        buffer = agent.scratch["read_buffer"] = memoryview(bytearray(length))
    return buffer[:length]


def write(agent: Agent, number: int, data: bytes | memoryview, *, notify: bool = True) -> int:
    """Write all of ``data`` at the descriptor's position; how many bytes that were. API 676.

    Raises UNIX_FILE_WRITE_ERR minus errno (28: the vault is full).
    """
    entry = agent.descriptors.lookup(number)
    if not entry.writes:
        raise IrodsError(codes.UNIX_FILE_WRITE_ERR - 9, "the object is open for reading")  # EBADF
    if notify and not portal.is_portal(agent, entry):
        hooks.signal(agent, "notify", entry.replica, "WRITE", request=entry.request)
    with hooks.resource(agent, "write", entry.replica, {}, len(data), request=entry.request):
        try:
            _write_all(entry.file, memoryview(data))
        except OSError as error:
            raise vault.failure(codes.UNIX_FILE_WRITE_ERR, error) from None
    entry.bytes_written = max(entry.bytes_written, 0) + len(data)
    portal.advance(agent, entry, entry.bytes_written)
    return len(data)


def _write_all(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def copy_all(agent: Agent, source: Descriptor, target: Descriptor) -> int:
    """Copy the whole content of one descriptor to another; the number of bytes.

    Without read or write hooks the kernel copies, and no byte comes here.
    """
    if hooks.watched(agent, "read") or hooks.watched(agent, "write"):
        return _copy_in_blocks(agent, source, target)
    total = 0
    try:
        while count := os.sendfile(target.file, source.file, None, MAX_BLOCK):
            total += count
    except OSError as error:
        raise vault.failure(codes.UNIX_FILE_WRITE_ERR, error) from None
    target.bytes_written = max(target.bytes_written, 0) + total
    return total


def _copy_in_blocks(agent: Agent, source: Descriptor, target: Descriptor) -> int:
    total = 0
    while total < source.replica.size:
        block = read_block(agent, source, vault.BLOCK)
        if not block:
            break
        total += write(agent, target.number, block, notify=False)
    return total
