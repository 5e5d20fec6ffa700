"""The hooks that both zones of a real 5.0.2 federation saw, replayed: same agents, same hooks, same argument types."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from irods.exception import CAT_NO_ACCESS_PERMISSION
from irods.meta import AVUOperation, iRODSMeta
from irods.models import Collection
from irods.session import iRODSSession

from embedded_zone.testing import FederatedZones, Trace

GOLDEN: dict[str, Any] = json.loads(Path("/work/shared/facts/federation-traces.json").read_text())
TRACED = {action["action"]: action for action in GOLDEN["actions"]}
# What the golden zones recorded: every phase of every hook that is in the file, but _finally.
NAMES = {name for name, _ in GOLDEN["signatures"]}
TR = "/otherZone/home/alice#tempZone/tr"
HERE = "/tempZone/home/alice"
SMALL = b"s" * 100

# The one known difference: no unit is a null pointer after the way from server to server, here an empty text.
ALIKE = {(f"pep_database_add_avu_metadata_{phase}", "NoneType"): "str" for phase in ("pre", "post")}

Action = Callable[[iRODSSession, str], Any]
Hooks = list[tuple[str, list[str]]]


@pytest.fixture(scope="module")
def zones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FederatedZones]:
    home = tmp_path_factory.mktemp("zones")
    with FederatedZones(home, trace=True) as running:
        running.make_user("alice", "secret")
        with session(running) as opened:
            opened.collections.create(TR)
            for path in (f"{TR}/old", f"{TR}/gone", f"{HERE}/loc1"):
                write(opened, path)
            opened.data_objects.get(f"{TR}/old").metadata.add("before", "v")
        yield running


def session(zones: FederatedZones) -> iRODSSession:
    return iRODSSession(**{**zones.local.session_arguments(), "user": "alice", "password": "secret"})


def write(opened: iRODSSession, path: str, mode: str = "w", times: int = 1) -> None:
    with opened.data_objects.open(path, mode) as stream:
        for _ in range(times):
            stream.write(SMALL)


def read(opened: iRODSSession, path: str) -> bytes:
    with opened.data_objects.open(path, "r") as stream:
        return bytes(stream.read())


def atomically(opened: iRODSSession) -> None:
    """The change is refused: it never leaves the zone (facts 9.2)."""
    item = opened.data_objects.get(f"{TR}/old")
    with pytest.raises(CAT_NO_ACCESS_PERMISSION):
        item.metadata.apply_atomic_operations(AVUOperation(operation="add", avu=iRODSMeta("a2", "v")))


ACTIONS: dict[str, Action] = {
    "PRC put new small": lambda s, file: s.data_objects.put(file, f"{TR}/p1"),
    "PRC put overwrite small": lambda s, file: s.data_objects.put(file, f"{TR}/old"),
    "PRC open w write3 close": lambda s, file: write(s, f"{TR}/w3", times=3),
    "PRC open a append": lambda s, file: write(s, f"{TR}/old", "a"),
    "PRC open r read": lambda s, file: read(s, f"{TR}/old"),
    "PRC get small": lambda s, file: s.data_objects.get(f"{TR}/old", f"{file}.got"),
    "PRC create": lambda s, file: s.data_objects.create(f"{TR}/created"),
    "PRC copy local to remote": lambda s, file: s.data_objects.copy(f"{HERE}/loc1", f"{TR}/copied"),
    "PRC metadata.add": lambda s, file: s.data_objects.get(f"{TR}/old").metadata.add("a", "v"),
    "PRC atomic metadata": lambda s, file: atomically(s),
    "PRC touch new remote": lambda s, file: s.data_objects.touch(f"{TR}/touched"),
    "PRC unlink force": lambda s, file: s.data_objects.unlink(f"{TR}/gone", force=True),
    "PRC query with zone hint": lambda s, file: (
        s.query(Collection.name).add_keyword("zone", "otherZone").limit(1).execute()
    ),
}


def golden(action: str) -> list[tuple[str, Hooks]]:
    """Per agent, in the order in which they appeared: its zone and its hooks."""
    found = TRACED[action]
    zone_of = {number: zone for number, option, zone in found["agents"] if option != "irodsServer"}
    hooks: dict[int, Hooks] = {}
    for number, signature in found["hooks"]:
        if number in zone_of:
            name, types = GOLDEN["signatures"][signature]
            hooks.setdefault(number, []).append((name, [ALIKE.get((name, kind), kind) for kind in types]))
    return [(zone_of[number], listed) for number, listed in hooks.items()]


def seen(trace: Trace) -> list[tuple[str, Hooks]]:
    """The same of our zones."""
    hooks: dict[tuple[str, int], Hooks] = {}
    for entry in trace.entries():
        if entry.hook in NAMES:
            hooks.setdefault((entry.zone, entry.agent), []).append((entry.hook, list(entry.types)))
    return [(zone, listed) for (zone, _), listed in hooks.items()]


@pytest.mark.parametrize("action", ACTIONS)
def test_both_zones_see_the_hooks_of_a_real_federation(zones: FederatedZones, tmp_path: Path, action: str) -> None:
    """Each agent of each zone fires what its model fired, in the same order and with the same argument types."""
    file = tmp_path / "small"
    file.write_bytes(SMALL)
    trace = Trace([zones.local, zones.remote])
    with session(zones) as opened:
        ACTIONS[action](opened, str(file))
    assert sorted(seen(trace), key=_size) == sorted(golden(action), key=_size)


def _size(agent: tuple[str, Hooks]) -> tuple[str, int]:
    """The agents of a zone in a fixed order: they connect to each other at the same time."""
    return agent[0], len(agent[1])
