"""A running zone for the tests of data objects: resources, users, and a core.py that records every hook."""

from __future__ import annotations

import json
import os
import select
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from irods.session import iRODSSession

from embedded_zone.server.supervisor import EmbeddedZone

TRACES = Path(__file__).parent / "traces" / "hook-traces.json"

# Writes one line per hook: the agent's process, the hook, the class names of its arguments.
RECORDER = """
import json, os
TRACE = {trace!r}
NAMES = {names!r}

def _recorder(name):
    def hook(rule_args, callback, rei):
        line = json.dumps([os.getpid(), name, [type(a).__name__ for a in rule_args]]) + "\\n"
        with open(TRACE, "a") as file:
            file.write(line)
        return 5000000
    return hook

for _name in NAMES:
    globals()[_name] = _recorder(_name)
"""

# What a client asks for without being told to, and what the connection itself fires.
NOISE = ("gen_query", "authenticate", "get_grid_configuration", "update_replica_access_time")
CONNECTING = ("acChkHostAccessControl", "acSetPublicUserPolicy", "acPreConnect")


def golden() -> dict[str, Any]:
    """The traces of a real 5.0.2 zone."""
    traces: dict[str, Any] = json.loads(TRACES.read_text())
    return traces


def hook_names(traces: dict[str, Any]) -> list[str]:
    """Every hook that the real zone's trace defines, in all phases."""
    names = {name for name, _types in traces["signatures"]}
    stems = {name.rsplit("_", 1)[0] for name in names if name.startswith("pep_")}
    phases = {f"{stem}_{phase}" for stem in stems for phase in ("pre", "post", "except")}
    return sorted(
        {n for n in names if n.startswith("ac")} | phases - {f"pep_database_check_auth_{p}" for p in ("pre", "post")}
    )


def is_noise(name: str) -> bool:
    return name in CONNECTING or any(word in name for word in NOISE)


class Recording:
    """The trace file of a zone."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def clear(self) -> None:
        self.path.write_text("")

    def hooks(self) -> list[tuple[int, str, list[str]]]:
        """What was fired since ``clear``: process, hook, argument types; without noise."""
        lines = (json.loads(line) for line in self.path.read_text().splitlines())
        return [(pid, name, types) for pid, name, types in lines if not is_noise(name)]


@contextmanager
def session(zone: EmbeddedZone, **changes: Any) -> Iterator[iRODSSession]:
    """A python-irodsclient session on the zone; ``client_user`` makes the administrator act for another."""
    with iRODSSession(**{**zone.session_arguments(), **changes}) as opened:
        yield opened


def agent_pid(opened: iRODSSession, zone: EmbeddedZone) -> int:
    """The process that serves the session's only connection."""
    opened.server_version  # noqa: B018  connects
    children = Path(f"/proc/{zone.pid}/task/{zone.pid}/children").read_text().split()
    return max(map(int, children))


def wait_for_end(pid: int, seconds: float = 10) -> None:
    """Return once a process is gone; fails after ``seconds``."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([handle], [], [], seconds)[0], f"process {pid} does not end"
    finally:
        os.close(handle)


def add_resource(opened: iRODSSession, zone: EmbeddedZone, name: str, **values: Any) -> None:
    """A storage resource with its vault beside the zone's own."""
    opened.resources.create(name, "unixfilesystem", zone.config.host, str(zone.home / "vault" / name), **values)


@contextmanager
def recorded_zone(home: Path) -> Iterator[tuple[EmbeddedZone, Recording]]:
    """A zone whose core.py records hooks, with a second resource ``resc2``."""
    zone = EmbeddedZone(home)
    recording = Recording(home / "trace.jsonl")
    recording.clear()
    names = hook_names(golden())
    (zone.config.etc / "core.py").write_text(RECORDER.format(trace=str(recording.path), names=names))
    with zone:
        with session(zone) as opened:
            add_resource(opened, zone, "resc2")
        yield zone, recording
