"""Files whose older version is at the other end, while they are read and written: the line carries what differs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from python_rules.engine.blocks import TRANSFER, Block
from python_rules.engine.systems import rsync_delta as delta
from python_rules.engine.systems.place import Fence, Old, unfenced
from python_rules.engine.systems.rsync_wire import DIGEST, WANTED, Mistaken, Request, Session
from python_rules.engine.systems.ssh_process import Lost
from python_rules.jobs.errors import JobError

if TYPE_CHECKING:
    from python_rules.engine.systems.rsync import Rsync

_MOST_SUMS = 128 << 20  # bytes of the far side's sums, which are held in memory: about a TiB
_LITERAL = 32 * 1024  # bytes; of more at once rsync thinks ill
_TOKENS = 64  # in a message, which has its limits
_DONE = b"\0\0\0\0"  # no more files, no file to be sent again, nothing else, and goodbye


class Reading:
    """A file that is read: the far side is told the sums of an older version, and sends what that does not have."""

    def __init__(self, place: Rsync, path: str, session: Session, old: Old) -> None:
        self._place = place
        self._path = path
        self._session = session
        self._old = _Window(old)
        self._digest = hashlib.md5(usedforsecurity=False)
        self._literal = 0  # bytes of the run that is under way: from the line,
        self._copied = (0, 0)  # or from the older version: where, and how many
        self._ended = self._verified = False
        with place.said(path, session):
            session.take_entry()
            self._head = delta.head(old.size)
            session.send(b"\1" + WANTED.to_bytes(2, "little") + self._head.packed())
            digest = delta.strong(session.seed, session.is_seed_first)
            step = TRANSFER - TRANSFER % self._head.length
            for start in range(0, old.size, step):
                session.send(delta.sums(self._old.at(start, min(step, old.size - start)), self._head, digest))
            session.send(_DONE)
            given = session.take_request()
            if given.head != self._head:
                raise Lost("rsync answers something else than it was asked for")

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """As Source.readinto: fills the buffer, unless the file ends."""
        view, filled = memoryview(buffer), 0
        with self._place.said(self._path, self._session):
            while filled < len(view) and not self._ended:
                filled += self._more_into(view[filled:])
            self._digest.update(view[:filled])
            if self._ended and not self._verified:
                self._verify()
        return filled

    def interrupt(self) -> None:
        """As Source.interrupt."""
        self._session.interrupt()

    def close(self) -> None:
        """As Incoming.close."""
        self._session.close()
        self._old.close()

    def _verify(self) -> None:
        if self._session.take(DIGEST) != self._digest.digest():
            text = "what was put together is not what is there: it changed meanwhile, or the older version did"
            raise self._place.error("verification_failed", text, self._path)
        self._verified = True

    def _more_into(self, view: memoryview) -> int:
        if self._literal:
            count = min(self._literal, len(view))
            self._session.take_into(view[:count])
            self._literal -= count
            return count
        start, size = self._copied
        if size:
            count = min(size, len(view))
            view[:count] = self._old.at(start, count)
            self._copied = (start + count, size - count)
            return count
        token = self._session.number()
        if token > 0:
            self._literal = token
        elif not token:
            self._ended = True
        elif -token > self._head.count:
            raise Lost("rsync names a block that there is not")
        else:
            self._copied = ((-token - 1) * self._head.length, self._head.size_of(-token - 1))
        return 0


class Writing:
    """A file that is written beside its older version, in a hidden folder, by rsync there; it begins at its start."""

    held = 0

    def __init__(self, place: Rsync, path: str, session: Session, size: int | None) -> None:
        self._place = place
        self._path = path
        self._session: Session | None = session
        self._size = 0
        self._digest = hashlib.md5(usedforsecurity=False)
        with place.said(path, session):
            session.send_entry(os.fsencode(path.rpartition("/")[2]), size or 0)
            asked = session.take_request()
            self._search = delta.Search(self._blocks(session, asked)) if asked.head.count else None
            session.send(asked.word, asked.head.packed())

    def reread(self) -> None:
        """As Outgoing.reread: nothing is held."""

    def go_on_at(self, offset: int) -> None:
        """As Outgoing.go_on_at: at the start alone."""

    def write(self, block: Block) -> None:
        """As Sink.write."""
        self._size += len(block)
        self._digest.update(block)
        self._with(lambda session: self._send(session, self._search.feed(block) if self._search else [block]))

    def publish(self, size: int, sha256: str, modified: float | None = None, fence: Fence = unfenced) -> str:
        """As Outgoing.publish: rsync there compares the MD5 of all, then it is verified and named as over SFTP."""
        if size != self._size:
            text = f"{self._size} of {size} bytes were given"
            raise self._place.error("verification_failed", text, self._path)
        self._with(self._end)
        self._close()
        with self._place.finished(self._path, size) as inner:
            return inner.publish(size, sha256, modified, fence)

    def abandon(self, keep: bool = False) -> None:
        """As Outgoing.abandon."""
        self._close()
        if not keep:
            self._place.discard(self._path)

    def _blocks(self, session: Session, asked: Request) -> delta.Blocks:
        size = asked.head.count * (4 + asked.head.strong)
        if size > _MOST_SUMS:
            raise Lost("rsync sends more sums than are held here")
        return delta.Blocks(asked.head, session.take(size), delta.strong(session.seed, session.is_seed_first))

    def _with(self, action: Callable[[Session], None]) -> None:
        if self._session is None:
            raise self._place.error("system_unavailable", "the connection was closed", self._path)
        with self._place.said(self._path, self._session):
            action(self._session)

    def _send(self, session: Session, found: Iterable[Block | int]) -> None:
        """Runs of bytes, and what the far side has, as tokens."""
        tokens: list[Block] = []
        for one in found:
            if isinstance(one, int):
                tokens.append((-one - 1).to_bytes(4, "little", signed=True))
                continue
            view = memoryview(one)
            for start in range(0, len(view), _LITERAL):
                run = view[start : start + _LITERAL]
                tokens += (len(run).to_bytes(4, "little"), run)
                if len(tokens) >= _TOKENS:
                    session.send(b"".join(tokens))
                    tokens.clear()
        if tokens:
            session.send(b"".join(tokens))

    def _end(self, session: Session) -> None:
        if self._search:
            self._send(session, self._search.finish())
        session.send(bytes(4), self._digest.digest())
        try:
            session.end_sending()
        except Mistaken:
            self._close()
            self._place.discard(self._path)  # or it would be gone on with
            raise

    def _close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()


class _Window:
    """An older version by offset; what is read of it is read in large pieces."""

    def __init__(self, old: Old) -> None:
        self._old = old
        self._buffer = memoryview(bytearray(min(TRANSFER, max(1, old.size))))
        self._start = self._size = 0

    def at(self, offset: int, size: int) -> memoryview:
        """A view of some of it, which holds until the next call."""
        if not self._start <= offset <= offset + size <= self._start + self._size:
            self._start, self._size = offset, 0
            while self._size < min(len(self._buffer), self._old.size - offset):
                count = self._old.read_at(offset + self._size, self._buffer[self._size :])
                if not count:
                    raise JobError("source_changed", "the older version became shorter", remedy="retry the job")
                self._size += count
        return self._buffer[offset - self._start : offset - self._start + size]

    def close(self) -> None:
        """Close it."""
        self._old.close()
