"""The hooks of a real iRODS 5.0.2 zone, replayed: same hooks, same order, same argument types."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import irods.keywords as kw
import pytest
from irods.session import iRODSSession

from embedded_zone.client import ZoneClient
from embedded_zone.errors import IrodsError
from tests.zone import objects_zone
from tests.zone.objects_zone import Recording

SMALL = b"s" * 100
SMALL_CHECKSUM = "sha2:" + base64.b64encode(hashlib.sha256(SMALL).digest()).decode()
HOME = "/tempZone/home/rods"
GOLDEN = {action["action"]: action for action in objects_zone.golden()["actions"]}
SIGNATURES = objects_zone.golden()["signatures"]

Action = Callable[[iRODSSession, Path], Any]


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Recording]]:
    with objects_zone.recorded_zone(tmp_path_factory.mktemp("zone") / "home") as running:
        yield running


def write(opened: iRODSSession, path: str, mode: str = "w", data: bytes = SMALL, **options: Any) -> None:
    with opened.data_objects.open(path, mode, **options) as file:
        if data:
            file.write(data)


def local(scratch: Path, data: bytes = SMALL) -> str:
    path = scratch / "local"
    path.write_bytes(data)
    return str(path)


def _write_three(opened: iRODSSession, scratch: Path) -> None:
    with opened.data_objects.open(f"{HOME}/w3", "w") as file:
        for _ in range(3):
            file.write(SMALL)


def _existing(opened: iRODSSession, path: str) -> str:
    if not opened.data_objects.exists(path):
        write(opened, path)
    return path


def _replicated(opened: iRODSSession, name: str) -> str:
    """An object with a replica on each resource."""
    path = _existing(opened, f"{HOME}/{name}")
    opened.data_objects.replicate(path, "resc2")
    return path


# action of the golden file -> (preparation, action)
ACTIONS: dict[str, tuple[Action | None, Action]] = {
    "PRC put new small": (None, lambda s, d: s.data_objects.put(local(d), f"{HOME}/p1")),
    "PRC put overwrite small": (
        lambda s, d: _existing(s, f"{HOME}/p2"),
        lambda s, d: s.data_objects.put(local(d), f"{HOME}/p2"),
    ),
    "PRC put REG_CHKSUM": (
        None,
        lambda s, d: s.data_objects.put(local(d), f"{HOME}/p3", **{kw.REG_CHKSUM_KW: ""}),
    ),
    "PRC open w write3 close": (None, _write_three),
    "PRC open a append": (
        lambda s, d: _existing(s, f"{HOME}/a1"),
        lambda s, d: write(s, f"{HOME}/a1", "a"),
    ),
    "PRC open w no write (existing)": (
        lambda s, d: _existing(s, f"{HOME}/w1"),
        lambda s, d: write(s, f"{HOME}/w1", "w", b""),
    ),
    "PRC open r+ no write": (
        lambda s, d: _existing(s, f"{HOME}/r1"),
        lambda s, d: write(s, f"{HOME}/r1", "r+", b""),
    ),
    "PRC create": (None, lambda s, d: s.data_objects.create(f"{HOME}/c1")),
    "PRC get small": (
        lambda s, d: _existing(s, f"{HOME}/g1"),
        lambda s, d: s.data_objects.get(f"{HOME}/g1", str(d / "got")),
    ),
    "PRC open r read": (
        lambda s, d: _existing(s, f"{HOME}/g2"),
        lambda s, d: s.data_objects.open(f"{HOME}/g2", "r").read(),
    ),
    "PRC register": (
        None,
        lambda s, d: s.data_objects.register(local(d), f"{HOME}/reg1", **{kw.REG_CHKSUM_KW: ""}),
    ),
    "PRC replicate": (
        lambda s, d: (_replicated(s, "first"), _existing(s, f"{HOME}/rp")),
        lambda s, d: s.data_objects.replicate(f"{HOME}/rp", "resc2"),
    ),
    "PRC trim": (
        lambda s, d: _replicated(s, "tr"),
        lambda s, d: s.data_objects.trim(f"{HOME}/tr"),
    ),
    "PRC move": (
        lambda s, d: _replicated(s, "mv"),
        lambda s, d: s.data_objects.move(f"{HOME}/mv", f"{HOME}/mv2"),
    ),
    "PRC copy": (
        lambda s, d: _replicated(s, "cp"),
        lambda s, d: s.data_objects.copy(f"{HOME}/cp", f"{HOME}/cp2"),
    ),
    "PRC unlink force": (
        lambda s, d: _replicated(s, "ul"),
        lambda s, d: s.data_objects.unlink(f"{HOME}/ul", force=True),
    ),
    "PRC truncate": (
        lambda s, d: _existing(s, f"{HOME}/t1"),
        lambda s, d: s.data_objects.truncate(f"{HOME}/t1", 10),
    ),
    "PRC replica_truncate": (
        lambda s, d: _existing(s, f"{HOME}/t2"),
        lambda s, d: s.data_objects.replica_truncate(f"{HOME}/t2", 10),
    ),
    "PRC touch": (None, lambda s, d: s.data_objects.touch(f"{HOME}/touched")),
    "PRC chksum": (
        lambda s, d: _existing(s, f"{HOME}/k1"),
        lambda s, d: s.data_objects.chksum(f"{HOME}/k1"),
    ),
    # The same server calls as an icommand makes, without its obj_stat.
    "imkdir": (None, lambda s, d: s.collections.create(f"{HOME}/newc", recurse=False)),
    "irm (trash)": (
        lambda s, d: _existing(s, f"{HOME}/rm1"),
        lambda s, d: s.data_objects.unlink(f"{HOME}/rm1"),
    ),
}


# --- icommands, as the calls that they make ---

Call = Callable[[ZoneClient], Any]


def inp(path: str, size: int = -1, flags: int = 0, operation: int = 0, **keywords: str) -> dict[str, Any]:
    return {
        "objPath": path,
        "createMode": 0o600,
        "openFlags": flags,
        "offset": 0,
        "dataSize": size,
        "numThreads": 0,
        "oprType": operation,
        "SpecColl_PI": None,
        "KeyValPair_PI": keywords,
    }


def descriptor(number: int, length: int = 0) -> dict[str, Any]:
    return dict.fromkeys(("whence", "oprType", "offset", "bytesWritten"), 0) | {
        "l1descInx": number,
        "len": length,
        "KeyValPair_PI": {},
    }


def call(client: ZoneClient, number: int, path: str, stream: bytes = b"", **options: Any) -> Any:
    return client.call(number, inp(path, **options), stream, request_type="DataObjInp_PI")


def iput(client: ZoneClient, path: str, **keywords: str) -> None:
    call(
        client,
        606,
        path,
        SMALL,
        size=len(SMALL),
        operation=1,
        **{"dataIncluded": "", "dataType": "generic", **keywords},
    )


def iput_streamed(client: ZoneClient, path: str) -> None:
    size, block = 50 << 20, bytes(4 << 20)
    single = {**inp(path, size=size, operation=1), "numThreads": 1}  # iput -N 1
    number = client.call(606, single, request_type="DataObjInp_PI").status
    for start in range(0, size, len(block)):
        part = block[: size - start]
        client.call(676, descriptor(number, len(part)), part, request_type="OpenedDataObjInp_PI")
    client.call(626, {"myInt": number}, request_type="INT_PI")


def icoll(client: ZoneClient, number: int, path: str, **keywords: str) -> None:
    request = {"collName": path, "flags": 0, "oprType": 0, "KeyValPair_PI": keywords}
    client.call(number, request, request_type="CollInpNew_PI")


def imv(client: ZoneClient, source: str, target: str, kind: int = 11) -> None:
    pair = [inp(source, operation=kind), inp(target, operation=kind)]
    client.call(627, {"DataObjInp_PI": pair}, request_type="DataObjCopyInp_PI")


def icp(client: ZoneClient, source: str, target: str, **keywords: str) -> None:
    pair = [inp(source, operation=10), inp(target, operation=9, **keywords)]
    client.call(696, {"DataObjInp_PI": pair}, request_type="DataObjCopyInp_PI")


def itouch(client: ZoneClient, path: str) -> None:
    client.call(20007, {"logical_path": path, "options": {}}, request_type="json")


def istream(client: ZoneClient, path: str, flags: int) -> None:
    number = call(client, 20003, path, flags=flags).status
    client.call(674, descriptor(number), request_type="OpenedDataObjInp_PI")
    client.call(676, descriptor(number, 5), b"hello", request_type="OpenedDataObjInp_PI")
    client.call(20004, {"fd": number}, request_type="json")


def irsync(client: ZoneClient, path: str, **keywords: str) -> None:
    call(client, 628, path, operation=14, **keywords)


def five(client: ZoneClient, collection: str) -> None:
    icoll(client, 681, collection)
    for number in range(5):
        iput(client, f"{collection}/f{number}")


def ibulk(client: ZoneClient, collection: str) -> None:
    icoll(client, 681, collection)
    columns = [
        {"attriInx": 403, "reslen": 1088, "value": [f"{collection}/f{number}" for number in range(5)]},
        {"attriInx": 999998, "reslen": 64, "value": [str(2 * number) for number in range(1, 6)]},
    ]
    result = {"rowCnt": 5, "attriCnt": 2, "continueInx": 0, "totalRowCount": 0, "SqlResult_PI": columns}
    request = {"objPath": collection, "GenQueryOut_PI": result, "KeyValPair_PI": {}}
    client.call(689, request, b"0123456789", request_type="BulkOprInp_PI")


def refused(action: Call) -> Call:
    def attempt(client: ZoneClient) -> None:
        with pytest.raises(IrodsError):
            action(client)

    return attempt


def iboth(client: ZoneClient, path: str) -> None:
    """An object on both resources, the second replica stale."""
    iput(client, path)
    call(client, 695, path, operation=6, destRescName="resc2")
    iput(client, path, forceFlag="")


CALLS: dict[str, tuple[Call | None, Call]] = {
    "iput new small": (None, lambda c: iput(c, f"{HOME}/i1")),
    "iput -f overwrite small": (lambda c: iput(c, f"{HOME}/i2"), lambda c: iput(c, f"{HOME}/i2", forceFlag="")),
    "iput existing no -f": (lambda c: iput(c, f"{HOME}/i3"), refused(lambda c: iput(c, f"{HOME}/i3"))),
    "iput -K small": (None, lambda c: iput(c, f"{HOME}/i4", verifyChksum=SMALL_CHECKSUM)),
    "iput -N1 50MB": (None, lambda c: iput_streamed(c, f"{HOME}/i5")),
    "iput -b": (None, lambda c: ibulk(c, f"{HOME}/bulk5")),
    "iput -r 5 files": (None, lambda c: five(c, f"{HOME}/rec5")),
    "iput -R resc2": (
        lambda c: iput(c, f"{HOME}/i6x", destRescName="resc2"),
        lambda c: iput(c, f"{HOME}/i6", destRescName="resc2"),
    ),
    "iput -f with 2 replicas": (lambda c: iboth(c, f"{HOME}/i7"), lambda c: iput(c, f"{HOME}/i7", forceFlag="")),
    "iput --metadata --acl": (
        None,
        lambda c: iput(c, f"{HOME}/i8", metadataIncluded="a;b;c", aclIncluded="read public"),
    ),
    "iget small": (lambda c: iput(c, f"{HOME}/g3"), lambda c: call(c, 608, f"{HOME}/g3", operation=2)),
    "icp": (lambda c: iput(c, f"{HOME}/cp3"), lambda c: icp(c, f"{HOME}/cp3", f"{HOME}/cp4")),
    "icp -f overwrite": (
        lambda c: (iput(c, f"{HOME}/cp5"), iput(c, f"{HOME}/cp6")),
        lambda c: icp(c, f"{HOME}/cp5", f"{HOME}/cp6", forceFlag=""),
    ),
    "imv": (lambda c: iput(c, f"{HOME}/mv3"), lambda c: imv(c, f"{HOME}/mv3", f"{HOME}/mv4")),
    "imv coll": (lambda c: five(c, f"{HOME}/mvc"), lambda c: imv(c, f"{HOME}/mvc", f"{HOME}/mvd", 12)),
    "imv onto existing": (
        lambda c: (iput(c, f"{HOME}/on1"), iput(c, f"{HOME}/on2")),
        refused(lambda c: imv(c, f"{HOME}/on1", f"{HOME}/on2")),
    ),
    "irm -f": (lambda c: iput(c, f"{HOME}/rm2"), lambda c: call(c, 615, f"{HOME}/rm2", forceFlag="")),
    "irm -r": (lambda c: five(c, f"{HOME}/rmr"), lambda c: icoll(c, 679, f"{HOME}/rmr", recursiveOpr="")),
    "irm -rf": (
        lambda c: five(c, f"{HOME}/rmf"),
        lambda c: icoll(c, 679, f"{HOME}/rmf", recursiveOpr="", forceFlag=""),
    ),
    "irepl -a update stale": (
        lambda c: iboth(c, f"{HOME}/ra"),
        lambda c: call(c, 695, f"{HOME}/ra", operation=6, all="", updateRepl=""),
    ),
    "itrim": (
        lambda c: iboth(c, f"{HOME}/it"),
        lambda c: call(c, 632, f"{HOME}/it", rescName="resc2", copies="1"),
    ),
    "iphymv": (
        lambda c: iput(c, f"{HOME}/pm"),
        lambda c: call(c, 697, f"{HOME}/pm", operation=15, rescName="demoResc", destRescName="resc2"),
    ),
    "ichksum": (lambda c: iput(c, f"{HOME}/ik"), lambda c: call(c, 629, f"{HOME}/ik", forceChksum="")),
    "itouch new": (None, lambda c: itouch(c, f"{HOME}/to")),
    "itouch existing": (lambda c: itouch(c, f"{HOME}/te"), lambda c: itouch(c, f"{HOME}/te")),
    "iunreg": (
        lambda c: iput(c, f"{HOME}/un"),
        lambda c: call(c, 615, f"{HOME}/un", operation=26),
    ),
    "ireg": (None, lambda c: call(c, 630, f"{HOME}/re", filePath=__file__, destRescName="demoResc")),
    "istream write new": (None, lambda c: istream(c, f"{HOME}/is", 1 | 64 | 512)),
    "istream write overwrite": (
        lambda c: iput(c, f"{HOME}/is2"),
        lambda c: istream(c, f"{HOME}/is2", 1 | 64 | 512),
    ),
    "istream write -a": (lambda c: iput(c, f"{HOME}/is3"), lambda c: istream(c, f"{HOME}/is3", 1 | 64)),
    "irsync local->i: same": (
        lambda c: iput(c, f"{HOME}/rs1"),
        lambda c: irsync(c, f"{HOME}/rs1", rsyncMode="IRODS_TO_LOCAL", rsyncChksum=SMALL_CHECKSUM),
    ),
}


def expected(action: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """The real zone's hooks of an action, without noise and without its access time updater."""
    internal = {number for number, option in action["agents"] if option == "irodsServer"}
    hooks = [SIGNATURES[index] for agent, index in action["hooks"] if agent not in internal]
    return [(name, types) for name, types in hooks if not objects_zone.is_noise(name) and "obj_stat" not in name]


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_fires_the_hooks_of_a_real_zone(name: str, zone: tuple[Any, Recording], tmp_path: Path) -> None:
    """A client's action fires the hooks that iRODS 5.0.2 fired for it, in order and with the same argument types."""
    running, recording = zone
    prepare, action = ACTIONS[name]
    if prepare is not None:
        with objects_zone.session(running) as opened:
            prepare(opened, tmp_path)

    recording.clear()
    with objects_zone.session(running) as opened:
        action(opened, tmp_path)

    fired = [(hook, types) for _pid, hook, types in recording.hooks()]
    assert [hook for hook, _ in fired] == [hook for hook, _ in expected(GOLDEN[name])]
    assert fired == expected(GOLDEN[name])


def without_directories(hooks: list[Any]) -> list[Any]:
    words = ("resource_mkdir", "resource_stat_except", "resource_stat_pre")
    return [(hook, types) for hook, types in hooks if not any(word in hook for word in words)]


@pytest.mark.parametrize("name", sorted(CALLS))
def test_fires_the_hooks_of_an_icommand(name: str, zone: tuple[Any, Recording]) -> None:
    """The calls of an icommand fire the hooks that iRODS 5.0.2 fired for them."""
    running, recording = zone
    prepare, action = CALLS[name]
    arguments = running.config.host, running.port, ("rods", "tempZone"), running.password
    if prepare is not None:
        with ZoneClient(*arguments) as client:
            prepare(client)

    recording.clear()
    with ZoneClient(*arguments) as client:
        action(client)
    objects_zone.wait_for_end(recording.hooks()[0][0])

    fired = [(hook, types) for _pid, hook, types in recording.hooks()]
    wanted = expected(GOLDEN[name])
    if name == "iput -b":  # a real server makes one more directory, its own
        fired, wanted = without_directories(fired), without_directories(wanted)
    assert [hook for hook, _ in fired] == [hook for hook, _ in wanted]
    assert fired == wanted


def test_a_lost_client_fires_only_the_resource_and_catalogue_hooks(zone: tuple[Any, Recording]) -> None:
    """After a dropped connection there is a close, a stat and a finalize, and no static or modified hook."""
    running, recording = zone
    name = "PRC open w, write, connection dropped"
    recording.clear()
    with objects_zone.session(running) as opened:
        handle, raw = opened.data_objects.open_with_FileRaw(f"{HOME}/lost", "w", auto_close=False)
        handle.write(SMALL)
        handle.flush()

        pid = recording.hooks()[0][0]
        os.close(raw.conn.socket.detach())
    objects_zone.wait_for_end(pid)

    # How often a client seeks before it writes is the client's affair.
    wanted = [hook for hook, _ in expected(GOLDEN[name]) if "lseek" not in hook]
    assert [hook for _pid, hook, _types in recording.hooks() if "lseek" not in hook] == wanted
