"""The zone's main process: listens, forks an agent per connection, keeps the delay server alive.

with EmbeddedZone(Path("/tmp/zone")) as zone:
    session = iRODSSession(**zone.session_arguments())
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import select
import signal
import socket
import time
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import FrameType
from typing import Any

from embedded_zone import catalog, federation, objects, rules
from embedded_zone.api import load_all
from embedded_zone.config import ZoneConfig
from embedded_zone.server import home as zone_home
from embedded_zone.server.agent_process import run_forked
from embedded_zone.server.embedding import STOP_SECONDS, EmbeddedZone, ZoneNotStarted
from embedded_zone.server.log import open_log

__all__ = ["EmbeddedZone", "Supervisor", "ZoneNotStarted", "start"]

BACKLOG = 128
DELAY_RESTART_SECONDS = 1.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP)


class Supervisor:
    """Runs a zone in this process until SIGTERM or SIGINT; ``ready`` and ``lifeline`` are pipe ends of an embedder.

    The port is written to ``ready`` once the zone accepts connections. When the other end of ``lifeline`` is closed
    (the embedder died), the zone stops.
    """

    def __init__(self, config: ZoneConfig, ready: int = -1, lifeline: int = -1) -> None:
        self.config = config
        self.log = open_log(config.log / "zone.jsonl", config.zone_name, "server")
        self._ready, self._lifeline = ready, lifeline
        self._agents: set[int] = set()
        self._delay_pid = 0
        self._delay_due = 0.0
        self._stopping = False
        self._wakeup: tuple[int, int] = (-1, -1)
        self._listener: socket.socket | None = None

    def run(self) -> None:
        """Serve until told to stop; leaves no process and no pid file behind."""
        load_all()
        self._preload()
        _trim_environment(self.config)
        self._listener = listener = _listen(self.config)
        self._wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._install_signals()
        gc.collect()
        gc.freeze()  # forked agents then share these pages instead of copying them at their first collection
        port = listener.getsockname()[1]
        self._write_address(port)
        self._keep_delay_server()
        self._tell_ready(port)
        try:
            while not self._stopping:
                self._keep_delay_server()
                self._wait(listener)
        finally:
            self._shut_down(listener)

    def _preload(self) -> None:
        """Import everything that agents may need, so that none of them spends its first milliseconds on it."""
        for layer in (catalog, objects, rules, federation):
            for module in walk_packages(layer.__path__, f"{layer.__name__}."):
                import_module(module.name)

    # --- the loop

    def _wait(self, listener: socket.socket) -> None:
        watched: list[Any] = [listener, self._wakeup[0]]
        if self._lifeline >= 0:
            watched.append(self._lifeline)
        timeout = max(self._delay_due - time.monotonic(), 0.01) if not self._delay_pid else None
        readable, _, _ = select.select(watched, [], [], timeout)
        if self._wakeup[0] in readable:
            os.read(self._wakeup[0], 4096)
            self._reap()
        if self._lifeline in readable:
            self._stopping = True
        elif listener in readable:
            self._accept(listener)

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, address = listener.accept()
        except OSError as error:  # the client has left again, or this process is out of descriptors
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
                self.log.error("cannot accept: %s", error)  # noqa: TRY400
                time.sleep(0.1)
            return
        try:
            pid = self._fork()
        except OSError as error:
            self.log.error("cannot fork: %s", error)  # noqa: TRY400
            sock.close()
            return
        if pid == 0:
            run_forked(sock, str(address[0]), self.config)
        self._agents.add(pid)
        sock.close()

    def _fork(self) -> int:
        """Fork; the child has forgotten what is the supervisor's.

        Signals wait meanwhile: one that met the child while it still had the supervisor's handlers would be lost,
        and the child would not stop.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                self._become_child()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        return pid

    def _become_child(self) -> None:
        """Forget in a fork what belongs to the supervisor."""
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C at the terminal is the supervisor's to handle
        for descriptor in (*self._wakeup, self._lifeline):
            if descriptor >= 0:
                os.close(descriptor)
        if self._listener is not None:
            self._listener.close()
        self._agents.clear()

    # --- children

    def _keep_delay_server(self) -> None:
        if self._delay_pid or time.monotonic() < self._delay_due:
            return
        self._delay_due = time.monotonic() + DELAY_RESTART_SECONDS
        pid = self._fork()
        if pid == 0:
            _run_delay_server(self.config)
        self._delay_pid = pid

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._buried(pid, status)

    def _buried(self, pid: int, status: int) -> None:
        self._agents.discard(pid)
        if pid == self._delay_pid:
            self._delay_pid = 0
            if not self._stopping:
                self.log.warning("delay server %d ended (%s), a new one is started", pid, _ending(status))
        elif status:
            self.log.error("agent %d ended: %s", pid, _ending(status))

    # --- signals, start, end

    def _install_signals(self) -> None:
        signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only wakes the loop up
        signal.signal(signal.SIGHUP, self._on_reload)

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _on_reload(self, _number: int, _frame: FrameType | None) -> None:
        """Read the configuration again; new connections and a new delay server use it."""
        self.config = ZoneConfig.load(self.config.home)
        _signal(self._delay_pid, signal.SIGTERM)

    def _write_address(self, port: int) -> None:
        zone_home.write_environment(self.config, port)
        (self.config.run / "port").write_text(f"{port}\n", encoding="ascii")
        (self.config.run / "zone.pid").write_text(f"{os.getpid()}\n", encoding="ascii")
        self.log.info("zone %s accepts connections on %s:%d", self.config.zone_name, self.config.host, port)

    def _tell_ready(self, port: int) -> None:
        if self._ready >= 0:
            os.write(self._ready, f"{port}\n".encode("ascii"))
            os.close(self._ready)
            self._ready = -1

    def _shut_down(self, listener: socket.socket) -> None:
        self._stopping = True
        listener.close()
        self._signal_children(signal.SIGTERM)
        self._await_children(STOP_SECONDS)
        self._signal_children(signal.SIGKILL)
        self._await_children(STOP_SECONDS)
        for name in ("zone.pid", "port"):
            (self.config.run / name).unlink(missing_ok=True)
        self.log.info("zone stopped")

    def _signal_children(self, number: int) -> None:
        for pid in (*self._agents, self._delay_pid):
            _signal(pid, number)

    def _await_children(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self._reap()
        while (self._agents or self._delay_pid) and time.monotonic() < end:
            select.select([self._wakeup[0]], [], [], end - time.monotonic())
            with contextlib.suppress(BlockingIOError):
                os.read(self._wakeup[0], 4096)
            self._reap()


def _signal(pid: int, number: int) -> None:
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit {code}"


def _run_delay_server(config: ZoneConfig) -> None:
    """The delay server in its forked process; never returns."""
    log = open_log(config.log / "zone.jsonl", config.zone_name, "delay_server")
    try:
        from embedded_zone.delay.server import main

        main(config)
    except BaseException:
        log.exception("delay server failed")
    finally:
        os._exit(0)


def _listen(config: ZoneConfig) -> socket.socket:
    """A listening socket; with port 0 that of the last run if it is still free."""
    wanted = config.zone_port or zone_home.last_port(config)
    try:
        return socket.create_server((config.host, wanted), backlog=BACKLOG)
    except OSError:
        if config.zone_port or not wanted:
            raise
        return socket.create_server((config.host, 0), backlog=BACKLOG)


def _trim_environment(config: ZoneConfig) -> None:
    """Leave agents the few variables that a real server's agents have; their home is the service account's."""
    kept = {key: os.environ[key] for key in ("USER", "LOGNAME", "LANG", "PATH") if key in os.environ}
    os.environ.clear()
    os.environ.update({**kept, "HOME": str(config.home), "spOption": "irodsServer", "reCacheSalt": f"pid{os.getpid()}"})


def start(home: Path, ready: int = -1, lifeline: int = -1) -> None:
    """Run the zone of ``home`` in this process until it is told to stop; raises ConfigError, OSError."""
    Supervisor(ZoneConfig.load(home.absolute()), ready, lifeline).run()
