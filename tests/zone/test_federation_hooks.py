"""The hooks that both zones of a real 5.0.2 federation saw, replayed: same agents, same hooks, same argument types."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from irods.exception import CAT_NO_ACCESS_PERMISSION
from irods.meta import AVUOperation, iRODSMeta
from irods.models import Collection
from irods.session import iRODSSession

from embedded_zone.client import ZoneClient
from embedded_zone.errors import IrodsError
from embedded_zone.testing import Administration, FederatedZones, Trace

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "traces" / "federation-traces.json").read_text())
TRACED = {action["action"]: action for action in GOLDEN["actions"]}
# What the golden zones recorded: every phase of every hook that is in the file, but _finally.
NAMES = {name for name, _ in GOLDEN["signatures"]}
THERE = "/otherZone/home/alice#tempZone"
TR = f"{THERE}/tr"
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
        with Administration(running.remote) as there:
            there.run("add", "resource", "oResc", "unixfilesystem", f"127.0.0.1:{home / 'vault'}")
        with session(running) as opened:
            prepare(opened)
        yield running


def prepare(opened: iRODSSession) -> None:
    """What the actions find: each has objects of its own."""
    opened.collections.create(f"{TR}/fresh")
    for name in (
        "old",
        "gone",
        "over",
        "taken",
        "c1",
        "c2",
        "moved",
        "n5",
        "trashed",
        "forced",
        "replicated",
        "trimmed",
    ):
        write(opened, f"{TR}/{name}")
    for collection in ("rec5", "bulk5"):
        opened.collections.create(f"{TR}/{collection}")
        for number in range(5):
            write(opened, f"{TR}/{collection}/f{number}")
    write(opened, f"{HERE}/loc1")
    write(opened, f"{THERE}/first")  # its replica makes the directories above TR in the other vault
    opened.data_objects.replicate(f"{THERE}/first", "oResc")
    opened.data_objects.chksum(f"{TR}/replicated")  # a replica of what has a checksum is read again
    opened.data_objects.get(f"{TR}/old").metadata.add("before", "v")


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
    "PRC put small as proxy for alice": lambda s, file: s.data_objects.put(file, f"{TR}/p3"),
    "PRC query with zone hint": lambda s, file: (
        s.query(Collection.name).add_keyword("zone", "otherZone").limit(1).execute()
    ),
}


# --- icommands, as the API calls that they make

Wire = dict[str, Any]
ApiCall = tuple[int, str, Wire, bytes]
OBJECT, OPENED, PAIR = "DataObjInp_PI", "OpenedDataObjInp_PI", "DataObjCopyInp_PI"
CHECKSUM = "sha2:" + base64.b64encode(hashlib.sha256(SMALL).digest()).decode()
FIRST_NUMBER = 1025  # of a descriptor in another zone
STREAM: Wire = {"l1descInx": FIRST_NUMBER, "KeyValPair_PI": {}}


def _object(path: str, keywords: Wire | None = None, **fields: int) -> Wire:
    return {"objPath": path, "KeyValPair_PI": keywords or {}, **fields}


def stat(path: str) -> ApiCall:
    return 633, OBJECT, _object(path), b""


def on(number: int, path: str, **keywords: str) -> ApiCall:
    return number, OBJECT, _object(path, keywords), b""


def put(path: str, **keywords: str) -> ApiCall:
    keywords |= {"dataType": "generic", "dataIncluded": ""}
    return 606, OBJECT, _object(path, keywords, oprType=1, dataSize=len(SMALL), openFlags=2), SMALL


def pair(number: int, source: str, target: str, operation: int = 0, **keywords: str) -> ApiCall:
    ends = [_object(source, oprType=operation), _object(target, keywords, oprType=operation)]
    return number, PAIR, {"DataObjInp_PI": ends}, b""


def removal(name: str, **keywords: str) -> ApiCall:
    request = {"collName": f"{TR}/{name}", "KeyValPair_PI": {**keywords, "recursiveOpr": ""}}
    return 679, "CollInpNew_PI", request, b""


ICOMMANDS: dict[str, list[ApiCall]] = {
    "imkdir remote": [(681, "CollInpNew_PI", {"collName": f"{TR}/new", "KeyValPair_PI": {}}, b"")],
    "iput new small": [stat(f"{TR}/fresh/a1"), put(f"{TR}/fresh/a1")],
    "iput -f overwrite small": [stat(f"{TR}/over"), put(f"{TR}/over", forceFlag="")],
    "iput existing no -f": [stat(f"{TR}/taken"), put(f"{TR}/taken")],
    "iput -K small": [stat(f"{TR}/a1k"), put(f"{TR}/a1k", verifyChksum=CHECKSUM)],
    "iput no permission": [stat("/otherZone/home/rods/x"), put("/otherZone/home/rods/x")],
    "iget small": [stat(f"{TR}/c1"), on(608, f"{TR}/c1")],
    "icp local to remote small": [stat(f"{TR}/n1"), stat(f"{HERE}/loc1"), pair(696, f"{HERE}/loc1", f"{TR}/n1")],
    "icp -f local to remote small (overwrite)": [
        stat(f"{TR}/n5"),
        stat(f"{HERE}/loc1"),
        pair(696, f"{HERE}/loc1", f"{TR}/n5", forceFlag="", destRescName="demoResc"),
    ],
    "icp remote to local small": [
        stat(f"{HERE}/fromr"),
        stat(f"{TR}/c1"),
        pair(696, f"{TR}/c1", f"{HERE}/fromr", forceFlag=""),
    ],
    "icp remote to remote small": [stat(f"{TR}/n2"), stat(f"{TR}/c1"), pair(696, f"{TR}/c1", f"{TR}/n2")],
    "imv inside remote": [stat(f"{TR}/n3"), stat(f"{TR}/moved"), pair(627, f"{TR}/moved", f"{TR}/n3", 11)],
    "imv local to remote": [stat(f"{TR}/n4"), stat(f"{HERE}/loc1"), pair(627, f"{HERE}/loc1", f"{TR}/n4", 11)],
    "ichksum remote": [stat(f"{TR}/c1"), on(629, f"{TR}/c1", forceChksum="")],
    "imeta add remote": [
        (
            706,
            "ModAVUMetadataInp_PI",
            {"arg0": "add", "arg1": "-d", "arg2": f"{TR}/c1", "arg3": "a", "arg4": "v", "arg5": "u"},
            b"",
        )
    ],
    "ichmod remote": [
        (
            707,
            "modAccessControlInp_PI",
            {"accessLevel": "read", "userName": "rods", "zone": "otherZone", "path": f"{TR}/c1"},
            b"",
        )
    ],
    "itouch new remote": [(20007, "json", {"logical_path": f"{TR}/t1", "options": {}}, b"")],
    "istream write remote": [
        (20003, OBJECT, _object(f"{TR}/st1", openFlags=0o1101), b""),
        (674, OPENED, STREAM, b""),
        (676, OPENED, {**STREAM, "len": 6}, b"hello\n"),
        (20004, "json", {"fd": FIRST_NUMBER}, b""),
    ],
    "irepl remote": [stat(f"{TR}/replicated"), on(695, f"{TR}/replicated", destRescName="oResc")],
    "itrim remote": [
        on(695, f"{TR}/trimmed", destRescName="oResc"),
        stat(f"{TR}/trimmed"),
        stat(f"{TR}/trimmed"),
        on(632, f"{TR}/trimmed", copies="1", rescName="oResc"),
    ],
    "irm remote (trash)": [stat(f"{TR}/trashed"), on(615, f"{TR}/trashed")],
    "irm -r remote (trash)": [stat(f"{TR}/rec5"), removal("rec5")],
    "irm -rf remote": [stat(f"{TR}/bulk5"), removal("bulk5", forceFlag="")],
    "irm -f remote": [stat(f"{TR}/forced"), on(615, f"{TR}/forced", forceFlag="")],
}
PREPARING = {"itrim remote": 1}  # so many of the calls only make what the action needs
# What the icommand itself meets, and goes on or tells.
REFUSED = {"iput existing no -f": -312000, "iput no permission": -818000, "imv local to remote": -109000}


def send(zones: FederatedZones, action: str, calls: list[ApiCall]) -> int:
    """The calls on one connection as alice; the last call's status or error."""
    status = 0
    option = action.split()[0]
    with ZoneClient("127.0.0.1", zones.local.port, ("alice", "tempZone"), "secret", option=option) as client:
        for number, shape, request, stream in calls:
            try:
                status = min(client.call(number, request, stream, request_type=shape).status, 0)
            except IrodsError as error:
                status = error.code
    return status


@pytest.mark.parametrize("action", ICOMMANDS)
def test_both_zones_see_the_hooks_of_a_real_federations_icommands(zones: FederatedZones, action: str) -> None:
    """The same for the calls of icommands, in the servers' own packing; refusals with their codes."""
    count = PREPARING.get(action, 0)
    send(zones, action, ICOMMANDS[action][:count])
    trace = Trace([zones.local, zones.remote])

    assert send(zones, action, ICOMMANDS[action][count:]) == REFUSED.get(action, 0)

    assert sorted(seen(trace), key=_size) == sorted(golden(action), key=_size)


# --- the comparison


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
    by_proxy = {**zones.local.session_arguments(), "client_user": "alice", "client_zone": "tempZone"}
    with iRODSSession(**by_proxy) if "as proxy" in action else session(zones) as opened:
        ACTIONS[action](opened, str(file))
    assert sorted(seen(trace), key=_size) == sorted(golden(action), key=_size)


# Two connections at once: their order, and which of them closes last, depend on threads.
PARALLEL: dict[str, Action] = {
    "PRC put 50MB parallel": lambda s, file: s.data_objects.put(file, f"{TR}/parallel"),
    "PRC get 50MB": lambda s, file: s.data_objects.get(f"{TR}/parallel", f"{file}.got"),
}


def test_parallel_transfers_fire_the_hooks_of_a_real_federation(zones: FederatedZones, tmp_path: Path) -> None:
    """A put and a get of 50 MiB: the same hooks as often, in six agents each."""
    file = tmp_path / "big"
    file.write_bytes(b"x" * (50 << 20))
    for action, run in PARALLEL.items():
        trace = Trace([zones.local, zones.remote])
        with session(zones) as opened:
            run(opened, str(file))

        assert len(seen(trace)) == len(golden(action)) == 6
        assert counted(seen(trace)) == counted(golden(action))


def counted(agents: list[tuple[str, Hooks]]) -> Counter[tuple[str, str, tuple[str, ...]]]:
    return Counter((zone, name, tuple(types)) for zone, hooks in agents for name, types in hooks)


def _size(agent: tuple[str, Hooks]) -> tuple[str, int]:
    """The agents of a zone in a fixed order: they connect to each other at the same time."""
    return agent[0], len(agent[1])
