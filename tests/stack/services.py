"""Shim and worker as processes of their own, with the settings of one machine."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.stack.site import Site

T = TypeVar("T")
START_SECONDS = 60.0
STOP_SECONDS = 15.0
PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Services:
    """A worker and a shim before a site; ``url`` is the shim's address.

    ``more`` adds settings to those of one machine, section by section.
    """

    def __init__(self, site: Site, home: Path, **more: dict[str, Any]) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        settings: dict[str, dict[str, Any]] = {
            "zone": {"environment": str(site.environment)},
            "celery": {"data": str(home / "celery"), "watch_seconds": 1.0},
            "http": {"address": "127.0.0.1", "port": 0},
        }
        for section, values in more.items():
            settings[section] = {**settings.get(section, {}), **values}
        self.settings = home / "shim.json"
        self.settings.write_text(json.dumps(settings, indent=4))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.url = ""
        try:
            self.start("workers")
            self.start("api_shim")
            self._await_ready()
        except BaseException:
            self.close()
            raise

    def start(self, module: str) -> None:
        """Start the worker or the shim; the shim keeps its port when it is started again."""
        if module != "api_shim":
            self._processes[module] = self._start(module, f"{module}.log")
            return
        port_file = self.home / "shim.port"
        port_file.unlink(missing_ok=True)
        port = ["--port", self.url.rpartition(":")[2]] if self.url else []
        self._processes[module] = self._start(module, f"{module}.log", "--port-file", str(port_file), *port)
        self.url = f"http://127.0.0.1:{self._awaited(port_file)}"

    def kill(self, module: str) -> None:
        """End the worker or the shim at once, as a power cut would."""
        _signal(self._processes[module], signal.SIGKILL)
        self._processes[module].wait()

    def pid(self, module: str) -> int:
        """The process id of the worker or the shim."""
        return self._processes[module].pid

    def log(self) -> str:
        """What both have logged."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.home.glob("*.log")))

    def close(self) -> None:
        """End both, and whatever they started."""
        for process in self._processes.values():
            _signal(process, signal.SIGTERM)
        for process in self._processes.values():
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()

    def _start(self, module: str, log: str, *more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", module, "--config", str(self.settings), *more]
        with open(self.home / log, "ab") as output:
            # A session of their own: Ctrl-C reaches us alone, and we end them in order. If we are killed, they end.
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_end_with_us,
            )

    def _awaited(self, port_file: Path) -> int:
        def port() -> int | None:
            text = port_file.read_text() if port_file.exists() else ""
            return int(text) if text.strip() else None

        return self._until(port, "the shim wrote no port")

    def _await_ready(self) -> None:
        def ready() -> bool | None:
            try:
                return True if httpx.get(f"{self.url}/ready", timeout=5).status_code == 200 else None
            except httpx.TransportError:
                return None

        self._until(ready, "the shim is not ready")

    def _until(self, look: Callable[[], T | None], what: str) -> T:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if any(process.poll() is not None for process in self._processes.values()):
                break
            found = look()
            if found is not None:
                return found
            time.sleep(0.05)
        raise RuntimeError(f"{what}; see the logs in {self.home}")


def _end_with_us() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    if process.poll() is None:
        os.killpg(process.pid, number)
