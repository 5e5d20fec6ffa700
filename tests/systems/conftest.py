"""One server of each type for a whole run; every test works in a folder of its own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from python_rules.engine.systems.place import FILE, Place
from tests.systems.files import read
from tests.systems.kinds import KINDS
from tests.systems.peers import PEERS, Peer
from tests.systems.peers_databases import DATABASE_PEERS
from tests.systems.peers_objects import OBJECT_PEERS

ALL = {**PEERS, **OBJECT_PEERS, **DATABASE_PEERS}


@dataclass(frozen=True)
class Spot:
    """Where a test's files lie in a place: their paths begin with ``start``, in the folder ``parent``."""

    peer: Peer
    place: Place
    parent: str
    start: str

    def path(self, name: str = "file") -> str:
        """The path of a file."""
        return f"{self.start}{name}{self.peer.ending}"

    def put(self, name: str, data: bytes) -> None:
        """A file there, by whichever way."""
        self.peer.bring(self.place, self.path(name), data)

    def holds(self, data: bytes, name: str = "file") -> bool:
        """Whether a file's content is this."""
        return self.peer.shown(read(self.place, self.path(name))) == self.peer.shown(data)

    def files(self) -> list[str]:
        """The names of this test's files."""
        found = [item.path for item in self.place.walk(self.parent) if item.kind == FILE]
        return [path[len(self.start) :].removesuffix(self.peer.ending) for path in found if path.startswith(self.start)]


@pytest.fixture(scope="session")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Peer]]:
    """The running server of a type, started when it is first asked for."""
    running: dict[str, Peer] = {}
    with ExitStack() as stack:

        def peer(kind: str) -> Peer:
            if kind not in running:
                running[kind] = stack.enter_context(ALL[kind](tmp_path_factory.mktemp(kind)))
            return running[kind]

        yield peer


@pytest.fixture(params=KINDS)
def peer(request: pytest.FixtureRequest, peers: Callable[[str], Peer]) -> Peer:
    return peers(request.param)


@pytest.fixture
def opened(peer: Peer) -> Iterator[Callable[..., Place]]:
    """Opens places of the peer; they are closed after the test."""
    with ExitStack() as stack:

        def open_one(**changed: Any) -> Place:
            place = peer.open(**changed)
            stack.callback(place.close)
            return place

        yield open_one


@pytest.fixture
def place(opened: Callable[..., Place]) -> Place:
    return opened()


@pytest.fixture
def spot(peer: Peer, place: Place, request: pytest.FixtureRequest) -> Spot:
    """A new place for files, in a folder of its own where there are folders."""
    if peer.parent is None:
        folder = str(request.getfixturevalue("folder"))
        return Spot(peer, place, folder, f"{folder}/")
    return Spot(peer, place, peer.parent, f"{peer.parent}/t{uuid.uuid4().hex[:10]}".lstrip("/"))


@pytest.fixture
def folder(peer: Peer, place: Place) -> str:
    """A new folder of the place."""
    name = uuid.uuid4().hex[:10]
    if peer.writes:
        place.make_folder(name)
    return name
