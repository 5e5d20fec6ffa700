"""The zone's main process: listens, forks an agent per connection, keeps the delay server alive.

    with EmbeddedZone(Path("/tmp/zone")) as zone:
        session = iRODSSession(**zone.session_arguments())
"""

from __future__ import annotations

import errno
import gc
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from embedded_zone.api import load_all
from embedded_zone.config import ZoneConfig
from embedded_zone.server import home as zone_home
from embedded_zone.server.agent_process import run_forked
from embedded_zone.server.log import open_log

BACKLOG = 128
STOP_SECONDS = 10.0  # an agent in the middle of a request gets so long before it is killed
DELAY_RESTART_SECONDS = 1.0
START_SECONDS = 20.0
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
        self._announce(listener.getsockname()[1])
        try:
            while not self._stopping:
                self._keep_delay_server()
                self._wait(listener)
        finally:
            self._shut_down(listener)

    def _preload(self) -> None:
        """Import what agents need, so that a fork is cheap; the delay server may be absent in a partial tree."""
        import embedded_zone.objects.descriptors  # noqa: F401
        import embedded_zone.rules.host  # noqa: F401

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
                self.log.error("cannot accept: %s", error)
                time.sleep(0.1)
            return
        try:
            pid = os.fork()
        except OSError as error:
            self.log.error("cannot fork: %s", error)
            sock.close()
            return
        if pid == 0:
            self._become_child()
            run_forked(sock, str(address[0]), self.config)
        self._agents.add(pid)
        sock.close()

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
        pid = os.fork()
        if pid == 0:
            self._become_child()
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

    def _announce(self, port: int) -> None:
        zone_home.write_environment(self.config, port)
        (self.config.run / "port").write_text(f"{port}\n", encoding="ascii")
        (self.config.run / "zone.pid").write_text(f"{os.getpid()}\n", encoding="ascii")
        self.log.info("zone %s accepts connections on %s:%d", self.config.zone_name, self.config.host, port)
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
            try:
                os.read(self._wakeup[0], 4096)
            except BlockingIOError:
                pass
            self._reap()


def _signal(pid: int, number: int) -> None:
    if pid:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit {code}"


def _run_delay_server(config: ZoneConfig) -> None:
    """The delay server in its forked process; never returns."""
    log = open_log(config.log / "zone.jsonl", config.zone_name, "delay_server")
    try:
        from embedded_zone.delay.server import main

        main(config)
    except BaseException:  # noqa: BLE001  a child must never run on into the supervisor's code
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


class ZoneNotStarted(Exception):
    """The zone's process ended, or did not answer in time; the text holds the end of what it wrote."""


class EmbeddedZone:
    """A zone as a child process of this one: made at first use, started and stopped as a context manager.

    ``values`` are keys of ``ZoneConfig``; given for an existing zone they change its configuration.
    """

    def __init__(self, home: Path | str, password: str = "rods", **values: Any) -> None:
        self.home = Path(home).absolute()
        self.password = password
        self.port = 0
        if zone_home.config_path(self.home).exists():
            loaded = ZoneConfig.load(self.home)
            self.config = zone_home.update_config(loaded, **values) if values else loaded
        else:
            self.config = zone_home.init_home(self.home, password, **values)
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
            self.port = _read_port(self.config, ready)
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
        assert self._process is not None
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            _kill_group(self._process.pid)
            self._process.wait()
        self._process = None
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        pass


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


def _read_port(config: ZoneConfig, ready: int) -> int:
    readable, _, _ = select.select([ready], [], [], START_SECONDS)
    text = os.read(ready, 64) if readable else b""
    if not text.strip():
        said = (config.log / "console.log").read_text(encoding="utf-8", errors="replace")[-2000:]
        raise ZoneNotStarted(f"zone {config.home} did not start: {said.strip() or 'no output'}")
    return int(text)
