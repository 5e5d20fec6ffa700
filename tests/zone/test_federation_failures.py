"""What happens to both zones when a client, an agent or a server dies in the middle (observed facts 9.5)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from irods import exception as errors
from irods.session import iRODSSession

from embedded_zone.server.embedding import EmbeddedZone
from embedded_zone.testing import Administration, FaultyProxy, FederatedZones
from tests.zone.federation_zone import HERE, THERE, federation, session, write
from tests.zone.objects_zone import wait_for_end
from tests.zone.server_zone import children

CHUNK = b"x" * 65536
GONE = (errors.NetworkException, errors.iRODSException, OSError)


@pytest.fixture
def zones(tmp_path: Path) -> Iterator[FederatedZones]:
    with federation(tmp_path) as running:
        yield running


def replica(zones: FederatedZones, path: str) -> tuple[str, int]:
    """Status and size as the other zone's administrator sees them."""
    with iRODSSession(**zones.remote.session_arguments()) as rods:
        sql = rods.genquery2(f"select DATA_REPL_STATUS, DATA_SIZE where DATA_NAME = '{path.rpartition('/')[2]}'")
    return sql[0][0], int(sql[0][1])


def newest_agent(zone: EmbeddedZone) -> int:
    """The process that serves the latest connection."""
    return max(children(zone.pid))


def test_a_killed_agent_there_leaves_the_replica_open_for_ever(zones: FederatedZones) -> None:
    """Status 2, size 0; the client's next call fails with SYS_HEADER_READ_LEN_ERR."""
    path = f"{THERE}/killed"
    with session(zones.local) as alice:
        stream = alice.data_objects.open(path, "w")
        stream.raw.write(CHUNK)
        agent = newest_agent(zones.remote)
        os.kill(agent, signal.SIGKILL)
        wait_for_end(agent)

        with pytest.raises(errors.SYS_HEADER_READ_LEN_ERR):
            stream.raw.write(CHUNK)

    assert replica(zones, path) == ("2", 0)


def test_a_killed_agent_here_leaves_what_arrived(zones: FederatedZones) -> None:
    """Status 0 and the bytes that were sent: the server there sees its connection break."""
    path = f"{THERE}/here"
    with session(zones.local) as alice:
        stream = alice.data_objects.open(path, "w")
        stream.raw.write(CHUNK)
        theirs = newest_agent(zones.remote)
        os.kill(newest_agent(zones.local), signal.SIGKILL)
        wait_for_end(theirs)

        with pytest.raises(GONE):
            stream.raw.write(CHUNK)

    assert replica(zones, path) == ("0", len(CHUNK))


def test_a_client_that_leaves_without_closing_leaves_the_replica_open(zones: FederatedZones) -> None:
    """Status 2 for ever, where within one zone it becomes 0: the own server says goodbye to the other one."""
    path = f"{THERE}/left"
    with FaultyProxy("127.0.0.1", zones.local.port) as proxy, session(zones.local, port=proxy.port) as alice:
        stream = alice.data_objects.open(path, "w")
        stream.raw.write(CHUNK)
        theirs = newest_agent(zones.remote)
        proxy.cut()
        wait_for_end(theirs)

    assert replica(zones, path) == ("2", 0)


@pytest.mark.parametrize("call", [lambda s: s.collections.create(f"{THERE}/x"), lambda s: s.collections.exists(THERE)])
def test_an_unreachable_zone_is_said_to_be_so(zones: FederatedZones, call: Callable[[iRODSSession], object]) -> None:
    """CROSS_ZONE_SOCK_CONNECT_ERR -92111; paths of the own zone go on."""
    zones.remote.stop()
    with session(zones.local) as alice:
        with pytest.raises(errors.CROSS_ZONE_SOCK_CONNECT_ERR) as caught:
            call(alice)
        assert caught.value.code == -92111
        assert write(alice, f"{HERE}/still")


def test_an_open_in_an_unreachable_zone_ends_the_connection(zones: FederatedZones) -> None:
    """The agent dies of it: NetworkException, and a new connection works."""
    zones.remote.stop()
    with session(zones.local) as alice:
        with pytest.raises(errors.NetworkException):
            alice.data_objects.open(f"{THERE}/x", "w")
        assert write(alice, f"{HERE}/still")


def test_a_connection_that_used_a_zone_before_it_restarted_stays_broken(zones: FederatedZones) -> None:
    """-4000 on every call; a new session works."""
    with session(zones.local) as alice:
        assert alice.collections.exists(THERE)
        zones.remote.stop()
        zones.remote.start()
        for _ in range(2):
            with pytest.raises(errors.SYS_HEADER_READ_LEN_ERR):
                alice.collections.exists(THERE)
    with session(zones.local) as again:
        assert again.collections.exists(THERE)


def test_a_copy_that_loses_the_other_zone_fails(zones: FederatedZones) -> None:
    """SYS_COPY_LEN_ERR -27000, after 1 MiB of 20 went through a connection that then breaks."""
    with session(zones.local) as alice:
        write(alice, f"{HERE}/big", b"x" * (20 << 20))
    with FaultyProxy("127.0.0.1", zones.remote.port) as proxy:
        _move_zone(zones, proxy.port)
        with session(zones.local) as alice:
            assert alice.collections.exists(THERE)
            proxy.cut_after(1 << 20)
            with pytest.raises(errors.SYS_COPY_LEN_ERR):
                alice.data_objects.copy(f"{HERE}/big", f"{THERE}/big")


def test_a_frozen_zone_is_waited_for(zones: FederatedZones) -> None:
    """Nothing times out; once the other server answers again the call ends well."""
    with FaultyProxy("127.0.0.1", zones.remote.port) as proxy:
        _move_zone(zones, proxy.port)
        with session(zones.local) as alice:
            assert alice.collections.exists(THERE)
            proxy.delay(0.2)
            assert write(alice, f"{THERE}/slow")
    assert replica(zones, "slow") == ("1", 4)


def _move_zone(zones: FederatedZones, port: int) -> None:
    with Administration(zones.local) as here:
        here.run("modify", "zone", "otherZone", "conn", f"127.0.0.1:{port}")
