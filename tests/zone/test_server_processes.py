"""Processes: nothing hangs, nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded_zone.server.supervisor import EmbeddedZone, ZoneNotStarted
from embedded_zone.wire.frame import API_REQUEST, Frame, encode
from tests.zone.server_zone import children, connect, ended, query, raw, watch

ZONE_NAME = 102


@pytest.fixture
def zone(tmp_path: Path) -> Iterator[EmbeddedZone]:
    """A running zone of this test alone."""
    with EmbeddedZone(tmp_path / "home") as running:
        yield running


NOISE = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    (40).to_bytes(4, "big") + b"<MsgHeader_PI>" + b"x" * 26,
    b"".join(bytes(p) for p in encode(Frame(API_REQUEST, b"<x>"))),
    b"".join(bytes(p) for p in encode(Frame("RODS_CONNECT", b"not a startup pack"))),
    b"".join(bytes(p) for p in encode(Frame("RODS_CONNECT"))).replace(b"<bsLen>0<", b"<bsLen>9<"),
]  # fmt: skip


def test_noise_ends_only_its_own_connection(zone: EmbeddedZone) -> None:
    """Whatever a stranger sends, its agent ends and the zone goes on."""
    for noise in NOISE:
        with raw(zone) as sock:
            sock.sendall(noise)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
    with connect(zone) as client:
        assert query(client, ZONE_NAME) == ["tempZone"]


def test_client_that_vanishes_leaves_no_agent(zone: EmbeddedZone) -> None:
    """An agent ends when its client does, between requests and in the middle of one."""
    idle, broken = connect(zone), connect(zone)
    agents = watch(children(zone.pid)[1:])
    broken._connection.send_raw(b"\0\0")
    for client in (idle, broken):
        client._connection.close()
    assert ended(agents)


def test_stop_leaves_no_process(zone: EmbeddedZone) -> None:
    """SIGTERM ends the main process, the delay server and idle agents, and removes the pid file."""
    client = connect(zone)
    everything = watch([zone.pid, *children(zone.pid)])
    zone.stop()
    assert ended(everything)
    assert not (zone.config.run / "zone.pid").exists()
    client.close()


def test_interrupt_stops_as_well(zone: EmbeddedZone) -> None:
    """SIGINT, which a terminal sends to all processes at once, ends the zone."""
    client = connect(zone)
    everything = watch([zone.pid, *children(zone.pid)])
    os.killpg(zone.pid, signal.SIGINT)
    assert ended(everything)
    client.close()


def test_agents_survive_the_main_process(zone: EmbeddedZone) -> None:
    """Killed alone, the main server leaves agents and delay server alive; a restart takes the same port."""
    client = connect(zone)
    left, port = children(zone.pid), zone.port
    watches = watch(left)
    os.kill(zone.pid, signal.SIGKILL)
    zone._reaped(20)
    assert query(client, ZONE_NAME) == ["tempZone"]
    zone.start()
    assert zone.port == port
    client.close()
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    assert ended(watches)


def test_dead_delay_server_is_replaced(zone: EmbeddedZone) -> None:
    """The main process starts a new delay server when the old one dies."""
    old = children(zone.pid)[0]
    gone = watch([old])
    os.kill(old, signal.SIGKILL)
    assert ended(gone)
    while not (now := children(zone.pid)) or now == [old]:
        connect(zone).close()
    assert old not in now


def test_zone_stops_with_its_embedder(tmp_path: Path) -> None:
    """When the process that embeds a zone is killed, the zone stops."""
    code = (
        "import sys, time\nfrom embedded_zone.server.supervisor import EmbeddedZone\n"
        "zone = EmbeddedZone(sys.argv[1])\nzone.start()\nprint(zone.pid, flush=True)\nsys.stdin.read()\n"
    )
    embedder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "home")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert embedder.stdout is not None
    assert embedder.stdin is not None
    zone = watch([int(embedder.stdout.readline())])
    embedder.kill()
    embedder.wait()
    assert ended(zone)
    embedder.stdin.close()
    embedder.stdout.close()


def test_crash_of_everything_and_restart(zone: EmbeddedZone) -> None:
    """After kill -9 of all its processes a zone starts again."""
    zone.kill()
    zone.start()
    with connect(zone) as client:
        assert query(client, ZONE_NAME) == ["tempZone"]


def test_taken_port_is_an_error_that_is_told(zone: EmbeddedZone, tmp_path: Path) -> None:
    """A zone that cannot listen says why."""
    other = EmbeddedZone(tmp_path / "other", zone_port=zone.port)
    with pytest.raises(ZoneNotStarted, match=r"(?i)address already in use"):
        other.start()


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "embedded_zone", *arguments], capture_output=True, text=True, check=False
    )


def test_command_line(tmp_path: Path) -> None:
    """init, start, status, logs and stop work together, and say what they did."""
    home = str(tmp_path / "home")
    assert "zone blue made" in _run("init", home, "--zone-name", "blue", "--password", "secret-canary").stdout
    assert _run("init", home).returncode == 1
    assert _run("status", home).returncode == 3
    assert "accepts connections" in _run("start", home).stdout
    assert "already runs" in _run("start", home).stderr
    assert "runs as process" in _run("status", home).stdout
    assert "accepts connections" in _run("logs", home).stdout
    assert _run("stop", home).returncode == 0
    assert _run("status", home).returncode == 3
    assert "secret-canary" not in (tmp_path / "home" / "log" / "zone.jsonl").read_text()


def test_page_lists_the_registry() -> None:
    """The page of supported APIs has a row for each."""
    page = _run("genpage").stdout
    assert "| 110000 | authenticate |" in page
    assert "| 702 | gen_query |" in page


def test_a_password_is_generated_and_told(tmp_path: Path) -> None:
    """Without --password the administrator gets one that nobody can guess, which init prints."""
    first, second = (_run("init", str(tmp_path / name)).stdout for name in ("one", "two"))
    given = _run("init", str(tmp_path / "three"), "--password", "secret-canary").stdout

    passwords = {text.rpartition(" ")[2].strip() for text in (first, second)}
    assert len(passwords) == 2
    assert all(len(password) >= 16 for password in passwords)
    assert "secret-canary" not in given
    assert "administrator" not in given


def test_a_zone_listens_on_loopback_unless_told_otherwise(zone: EmbeddedZone) -> None:
    """Other machines do not reach it."""
    connections = Path(f"/proc/{zone.pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    listening = [line.split()[1] for line in connections if line.split()[3] == "0A"]

    assert f"0100007F:{zone.port:04X}" in listening
    assert f"00000000:{zone.port:04X}" not in listening
