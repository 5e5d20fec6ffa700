"""Replica states: what is seen while an object is written, and after a client or an agent died."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import irods.keywords as kw
import pytest
from irods import exception as ex
from irods.session import iRODSSession

from embedded_zone.server.supervisor import EmbeddedZone
from tests.zone import objects_zone

HOME = "/tempZone/home/rods"
WRITER = """
import sys
from irods.session import iRODSSession
session = iRODSSession(host=sys.argv[1], port=int(sys.argv[2]), user="rods", password=sys.argv[4], zone="tempZone")
handle, raw = session.data_objects.open_with_FileRaw(sys.argv[3], "w")
raw.write(b"partial")
print("written", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedZone]:
    with EmbeddedZone(tmp_path_factory.mktemp("zone") / "home") as running:
        with objects_zone.session(running) as opened:
            objects_zone.add_resource(opened, running, "resc2")
        yield running


@pytest.fixture
def opened(zone: EmbeddedZone) -> Iterator[iRODSSession]:
    with objects_zone.session(zone) as opened:
        yield opened


def write(opened: iRODSSession, path: str, data: bytes = b"good", mode: str = "w", **options: str) -> None:
    with opened.data_objects.open(path, mode, **options) as file:
        file.write(data)


def read(opened: iRODSSession, path: str, **options: str) -> bytes:
    with opened.data_objects.open(path, "r", **options) as file:
        return bytes(file.read())


def states(opened: iRODSSession, path: str) -> list[tuple[str, int]]:
    """Status and size of each replica, by number."""
    return [(r.status, r.size) for r in opened.data_objects.get(path).replicas]


def test_a_new_object_is_intermediate_until_it_is_closed(zone: EmbeddedZone, opened: iRODSSession) -> None:
    """While it is written others can neither read, copy nor remove it; then it is good with its size."""
    path = f"{HOME}/new"
    handle = opened.data_objects.open(path, "w")
    handle.write(b"12345")
    with objects_zone.session(zone) as other:
        assert states(other, path) == [("2", 0)]
        for attempt in (
            lambda: other.data_objects.open(path, "r"),
            lambda: other.data_objects.open(path, "w"),
            lambda: other.data_objects.copy(path, f"{HOME}/copy"),
            lambda: other.data_objects.chksum(path),
            lambda: other.data_objects.unlink(path),
        ):
            with pytest.raises(ex.HIERARCHY_ERROR):
                attempt()
        with pytest.raises(ex.LOCKED_DATA_OBJECT_ACCESS):
            other.data_objects.unlink(path, force=True)

    handle.close()

    assert states(opened, path) == [("1", 5)]


def test_an_overwrite_makes_the_other_replica_stale(zone: EmbeddedZone, opened: iRODSSession) -> None:
    """During the overwrite one replica is intermediate and the other locked; afterwards good and stale."""
    path = f"{HOME}/two"
    write(opened, path)
    opened.data_objects.replicate(path, "resc2")
    handle = opened.data_objects.open(path, "w")
    handle.write(b"longer")
    with objects_zone.session(zone) as other:
        assert sorted(states(other, path)) == [("2", 0), ("4", 4)]
        with pytest.raises(ex.HIERARCHY_ERROR):
            other.data_objects.open(path, "r")

    handle.close()

    assert sorted(states(opened, path)) == [("0", 4), ("1", 6)]
    assert read(opened, path) == b"longer"
    assert read(opened, path, **{kw.RESC_NAME_KW: "resc2"}) == b"good"


def test_updating_the_stale_replica_makes_it_good_again(opened: iRODSSession) -> None:
    """``replicate`` with ``all`` brings every stale replica up to date."""
    path = f"{HOME}/update"
    write(opened, path)
    opened.data_objects.replicate(path, "resc2")
    write(opened, path, b"changed")

    opened.data_objects.replicate(path, **{kw.ALL_KW: "", kw.UPDATE_REPL_KW: ""})

    assert states(opened, path) == [("1", 7), ("1", 7)]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_dead_client_leaves_a_stale_readable_object(zone: EmbeddedZone, opened: iRODSSession, how: int) -> None:
    """What a killed client wrote is status 0 with the bytes that arrived, and can be read and removed."""
    path = f"{HOME}/killed{how}"
    arguments = [sys.executable, "-c", WRITER, zone.config.host, str(zone.port), path, zone.password]
    before = children(zone)
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"written\n"
        agents = children(zone) - before
        writer.send_signal(how)
    for pid in agents:
        objects_zone.wait_for_end(pid)

    assert states(opened, path) == [("0", 7)]
    assert read(opened, path) == b"partial"
    opened.data_objects.unlink(path, force=True)


def children(zone: EmbeddedZone) -> set[int]:
    return set(map(int, Path(f"/proc/{zone.pid}/task/{zone.pid}/children").read_text().split()))


def test_a_killed_agent_leaves_an_intermediate_object(zone: EmbeddedZone, opened: iRODSSession) -> None:
    """Nobody closes for an agent that was killed: status 2 for ever, until an administrator says otherwise."""
    path = f"{HOME}/agent"
    before = children(zone)
    writer = iRODSSession(**zone.session_arguments())
    handle, raw = writer.data_objects.open_with_FileRaw(path, "w", auto_close=False)
    raw.write(b"partial")
    for pid in children(zone) - before:
        os.kill(pid, signal.SIGKILL)
        objects_zone.wait_for_end(pid)

    assert states(opened, path) == [("2", 0)]
    with pytest.raises(ex.LOCKED_DATA_OBJECT_ACCESS):
        opened.data_objects.unlink(path, force=True)
    opened.data_objects.modDataObjMeta({"objPath": path, "replNum": 0}, {"replStatus": "0"})
    opened.data_objects.unlink(path, force=True)
    assert not opened.data_objects.exists(path)
    del handle


def test_renaming_while_it_is_written_fails_the_close(zone: EmbeddedZone, opened: iRODSSession) -> None:
    """The rename is allowed, the writer's close finds no file and leaves the object stale."""
    path = f"{HOME}/moving"
    handle, raw = opened.data_objects.open_with_FileRaw(path, "w", auto_close=False)
    raw.write(b"abc")
    with objects_zone.session(zone) as other:
        other.data_objects.move(path, f"{HOME}/moved")

    with pytest.raises(ex.UNIX_FILE_STAT_ERR) as failure:
        raw.conn.close_file(raw.desc)

    assert failure.value.code == -516002
    assert states(opened, f"{HOME}/moved") == [("0", 0)]
    del handle


def test_a_reader_goes_on_after_rename_and_unlink(zone: EmbeddedZone, opened: iRODSSession) -> None:
    """An open descriptor keeps reading what has been renamed or removed meanwhile."""
    write(opened, f"{HOME}/read_on", b"0123456789")
    handle, _raw = opened.data_objects.open_with_FileRaw(f"{HOME}/read_on", "r")
    with objects_zone.session(zone) as other:
        other.data_objects.move(f"{HOME}/read_on", f"{HOME}/read_on2")
        other.data_objects.unlink(f"{HOME}/read_on2", force=True)

    assert handle.read() == b"0123456789"


def test_parallel_put_and_get_across_processes(opened: iRODSSession, tmp_path: Path) -> None:
    """python-irodsclient's transfer in several streams writes one good replica with the right content."""
    content = os.urandom(1 << 20) * 40
    (tmp_path / "big").write_bytes(content)
    path = f"{HOME}/parallel"

    opened.data_objects.put(str(tmp_path / "big"), path, num_threads=3, **{kw.REG_CHKSUM_KW: ""})
    opened.data_objects.get(path, str(tmp_path / "got"), num_threads=3)

    assert states(opened, path) == [("1", len(content))]
    assert hashlib.sha256((tmp_path / "got").read_bytes()).digest() == hashlib.sha256(content).digest()
    assert opened.data_objects.get(path).replicas[0].checksum == opened.data_objects.chksum(path)


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_content_survives_at_the_edges_of_a_block(opened: iRODSSession, size: int) -> None:
    """What is written is read back, at sizes around a client's buffer."""
    content = os.urandom(size)
    path = f"{HOME}/size{size}"

    write(opened, path, content)

    assert read(opened, path) == content
    assert states(opened, path) == [("1", size)]


def test_appending_seeking_and_truncating(opened: iRODSSession) -> None:
    """'a' adds at the end, 'r+' changes in place, 'w' begins anew."""
    path = f"{HOME}/modes"
    write(opened, path, b"hello")
    write(opened, path, b" world", "a")
    with opened.data_objects.open(path, "r+") as file:
        file.seek(6)
        file.write(b"W")
    assert read(opened, path) == b"hello World"

    write(opened, path, b"new", "w")

    assert read(opened, path) == b"new"


def test_a_write_without_the_keyword_clears_the_checksum(opened: iRODSSession) -> None:
    """regChksum registers SHA-256 at close; any later write without it removes the checksum."""
    path = f"{HOME}/sum"
    write(opened, path, b"abc", **{kw.REG_CHKSUM_KW: ""})
    assert opened.data_objects.get(path).checksum.startswith("sha2:")

    write(opened, path, b"abcd")

    assert not opened.data_objects.get(path).checksum


def test_vault_files_are_private_and_follow_their_names(zone: EmbeddedZone, opened: iRODSSession) -> None:
    """A file lies at its logical path below the vault, mode 0600, and is renamed with its collection."""
    opened.collections.create(f"{HOME}/here")
    write(opened, f"{HOME}/here/file")
    vault = zone.home / "vault" / "demoResc" / "home" / "rods"
    assert (vault / "here" / "file").stat().st_mode & 0o777 == 0o600

    opened.collections.move(f"{HOME}/here", f"{HOME}/there")

    assert not (vault / "here" / "file").exists()
    assert (vault / "there" / "file").read_bytes() == b"good"
    assert opened.data_objects.get(f"{HOME}/there/file").replicas[0].path == str(vault / "there" / "file")


def test_files_that_lie_in_the_way_are_moved_aside(zone: EmbeddedZone, opened: iRODSSession) -> None:
    """An unknown file at an object's place in the vault is kept as an orphan, not overwritten."""
    vault = zone.home / "vault" / "demoResc"
    (vault / "home" / "rods" / "squatter").write_bytes(b"mine")

    write(opened, f"{HOME}/squatter")

    assert read(opened, f"{HOME}/squatter") == b"good"
    assert [p.read_bytes() for p in (vault / "orphan").rglob("squatter*")] == [b"mine"]
