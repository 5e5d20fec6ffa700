"""Differences over rsync's protocol, with a stock rsync at the far side: what crosses the line, and what goes wrong."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from python_rules.engine import pipeline
from python_rules.engine.codec import Chain
from python_rules.engine.staging.persistent import Sink, Source
from python_rules.engine.systems.place import Comparing, Incoming, Item, Place
from python_rules.engine.systems.rsync import Rsync
from python_rules.engine.watch import UNWATCHED
from python_rules.jobs.errors import JobError
from tests.systems.cutting import Cutting, cutting
from tests.systems.files import BLOCK, MIB, drained, listed, read, sha256, write
from tests.systems.peers import Peer
from tests.systems.test_cuts import Line, port_of
from tests.unit.engine.conftest import MemorySink, MemorySource

KIB = 1 << 10
LOGIN = 64 * KIB  # bytes that connecting costs
HOSTILE = "we*rd [x]?\\ $(touch oops) 'q' \"ünï☃\".bin"


class Bytes:
    """An older version in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    def read_at(self, offset: int, buffer: memoryview) -> int:
        piece = self.data[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        return


@pytest.fixture(scope="module")
def peer(peers: Callable[[str], Peer]) -> Peer:
    return peers("rsync")


@pytest.fixture
def place(peer: Peer) -> Iterator[Rsync]:
    one = peer.open()
    assert isinstance(one, Rsync)
    yield one
    one.close()


@pytest.fixture
def folder(place: Rsync) -> str:
    name = uuid.uuid4().hex[:10]
    place.make_folder(name)
    return name


@pytest.fixture
def proxy(peer: Peer) -> Iterator[Cutting]:
    with cutting(port_of(peer)) as one:
        yield one


def there(peer: Peer, path: str) -> Path:
    return Path(str(peer.settings["base"])) / path


def read_against(place: Rsync, path: str, old: Any, step: int = BLOCK) -> bytes:
    return drained(place.read_against(path, old), step)


def edited(data: bytes, chosen: random.Random) -> bytes:
    """Some pieces replaced by others of any length: insertions, removals, changes, repetitions."""
    found = bytearray(data)
    for _ in range(chosen.randrange(6)):
        start = chosen.randrange(len(found) + 1)
        end = min(len(found), start + chosen.choice([0, 1, 700, 5000]))
        copied = chosen.randrange(len(data) + 1)
        found[start:end] = chosen.choice([chosen.randbytes(chosen.randrange(3000)), data[copied : copied + 20_000]])
    return bytes(found)


def changed(data: bytes, pieces: int, size: int) -> bytes:
    """So many pieces of a size changed in their places."""
    found, step = bytearray(data), len(data) // pieces
    for start in range(step // 3, len(data), step):
        found[start : start + size] = os.urandom(size)
    return bytes(found)


def costs(peer: Peer, proxy: Cutting, place: Rsync, folder: str, size: int, pieces: int) -> tuple[int, int]:
    """Bytes on the line, to write and to read a file of which so many pieces of 64 KiB changed."""
    old = os.urandom(size)
    new, path = changed(old, pieces, 64 * KIB), f"{folder}/file"
    write(place, path, old)
    line = Line(peer, proxy)
    write(line.place(), path, new)
    up = proxy.up + proxy.down
    assert there(peer, path).read_bytes() == new
    through = line.place()
    assert isinstance(through, Rsync)
    assert read_against(through, path, Bytes(old)) == new
    line.close()
    return up, proxy.up + proxy.down - up


def test_only_differences_cross_the_line(peer: Peer, proxy: Cutting, place: Rsync, folder: str) -> None:
    """8 MiB of which 256 KiB changed cost less than 640 KiB in either direction."""
    assert max(costs(peer, proxy, place, folder, 8 * MIB, 4)) < 512 * KIB + 2 * LOGIN


@pytest.mark.long
def test_a_mebibyte_of_64_costs_less_than_three(peer: Peer, proxy: Cutting, place: Rsync, folder: str) -> None:
    """64 MiB of which 1 MiB changed."""
    assert max(costs(peer, proxy, place, folder, 64 * MIB, 16)) < 3 * MIB


@pytest.mark.parametrize("rounds", [4, pytest.param(150, marks=pytest.mark.long)])
def test_random_edits_arrive_in_both_directions(peer: Peer, place: Rsync, folder: str, rounds: int) -> None:
    """Whatever was inserted, removed, changed or repeated, and whatever the file is called."""
    chosen = random.Random(rounds)
    path = f"{folder}/{HOSTILE}"
    for number in range(rounds):
        size = chosen.choice([1, 699, 700, 701, 1400, 100_000, 300_001])
        old = chosen.randbytes(size) if number % 4 else bytes(size)
        new = edited(old, chosen)
        write(place, path, old)
        write(place, path, new)
        assert there(peer, path).read_bytes() == new
        assert read_against(place, path, Bytes(old), chosen.choice([BLOCK, 4099])) == new
    assert listed(place, folder) == [HOSTILE]


def test_rsync_finds_nothing_to_do_after_us(peer: Peer, place: Rsync, folder: str, tmp_path: Path) -> None:
    """Its own comparison of a tree that we brought up to date, by checksum, lists no difference."""
    chosen = random.Random(7)
    for number in range(6):
        data = chosen.randbytes(50_000 * number)
        write(place, f"{folder}/{number % 2}/{number}", data, 1_500_000_000)
        new = edited(data, chosen)
        write(place, f"{folder}/{number % 2}/{number}", new, 1_600_000_000)
        (tmp_path / str(number % 2)).mkdir(exist_ok=True)
        (tmp_path / str(number % 2) / str(number)).write_bytes(new)
        os.utime(tmp_path / str(number % 2) / str(number), (1_600_000_000, 1_600_000_000))

    options = ["-rltO", "--checksum", "--delete", "--dry-run", "--itemize-changes"]
    compared = ["rsync", *options, f"{tmp_path}/", f"{there(peer, folder)}/"]
    found = subprocess.run(compared, capture_output=True, text=True, check=True)

    assert found.stdout == ""


def test_an_update_is_hidden_until_it_is_verified(peer: Peer, place: Rsync, folder: str) -> None:
    """Until then the old version is there alone; what is refused or given up leaves nothing."""
    old = os.urandom(MIB)
    write(place, f"{folder}/file", old)
    for told in (sha256(b"other"), ""):
        outgoing = place.write(f"{folder}/file", MIB)
        outgoing.write(old[::-1])
        assert listed(place, folder) == ["file"]
        if told:
            with pytest.raises(JobError) as caught:
                outgoing.publish(MIB, told)
            assert caught.value.code == "verification_failed"
        outgoing.abandon()
        assert there(peer, f"{folder}/file").read_bytes() == old
        assert os.listdir(there(peer, folder)) == ["file"]


def test_what_a_broken_update_left_goes(peer: Peer, place: Rsync, folder: str) -> None:
    """By ``clean``, and by the job's next attempt."""
    job, old = str(uuid.uuid4()), os.urandom(MIB)
    write(place, f"{folder}/file", old)
    for end in ("clean", "attempt"):
        outgoing = place.write(f"{folder}/file", MIB, f"{job}-abc.1")
        outgoing.write(old[::-1])
        outgoing.abandon(keep=True)
        assert len(os.listdir(there(peer, folder))) == 2
        if end == "clean":
            place.clean(folder, job)
        else:
            second = place.write(f"{folder}/file", MIB, f"{job}-abc.2")
            second.write(old[::-1])
            second.publish(MIB, sha256(old[::-1]))
        assert os.listdir(there(peer, folder)) == ["file"]


@pytest.mark.long
@pytest.mark.parametrize("rounds", [3, 50])
def test_a_cut_update_goes_on(peer: Peer, place: Rsync, folder: str, rounds: int) -> None:
    """Cut at random points in both directions: the right content, and a block at most twice."""
    chosen, size, path = random.Random(rounds), 8 * MIB + 11, f"{folder}/file"
    for _ in range(rounds):
        old = os.urandom(size)
        new = os.urandom(size // 2) + old[size // 2 :]
        write(place, path, old)
        with cutting(port_of(peer)) as proxy:
            line = Line(peer, proxy)
            proxy.cuts = [chosen.randrange(100_000, size // 2)]
            assert down(line, path, old) == old
            proxy.cuts, before = [chosen.randrange(200_000, size // 2)], proxy.up
            token = f"{uuid.uuid4()}-abc.1"
            sink = Sink(lambda line=line, token=token: line.place().write(path, size, token), UNWATCHED)
            passed = pipeline.run(MemorySource(new), Chain(), sink, size=size)
            sink.publish(passed.written_size, passed.written_sha256, None)
            assert proxy.made >= 1
            assert proxy.up - before < size + BLOCK + 2 * MIB
            line.close()
        assert there(peer, path).read_bytes() == new
        assert listed(place, folder) == ["file"]


def down(line: Line, path: str, old: bytes) -> bytes:
    """Read a file across cuts, first against an older version of which half is gone."""
    known = Bytes(os.urandom(len(old) // 2) + old[len(old) // 2 :])

    def opened(offset: int) -> Incoming:
        place: Any = line.place()
        return place.read(path, offset) if offset else place.read_against(path, known)

    sink, source = MemorySink(), Source(opened, UNWATCHED)
    pipeline.run(source, Chain(), sink, size=len(old))
    source.close()
    return bytes(sink.data)


def test_an_older_version_that_changes_is_noticed(place: Rsync, folder: str) -> None:
    """What is put together is compared with the MD5 of what is there."""
    old = Bytes(os.urandom(5 * MIB))
    write(place, f"{folder}/file", old.data)
    incoming = place.read_against(f"{folder}/file", old)
    old.data = bytes(old.size)

    buffer = bytearray(old.size)
    with pytest.raises(JobError) as caught:
        [incoming.readinto(buffer) for _ in range(2)]
    incoming.close()

    assert caught.value.code == "verification_failed"


def test_an_older_version_that_changes_there_is_noticed(peer: Peer, place: Rsync, folder: str) -> None:
    """rsync there compares the MD5 of what it put together; what it wrote goes, and another try may do."""
    old = os.urandom(MIB)
    write(place, f"{folder}/file", old)
    outgoing = place.write(f"{folder}/file", MIB)
    with there(peer, f"{folder}/file").open("r+b") as file:
        file.write(bytes(MIB))
    outgoing.write(old)

    with pytest.raises(JobError) as caught:
        outgoing.publish(MIB, sha256(old))
    outgoing.abandon()

    assert caught.value.code == "system_unavailable"
    assert os.listdir(there(peer, folder)) == ["file"]


def test_a_file_that_is_not_there_is_told(place: Rsync, folder: str) -> None:
    """Missing, and a folder in its place."""
    for path, code in ((f"{folder}/missing", "source_not_found"), (folder, "bad_path")):
        with pytest.raises(JobError) as caught:
            place.read_against(path, Bytes(b"x"))
        assert caught.value.code == code


def test_a_file_that_vanishes_in_between_is_told(peer: Peer, place: Rsync, folder: str, tmp_path: Path) -> None:
    """rsync's own words for it are understood: the file goes after it was found, before rsync looks."""
    write(place, f"{folder}/file", b"x" * 1000)
    program = script(tmp_path, f'rm -f "{there(peer, folder)}/file"\nexec rsync "$@"')
    other = peer.open(program=program)

    with pytest.raises(JobError) as caught:
        read_against(other, f"{folder}/file", Bytes(b"x" * 900))
    other.close()

    assert caught.value.code == "source_not_found"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('exec rsync --protocol=29 "$@"', "too old"),
        ('echo "Welcome to the cluster"\nexec rsync "$@"', "print a text at login"),
        ("exit 127", "no rsync"),
        ('echo "rsync: -sIe.C: unknown option" >&2\nexit 1', "unknown option"),
    ],
)
def test_an_unfit_rsync_says_what_to_do(peer: Peer, tmp_path: Path, text: str, told: str) -> None:
    """Too old, behind a shell that talks, missing, or refusing the options: ``check`` names it and the remedy."""
    other = peer.open(program=script(tmp_path, text))

    with pytest.raises(JobError, match=told) as caught:
        other.check()
    other.close()

    assert caught.value.code == "system_error"
    assert caught.value.remedy


def test_a_killed_rsync_is_a_lost_connection(peer: Peer, folder: str, place: Rsync, tmp_path: Path) -> None:
    """What may pass is told as such, so that the job goes on."""
    write(place, f"{folder}/file", b"x" * 1000)
    other: Place = peer.open(program=script(tmp_path, "kill -9 $$"))

    with pytest.raises(JobError) as caught:
        other.write(f"{folder}/file", 1000)
    other.close()

    assert caught.value.code == "system_unavailable"
    assert listed(place, folder) == ["file"]


def test_small_and_new_files_need_no_session(peer: Peer, folder: str) -> None:
    """They go over SFTP: with no rsync there they are written all the same."""
    place = peer.open(program="/no/such/rsync", delta_kib=1)
    write(place, f"{folder}/new", b"x" * 5000)
    write(place, f"{folder}/small", b"x" * 100)
    write(place, f"{folder}/small", b"y" * 200)
    with pytest.raises(JobError) as caught:
        write(place, f"{folder}/new", b"y" * 5000)

    assert caught.value.code == "system_error"
    assert "install" in caught.value.remedy
    assert read(place, f"{folder}/new") == b"x" * 5000
    place.close()


def test_checksums_are_computed_there(peer: Peer, folder: str, proxy: Cutting) -> None:
    """A file of a MiB is compared without coming over the line."""
    line, data = Line(peer, proxy), os.urandom(MIB)
    there(peer, f"{folder}/file").write_bytes(data)
    place = line.place()
    assert isinstance(place, Comparing)

    assert place.sha256(Item(f"{folder}/file", size=len(data))) == sha256(data)
    assert proxy.up + proxy.down < LOGIN
    line.close()


def script(folder: Path, text: str) -> str:
    """A program in rsync's place, at a path that every account may reach."""
    path = folder / f"rsync-{uuid.uuid4().hex[:6]}"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    assert shutil.which("rsync")
    return str(path)
