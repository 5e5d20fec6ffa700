#!/usr/bin/env python3
"""Keep one program running where there is no systemd.

    supervise.py start NAME.json      in the background; does nothing if it runs already
    supervise.py stop NAME.json       ends the program and waits for it
    supervise.py status NAME.json     prints what runs as JSON; exit status 3 if nothing does

NAME.json is the service: command, user, directory, environment, log, stop_signal, stop_seconds, memory_bytes.
Its supervisor holds a lock on NAME.lock as long as it lives, so nobody asks a process id whether it is alive: where
process 1 is no init, a dead one stays as a zombie. NAME.state tells what runs. The program is started again when it
ends, at once at first and every 30 s at last; orphans of the program become children of the supervisor and are reaped.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import pwd
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

PR_SET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG = 38, 36, 1  # linux/prctl.h
LONGEST_PAUSE = 30.0
HEALTHY_SECONDS = 60.0  # a program that ran so long is started again at once
_libc = ctypes.CDLL(None)


def main(arguments: list[str]) -> int:
    """One verb on one service."""
    if len(arguments) != 2 or arguments[0] not in VERBS:
        print(__doc__, file=sys.stderr)
        return 2
    return VERBS[arguments[0]](Path(arguments[1]))


def start(path: Path) -> int:
    """Start the supervisor in the background."""
    if _lives(path):
        return 0
    service = json.loads(path.read_text(encoding="utf-8"))
    ready, told = os.pipe()
    if os.fork():
        os.close(told)
        with os.fdopen(ready) as answer:
            return 0 if answer.read() == "started" else 1
    os.close(ready)
    os.setsid()
    if os.fork():
        os._exit(0)
    try:
        _supervise(path, service, told)
    finally:
        os._exit(1)


def stop(path: Path) -> int:
    """End the supervisor and what it runs."""
    if not _lives(path):
        return 0
    state = json.loads(_beside(path, "state").read_text(encoding="utf-8"))
    with contextlib.suppress(ProcessLookupError):
        os.kill(state["supervisor"], signal.SIGTERM)
    deadline = time.monotonic() + float(state["service"]["stop_seconds"]) + 10
    while _lives(path):
        if time.monotonic() > deadline:
            print(f"{path}: does not end", file=sys.stderr)
            return 1
        time.sleep(0.05)
    return 0


def status(path: Path) -> int:
    """Print the state."""
    if not _lives(path):
        return 3
    print(_beside(path, "state").read_text(encoding="utf-8"))
    return 0


VERBS = {"start": start, "stop": stop, "status": status}


def _beside(path: Path, suffix: str) -> Path:
    return path.with_suffix(f".{suffix}")


def _lives(path: Path) -> bool:
    try:
        with open(_beside(path, "lock"), "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _supervise(path: Path, service: dict[str, Any], told: int) -> None:
    lock = os.open(_beside(path, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.set_inheritable(lock, False)
    os.set_inheritable(told, False)
    _detach(service["log"])
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    pause, starts = 0.0, 0
    while True:
        began = time.monotonic()
        child = _spawn(service)
        starts += 1
        state = {"supervisor": os.getpid(), "pid": child, "starts": starts, "service": service}
        _write(_beside(path, "state"), json.dumps(state, indent=4))
        if told >= 0:
            os.write(told, b"started")
            os.close(told)
            told = -1
        if not _runs_until_it_ends(child):
            break
        pause = 0.0 if time.monotonic() - began > HEALTHY_SECONDS else min(max(2 * pause, 0.5), LONGEST_PAUSE)
        print(f"supervise: {path.stem} ended; again in {pause:g} s", file=sys.stderr, flush=True)
        if signal.sigtimedwait({signal.SIGTERM}, pause):
            break
    _end(child, service)
    for suffix in ("state", "lock"):
        _beside(path, suffix).unlink(missing_ok=True)
    os._exit(0)


def _runs_until_it_ends(child: int) -> bool:
    """Reap whoever ends; False when we are told to stop."""
    while True:
        number = signal.sigwait({signal.SIGTERM, signal.SIGCHLD})
        if number == signal.SIGTERM:
            return False
        while True:
            try:
                gone, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if gone == child:
                return True
            if not gone:
                break


def _end(child: int, service: dict[str, Any]) -> None:
    """The program in order, then its orphans; after its time, everything that is left."""
    deadline = time.monotonic() + float(service["stop_seconds"])
    _send(getattr(signal, service["stop_signal"]), [child])
    told: set[int] = set()
    while left := _children():
        if child not in left:
            _send(signal.SIGTERM, [orphan for orphan in left if orphan not in told])
            told.update(left)
        if time.monotonic() > deadline:
            _send(signal.SIGKILL, left)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.05)


def _send(number: int, processes: list[int]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


def _children() -> list[int]:
    text = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
    return [int(word) for word in text.split()]


def _spawn(service: dict[str, Any]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        os.umask(0o027)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGCHLD})
        if service["memory_bytes"]:
            resource.setrlimit(resource.RLIMIT_DATA, (service["memory_bytes"],) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        soft = min(service["open_files"], resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, soft))
        account = pwd.getpwnam(service["user"])
        if os.geteuid() == 0 and account.pw_uid:
            os.initgroups(account.pw_name, account.pw_gid)
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
        if service["no_new_privileges"]:
            _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # after the change of user, which clears it
        os.chdir(service["directory"])
        base = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": service["directory"]}
        os.execve(service["command"][0], service["command"], {**base, **service["environment"]})  # noqa: S606
    except (OSError, KeyError, ValueError) as error:
        print(f"supervise: {service['command'][0]}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(127)


def _detach(log: str) -> None:
    os.chdir("/")
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)


def _write(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}")
    beside.write_text(text, encoding="utf-8")
    beside.chmod(0o600)
    beside.replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
