"""A zone for the tests of the server: what they need to start, reach and watch one."""

from __future__ import annotations

import os
import select
import socket
from pathlib import Path

from embedded_zone.client import ZoneClient
from embedded_zone.server.supervisor import EmbeddedZone
from embedded_zone.wire.packing import Protocol

ADMIN = ("rods", "tempZone")


def connect(zone: EmbeddedZone, protocol: Protocol = Protocol.NATIVE_PROT, password: str = "") -> ZoneClient:
    """A logged-in connection of the administrator."""
    return ZoneClient(zone.config.host, zone.port, ADMIN, password or zone.password, protocol=protocol, timeout=20)


def raw(zone: EmbeddedZone) -> socket.socket:
    """A bare TCP connection to the zone."""
    return socket.create_connection((zone.config.host, zone.port), timeout=20)


def children(pid: int) -> list[int]:
    """The child processes of a process."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(word) for word in text.split()]


def watch(pids: list[int]) -> list[int]:
    """Descriptors that become readable when the processes end."""
    return [os.pidfd_open(pid) for pid in pids]


def ended(watches: list[int], seconds: float = 20) -> bool:
    """Whether all watched processes end within a time; closes the descriptors."""
    try:
        return all(select.select([fd], [], [], seconds)[0] for fd in watches)
    finally:
        for fd in watches:
            os.close(fd)


def query(client: ZoneClient, column: int) -> list[str]:
    """The values of one column, by GenQuery."""
    request = {"maxRows": 100, "InxIvalPair_PI": [(column, 1)]}
    answer = client.call(702, request, request_type="GenQueryInp_PI", reply_type="GenQueryOut_PI")
    values: list[str] = answer.body["SqlResult_PI"][0]["value"]
    return values
