"""What icommands ask for: whole-object puts and gets, listings, bulk puts, synchronization; in both protocols."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from typing import Any

import pytest

from embedded_zone.client import ZoneClient
from embedded_zone.errors import IrodsError
from embedded_zone.server.supervisor import EmbeddedZone
from embedded_zone.wire import codes
from embedded_zone.wire.packing import Protocol
from tests.zone import objects_zone

HOME = "/tempZone/home/rods"
LIMIT = 32 << 20


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedZone]:
    with EmbeddedZone(tmp_path_factory.mktemp("zone") / "home") as running:
        with objects_zone.session(running) as opened:
            objects_zone.add_resource(opened, running, "resc2")
        yield running


@pytest.fixture(params=Protocol)
def client(zone: EmbeddedZone, request: pytest.FixtureRequest) -> Iterator[ZoneClient]:
    arguments = zone.config.host, zone.port, ("rods", "tempZone"), zone.password
    with ZoneClient(*arguments, protocol=request.param) as opened:
        yield opened


def inp(path: str, size: int = 0, flags: int = 0, **keywords: str) -> dict[str, Any]:
    return {
        "objPath": path,
        "createMode": 0o600,
        "openFlags": flags,
        "offset": 0,
        "dataSize": size,
        "numThreads": 0,
        "oprType": 1,
        "SpecColl_PI": None,
        "KeyValPair_PI": keywords,
    }


def put(client: ZoneClient, path: str, data: bytes, **keywords: str) -> None:
    request = inp(path, len(data), **{"dataIncluded": "", "dataType": "generic", **keywords})
    client.call(606, request, data, request_type="DataObjInp_PI", reply_type="PortalOprOut_PI")


def get(client: ZoneClient, path: str) -> bytes:
    answer = client.call(608, inp(path), request_type="DataObjInp_PI", reply_type="PortalOprOut_PI")
    if answer.body["numThreads"] == 0 and answer.status > 2:
        return streamed(client, answer.body["l1descInx"])
    return answer.stream


def streamed(client: ZoneClient, number: int) -> bytes:
    parts = []
    while True:
        request = opened_inp(number, 4 << 20)
        part = client.call(675, request, request_type="OpenedDataObjInp_PI").stream
        if not part:
            break
        parts.append(part)
    complete(client, number)
    return b"".join(parts)


def complete(client: ZoneClient, number: int) -> None:
    """End a transfer: the server answers this, and nothing more for the put or get itself."""
    client.call(626, {"myInt": number}, request_type="INT_PI")


def opened_inp(number: int, length: int = 0) -> dict[str, Any]:
    return {
        "l1descInx": number,
        "len": length,
        "whence": 0,
        "oprType": 0,
        "offset": 0,
        "bytesWritten": 0,
        "KeyValPair_PI": {},
    }


def stat(client: ZoneClient, path: str) -> dict[str, Any]:
    body: dict[str, Any] = client.call(633, inp(path), request_type="DataObjInp_PI", reply_type="RodsObjStat_PI").body
    return body


def sha2(data: bytes) -> str:
    return "sha2:" + base64.b64encode(hashlib.sha256(data).digest()).decode()


@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_put_and_get_in_one_message(client: ZoneClient, size: int) -> None:
    """A small object travels with the request and comes back with the reply."""
    data, path = os.urandom(size), f"{HOME}/small{size}{client.protocol.name}"

    put(client, path, data, regChksum="")

    assert get(client, path) == data
    assert stat(client, path)["objSize"] == size
    assert stat(client, path)["chksum"] == sha2(data)


def test_a_put_does_not_overwrite_unasked(client: ZoneClient) -> None:
    """-312000 without forceFlag, and the old content stays."""
    path = f"{HOME}/kept{client.protocol.name}"
    put(client, path, b"old")

    with pytest.raises(IrodsError) as failure:
        put(client, path, b"new")

    assert failure.value.code == codes.OVERWRITE_WITHOUT_FORCE_FLAG
    assert get(client, path) == b"old"
    put(client, path, b"new", forceFlag="")
    assert get(client, path) == b"new"


def test_a_put_that_promises_another_checksum_is_stale(client: ZoneClient) -> None:
    """verifyChksum compares with what arrived."""
    path = f"{HOME}/verified{client.protocol.name}"
    put(client, path, b"abc", verifyChksum=sha2(b"abc"))

    with pytest.raises(IrodsError) as failure:
        put(client, path, b"abX", verifyChksum=sha2(b"abc"), forceFlag="")

    assert failure.value.code == codes.USER_CHKSUM_MISMATCH


def test_large_objects_follow_the_reply(client: ZoneClient) -> None:
    """Above 32 MB put and get go on with write and read on a descriptor, ended by opr_complete."""
    data, path = os.urandom(1 << 20) * 33, f"{HOME}/large{client.protocol.name}"
    answer = client.call(606, inp(path, len(data)), request_type="DataObjInp_PI", reply_type="PortalOprOut_PI")
    number = answer.body["l1descInx"]
    assert number >= 3
    for start in range(0, len(data), 4 << 20):
        part = data[start : start + (4 << 20)]
        client.call(676, opened_inp(number, len(part)), part, request_type="OpenedDataObjInp_PI")
    complete(client, number)

    assert stat(client, path)["objSize"] == len(data) > LIMIT
    assert get(client, path) == data


def test_listing_a_collection(client: ZoneClient) -> None:
    """open_collection, read_collection to the end, close_collection."""
    home = f"{HOME}/list{client.protocol.name}"
    client.call(681, collection(home), request_type="CollInpNew_PI")
    client.call(681, collection(f"{home}/sub"), request_type="CollInpNew_PI")
    put(client, f"{home}/object", b"12345")

    handle = client.call(678, collection(home, flags=2), request_type="CollInpNew_PI").status
    entries = [entry(client, handle) for _ in range(2)]
    with pytest.raises(IrodsError) as end:
        entry(client, handle)
    client.call(661, {"myInt": handle}, request_type="INT_PI")

    assert end.value.code == codes.CAT_NO_ROWS_FOUND
    assert [(e["objType"], e["collName"], e["dataName"] or "", e["dataSize"]) for e in entries] == [
        (2, f"{home}/sub", "", 0),
        (1, home, "object", 5),
    ]


def collection(path: str, flags: int = 0, **keywords: str) -> dict[str, Any]:
    return {"collName": path, "flags": flags, "oprType": 0, "KeyValPair_PI": keywords}


def entry(client: ZoneClient, handle: int) -> dict[str, Any]:
    body: dict[str, Any] = client.call(713, {"myInt": handle}, request_type="INT_PI", reply_type="CollEnt_PI").body
    return body


def test_several_files_in_one_put(client: ZoneClient) -> None:
    """A bulk put cuts its bytes at the offsets that it names."""
    home = f"{HOME}/bulk{client.protocol.name}"
    client.call(681, collection(home), request_type="CollInpNew_PI")
    names, ends = ["a", "b", "c"], ["2", "2", "7"]
    columns = [
        {"attriInx": 403, "reslen": 1088, "value": [f"{home}/{name}" for name in names]},
        {"attriInx": 999998, "reslen": 64, "value": ends},
    ]
    result = {"rowCnt": 3, "attriCnt": 2, "continueInx": 0, "totalRowCount": 0, "SqlResult_PI": columns}
    request = {"objPath": home, "GenQueryOut_PI": result, "KeyValPair_PI": {}}

    client.call(689, request, b"aaccccc", request_type="BulkOprInp_PI")

    assert [get(client, f"{home}/{name}") for name in names] == [b"aa", b"", b"ccccc"]


def test_synchronizing(client: ZoneClient) -> None:
    """rsync answers what to do for a local file, and copies between objects that differ."""
    path = f"{HOME}/sync{client.protocol.name}"
    put(client, path, b"content")
    local = {"rsyncMode": "IRODS_TO_LOCAL"}  # what irsync sends for a local source

    def ask(**keywords: str) -> int:
        return client.call(628, inp(path, **keywords), request_type="DataObjInp_PI").status

    assert ask(**local, rsyncChksum=sha2(b"content")) == 0
    assert ask(**local, rsyncChksum=sha2(b"other")) == 99999990
    assert ask(rsyncMode="LOCAL_TO_IRODS", rsyncChksum=sha2(b"other")) == 99999991
    assert ask(rsyncMode="IRODS_TO_IRODS", rsyncDestPath=f"{path}2") == 0
    assert get(client, f"{path}2") == b"content"


def test_moving_a_replica(client: ZoneClient) -> None:
    """phymv takes a replica to another resource; its number stays, its old file goes."""
    path = f"{HOME}/phymv{client.protocol.name}"
    put(client, path, b"content")
    before = stat(client, path)["modifyTime"]

    client.call(697, inp(path, rescName="demoResc", destRescName="resc2"), request_type="DataObjInp_PI")

    handle = client.call(678, collection(HOME, flags=0x12), request_type="CollInpNew_PI").status
    found = next(e for e in iter(lambda: entry(client, handle), None) if e["dataName"] == path.rpartition("/")[2])
    assert (found["resource"], found["replNum"], found["replStatus"]) == ("resc2", 0, 1)
    assert stat(client, path)["modifyTime"] == before
    assert get(client, path) == b"content"


def test_hosts_for_transfers(client: ZoneClient, zone: EmbeddedZone) -> None:
    """get_host_for_put and _get name this host."""
    path = f"{HOME}/host{client.protocol.name}"
    put(client, path, b"x")

    for number in (686, 694):
        answer = client.call(number, inp(path), request_type="DataObjInp_PI", reply_type="STR_PI")
        assert answer.body["myStr"] == zone.config.host


def test_a_stream_opens_with_its_description(client: ZoneClient) -> None:
    """replica_open answers the descriptor's JSON; replica_close settles size and status."""
    path = f"{HOME}/stream{client.protocol.name}"
    answer = client.call(20003, inp(path, flags=65), request_type="DataObjInp_PI", reply_type="json")
    assert answer.body["data_object_info"]["object_path"] == path
    client.call(676, opened_inp(answer.status, 5), b"12345", request_type="OpenedDataObjInp_PI")

    client.call(20004, {"fd": answer.status}, request_type="json")

    assert get(client, path) == b"12345"
