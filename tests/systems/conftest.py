"""One server of each type for a whole run; every test works in a folder of its own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from python_rules.engine.systems.place import Place
from tests.systems.kinds import KINDS
from tests.systems.peers import PEERS, Peer
from tests.systems.peers_objects import OBJECT_PEERS

ALL = {**PEERS, **OBJECT_PEERS}


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
def folder(peer: Peer, place: Place) -> str:
    """A new folder of the place."""
    name = uuid.uuid4().hex[:10]
    if peer.writes:
        place.make_folder(name)
    return name
