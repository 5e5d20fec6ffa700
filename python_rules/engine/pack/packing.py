"""A tar as a pipeline's source: the members' contents go straight into the pipeline's buffers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from python_rules.engine.pack import FILE, Member, tar
from python_rules.engine.pack.names import Names
from python_rules.jobs.errors import JobError


class Content(Protocol):
    """An open member."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer from its start, or a part of it; 0 at the end."""

    def close(self) -> None:
        """Nothing more is wanted."""


class Packing:
    """A pipeline's source; raises JobError ``source_changed`` about a member that has not the size it said."""

    def __init__(self, members: Iterable[Member], opened: Callable[[Member], Content]) -> None:
        self._opened = opened
        self._pieces = self._made(members)
        self._piece = memoryview(b"")
        self._member = Member("")
        self._content: Content | None = None
        self._left = 0  # bytes of the content that are still to come

    def readinto(self, buffer: bytearray) -> int:
        """As pipeline.Source: fills the whole buffer, except at the end."""
        view = memoryview(buffer)
        filled = 0
        while filled < len(view) and (count := self._fill(view[filled:])):
            filled += count
        return filled

    def interrupt(self) -> None:
        """As pipeline.Source; a member that hangs is its reader's to break."""
        if self._content is not None and hasattr(self._content, "interrupt"):
            self._content.interrupt()

    def close(self) -> None:
        """Close the member under way."""
        content, self._content = self._content, None
        if content is not None:
            content.close()

    def _fill(self, view: memoryview) -> int:
        while not self._piece and self._content is None:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._piece = memoryview(piece)
        if self._content is not None:
            return self._read(view)
        count = min(len(view), len(self._piece))
        view[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    def _read(self, view: memoryview) -> int:
        """One read of the member's content, of a byte more than it should have where there is room for it."""
        assert self._content is not None  # noqa: S101  (for the type checker)
        count = self._content.readinto(view[: self._left + 1])
        if count > self._left or (not count and self._left):
            raise _changed(self._member)
        self._left -= count
        if not self._left:
            self.close()
        return count

    def _made(self, members: Iterable[Member]) -> Iterator[bytes]:
        """Everything but the contents, for which it stops with ``_content`` open."""
        index, names, offset = tar.Index(), Names(), 0
        for member in members:
            names.take(member, offset)
            head = tar.header(member)
            yield index.noted(head)
            offset += len(head)
            if member.kind == FILE:
                index.add(member.name, offset, member.size)
            if member.size:
                self._member, self._left = member, member.size
                self._content = self._opened(member)
                yield b""  # nothing of ours until the content is through
                yield index.noted(tar.padding(member.size))
                offset += member.size + len(tar.padding(member.size))
        yield from index.tail(offset)


def _changed(member: Member) -> JobError:
    return JobError(
        "source_changed",
        f"{member.place or member.name} was listed with {member.size} bytes and has another size now",
        remedy="pack again when nobody writes there",
        object_path=member.place or None,
    )
