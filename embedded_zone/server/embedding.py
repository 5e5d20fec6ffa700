"""A zone as a child process of the program that needs one.

with EmbeddedZone(Path("/tmp/zone")) as zone:
    session = iRODSSession(**zone.session_arguments())
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from embedded_zone.client import service_password
from embedded_zone.config import ZoneConfig
from embedded_zone.server import home as zone_home

STOP_SECONDS = 10.0  # an agent in the middle of a request gets so long before it is killed
START_SECONDS = 20.0


class ZoneNotStarted(Exception):
    """The zone's process ended, or did not answer in time; the text holds the end of what it wrote."""


class EmbeddedZone:
    """A zone as a child process of this one: made at first use, started and stopped as a context manager.

    ``values`` are keys of ``ZoneConfig``; given for an existing zone they change its configuration. ``password``
    is the administrator's, generated if none is given.
    """

    def __init__(self, home: Path | str, password: str = "", **values: Any) -> None:
        self.home = Path(home).absolute()
        self.port = 0
        if zone_home.config_path(self.home).exists():
            loaded = ZoneConfig.load(self.home)
            self.config = zone_home.update_config(loaded, **values) if values else loaded
        else:
            self.config = zone_home.init_home(self.home, password, **values)
        self.password = password or service_password(self.config)
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline = -1

    def __enter__(self) -> EmbeddedZone:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process number of the zone's main process, 0 when it does not run."""
        return self._process.pid if self._process else 0

    @property
    def environment_file(self) -> Path:
        """The administrator's ``irods_environment.json``; ``.irodsA`` lies beside it."""
        return self.config.service_environment

    def session_arguments(self) -> dict[str, Any]:
        """Keyword arguments for python-irodsclient's ``iRODSSession`` as the administrator."""
        return {
            "host": self.config.host,
            "port": self.port,
            "user": self.config.zone_user,
            "password": self.password,
            "zone": self.config.zone_name,
        }

    def start(self) -> None:
        """Start the zone and wait until it accepts connections; raises ZoneNotStarted."""
        ready, ready_end = os.pipe()
        lifeline_end, self._lifeline = os.pipe()
        command = [sys.executable, "-m", "embedded_zone", "run", str(self.home)]
        command += ["--ready", str(ready_end), "--lifeline", str(lifeline_end)]
        try:
            self._process = spawn(self.config, command, (ready_end, lifeline_end))
        finally:
            os.close(ready_end)
            os.close(lifeline_end)
        try:
            self.port = read_port(self.config, ready)
        except ZoneNotStarted:
            self.kill()
            raise
        finally:
            os.close(ready)

    def stop(self) -> None:
        """End the zone as SIGTERM does and wait for it; nothing of it is left."""
        if self._process is not None:
            self._process.terminate()
            self._reaped(2 * STOP_SECONDS + 5)

    def kill(self) -> None:
        """kill -9 of every process of the zone at once, as a crash of the machine would be."""
        if self._process is not None:
            _kill_group(self._process.pid)
            self._reaped(STOP_SECONDS)

    def _reaped(self, seconds: float) -> None:
        process, self._process = self._process, None
        if process is not None:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                _kill_group(process.pid)
                process.wait()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def spawn(config: ZoneConfig, command: list[str], pass_fds: tuple[int, ...]) -> subprocess.Popen[bytes]:
    """Start the zone's main process in a session of its own, its output in ``log/console.log``."""
    config.log.mkdir(parents=True, exist_ok=True)
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    with open(config.log / "console.log", "wb") as console:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            start_new_session=True,
            pass_fds=pass_fds,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )


def read_port(config: ZoneConfig, ready: int) -> int:
    readable, _, _ = select.select([ready], [], [], START_SECONDS)
    text = os.read(ready, 64) if readable else b""
    if not text.strip():
        said = (config.log / "console.log").read_text(encoding="utf-8", errors="replace")[-2000:]
        raise ZoneNotStarted(f"zone {config.home} did not start: {said.strip() or 'no output'}")
    return int(text)
