"""Who is killed while an engine stands still at a step: each kills, and sees that what is to go on goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from python_rules.engine import delayed, processes
from python_rules.jobs.paths import HIDDEN_PREFIX
from tests.e2e.faults import Stopped
from tests.stack.site import EmbeddedSite
from tests.stack.waiting import until

Victim = Callable[[EmbeddedSite, Stopped], None]


def engine(server: EmbeddedSite, stopped: Stopped) -> None:
    os.kill(stopped.pid, signal.SIGKILL)


def agent(server: EmbeddedSite, stopped: Stopped) -> None:
    """The agent that runs the delayed rule; the engine ends with it."""
    os.kill(stopped.agent, signal.SIGKILL)


def writing_agent(server: EmbeddedSite, stopped: Stopped) -> None:
    """The agent that has the engine's hidden object open."""
    vault = str(server.server.config.vault)
    os.kill(until(lambda: holder_of(vault, HIDDEN_PREFIX), "an agent that writes"), signal.SIGKILL)
    stopped.go_on()


def delay_server(server: EmbeddedSite, stopped: Stopped) -> None:
    os.kill(_delay_pid(server), signal.SIGKILL)
    stopped.go_on()


def main_server(server: EmbeddedSite, stopped: Stopped) -> None:
    os.kill(server.server.pid, signal.SIGKILL)
    stopped.go_on()
    server.server._reaped(10)
    server.server.start()


def everything(server: EmbeddedSite, stopped: Stopped) -> None:
    server.server.kill()
    server.server.start()


VICTIMS: dict[str, Victim] = {
    "engine": engine,
    "agent": agent,
    "delay server": delay_server,
    "main server": main_server,
    "everything": everything,
}


def bury(home: Path) -> None:
    """End what a killed zone left running: its delay servers outlive it, as a real one's do."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"embedded_zone" in command and str(home).encode() in command:
            with suppress(ProcessLookupError):
                os.kill(int(process.name), signal.SIGKILL)


def holder_of(folder: str, name: str) -> int | None:
    """A process that has a file of this folder open whose name has this in it."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            opened = [os.readlink(one) for one in (process / "fd").iterdir()]
        except OSError:
            continue
        if any(path.startswith(folder) and name in Path(path).name for path in opened):
            return int(process.name)
    return None


def _delay_pid(server: EmbeddedSite) -> int:
    """The delay server holds the lock of the row that runs; rows that a dead one left may still be there."""
    with server.admin() as session:
        holders = {int(row.lock_pid) for row in delayed.rows(session) if row.is_locked}
    return next(pid for pid in holders if processes.began(pid) is not None)
