"""Two federated zones for the tests of federation: alice is known in both, bob only in tempZone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from irods.session import iRODSSession

from embedded_zone.server.embedding import EmbeddedZone
from embedded_zone.testing import Administration, FederatedZones

HERE = "/tempZone/home/alice"
THERE = "/otherZone/home/alice#tempZone"
PASSWORDS = {"alice": "secret-a", "bob": "secret-b"}


@contextmanager
def federation(home: Path, **values: Any) -> Iterator[FederatedZones]:
    """Running zones with the users."""
    with FederatedZones(home, **values) as zones:
        zones.make_user("alice", PASSWORDS["alice"])
        zones.make_user("bob", PASSWORDS["bob"], known=False)
        with Administration(zones.remote) as there:
            there.make_user("carol", "secret-c")
        yield zones


def session(server: EmbeddedZone, name: str = "alice", **changes: Any) -> iRODSSession:
    """A session of a user of tempZone, on whichever zone."""
    arguments = {**server.session_arguments(), "user": name, "password": PASSWORDS[name], "zone": "tempZone"}
    return iRODSSession(**{**arguments, **changes})


def write(opened: iRODSSession, path: str, data: bytes = b"data", mode: str = "w", **options: Any) -> str:
    with opened.data_objects.open(path, mode, **options) as stream:
        stream.write(data)
    return path


def read(opened: iRODSSession, path: str) -> bytes:
    with opened.data_objects.open(path, "r") as stream:
        return bytes(stream.read())
