"""An engine that stops, fails or crashes at a chosen step, for tests that look at what is left then.

The zone's ``engine.python`` is replaced by a script that runs the real engine with one function wrapped: when that is
reached for the first time, the process says so in a file and stops itself (SIGSTOP), raises an error that nobody
expects, or aborts with its core limit lifted. Its clock can be set as well. Nothing in the engine knows it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from python_rules import config
from tests.stack.site import EmbeddedSite
from tests.stack.waiting import until

# module, class ('' for a function of the module), function, before or after it, at which call
Step = tuple[str, str, str, str, int]
STEPS: dict[str, Step] = {
    "body written": ("ledger", "Ledger", "begin", "before", 1),
    "record written": ("ledger", "Ledger", "create", "after", 1),
    "claimed": ("run", "Attempt", "run", "before", 1),
    "started": ("run", "Attempt", "_work", "before", 1),
    "first block": ("transfer.streams", "Writer", "write", "after", 2),
    "middle": ("transfer.streams", "Writer", "write", "after", 3),
    "last block": ("transfer.streams", "Writer", "close", "before", 1),
    "verified": ("transfer.zone", "Zone", "verify", "after", 1),
    "dressed": ("transfer.zone", "Zone", "dress", "after", 1),
    "taken away": ("transfer.zone", "Zone", "_rename", "after", 2),
    "published": ("transfer.zone", "Zone", "publish", "after", 1),
    "original removed": ("transfer.zone", "Zone", "remove", "after", 1),
    "results written": ("run", "Attempt", "_hand_over_results", "after", 1),
    "state written": ("run", "Attempt", "_end", "after", 1),
}

_ENGINE = """
import importlib, itertools, json, os, signal, sys, time
from pathlib import Path
HERE = Path(__file__).parent

def fail():
    raise RuntimeError("made to fail here")

def wrong_clock(real_time=time.time, real_gmtime=time.gmtime):
    def now():
        try:
            return real_time() + float((HERE / "clock").read_text() or 0)
        except FileNotFoundError:
            return real_time()
    time.time = now
    time.gmtime = lambda seconds=None: real_gmtime(now() if seconds is None else seconds)

HOW = {"stop": lambda: os.kill(os.getpid(), signal.SIGSTOP), "fail": fail, "abort": os.abort}

def stop(how):
    try:
        reached = os.open(HERE / "reached.new", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return
    os.write(reached, json.dumps([os.getpid(), os.getppid()]).encode())
    os.close(reached)
    os.rename(HERE / "reached.new", HERE / "reached")
    os.open(HERE / "reached.new", os.O_CREAT | os.O_WRONLY)
    HOW[how]()

def arm(module, name, function, when, call, how):
    holder = importlib.import_module("python_rules.engine." + module)
    holder = getattr(holder, name) if name else holder
    real, calls = getattr(holder, function), itertools.count(1)
    def wrapped(*given, **named):
        number = next(calls)  # other threads may call it too
        if when == "before" and number == call:
            stop(how)
        answer = real(*given, **named)
        if when == "after" and number == call:
            stop(how)
        return answer
    setattr(holder, function, wrapped)

wrong_clock()
if (HERE / "step").exists():
    arm(*json.loads((HERE / "step").read_text()))
from python_rules.engine.__main__ import main
sys.exit(main(sys.argv[4:]))
"""


@dataclass(frozen=True)
class Stopped:
    """A process of the engine that waits at its step, and the agent that started it."""

    pid: int
    agent: int

    def go_on(self) -> None:
        """Let it run again."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)


class Faults:
    """The stopping engine of one zone."""

    def __init__(self, site: EmbeddedSite, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "engine.py").write_text(_ENGINE)
        script = folder / "python"
        script.write_text(f'#!/bin/sh\nulimit -c unlimited\nexec {sys.executable} -I {folder / "engine.py"} "$@"\n')
        script.chmod(0o755)
        path = site.server.config.etc / config.FILE_NAME
        settings = json.loads(path.read_text())
        settings["engine"]["python"] = str(script)
        path.write_text(json.dumps(settings))

    @contextmanager
    def at(self, step: str | Step, how: str = "stop") -> Iterator[None]:
        """Have the first engine that comes to the step stop there, or ``fail``, or ``abort``."""
        self._forget()
        (self._folder / "step").write_text(json.dumps([*(STEPS[step] if isinstance(step, str) else step), how]))
        try:
            yield
        finally:
            self._forget()

    @property
    def reached(self) -> bool:
        """Whether an engine has come to the step."""
        return (self._folder / "reached").exists()

    def stopped(self) -> Stopped:
        """The process that came to the step and waits."""

        def look() -> Stopped | None:
            path = self._folder / "reached"
            if not path.exists():
                return None
            pid, agent = json.loads(path.read_text())
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            return Stopped(pid, agent) if state == "T" else None

        found = until(look, "the engine to come to its step", 60)
        (self._folder / "step").unlink()  # only once: later attempts run through
        return found

    def set_clock(self, seconds: float) -> None:
        """Have the clock of every engine, of those that run as well, be wrong by so much; not that of the catalogue."""
        beside = self._folder / "clock.new"
        beside.write_text(str(seconds))
        beside.rename(self._folder / "clock")

    def _forget(self) -> None:
        for name in ("step", "reached", "reached.new"):
            (self._folder / name).unlink(missing_ok=True)
