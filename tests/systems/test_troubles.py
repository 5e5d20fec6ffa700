"""What goes wrong in the middle of a file: it is told with its reason, and nothing of it is to be seen."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from python_rules.engine.systems.place import Incoming, Outgoing, Place
from python_rules.engine.systems.posix import Posix
from python_rules.jobs.errors import PASSING, JobError
from tests.stack.disk import small_disk
from tests.systems.cutting import cutting
from tests.systems.files import BLOCK, MIB, listed, read, sha256, write
from tests.systems.peers import Nginx, Peer, Sshd
from tests.systems.test_cuts import Line, port_of, up

_NOBODY = 65534


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    with small_disk(tmp_path / "small", 8) as folder:
        yield folder


@pytest.mark.long
@pytest.mark.parametrize("kind", ["posix", "sftp"])
def test_a_full_disk_is_told_and_nothing_of_the_file_stays(
    peers: Callable[[str], Peer], small: Path, kind: str
) -> None:
    """What had the name keeps it; what is free says as much as before."""
    place = peers(kind).open(base=str(small))
    write(place, "file", b"the old one")
    room = place.free()

    outgoing = place.write("file", 12 * MIB)
    with pytest.raises(JobError) as caught:
        _fill(outgoing, 12 * MIB)
    outgoing.abandon()

    assert (caught.value.code, caught.value.remedy) == ("no_space", "make room there, and retry the job")
    assert os.listdir(small) == ["file"]
    assert read(place, "file") == b"the old one"
    assert listed(place, "") == ["file"]
    assert room is not None
    assert abs((place.free() or 0) - room) < MIB
    place.close()


def _fill(outgoing: Outgoing, size: int) -> None:
    """Write all of a file and publish it."""
    data = os.urandom(size)
    for start in range(0, size, BLOCK):
        outgoing.write(data[start : start + BLOCK])
    outgoing.publish(size, sha256(data))


def _drain(incoming: Incoming) -> None:
    while incoming.readinto(bytearray(BLOCK)):
        pass


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's rights, which know no permissions."""
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="changes its user")
def test_rights_that_are_taken_away_meanwhile_are_told(peers: Callable[[str], Peer], tmp_path: Path) -> None:
    """A folder that was closed before the file had its name: not_permitted, and no name."""
    base = tmp_path / "base"
    base.mkdir()
    os.chown(base, _NOBODY, _NOBODY)
    for above in [tmp_path, *tmp_path.parents][:4]:
        above.chmod(above.stat().st_mode | 0o011)
    place = peers("posix").open(base=str(base))

    with as_nobody():
        outgoing = place.write("file", 5)
        outgoing.write(b"12345")
        base.chmod(0o500)
        with pytest.raises(JobError) as caught:
            outgoing.publish(5, sha256(b"12345"))
        base.chmod(0o700)
        outgoing.abandon()

    assert caught.value.code == "not_permitted"
    assert list(base.iterdir()) == []
    place.close()


def test_a_host_key_that_changes_meanwhile_is_refused(peers: Callable[[str], Peer]) -> None:
    """The connection is cut, and what answers then has another key: nothing more is sent, and nobody tries again."""
    peer = peers("sftp")
    folder = _folder(peer)
    with cutting(port_of(peer)) as proxy:
        line = Line(peer, proxy)
        proxy.cuts = [9 * MIB]
        known = Path(f"{peer.settings['known_hosts']}.{proxy.port}")
        other = (Path(str(peer.settings["known_hosts"])).parent / "other_host.pub").read_text()
        real = proxy.cuts

        def opened_once() -> Place:
            place = Line.place(line)
            known.write_text(f"[127.0.0.1]:{proxy.port} {other}")
            return place

        line.place = opened_once  # type: ignore[method-assign]
        with pytest.raises(JobError) as caught:
            up(line, f"{folder}/file", os.urandom(20 * MIB))
        line.close()
    assert real == []
    assert caught.value.code == "system_refused"
    assert "host key" in caught.value.text
    with_place = peer.open()
    assert with_place.find(f"{folder}/file") is None
    with_place.close()


def test_a_silent_sftp_server_is_noticed() -> None:
    """Its processes are stopped: within the configured limit the error says so, as one that passes."""
    with Sshd() as server:
        server.start()
        peer = Peer("sftp", {**server.settings(), "timeout_seconds": 1})
        place = peer.open()
        outgoing = place.write("file", 40 * MIB)
        outgoing.write(os.urandom(BLOCK))
        stopped = server.processes()
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        begun = time.monotonic()

        with pytest.raises(JobError) as caught:
            _fill(outgoing, 36 * MIB)

        took = time.monotonic() - begun
        with suppress(JobError):
            outgoing.abandon(keep=True)
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        place.close()
    assert caught.value.code == "system_unavailable"
    assert took < 6


def test_a_silent_web_server_is_noticed() -> None:
    """In the middle of a file as well."""
    with Nginx() as server:
        server.start()
        server.put("file", os.urandom(40 * MIB))
        address = f"https://127.0.0.1:{server.port}"
        trusted = {"authority": str(server.home / "cert.pem"), "timeout_seconds": 1}
        place = Peer("http", {"address": address, "base": "pub", **trusted}).open()
        reader = place.read("file")
        reader.readinto(bytearray(MIB))
        server.pause()
        begun = time.monotonic()

        with pytest.raises(JobError) as caught:
            _drain(reader)

        took = time.monotonic() - begun
        server.resume()
        reader.close()
        place.close()
    assert caught.value.code == "system_unavailable"
    assert took < 6


def test_a_zone_whose_connection_ends_within_a_block_is_noticed(peers: Callable[[str], Peer]) -> None:
    """At once, as an error that passes: nobody waits for the rest of the block."""
    peer, caught = peers("irods"), list[JobError]()
    folder = _folder(peer)
    with closing(peer.open()) as place:
        write(place, f"{folder}/file", os.urandom(12 * MIB))

    def read_all() -> None:
        try:
            _drain(reader)
        except JobError as error:
            caught.append(error)

    with cutting(port_of(peer)) as proxy:
        line = Line(peer, proxy)
        proxy.cuts = [6 * MIB]
        reader = line.place().read(f"{folder}/file")
        thread = threading.Thread(target=read_all, daemon=True)
        thread.start()
        thread.join(10)

    assert [error.code in PASSING for error in caught] == [True]


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.ETIMEDOUT, errno.EHOSTDOWN])
def test_what_nfs_says_of_a_server_that_is_away_passes(
    peers: Callable[[str], Peer], tmp_path: Path, number: int
) -> None:
    """A stale handle and an input/output error are tried again."""
    place = peers("posix").open(base=str(tmp_path))
    assert isinstance(place, Posix)

    found = place.meaning(OSError(number, os.strerror(number)), "file")

    assert found.code in PASSING
    place.close()


@pytest.mark.parametrize("asked", ["flock", "fcntl(F_SETLK)", "link"])
def test_a_file_system_without_locks_and_hard_links_is_enough(tmp_path: Path, asked: str) -> None:
    """Over NFS a rename is all that publishing needs: the module calls no lock and makes no hard link."""
    source = Path(Posix.__init__.__code__.co_filename).read_text()

    assert {"flock": "fcntl", "fcntl(F_SETLK)": "lockf", "link": "os.link("}[asked] not in source


def _folder(peer: Peer) -> str:
    place, name = peer.open(), os.urandom(4).hex()
    place.make_folder(name)
    place.close()
    return name
