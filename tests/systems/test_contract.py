"""What every type of system does, on its real server: the interface ``place.Place`` as sentences."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest

from python_rules.engine.systems.place import FILE, LINK, Place
from python_rules.jobs.errors import JobError
from tests.systems.conftest import Spot
from tests.systems.files import BLOCK, MIB, listed, read, sha256, write
from tests.systems.kinds import LINKED, RESUMING, SEEKING, TREES, WRITABLE, WRITABLE_TREES
from tests.systems.peers import Peer

SIZES = [0, 1, 131_071, 131_072, 131_073, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17]
TIME = 1_600_000_000.0


@pytest.mark.parametrize("size", SIZES)
def test_what_was_written_is_read(spot: Spot, size: int) -> None:
    """A file of any size comes back as it went, and says its size, if that can be known before it is read."""
    data = spot.peer.form(size)
    spot.put("file", data)

    found = spot.place.find(spot.path())

    assert found is not None
    assert (found.kind, found.size) == (FILE, size if spot.peer.seeks else -1)
    assert spot.holds(data)


@pytest.mark.parametrize("peer", SEEKING, indirect=True)
def test_reading_begins_anywhere_and_in_any_steps(spot: Spot) -> None:
    """An offset gives the rest of the file, also at its very end; odd buffers lose nothing."""
    data, place, path = os.urandom(MIB + 5), spot.place, spot.path()
    spot.put("file", data)

    assert read(place, path, MIB) == data[MIB:]
    assert read(place, path, len(data)) == b""
    assert read(place, path, 3, 70_001) == data[3:]


def test_names_survive(spot: Spot) -> None:
    """Names with spaces, quotes, signs and letters of all scripts are kept as they are, as far as the type has them."""
    contents = {name: spot.peer.form(10 + number) for number, name in enumerate(spot.peer.names)}
    for name, data in contents.items():
        spot.put(name, data)

    assert all(spot.holds(data, name) for name, data in contents.items())
    if spot.peer.lists:
        assert sorted(spot.files()) == sorted(contents)


def test_what_is_not_there_is_told(spot: Spot) -> None:
    """A missing path is None to ``find`` and an error to ``read``, which names it; removing it is no error."""
    assert spot.place.find(spot.path("missing")) is None
    with pytest.raises(JobError) as caught:
        read(spot.place, spot.path("missing"))
    assert caught.value.code == "source_not_found"
    assert "missing" in (caught.value.object_path or "")
    if spot.peer.writes:
        spot.place.remove(spot.path("missing"))


@pytest.mark.parametrize("path", ["../outside", "a/../../b", "/etc/passwd", "a//b", ".", "a/./b", "nul\0"])
def test_no_path_leaves_the_base(place: Place, path: str) -> None:
    """'..' and their like are refused before the server is asked."""
    for verb in (place.find, place.read, place.write, place.remove, place.make_folder, lambda p: list(place.walk(p))):
        with pytest.raises(JobError) as caught:
            verb(path)
        assert caught.value.code == "bad_path"


@pytest.mark.parametrize("peer", WRITABLE, indirect=True)
def test_nothing_is_seen_before_it_is_published(spot: Spot, opened: Callable[..., Place]) -> None:
    """While a file is written, and after it was given up, neither a listing nor its name shows anything to anybody."""
    other = replace(spot, place=opened())
    data = spot.peer.form(10)
    outgoing = spot.place.write(spot.path(), len(data))
    outgoing.write(data)

    seen = (other.place.find(spot.path()), other.files())
    outgoing.abandon()

    assert seen == (None, [])
    assert (other.place.find(spot.path()), other.files()) == (None, [])


@pytest.mark.parametrize("peer", WRITABLE, indirect=True)
def test_what_was_not_stored_as_sent_is_not_published(spot: Spot) -> None:
    """Another hash or size than what the far side holds is an error, and what had the name keeps it."""
    old, new = spot.peer.form(11), spot.peer.form(10)
    spot.put("file", old)

    for size, told in ((len(new), sha256(b"something else")), (len(new) + 1, sha256(new))):
        outgoing = spot.place.write(spot.path(), len(new))
        outgoing.write(new)
        with pytest.raises(JobError) as caught:
            outgoing.publish(size, told)
        outgoing.abandon()
        assert caught.value.code == "verification_failed"

    assert spot.holds(old)
    assert spot.files() == ["file"]


@pytest.mark.parametrize("peer", WRITABLE, indirect=True)
@pytest.mark.parametrize("size", [10, 9 * MIB])
def test_a_lost_attempt_publishes_nothing(spot: Spot, size: int) -> None:
    """The fence is asked right before the name is given; if it says no, what had the name keeps it."""
    old, new = spot.peer.form(11), spot.peer.form(size)
    spot.put("file", old)

    def lost() -> None:
        raise JobError("lease_lost", "the job is another attempt's")

    outgoing = spot.place.write(spot.path(), len(new))
    outgoing.write(new)
    with pytest.raises(JobError) as caught:
        outgoing.publish(len(new), sha256(new), None, lost)
    outgoing.abandon()

    assert caught.value.code == "lease_lost"
    assert spot.holds(old)
    assert spot.files() == ["file"]


@pytest.mark.parametrize("peer", WRITABLE, indirect=True)
def test_publishing_replaces_and_removing_removes(spot: Spot) -> None:
    """A second file of the same name takes the place of the first, whole; what was removed is gone."""
    second = spot.peer.form(6)
    spot.put("file", spot.peer.form(300_000))

    how = write(spot.place, spot.path(), second)
    held = spot.holds(second)
    spot.place.remove(spot.path())

    assert how
    assert held
    assert (spot.place.find(spot.path()), spot.files()) == (None, [])


@pytest.mark.parametrize("peer", WRITABLE_TREES, indirect=True)
def test_modify_times_are_kept(peer: Peer, place: Place, folder: str) -> None:
    """A published file has the time that it was given, to the second."""
    write(place, f"{folder}/file", b"x", TIME)

    found = place.find(f"{folder}/file")

    assert found is not None
    assert peer.times is False or int(found.modified or 0) == TIME


@pytest.mark.parametrize("peer", TREES, indirect=True)
def test_a_walk_tells_parents_first_and_empty_folders(peer: Peer, place: Place, folder: str, spot: Spot) -> None:
    """Folders come before what they hold, in order of names; an empty one is told of where there are folders."""
    for name in ("b/c/deep", "b/file", "a"):
        spot.put(name, b"x")
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


@pytest.mark.parametrize("peer", WRITABLE_TREES, indirect=True)
def test_files_and_empty_folders_are_removed(peer: Peer, place: Place, folder: str) -> None:
    """What was removed is gone; a folder goes once it is empty."""
    write(place, f"{folder}/inner/file", b"x")

    place.remove(f"{folder}/inner/file")
    place.remove(f"{folder}/inner")

    assert listed(place, folder) == []


@pytest.mark.parametrize("peer", WRITABLE, indirect=True)
def test_links_are_told_of_and_made(peer: Peer, place: Place, request: pytest.FixtureRequest) -> None:
    """A link is told of as a link; one that would leave the base is refused."""
    if not peer.links:
        with pytest.raises(JobError) as caught:
            place.make_link("link", "file")
        assert caught.value.code == "bad_value"
        return
    folder = str(request.getfixturevalue("folder"))
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
def test_a_later_attempt_goes_on(spot: Spot, opened: Callable[..., Place]) -> None:
    """What a broken attempt wrote is held for the next one of the same job and content, and for no other."""
    job, peer, path = str(uuid.uuid4()), spot.peer, spot.path()
    data = peer.form(12 * MIB + 9)
    first = opened().write(path, len(data), f"{job}-abc.1")
    first.write(data[:BLOCK])
    first.write(data[BLOCK : 2 * BLOCK])
    first.abandon(keep=True)

    place = opened()
    other = place.write(path, len(data), f"{job}-xyz.2")
    second = place.write(path, len(data), f"{job}-abc.2")

    assert other.held == 0
    other.abandon()
    assert second.held == (peer.holds or (2 * BLOCK if peer.resumes else 0))
    for start in range(second.held, len(data), BLOCK):
        second.write(data[start : start + BLOCK])
    second.publish(len(data), sha256(data))
    assert spot.holds(data)
    assert spot.files() == ["file"]


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
def test_what_a_job_left_is_cleaned_up(spot: Spot, opened: Callable[..., Place]) -> None:
    """``clean`` removes what one job left below a folder, and nothing else."""
    jobs, data, path = [str(uuid.uuid4()), str(uuid.uuid4())], spot.peer.form(8), spot.path()
    for job in jobs:
        left = opened().write(path, len(data), f"{job}-abc.1")
        left.write(data)
        left.abandon(keep=True)
    place = opened()
    spot.put("other", data)

    place.clean(spot.parent, jobs[0])

    again = [place.write(path, len(data), f"{job}-abc.2") for job in jobs]
    assert [one.held for one in again] == [0, len(data) if spot.peer.resumes else 0]
    for one in again:
        one.abandon()
    assert spot.files() == ["other"]


@pytest.mark.parametrize("peer", WRITABLE, indirect=True)
def test_names_that_it_cannot_hold_are_told(spot: Spot) -> None:
    """A name that the far side does not take is an error that names it."""
    for name in spot.peer.bad_names:
        with pytest.raises(JobError) as caught:
            write(spot.place, spot.path(name), spot.peer.form(1))
        assert caught.value.code == "bad_path", caught.value.text
    assert spot.files() == []


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
