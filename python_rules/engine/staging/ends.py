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
from python_rules.engine.undoing import undone_by
from python_rules.jobs.errors import JobError
from python_rules.jobs.paths import system_of

_LOOK_SECONDS = 0.25  # how often a thread that waits for a connection looks again


@dataclass(frozen=True)
class End:
    """One end: a path below a system's base, or (without a system) in the zone, there without its first slash."""

    role: str  # 'source' or 'target'
    path: str
    system: System | None = None

    @classmethod
    def of(cls, config: Config, address: str, who: Who, field: str) -> End:
        """The end that an address means; raises JobError ``system_not_found`` or ``not_permitted``."""
        name, path = system_of(address)
        if not name:
            return cls(field, path.lstrip("/"))
        chosen = table.system(config, name, who, field)
        if field == "target" and (chosen.settings["read_only"] or table.only_read(chosen)):
            text = "nothing is written there: it is read-only"
            raise chosen.error("not_permitted", text, remedy="name another target", field=field)
        return cls(field, path, chosen)

    def address(self, path: str) -> str:
        """A path of this end as requests name it."""
        return f"{self.system.name}:{path}" if self.system else f"/{path}"

    def below(self, relative: str) -> str:
        """The path of something below this end's."""
        return f"{self.path}/{relative}".strip("/")


class Places:
    """Open places of both ends, lent to whoever works on a file.

    There are never more of them than the system bears, counted over all engines of this host (``slots``). Whoever
    takes some takes all that it needs of a system at once, and the systems in one order: nobody waits in a circle.
    """

    def __init__(self, config: Config, *ends: End) -> None:
        self._roles: dict[str, list[str]] = {}
        self._systems: dict[str, System] = {}
        for end in sorted((end for end in ends if end.system), key=lambda end: end.system.name if end.system else ""):
            assert end.system is not None  # noqa: S101  (for the type checker)
            self._systems[end.system.name] = end.system
            self._roles.setdefault(end.system.name, []).append(end.role)
        self._slots = {name: Slots(config, system) for name, system in self._systems.items()}
        self._throttles = {
            name: Throttle(system.settings["bandwidth"], self._slots[name].part)
            for name, system in self._systems.items()
        }
        self._idle: dict[str, list[Place]] = {name: [] for name in self._systems}
        self._changed = threading.Condition()
        self._require_enough()

    def pay(self, end: End, size: int, check: Callable[[], None]) -> None:
        """Wait until so many bytes may go to an end, or come from it."""
        if end.system is not None:
            self._throttles[end.system.name].take(size, check)

    def lend(self) -> dict[str, Place]:
        """A place for each end that is on a system, by its role."""
        lent: dict[str, Place] = {}
        with undone_by(lambda: self.take_back(lent)):
            for name, roles in self._roles.items():
                lent.update(zip(roles, self._borrowed(name, len(roles)), strict=True))
        return lent

    def spare(self, end: End) -> Place | None:
        """One more place of an end, if the system bears it now."""
        if end.system is None or not self._slots[end.system.name].take(waits=False):
            return None
        return self._opened(end.system.name)

    def take_back(self, lent: dict[str, Place]) -> None:
        """Nobody works with these any more."""
        for name, roles in self._roles.items():
            for place in [lent.pop(role) for role in roles if role in lent]:
                self._keep(name, place)

    def take_back_spare(self, end: End, place: Place) -> None:
        """Likewise, of what ``spare`` gave."""
        if end.system is not None:
            self._keep(end.system.name, place)

    def reopened(self, end: End, place: Place) -> Place:
        """Another place instead of one whose connection is of no use; raises JobError, then there is none."""
        if end.system is None:
            return place
        with suppress(JobError):
            place.close()
        return self._opened(end.system.name)

    def close(self) -> None:
        """Close all that nobody has."""
        for name, places in self._idle.items():
            while places:
                self._close(name, places.pop())

    def _require_enough(self) -> None:
        for name, roles in self._roles.items():
            if len(roles) > self._systems[name].settings["connections"]:
                text = "a copy within it takes two connections, and it allows one"
                remedy = "stage by way of the zone, or ask an administrator for more connections"
                raise self._systems[name].error("bad_value", text, remedy=remedy, field="target")

    def _borrowed(self, name: str, count: int) -> list[Place]:
        with self._changed:
            while (missing := max(0, count - len(self._idle[name]))) and not self._slots[name].take(missing):
                self._changed.wait(_LOOK_SECONDS)
            found = [self._idle[name].pop() for _ in range(count - missing)]

        def give_back() -> None:
            for _ in range(count - len(found) - 1):  # the slot of the one that failed went with it
                self._given_back(name)
            for place in found:
                self._close(name, place)

        with undone_by(give_back):
            while len(found) < count:
                found.append(self._opened(name))
        return found

    def _opened(self, name: str) -> Place:
        """A place in a connection's slot that was taken; the slot goes if that fails."""
        with undone_by(lambda: self._given_back(name)):
            return table.opened(self._systems[name])

    def _keep(self, name: str, place: Place) -> None:
        if self._slots[name].should_yield():
            self._close(name, place)
            return
        with self._changed:
            self._idle[name].append(place)
            self._changed.notify_all()

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


class Lent:
    """The places of both ends for one piece of work; the pipeline's threads share them, one at each end."""

    def __init__(self, places: Places, zone: Zone) -> None:
        self.places = places
        self._zone = zone
        self._lent: dict[str, Place] | None = None
        self._lost: set[str] = set()  # ends whose slot went with their connection

    def at(self, end: End) -> Place:
        """The place of an end."""
        if end.system is None:
            return ZonePlace(self._zone.session, "", self._zone.job_id)
        if self._lent is None:
            self._lent = self.places.lend()
        if end.role in self._lost:
            found = self.places.spare(end)
            if found is None:
                raise end.system.error("system_unavailable", "all its connections are in use")
            self._lost.discard(end.role)
            self._lent[end.role] = found
        return self._lent[end.role]

    def reopen(self, end: End) -> Place:
        """The place of an end, whose connection broke, opened again."""
        if self._lent is None or end.system is None or end.role in self._lost:
            return self.at(end)
        place = self._lent.pop(end.role)
        self._lost.add(end.role)
        self._lent[end.role] = self.places.reopened(end, place)
        self._lost.discard(end.role)
        return self._lent[end.role]

    def release(self) -> None:
        """Give all back."""
        if self._lent is not None:
            self.places.take_back(self._lent)
            self._lent = None
