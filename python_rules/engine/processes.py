"""Which process a number means: numbers are used again, so the moment it began belongs to it."""

from __future__ import annotations

import os
import socket
import time

_START_FIELD = 19  # of /proc/<pid>/stat, counted after the name in brackets: starttime, in clock ticks since boot


def began(pid: int) -> int | None:
    """When a process of this machine began, in clock ticks since boot; None if it does not live."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] == b"Z" else int(fields[_START_FIELD])


def age(pid: int) -> float | None:
    """For how many seconds it has lived; None if it does not live."""
    ticks = began(pid)
    if ticks is None:
        return None
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))


def here() -> str:
    """This machine's name, as leases tell it."""
    return socket.gethostname()
