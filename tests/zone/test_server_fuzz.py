"""Noise on the wire: the connection ends with an iRODS error, the zone goes on, and its memory does not grow."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedded_zone.errors import IrodsError
from embedded_zone.server.supervisor import EmbeddedZone
from embedded_zone.wire import frame
from embedded_zone.wire.frame import Decoder, Frame, encode
from embedded_zone.wire.instructions import INSTRUCTIONS
from embedded_zone.wire.packing import Protocol, unpack
from tests.zone.server_zone import children, connect, ended, query, raw, watch

ROUNDS = 60
ALLOWED_GROWTH = 2048  # kB in the main process, which only accepts and forks


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedZone]:
    """A running zone, shared by the tests of this module."""
    with EmbeddedZone(tmp_path_factory.mktemp("zone") / "home") as running:
        yield running


def resident(pid: int) -> int:
    """Resident memory of a process in kB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def joined(message: Frame) -> bytes:
    return b"".join(bytes(part) for part in encode(message))


def send(zone: EmbeddedZone, data: bytes) -> bytes:
    """Send bytes on a new connection, half-close it, and read what comes back until the zone closes."""
    with raw(zone) as sock:
        with contextlib.suppress(OSError):
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while part := sock.recv(65536):
                answer += part
        return answer


STARTUP = joined(
    Frame(
        frame.CONNECT,
        frame.body(
            "StartupPack_PI",
            {
                "irodsProt": 0,
                "proxyUser": "rods",
                "proxyRcatZone": "tempZone",
                "clientUser": "rods",
                "clientRcatZone": "tempZone",
                "relVersion": "rods5.0.2",
                "apiVersion": "d",
                "option": "fuzz",
            },
        ),
    )
)


def mutated(source: random.Random, data: bytes) -> bytes:
    """The data with some bytes changed, cut out, repeated or inserted."""
    changed = bytearray(data)
    for _ in range(source.randint(1, 8)):
        at = source.randrange(len(changed) + 1)
        kind = source.randrange(4)
        if kind == 0 and at < len(changed):
            changed[at] = source.randrange(256)
        elif kind == 1:
            del changed[at : at + source.randint(1, 40)]
        elif kind == 2:
            changed[at:at] = changed[at : at + source.randint(1, 200)]
        else:
            changed[at:at] = source.randbytes(source.randint(1, 20))
    return bytes(changed)


def test_mutated_conversations_leave_the_zone_as_it_was(zone: EmbeddedZone) -> None:
    """Changed start packs and requests end their connections only; no agent stays, the main process does not grow."""
    source = random.Random(20260101)
    request = joined(Frame(frame.API_REQUEST, b"<BinBytesBuf_PI><buflen>9</buflen></BinBytesBuf_PI>", int_info=110000))
    before = resident(zone.pid)

    for _ in range(ROUNDS):
        send(zone, mutated(source, STARTUP + request))

    agents = children(zone.pid)[1:]
    assert ended(watch(agents))
    assert resident(zone.pid) - before < ALLOWED_GROWTH
    with connect(zone) as client:
        assert query(client, 102) == ["tempZone"]


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">i", -1),
        struct.pack(">i", 0),
        struct.pack(">I", 0x7FFFFFFF) + b"x" * 1000,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        joined(Frame(frame.API_REQUEST, b"", int_info=702)),
        joined(Frame(frame.DISCONNECT)),
        STARTUP + joined(Frame(frame.CONNECT)),
        STARTUP[: len(STARTUP) // 2],
        STARTUP.replace(b"<msgLen>", b"<msgLen>9"),
        STARTUP + joined(Frame(frame.API_REQUEST)).replace(b"<bsLen>0", b"<bsLen>2147483647"),
        STARTUP + joined(Frame(frame.API_REQUEST)).replace(b"<msgLen>0", b"<msgLen>-5"),
    ],
    ids=[
        "negative length",
        "no length",
        "huge header",
        "HTTP",
        "TLS",
        "request first",
        "goodbye first",
        "two starts",
        "half a start",
        "start announced too long",
        "huge stream",
        "negative message",
    ],
)
def test_wrong_order_and_lengths_end_the_connection(zone: EmbeddedZone, data: bytes) -> None:
    """The zone closes after at most an iRODS error, and serves the next client."""
    answer = send(zone, data)

    for message in Decoder().feed(answer):
        assert message.type in (frame.VERSION, frame.API_REPLY, frame.NEGOTIATION)
    with connect(zone) as client:
        assert query(client, 102) == ["tempZone"]


def test_half_open_connections_do_not_stop_others(zone: EmbeddedZone) -> None:
    """Clients that connect and say nothing, or half a word, cost one process each until they leave."""
    silent = [raw(zone) for _ in range(10)]
    for number, sock in enumerate(silent):
        sock.sendall(STARTUP[: number * 5])

    with connect(zone) as client:
        assert query(client, 102) == ["tempZone"]

    agents = watch(children(zone.pid)[1:])
    for sock in silent:
        sock.close()
    assert ended(agents)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(name=st.sampled_from(sorted(INSTRUCTIONS)), data=st.binary(max_size=400), protocol=st.sampled_from(Protocol))
def test_any_bytes_unpack_or_are_refused(name: str, data: bytes, protocol: Protocol) -> None:
    """Noise where a structure should be is a value or an iRODS error, never another exception."""
    with contextlib.suppress(IrodsError):
        unpack(name, data, protocol)


def test_a_logged_in_client_may_send_noise(zone: EmbeddedZone) -> None:
    """Every API answers noise in its request with an error code, and the connection goes on."""
    from embedded_zone.api import load_all

    source = random.Random(7)
    served = [number for number, operation in load_all().items() if operation.request not in (None, "json")]
    with connect(zone) as client:
        for number in served:
            client._write(Frame(frame.API_REQUEST, source.randbytes(200), b"", os.urandom(10), number))
            assert client._read().type == frame.API_REPLY
        assert query(client, 102) == ["tempZone"]
