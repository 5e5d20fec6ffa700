"""A server from a Debian package, run by a test: its own folder, its own Unix user, a free port, no systemd."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.stack.waiting import until

PR_SET_PDEATHSIG = 1  # linux/prctl.h
STOP_SECONDS = 30.0


class Daemon:
    """One server; ``kill`` is SIGKILL to all its processes, after which ``start`` begins anew on the same data."""

    start_seconds = 60.0

    def __init__(self, name: str, account: str) -> None:
        # Not below pytest's own folder: that one is closed to other users.
        self.home = Path(tempfile.mkdtemp(prefix=f"sluice-{name}-"))
        self.port = free_port()
        self._account = account if os.geteuid() == 0 else ""
        self._process: subprocess.Popen[bytes] | None = None
        if self._account:
            shutil.chown(self.home, self._account, pwd.getpwnam(self._account).pw_gid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def start(self) -> None:
        """Start, and return once it serves."""
        with open(self.home / "output", "ab") as output:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_end_with_us,
                **self._as_account(),
            )
        until(
            lambda: True if self._alive() and self.serves() else None, f"the start of {self.home}", self.start_seconds
        )

    def kill(self) -> None:
        """End all its processes at once, as a power cut would."""
        self._signal(signal.SIGKILL)
        until(lambda: None if listens(self.port) else True, f"the end of {self.home}")

    def pause(self) -> None:
        """Stop its processes without ending them: it neither answers nor closes a connection."""
        self._signal(signal.SIGSTOP, wait=False)

    def resume(self) -> None:
        """Let its processes go on."""
        self._signal(signal.SIGCONT, wait=False)

    def close(self) -> None:
        """Stop it in order and remove its folder."""
        self._signal(self.stop_signal)
        shutil.rmtree(self.home, ignore_errors=True)

    stop_signal = signal.SIGTERM

    def command(self) -> list[str]:
        """What is started."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """What is added to the environment."""
        return {}

    def serves(self) -> bool:
        """Whether it answers."""
        return listens(self.port)

    def run(self, *command: str) -> str:
        """The output of a command as the server's user."""
        done = subprocess.run(command, check=True, capture_output=True, text=True, **self._as_account())
        return done.stdout

    def _as_account(self) -> dict[str, object]:
        own = {"cwd": self.home, "env": {**os.environ, "HOME": str(self.home), **self.environment()}}
        if not self._account:
            return own
        entry = pwd.getpwnam(self._account)
        return {**own, "user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def _alive(self) -> bool:
        assert self._process
        assert self._process.poll() is None, (self.home / "output").read_text(errors="replace")[-2000:]
        return True

    def _signal(self, number: int, wait: bool = True) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        send: Callable[[int, int], None] = os.killpg if number != self.stop_signal else os.kill
        with contextlib.suppress(ProcessLookupError):
            send(process.pid, number)
        if wait:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def free_port() -> int:
    """A port that nobody listens on; somebody may take it before we do, and then the start tells."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody accepts connections on a port of this machine."""
    with socket.socket() as tried:
        tried.settimeout(1)
        return tried.connect_ex(("127.0.0.1", port)) == 0


def _end_with_us() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def answers(url: str) -> bool:
    """Whether a web server answers there."""
    try:
        urllib.request.urlopen(url, timeout=10).close()  # noqa: S310  (http)
    except (urllib.error.URLError, ConnectionError):
        return False
    return True
