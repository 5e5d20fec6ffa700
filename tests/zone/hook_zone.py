"""The zone of the hook matrix: two resources, a user, local files, and a core.py that records every hook."""

from __future__ import annotations

import itertools
import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from irods.models import RuleExec
from irods.rule import Rule
from irods.session import iRODSSession

from embedded_zone.api import load_all
from embedded_zone.server.supervisor import EmbeddedZone
from tests.zone import objects_zone
from tests.zone.server_zone import children

PHASES = ("pre", "post", "except")
SMALL, OTHER = b"s" * 100, b"t" * 100
BIG_SIZE = 50 << 20
PASSWORD = "rods"  # what the trace's ipasswd types

Hook = tuple[str, tuple[str, ...]]  # name, class names of the arguments


@dataclass
class HookZone:
    """A running zone, the trace of its hooks, and the folder where clients have their files (``src/``)."""

    zone: EmbeddedZone
    trace: Path
    scratch: Path

    @property
    def vault(self) -> Path:
        return self.zone.config.vault / "demoResc"

    def session(self) -> iRODSSession:
        """A new python-irodsclient session of the administrator, as the real zone's trace was taken with."""
        return iRODSSession(**self.zone.session_arguments())

    def empty_queue(self) -> None:
        """Take away the delayed rules: the real zone had run them by the time of the next action."""
        with self.session() as session:
            Rule(session).remove_by_id(*(row[RuleExec.id] for row in session.query(RuleExec.id)))
        self.settled()

    def settled(self) -> list[list[Hook]]:
        """What was fired since the last call: one list for each connection, after all of them have ended."""
        for pid in self._agents():
            objects_zone.wait_for_end(pid)
        lines = [json.loads(line) for line in self.trace.read_text(encoding="utf-8").splitlines()]
        self.trace.write_text("", encoding="utf-8")
        agents: dict[int, list[Hook]] = {}
        for pid, name, types in lines:
            agents.setdefault(pid, []).append((name, tuple(types)))
        return list(agents.values())

    def _agents(self) -> list[int]:
        return [pid for pid in children(self.zone.pid) if pid != self._delay_server]

    def __post_init__(self) -> None:
        self._delay_server = min(children(self.zone.pid), default=0)


def hook_names() -> list[str]:
    """The hooks that the real zone's rule base defined: all phases of what it traced, and of every API of ours."""
    traced = set(objects_zone.hook_names(objects_zone.golden()))
    apis = {operation.pep for operation in load_all().values() if operation.pep}
    return sorted(traced | {f"pep_{name}_{phase}" for name, phase in itertools.product(apis, PHASES)})


@contextmanager
def hook_zone(folder: Path) -> Iterator[HookZone]:
    """A zone in ``folder/zone`` with ``resc2`` and alice, and the local files that the actions use."""
    zone = EmbeddedZone(
        folder / "zone", password=PASSWORD, delay_server_sleep_time_in_seconds=3600.0
    )  # its agents are no action's
    trace = folder / "trace.jsonl"
    trace.write_text("", encoding="utf-8")
    core = objects_zone.RECORDER.format(trace=str(trace), names=hook_names())
    with zone:
        with objects_zone.session(zone) as opened:
            objects_zone.add_resource(opened, zone, "resc2")
            opened.users.create("alice", "rodsuser")
            opened.resources.modify("demoResc", "host", socket.gethostname())  # iscan asks for its host's files
            opened.data_objects.create("/tempZone/home/rods/before")  # the home has its directory in the vault
        (zone.config.etc / "core.py").write_text(core, encoding="utf-8")
        running = HookZone(zone, trace, folder)
        running.settled()
        _local_files(running)
        yield running


def _local_files(running: HookZone) -> None:
    source = running.scratch / "src"
    (source / "out2").mkdir(parents=True)
    (source / "small").write_bytes(SMALL)
    (source / "small2").write_bytes(OTHER)
    (source / "small3").write_bytes(SMALL * 2)
    with open(source / "big50", "wb") as big:
        big.truncate(BIG_SIZE)
    for folder in (source / "d5", running.scratch / "regdir"):
        folder.mkdir()
    for number in range(1, 6):
        (source / "d5" / f"f{number}").write_bytes(b"f\n")
    (running.scratch / "regdir" / "r1").write_bytes(SMALL)
    (running.scratch / "regdir" / "r2").write_bytes(SMALL)
    (running.vault / "regtest").mkdir(parents=True, exist_ok=True)
    shutil.copy(source / "small", running.vault / "regtest" / "v1")
