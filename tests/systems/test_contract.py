"""What every type of system does, on its real server: the interface ``place.Place`` as sentences."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable

import pytest

from python_rules.engine.pipeline import Tally
from python_rules.engine.systems.place import FILE, LINK, Place
from python_rules.jobs.errors import JobError
from tests.systems.kinds import LINKED, RESUMING, WRITABLE
from tests.systems.peers import Peer

MIB = 1 << 20
BLOCK = 4 * MIB
SIZES = [0, 1, 131_071, 131_072, 131_073, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17]
TIME = 1_600_000_000.0


def sha256(data: bytes) -> str:
    tally = Tally()
    for _ in tally.over([data]):
        pass
    return tally.sha256


def write(place: Place, path: str, data: bytes, modified: float | None = None) -> str:
    """A published file; how it was verified."""
    if "/" in path:
        place.make_folder(path.rpartition("/")[0])
    outgoing = place.write(path, len(data))
    for start in range(0, len(data), BLOCK):
        outgoing.write(data[start : start + BLOCK])
    return outgoing.publish(len(data), sha256(data), modified)


def put(peer: Peer, place: Place, path: str, data: bytes) -> None:
    """A file there, by whichever way."""
    if peer.put:
        peer.put(path, data)
    else:
        write(place, path, data)


def read(place: Place, path: str, offset: int = 0, step: int = BLOCK) -> bytes:
    incoming, found = place.read(path, offset), bytearray()
    buffer = bytearray(step)
    try:
        while count := incoming.readinto(buffer):
            found += buffer[:count]
    finally:
        incoming.close()
    return bytes(found)


def listed(place: Place, path: str) -> list[str]:
    start = len(path) + 1 if path else 0
    return [item.path[start:] for item in place.walk(path)]


@pytest.mark.parametrize("size", SIZES)
def test_what_was_written_is_read(peer: Peer, place: Place, folder: str, size: int) -> None:
    """A file of any size comes back as it went, and says its size."""
    data = os.urandom(size)
    put(peer, place, f"{folder}/file", data)

    found = place.find(f"{folder}/file")

    assert found is not None
    assert (found.kind, found.size) == (FILE, size)
    assert read(place, f"{folder}/file") == data


def test_reading_begins_anywhere_and_in_any_steps(peer: Peer, place: Place, folder: str) -> None:
    """An offset gives the rest of the file, also at its very end; odd buffers lose nothing."""
    data = os.urandom(MIB + 5)
    put(peer, place, f"{folder}/file", data)

    assert read(place, f"{folder}/file", MIB) == data[MIB:]
    assert read(place, f"{folder}/file", len(data)) == b""
    assert read(place, f"{folder}/file", 3, 70_001) == data[3:]


def test_names_survive(peer: Peer, place: Place, folder: str) -> None:
    """Names with spaces, quotes, signs and letters of all scripts are kept as they are."""
    for name in peer.names:
        put(peer, place, f"{folder}/{name}", name.encode())

    for name in peer.names:
        assert read(place, f"{folder}/{name}") == name.encode()
    if not peer.lists:
        return
    files = [item.path for item in place.walk(folder) if item.kind == FILE]
    assert sorted(files) == sorted(f"{folder}/{name}" for name in peer.names)


def test_what_is_not_there_is_told(peer: Peer, place: Place, folder: str) -> None:
    """A missing path is None to ``find`` and an error to ``read``, which names it; removing it is no error."""
    assert place.find(f"{folder}/missing") is None
    with pytest.raises(JobError) as caught:
        read(place, f"{folder}/missing")
    assert caught.value.code == "source_not_found"
    assert "missing" in (caught.value.object_path or "")
    if peer.writes:
        place.remove(f"{folder}/missing")


@pytest.mark.parametrize("path", ["../outside", "a/../../b", "/etc/passwd", "a//b", ".", "a/./b", "nul\0"])
def test_no_path_leaves_the_base(place: Place, path: str) -> None:
    """'..' and their like are refused before the server is asked."""
    for verb in (place.find, place.read, place.write, place.remove, place.make_folder, lambda p: list(place.walk(p))):
        with pytest.raises(JobError) as caught:
            verb(path)
        assert caught.value.code == "bad_path"


@pytest.mark.parametrize("peer", WRITABLE, indirect=True)
def test_nothing_is_seen_before_it_is_published(peer: Peer, place: Place, folder: str) -> None:
    """While a file is written, and after it was given up, neither a listing nor its name shows anything."""
    outgoing = place.write(f"{folder}/file", 10)
    outgoing.write(b"0123456789")

    seen = (place.find(f"{folder}/file"), listed(place, folder))
    outgoing.abandon()

    assert seen == (None, [])
    assert (place.find(f"{folder}/file"), listed(place, folder)) == (None, [])


@pytest.mark.parametrize("peer", WRITABLE, indirect=True)
def test_what_was_not_stored_as_sent_is_not_published(peer: Peer, place: Place, folder: str) -> None:
    """Another hash or size than what the far side holds is an error, and what had the name keeps it."""
    write(place, f"{folder}/file", b"the old one")

    for size, told in ((10, sha256(b"something else")), (11, sha256(b"0123456789"))):
        outgoing = place.write(f"{folder}/file", 10)
        outgoing.write(b"0123456789")
        with pytest.raises(JobError) as caught:
            outgoing.publish(size, told)
        outgoing.abandon()
        assert caught.value.code == "verification_failed"

    assert read(place, f"{folder}/file") == b"the old one"
    assert listed(place, folder) == ["file"]


@pytest.mark.parametrize("peer", WRITABLE, indirect=True)
@pytest.mark.parametrize("size", [10, 9 * MIB])
def test_a_lost_attempt_publishes_nothing(peer: Peer, place: Place, folder: str, size: int) -> None:
    """The fence is asked right before the name is given; if it says no, what had the name keeps it."""
    write(place, f"{folder}/file", b"the old one")
    data = os.urandom(size)

    def lost() -> None:
        raise JobError("lease_lost", "the job is another attempt's")

    outgoing = place.write(f"{folder}/file", size)
    outgoing.write(data)
    with pytest.raises(JobError) as caught:
        outgoing.publish(size, sha256(data), None, lost)
    outgoing.abandon()

    assert caught.value.code == "lease_lost"
    assert read(place, f"{folder}/file") == b"the old one"
    assert listed(place, folder) == ["file"]


@pytest.mark.parametrize("peer", WRITABLE, indirect=True)
def test_publishing_replaces(peer: Peer, place: Place, folder: str) -> None:
    """A second file of the same name takes the place of the first, whole."""
    write(place, f"{folder}/file", b"long content of the first")

    how = write(place, f"{folder}/file", b"second")

    assert how
    assert read(place, f"{folder}/file") == b"second"


@pytest.mark.parametrize("peer", WRITABLE, indirect=True)
def test_modify_times_are_kept(peer: Peer, place: Place, folder: str) -> None:
    """A published file has the time that it was given, to the second."""
    write(place, f"{folder}/file", b"x", TIME)

    found = place.find(f"{folder}/file")

    assert found is not None
    assert peer.times is False or int(found.modified or 0) == TIME


def test_a_walk_tells_parents_first_and_empty_folders(peer: Peer, place: Place, folder: str) -> None:
    """Folders come before what they hold, in order of names; an empty one is told of where there are folders."""
    for name in ("b/c/deep", "b/file", "a"):
        put(peer, place, f"{folder}/{name}", b"x")
    if peer.writes:
        place.make_folder(f"{folder}/empty/inner")

    if not peer.lists:
        with pytest.raises(JobError) as caught:
            listed(place, folder)
        assert caught.value.code == "bad_value"
        return
    found = listed(place, folder)

    wanted = ["a", "b", "b/c", "b/c/deep", "b/file", "empty", "empty/inner"]
    if not peer.folders:
        wanted = [name for name in wanted if name in ("a", "b/c/deep", "b/file") or name in found]
    assert found == [name for name in wanted if peer.writes or not name.startswith("empty")]


@pytest.mark.parametrize("peer", WRITABLE, indirect=True)
def test_files_and_empty_folders_are_removed(peer: Peer, place: Place, folder: str) -> None:
    """What was removed is gone; a folder goes once it is empty."""
    write(place, f"{folder}/inner/file", b"x")

    place.remove(f"{folder}/inner/file")
    place.remove(f"{folder}/inner")

    assert listed(place, folder) == []


@pytest.mark.parametrize("peer", WRITABLE, indirect=True)
def test_links_are_told_of_and_made(peer: Peer, place: Place, folder: str) -> None:
    """A link is told of as a link; one that would leave the base is refused."""
    if not peer.links:
        with pytest.raises(JobError) as caught:
            place.make_link(f"{folder}/link", "file")
        assert caught.value.code == "bad_value"
        return
    write(place, f"{folder}/file", b"x")
    place.make_link(f"{folder}/link", "file")

    item = place.find(f"{folder}/link")

    assert item is not None
    assert (item.kind, item.link) == (LINK, "file")
    for target in ("/etc/passwd", "../../outside", "a/../../../b"):
        with pytest.raises(JobError) as caught:
            place.make_link(f"{folder}/other", target)
        assert caught.value.code == "bad_path"


@pytest.mark.parametrize("peer", LINKED, indirect=True)
def test_nothing_goes_through_a_link(peer: Peer, place: Place, folder: str) -> None:
    """A link in the middle of a path, or at its end, is not followed, though it leads to something below the base."""
    write(place, f"{folder}/real/file", b"x")
    place.make_link(f"{folder}/way", "real")
    place.make_link(f"{folder}/end", "real/file")

    attempts: list[Callable[[], object]] = [
        lambda: place.read(f"{folder}/way/file"),
        lambda: place.read(f"{folder}/end"),
        lambda: place.write(f"{folder}/way/new"),
        lambda: place.remove(f"{folder}/way/file"),
        lambda: list(place.walk(f"{folder}/way")),
    ]
    for attempt in attempts:
        with pytest.raises(JobError) as caught:
            attempt()
        assert caught.value.code == "bad_path"
    assert read(place, f"{folder}/real/file") == b"x"


@pytest.mark.parametrize("peer", WRITABLE, indirect=True)
def test_a_later_attempt_goes_on(peer: Peer, opened: Callable[..., Place], folder: str) -> None:
    """What a broken attempt wrote is held for the next one of the same job and content, and for no other."""
    job, data = str(uuid.uuid4()), os.urandom(12 * MIB + 9)
    first = opened().write(f"{folder}/file", len(data), f"{job}-abc.1")
    first.write(data[:BLOCK])
    first.write(data[BLOCK : 2 * BLOCK])
    first.abandon(keep=True)

    place = opened()
    other = place.write(f"{folder}/file", len(data), f"{job}-xyz.2")
    second = place.write(f"{folder}/file", len(data), f"{job}-abc.2")

    assert other.held == 0
    other.abandon()
    assert second.held == (peer.holds or (2 * BLOCK if peer.resumes else 0))
    for start in range(second.held, len(data), BLOCK):
        second.write(data[start : start + BLOCK])
    second.publish(len(data), sha256(data))
    assert read(place, f"{folder}/file") == data
    assert listed(place, folder) == ["file"]


@pytest.mark.parametrize("peer", RESUMING, indirect=True)
def test_what_is_held_can_be_cut_back(peer: Peer, opened: Callable[..., Place], folder: str) -> None:
    """What is held is given back to be compared, and writing goes on before its end."""
    job = str(uuid.uuid4())
    first = opened().write(f"{folder}/file", 20, f"{job}-abc.1")
    first.write(b"0123456789wrong")
    first.abandon(keep=True)

    place = opened()
    second = place.write(f"{folder}/file", 20, f"{job}-abc.2")
    if (held := second.reread()) is not None:
        buffer = bytearray(100)
        assert buffer[: held.readinto(buffer)] == b"0123456789wrong"
        held.close()
    second.go_on_at(10)
    second.write(b"abcdefghij")
    second.publish(20, sha256(b"0123456789abcdefghij"))

    assert read(place, f"{folder}/file") == b"0123456789abcdefghij"


@pytest.mark.parametrize("peer", WRITABLE, indirect=True)
def test_what_a_job_left_is_cleaned_up(peer: Peer, opened: Callable[..., Place], folder: str) -> None:
    """``clean`` removes what one job left below a folder, and nothing else."""
    jobs = [str(uuid.uuid4()), str(uuid.uuid4())]
    for job in jobs:
        left = opened().write(f"{folder}/file", 8, f"{job}-abc.1")
        left.write(b"leftover")
        left.abandon(keep=True)
    place = opened()
    write(place, f"{folder}/other", b"x")

    place.clean(folder, jobs[0])

    again = [place.write(f"{folder}/file", 8, f"{job}-abc.2") for job in jobs]
    assert [one.held for one in again] == [0, 8 if peer.resumes else 0]
    for one in again:
        one.abandon()
    assert listed(place, folder) == ["other"]


@pytest.mark.parametrize("peer", WRITABLE, indirect=True)
def test_names_that_it_cannot_hold_are_told(peer: Peer, place: Place, folder: str) -> None:
    """A name that the far side does not take is an error that names it."""
    for name in peer.bad_names:
        with pytest.raises(JobError) as caught:
            write(place, f"{folder}/{name}", b"x")
        assert caught.value.code == "bad_path", caught.value.text
    assert listed(place, folder) == []


def test_check_says_in_one_line_that_it_works(place: Place) -> None:
    """The line names no secret and no line break."""
    told = place.check()

    assert told
    assert "\n" not in told
    assert place.free() is None or (place.free() or 0) > 0


def test_what_is_wrong_is_told_with_a_remedy(peer: Peer) -> None:
    """Another host key, refused credentials, an unreachable host: each has its code and says what to do."""
    for code, changed in peer.wrong.items():
        with pytest.raises(JobError) as caught:
            peer.open(**changed).check()
        assert caught.value.code == code.strip(), caught.value.text
        assert caught.value.remedy
