"""Connections that break in the middle: every transfer ends with the right content, and little is sent twice."""

from __future__ import annotations

import os
import random
import re
import uuid
from collections.abc import Callable

import pytest

from python_rules.engine import pipeline
from python_rules.engine.codec import Chain
from python_rules.engine.pipeline import Passed
from python_rules.engine.staging.persistent import Sink, Source
from python_rules.engine.systems.place import Incoming, Outgoing, Place
from python_rules.engine.watch import UNWATCHED
from python_rules.jobs.errors import JobError
from tests.systems.cutting import Cutting, cutting
from tests.systems.files import BLOCK, MIB, read, sha256
from tests.systems.peers import Peer
from tests.unit.engine.conftest import MemorySink, MemorySource

SIZE = 12 * MIB + 11
LOGIN = 2 * MIB  # bytes that connecting again costs, and asking what is there
ALL = ["sftp", "rsync", "http", "irods", "s3", "swift"]
OBJECTS = ("s3", "swift")  # several connections for one file: not every one of them gets as far as its cut


class Line:
    """A system behind a proxy that cuts, opened anew after each cut."""

    def __init__(self, peer: Peer, proxy: Cutting) -> None:
        address = str(peer.settings["address"]).replace(f":{port_of(peer)}", f":{proxy.port}")
        self._system = {"address": address, **_trusting(peer, proxy)}
        self._peer = peer
        self._place: Place | None = None

    def place(self) -> Place:
        self.close()
        self._place = self._peer.open(**self._system)
        return self._place

    def close(self) -> None:
        if self._place is not None:
            self._place.close()
            self._place = None


def port_of(peer: Peer) -> int:
    """The port of its server."""
    found = re.search(r":(\d+)", str(peer.settings["address"]))
    assert found
    return int(found.group(1))


def _trusting(peer: Peer, proxy: Cutting) -> dict[str, str]:
    """The server's key under the proxy's port."""
    if peer.kind not in ("sftp", "rsync"):
        return {}
    known = str(peer.settings["known_hosts"])
    with open(known) as file:
        key = file.read().split(" ", 1)[1]
    with open(f"{known}.{proxy.port}", "w") as file:
        file.write(f"[127.0.0.1]:{proxy.port} {key}")
    return {"known_hosts": f"{known}.{proxy.port}"}


def up(line: Line, path: str, data: bytes) -> Passed:
    """Write a file across cuts."""
    token = f"{uuid.uuid4()}-abc.1"
    sink = Sink(lambda: _writing(line, path, len(data), token), UNWATCHED)
    passed = pipeline.run(MemorySource(data), Chain(), sink, size=len(data))
    sink.publish(passed.written_size, passed.written_sha256, None)
    return passed


def _writing(line: Line, path: str, size: int, token: str) -> Outgoing:
    return line.place().write(path, size, token)


def down(line: Line, path: str, size: int) -> bytes:
    """Read a file across cuts."""

    def opened(offset: int) -> Incoming:
        return line.place().read(path, offset)

    sink = MemorySink()
    source = Source(opened, UNWATCHED)
    pipeline.run(source, Chain(), sink, size=size)
    source.close()
    return bytes(sink.data)


def cut_at_random(peer: Peer, folder: str, rounds: int, seed: int) -> None:
    """Transfers in both directions with one cut each, at random points; what is sent twice is a block at most (of an
    object store: a part)."""
    chosen, data, path = random.Random(seed), os.urandom(SIZE), f"{folder}/file"
    block = int(peer.settings["part_mib"]) * MIB if peer.kind in OBJECTS else BLOCK
    plain, made = peer.open(), 0

    def distance() -> int:
        return chosen.randrange(20_000, SIZE if peer.kind not in OBJECTS else SIZE // 3)

    peer.bring(plain, path, data)
    for number in range(rounds):
        target = f"{path}-up{number % 2}"
        if peer.kind == "rsync":
            plain.remove(target)  # or there would be nothing to send
        with cutting(port_of(peer)) as proxy:
            line = Line(peer, proxy)
            proxy.cuts = [distance()]
            assert sha256(down(line, path, SIZE)) == sha256(data)
            assert proxy.down < SIZE + LOGIN + proxy.made * block, "more than a block came twice"
            if peer.writes:
                proxy.cuts, before, cuts = [distance()], proxy.up, proxy.made
                up(line, target, data)
                sent = proxy.up - before
                assert sent < SIZE + LOGIN + (proxy.made - cuts) * block, "more than a block was sent twice"
                assert sha256(read(plain, target)) == sha256(data)
            line.close()
            made += proxy.made
    ways = 2 if peer.writes else 1
    assert made == ways * rounds if peer.kind not in OBJECTS else made > rounds
    plain.close()


@pytest.mark.parametrize(
    "kind", [*(pytest.param(kind, marks=pytest.mark.long) for kind in ALL if kind != "http"), "http"]
)
def test_a_cut_costs_a_block_at_most(peers: Callable[[str], Peer], kind: str) -> None:
    """Three random points for each type."""
    cut_at_random(peers(kind), _folder(peers(kind)), 3, 1)


@pytest.mark.long
@pytest.mark.parametrize("kind", ALL)
def test_a_hundred_cuts(peers: Callable[[str], Peer], kind: str) -> None:
    """The same a hundred times in each direction: equal checksums always."""
    cut_at_random(peers(kind), _folder(peers(kind)), 100, 2)


def test_a_server_that_stays_away_is_given_up(peers: Callable[[str], Peer]) -> None:
    """After so many tries without a byte the error goes to the job, as one that passes."""
    gone = peers("sftp").system(address="127.0.0.1:1")

    def opened(offset: int) -> Incoming:
        raise gone.error("system_unavailable", "it does not take connections")

    with pytest.raises(JobError) as caught:
        Source(opened, UNWATCHED, first_pause=0.001).readinto(bytearray(10))
    assert caught.value.code == "system_unavailable"


def _folder(peer: Peer) -> str:
    name = uuid.uuid4().hex[:8]
    if peer.writes:
        with_place = peer.open()
        with_place.make_folder(name)
        with_place.close()
    return name
