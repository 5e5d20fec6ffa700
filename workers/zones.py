"""The zones that requests go to: the service's own, and others of its federation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from python_rules.jobs import paths
from python_rules.jobs.errors import JobError
from workers.settings import CelerySettings, ZoneSettings
from workers.zone import Zone


class Zones:
    """Zones by name, each behind its own service account; ``own`` is the one that knows the callers' passwords."""

    def __init__(self, settings: ZoneSettings, celery: CelerySettings) -> None:
        self.own = Zone(settings)
        others = {name: Zone(replace(settings, environment=path, ledger="")) for name, path in settings.others.items()}
        self._known = {self.own.name: self.own, **others}
        for name, zone in others.items():
            if zone.name != name or name == self.own.name:
                what = f"zone.others: the environment of {name} is that of {zone.name}"
                raise JobError("configuration", what, remedy="name each other zone once, by its own name")
        self._queues, self._queue = celery.queues, celery.queue

    def __iter__(self) -> Iterator[Zone]:
        return iter(self._known.values())

    @property
    def others(self) -> list[Zone]:
        """All but the own one."""
        return [zone for zone in self if zone is not self.own]

    @property
    def served(self) -> list[Zone]:
        """The zones whose requests come to this location's queue: its workers watch them."""
        return [zone for zone in self if self.queue_of(zone) == self._queue]

    def named(self, name: str) -> Zone:
        """The zone of that name; the own one for a name that is not in the settings."""
        return self._known.get(name, self.own)

    def of(self, user: str, asked: dict[str, Any]) -> Zone:
        """Where a request, or the job it became, runs: where its source lies.

        A job that spans zones runs in its user's own zone: no other one's service account may act for the user there.
        """
        source, target = (paths.zone_of(path) if path.startswith("/") else "" for path in _ends(asked))
        if source != (target or source):
            return self.named(user.partition("#")[2])
        return self.named(source)

    def queue_of(self, zone: Zone) -> str:
        """The queue of the location that serves a zone."""
        return self._queues.get(zone.name, self._queue)


def _ends(asked: dict[str, Any]) -> tuple[str, str]:
    return str(asked.get("source") or ""), str(asked.get("target") or "")
