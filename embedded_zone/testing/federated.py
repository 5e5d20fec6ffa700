"""Two zones on one machine that federate with each other."""

from __future__ import annotations

import secrets
from pathlib import Path
from types import TracebackType
from typing import Any

from embedded_zone.server.embedding import EmbeddedZone
from embedded_zone.testing.administration import Administration

NAMES = ("tempZone", "otherZone")


def keys_for(names: tuple[str, str] = NAMES) -> tuple[dict[str, Any], dict[str, Any]]:
    """The configuration values of two zones that shall trust each other."""
    zone_keys = {name: secrets.token_hex(16) for name in names}
    shared = secrets.token_hex(16)  # 32 characters, as iRODS demands
    values = [
        {
            "zone_key": zone_keys[own],
            "federation": [{"zone_name": other, "zone_key": zone_keys[other], "negotiation_key": shared}],
        }
        for own, other in (names, names[::-1])
    ]
    return values[0], values[1]


def introduce(first: EmbeddedZone, second: EmbeddedZone) -> None:
    """Make two running zones known to each other, as ``iadmin mkzone`` on both sides does."""
    for own, other in ((first, second), (second, first)):
        with Administration(own) as administration:
            administration.know_zone(other)


class FederatedZones:
    """``local`` (tempZone), to which tests connect, and ``remote`` (otherZone), which knows some of its users.

    ``values`` are keys of ``ZoneConfig`` for both. Each is an ``EmbeddedZone``; stopped at the end of ``with``.
    """

    def __init__(self, home: Path, names: tuple[str, str] = NAMES, **values: Any) -> None:
        given = zip(names, keys_for(names), strict=True)
        self.local, self.remote = (EmbeddedZone(home / name, zone_name=name, **keys, **values) for name, keys in given)

    def __enter__(self) -> FederatedZones:
        self.local.start()
        try:
            self.remote.start()
            introduce(self.local, self.remote)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop both zones."""
        self.remote.stop()
        self.local.stop()

    def make_user(self, name: str, password: str, *, known: bool = True) -> None:
        """A user of ``local``; if ``known``, ``name#tempZone`` is a user of ``remote`` too, with a home there."""
        with Administration(self.local) as here:
            here.make_user(name, password)
        if known:
            with Administration(self.remote) as there:
                there.make_user(f"{name}#{self.local.config.zone_name}")

    def home(self, name: str) -> str:
        """The home there of a user of ``local``."""
        return f"/{self.remote.config.zone_name}/home/{name}#{self.local.config.zone_name}"
