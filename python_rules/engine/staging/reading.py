"""The files of a tree of a system, opened one after the other; small ones are read ahead."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from queue import SimpleQueue

from python_rules.engine.blocks import MIB, TRANSFER
from python_rules.engine.pack import FILE, Member
from python_rules.engine.pack.packing import Content
from python_rules.engine.staging import persistent
from python_rules.engine.staging.ends import Lent
from python_rules.engine.staging.moving import Stage
from python_rules.engine.systems.place import Incoming, Place
from python_rules.engine.watch import Watch
from python_rules.jobs.errors import PASSING, JobError

SMALL = MIB  # bytes; each file costs several round trips
_READERS = 3  # connections beside the job's own, as far as the system bears them now
_AHEAD = 16  # files


class Contents:
    """Opens members in their order, over connections that break and are opened again."""

    def __init__(self, stage: Stage, lent: Lent, members: list[Member], watch: Watch) -> None:
        self._stage = stage
        self._lent = lent
        self._watch = watch
        self._small = iter([one for one in members if one.kind == FILE and 0 < one.size <= SMALL])
        self._pending: deque[Future[bytes]] = deque()
        self._spares: SimpleQueue[Place] = SimpleQueue()
        count = 0
        while count < _READERS and (place := stage.places.spare(stage.source)):
            self._spares.put(place)
            count += 1
        self._pool = ThreadPoolExecutor(count, "member") if count else None

    def open(self, member: Member) -> Content:
        """As pack.Packing asks for."""
        if self._pool is None or member.size > SMALL:
            return self._opened(member)
        while len(self._pending) < _AHEAD and (following := next(self._small, None)):
            self._pending.append(self._pool.submit(self._fetched, following))
        try:
            return io.BytesIO(self._pending.popleft().result())
        except JobError as error:
            if error.code not in PASSING:
                raise
            return self._opened(member)

    def close(self) -> None:
        """Nothing more is wanted."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        while not self._spares.empty():
            self._stage.places.take_back_spare(self._stage.source, self._spares.get())

    def _opened(self, member: Member) -> Content:
        used: list[bool] = []

        def opened(offset: int) -> Incoming:
            place = self._lent.reopen(self._stage.source) if used else self._lent.at(self._stage.source)
            used.append(True)
            return place.read(member.place, offset)

        return _Blocks(persistent.Source(opened, self._watch, self._pay))

    def _fetched(self, member: Member) -> bytes:
        """The whole of a small file; a byte more where it has grown, so that this is noticed."""
        place, buffer, found = self._spares.get(), bytearray(TRANSFER), bytearray()
        try:
            with closing(place.read(member.place)) as reader:
                while len(found) <= member.size and (count := reader.readinto(buffer)):
                    found += buffer[:count]
        finally:
            self._spares.put(place)
        self._pay(len(found))
        return bytes(found)

    def _pay(self, size: int) -> None:
        self._stage.places.pay(self._stage.source, size, self._watch.check)


class _Blocks:
    """A large file in any pieces: a place reads whole blocks alone."""

    def __init__(self, source: persistent.Source) -> None:
        self._source = source
        self._block = bytearray(TRANSFER)
        self._rest = memoryview(b"")
        self.interrupt: Callable[[], None] = source.interrupt

    def readinto(self, buffer: memoryview) -> int:
        """As packing.Content."""
        if not self._rest:
            self._rest = memoryview(self._block)[: self._source.readinto(self._block)]
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        """As packing.Content."""
        self._source.close()
