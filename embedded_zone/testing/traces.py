"""Which hooks and APIs something caused, in zones with ``trace`` on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from embedded_zone.rules.tracing import FILE_NAME
from embedded_zone.server.embedding import EmbeddedZone

_API, _PRE = "pep_api_", "_pre"


@dataclass(frozen=True)
class Entry:
    """One hook that fired: where, for whom (``name#zone/privilege``), in which call."""

    agent: int
    zone: str
    option: str
    client: str
    proxy: str
    api: int
    hook: str
    types: tuple[str, ...]


class Trace:
    """What happened in some zones since it was made, or since ``clear``.

    A call's hooks are written before the client has its answer; what delayed rules cause appears as they run.
    """

    def __init__(self, zones: Sequence[EmbeddedZone]) -> None:
        self._files = [zone.config.log / FILE_NAME for zone in zones]
        self._seen: list[int] = []
        self.clear()

    def clear(self) -> None:
        """Forget what happened so far."""
        self._seen = [file.stat().st_size if file.exists() else 0 for file in self._files]

    def entries(self) -> list[Entry]:
        """All hooks: zone after zone, each in order."""
        found = []
        for file, seen in zip(self._files, self._seen, strict=True):
            if file.exists():
                with open(file, "rb") as opened:
                    opened.seek(seen)
                    found += [json.loads(line) for line in opened]
        return [Entry(**{**entry, "types": tuple(entry["types"])}) for entry in found]

    def hooks(self, zone: str = "", option: str = "") -> list[str]:
        """The names, of one zone and one application if given (``python-irodsclient``)."""
        return [entry.hook for entry in self.entries() if zone in ("", entry.zone) and option in ("", entry.option)]

    def apis(self, zone: str = "") -> list[str]:
        """The API calls, by the names of their hooks: ``data_obj_open``, ``gen_query``, …"""
        calls = (name for name in self.hooks(zone) if name.startswith(_API) and name.endswith(_PRE))
        return [name[len(_API) : -len(_PRE)] for name in calls]
