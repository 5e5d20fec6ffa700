"""The two ends of a staging job, and the places that its threads reach them by."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from python_rules.config import Config
from python_rules.engine.keys.grants import Who
from python_rules.engine.staging.slots import Slots, Throttle
from python_rules.engine.systems import table
from python_rules.engine.systems.place import Place
from python_rules.engine.systems.system import System
from python_rules.engine.systems.zone import ZonePlace
from python_rules.engine.transfer.zone import Zone
from python_rules.jobs.errors import JobError
from python_rules.jobs.paths import system_of

_LOOK_SECONDS = 0.25  # how often a thread that waits for a connection looks again


@dataclass(frozen=True)
class End:
    """One end: a path below a system's base, or (without a system) in the zone, there without its first slash."""

    path: str
    system: System | None = None

    @classmethod
    def of(cls, config: Config, address: str, who: Who, field: str) -> End:
        """The end that an address means; raises JobError ``system_not_found`` or ``not_permitted``."""
        name, path = system_of(address)
        if not name:
            return cls(path.lstrip("/"))
        chosen = table.system(config, name, who, field)
        if field == "target" and (chosen.settings["read_only"] or table.only_read(chosen)):
            text = "nothing is written there: it is read-only"
            raise chosen.error("not_permitted", text, remedy="name another target", field=field)
        return cls(path, chosen)

    def address(self, path: str) -> str:
        """A path of this end as requests name it."""
        return f"{self.system.name}:{path}" if self.system else f"/{path}"

    def below(self, relative: str) -> str:
        """The path of something below this end's."""
        return f"{self.path}/{relative}".strip("/")

    @property
    def key(self) -> str:
        """What its places are kept under."""
        return self.system.name if self.system else ""


class Places:
    """Open places of both ends. A thread has its own while it works on a file; others have them afterwards.

    There are never more of them than the system bears, counted over all engines of this host (``slots``).
    """

    def __init__(self, config: Config, ends: tuple[End, ...]) -> None:
        systems = {end.system.name: end.system for end in ends if end.system}
        self._systems = dict(sorted(systems.items()))  # taken in one order by everybody: nobody waits in a circle
        self._slots = {name: Slots(config, system) for name, system in self._systems.items()}
        self._throttles = {
            name: Throttle(system.settings["bandwidth"], self._slots[name].part) for name, system in systems.items()
        }
        self._idle: dict[str, list[Place]] = {name: [] for name in systems}
        self._changed = threading.Condition()
        self._local = threading.local()

    def at(self, end: End, zone: Zone) -> Place:
        """The calling thread's place of an end; ``zone`` is the thread's own way into the zone."""
        if end.system is None:
            return ZonePlace(zone.session, "", zone.job_id)
        mine = self._mine()
        for name in self._systems:
            if name not in mine:
                mine[name] = self._borrowed(name)
        return mine[end.key]

    def pay(self, end: End, size: int, check: Callable[[], None]) -> None:
        """Wait until so many bytes may go to an end, or come from it."""
        if end.system is not None:
            self._throttles[end.key].take(size, check)

    def broken(self, end: End) -> None:
        """Let go of the calling thread's place, which is opened anew when it is asked for."""
        if (place := self._mine().pop(end.key, None)) is not None:
            self._close(end.key, place)

    def release(self) -> None:
        """The calling thread needs no place for now."""
        mine = self._mine()
        while mine:
            name, place = mine.popitem()
            if self._slots[name].should_yield():
                self._close(name, place)
                continue
            with self._changed:
                self._idle[name].append(place)
                self._changed.notify_all()

    def close(self) -> None:
        """Close all that nobody has."""
        for name, places in self._idle.items():
            while places:
                self._close(name, places.pop())

    def _mine(self) -> dict[str, Place]:
        mine: dict[str, Place] = self._local.__dict__
        return mine

    def _borrowed(self, name: str) -> Place:
        with self._changed:
            while not self._idle[name]:
                if self._slots[name].take():
                    break
                self._changed.wait(_LOOK_SECONDS)
            else:
                return self._idle[name].pop()
        try:
            return table.opened(self._systems[name])
        except BaseException:
            self._given_back(name)
            raise

    def _close(self, name: str, place: Place) -> None:
        try:
            with suppress(JobError):
                place.close()
        finally:
            self._given_back(name)

    def _given_back(self, name: str) -> None:
        self._slots[name].give()
        with self._changed:
            self._changed.notify_all()
