"""Packing: what goes in comes out, stock tar reads it, one member is read alone, and nothing gets outside."""

from __future__ import annotations

import io
import itertools
import os
import random
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from python_rules.engine.blocks import MIB
from python_rules.engine.pack import COLLECTION, HARD_LINK, LINK, ROOT, Member, local, tar
from python_rules.engine.pack.packing import Packing
from python_rules.engine.pack.reading import Archive
from python_rules.engine.pack.unpacking import Unpacking
from python_rules.engine.ranges import open_sealed
from python_rules.jobs.errors import JobError

from .conftest import MemorySink, made
from .test_engine_ranges import Counted

LONG = "/".join(["ünïcode 名前 " * 8] * 9) + "/" + "n" * 200
CONTENTS = {
    "a.txt": b"text",
    "empty": b"",
    "exact": bytes(512),
    "in/deep/er": b"x" * 513,
    LONG: b"long",
    "big": random.Random(1).randbytes(3 * MIB + 1),
}
AVUS = (("project", "Ünï=code\nline", "u"), ("project", "second", ""))
ACCESS = (("alice#tempZone", "own"), ("öffentlich#tempZone", "read_object"))


class Memory:
    """An unpacking.Place in memory."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.found: dict[str, MemorySink] = {}

    def begin(self, member: Member) -> MemorySink:
        self.members.append(member)
        self.found[member.name] = MemorySink()
        return self.found[member.name]

    def end(self) -> None:
        return

    @property
    def contents(self) -> dict[str, bytes]:
        return {m.name: bytes(self.found[m.name].data) for m in self.members if m.kind == "file"}


class Content(io.BytesIO):
    """An open member."""


def archive(contents: dict[str, bytes], **more: object) -> bytes:
    """A packed collection with these members."""
    members = [Member(name, size=len(content), modified=1.5e9, **more) for name, content in contents.items()]
    return pumped(Packing([Member(ROOT, COLLECTION, mode=0o755), *members], lambda m: Content(contents[m.name])))


def pumped(source: Packing, size: int = 70_000) -> bytes:
    """All that a source gives."""
    out, buffer = bytearray(), bytearray(size)
    while count := source.readinto(buffer):
        out += buffer[:count]
    return bytes(out)


def unpacked(data: bytes, step: int = 1 << 20) -> Memory:
    """The members of an archive, fed in steps."""
    place = Memory()
    sink = Unpacking(place)
    for start in range(0, len(data), step):
        sink.write(data[start : start + step])
    sink.finish()
    return place


@pytest.mark.parametrize("step", [1000, 4096, 1 << 22])
def test_there_and_back(step: int) -> None:
    """Names of any length, contents of every kind of size, AVUs and ACLs come back."""
    found = unpacked(archive(CONTENTS, avus=AVUS, access=ACCESS), step)
    assert found.contents == CONTENTS
    assert {(m.avus, m.access, m.mode, m.modified) for m in found.members[1:]} == {(AVUS, ACCESS, 0o644, 1.5e9)}


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=300).filter(
            lambda name: name not in (".", "..")
        ),
        st.binary(max_size=2000),
        max_size=8,
    ),
    st.integers(1, 3000),
)
def test_any_names(contents: dict[str, bytes], step: int) -> None:
    """Whatever Unicode allows in a name, fed in any steps."""
    assert unpacked(archive(contents), step).contents == contents


def test_stock_tar_reads_it(tmp_path: Path) -> None:
    """GNU tar and Python's tarfile extract the same, without a word on the error output."""
    data = archive(CONTENTS, avus=AVUS, access=ACCESS)
    done = subprocess.run(["tar", "-x", "-C", str(tmp_path)], input=data, capture_output=True, check=True)
    assert done.stderr == b""
    assert {name: (tmp_path / name).read_bytes() for name in CONTENTS} == CONTENTS
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        assert [m.name for m in opened if m.isfile()] == list(CONTENTS)
        assert opened.getmember("a.txt").pax_headers[tar.AVUS].startswith('[["project"')


def test_we_read_stock_tars(tmp_path: Path) -> None:
    """GNU's own format, with its long names, and pax."""
    for name, content in CONTENTS.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(content)
    for kind in ("gnu", "pax", "posix"):
        data = subprocess.run(
            ["tar", f"--format={kind}", "-c", "-C", str(tmp_path / "in"), "."], stdout=subprocess.PIPE, check=True
        ).stdout
        assert unpacked(data).contents == CONTENTS


def test_a_folder_there_and_back(tmp_path: Path) -> None:
    """Modes, times, empty folders and inner links of a folder come back."""
    source, target = tmp_path / "in", tmp_path / "out"
    (source / "nothing here").mkdir(parents=True)
    (source / "run.sh").write_text("echo")
    (source / "run.sh").chmod(0o750)
    (source / "sub").mkdir()
    (source / "sub" / "link").symlink_to("../run.sh")
    os.utime(source / "run.sh", (1e9, 1e9))
    folder = local.Folder(str(target))
    sink = Unpacking(folder)
    sink.write(pumped(Packing(local.members(str(source)), local.opened)))
    assert not target.exists()
    sink.finish()
    folder.publish()
    assert sorted(p.name for p in target.rglob("*")) == ["link", "nothing here", "run.sh", "sub"]
    assert (target / "sub" / "link").read_text() == "echo"
    status = (target / "run.sh").stat()
    assert (status.st_mode & 0o777, status.st_mtime) == (0o750, 1e9)


@pytest.mark.parametrize("name", ["", "zstd", "aes256-gcm", "zstd+aes256-gcm"])
def test_one_member_alone(name: str, workers, key) -> None:
    """A member is read out of the packed, compressed and sealed collection for the blocks that hold it."""
    contents = {f"n/{i:04}": random.Random(i).randbytes(10_000) for i in range(3000)}
    data = archive(contents)
    stored = Counted(made(name, workers, key).encode(data) if name else data)
    found = Archive(open_sealed(stored, key if "aes" in name else None))
    assert list(found.members) == list(contents)
    before = stored.taken
    assert found.read("n/1234") == contents["n/1234"]
    assert found.read("n/1234", 500, 10) == contents["n/1234"][500:510]
    assert stored.taken - before <= 4 * MIB
    with pytest.raises(JobError, match="no member"):
        found.read("n/none")


def test_every_truncation_and_addition() -> None:
    """An archive cut anywhere, or with something behind it, is refused."""
    data = archive({"a": b"text", "b": b"more"})
    for end in range(len(data)):
        with pytest.raises(JobError, match="at byte"):
            unpacked(data[:end])
    with pytest.raises(JobError, match="at byte"):
        unpacked(data + b"x")
    assert unpacked(data + bytes(5000)).contents == {"a": b"text", "b": b"more"}


@pytest.mark.parametrize("bits", [1, pytest.param(8, marks=pytest.mark.long)])
def test_no_bit_flip_passes_for_another_archive(bits: int) -> None:
    """A flipped bit is an error, or in a member's content, whose hash is elsewhere, or in a field of no meaning."""
    data = archive({"a": b"", "b": b""})
    plain = unpacked(data).members
    for byte, bit in itertools.product(range(len(data)), range(bits)):
        damaged = bytearray(data)
        damaged[byte] ^= 1 << (byte + bit) % 8
        assert outcome(bytes(damaged)) in (None, plain)


def outcome(data: bytes) -> list[Member] | None:
    """The members of an archive; None for an error, which must name an offset."""
    try:
        return unpacked(data).members
    except JobError as error:
        if error.offset is None:
            raise
        return None


def test_a_member_removed_is_noticed() -> None:
    """The index names it."""
    whole, less = archive({"a": b"", "b": b"", "c": b""}), archive({"a": b"", "c": b""})
    tail = whole[unpacked_tail(whole) :]
    with pytest.raises(JobError, match="index"):
        unpacked(less[: unpacked_tail(less)] + tail)


def unpacked_tail(data: bytes) -> int:
    """Where the index of an archive begins."""
    return int(data[-tar.TAIL :].split(tar.LOCATOR.encode())[1].split()[0])


def foreign(*members: tuple[str, bytes, str]) -> bytes:
    """A tar of members that a decent program would not write: name, type, link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made_here:
        for name, kind, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            made_here.addfile(info)
    return out.getvalue()


FILE, DIR, SYM, HARD = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


@pytest.mark.parametrize(
    "members",
    [
        [("/etc/passwd", FILE, "")],
        [("../up", FILE, "")],
        [("a/../../up", FILE, "")],
        [("a/..", DIR, "")],
        [("a//b", FILE, "")],
        [("a", FILE, ""), ("a", FILE, "")],
        [("a", FILE, ""), ("./a", FILE, "")],
        [("a", FILE, ""), ("a", DIR, "")],
        [("a", FILE, ""), ("a/b", FILE, "")],
        [("a/b", FILE, ""), ("a", FILE, "")],
        [("null", tarfile.CHRTYPE, "")],
        [("disk", tarfile.BLKTYPE, "")],
        [("pipe", tarfile.FIFOTYPE, "")],
        [("holes", tarfile.GNUTYPE_SPARSE, "")],
        [("l", SYM, "/etc/passwd")],
        [("l", SYM, "../up")],
        [("d/l", SYM, "../../up")],
        [("d/l", SYM, "x/../../../up")],
        [("l", SYM, "d"), ("l/inside", FILE, "")],
        [("l", HARD, "/etc/passwd")],
        [("d/l", HARD, "../up")],
    ],
)
def test_what_is_not_unpacked(members: list[tuple[str, bytes, str]], tmp_path: Path) -> None:
    """Absolute names, '..', links that leave, duplicates, devices: refused with the offset, and nothing is left."""
    (tmp_path / "work").mkdir()
    folder = local.Folder(str(tmp_path / "work" / "out"))
    with pytest.raises(JobError, match="at byte") as caught:
        Unpacking(folder).write(foreign(*members))
    assert caught.value.code == "unsafe_archive"
    assert caught.value.offset is not None
    folder.discard()
    assert [path.name for path in tmp_path.rglob("*")] == ["work"]


@pytest.mark.parametrize("link", ["a", "d/a", "./a"])
def test_links_that_stay(link: str) -> None:
    """They are told of as links."""
    found = unpacked(foreign(("l", SYM, link), ("d/l", SYM, "../" + link), ("h", HARD, link))).members
    assert [member.kind for member in found] == [LINK, LINK, HARD_LINK]


@pytest.mark.parametrize("given", [b"", b"12", b"1234"])
def test_a_member_that_shrinks_or_grows(given: bytes) -> None:
    """Another size than the listed one is an error about that member."""
    with pytest.raises(JobError, match="listed with 3 bytes") as caught:
        pumped(Packing([Member("a", size=3, place="/z/a")], lambda _: Content(given)))
    assert (caught.value.code, caught.value.object_path) == ("source_changed", "/z/a")


@pytest.mark.parametrize("damage", [lambda d: d[:-1], lambda d: bytes(2560), lambda d: d[:-2560] + bytes(2560)])
def test_an_archive_without_its_index(damage: Callable[[bytes], bytes]) -> None:
    """It says that it has to be unpacked as a whole."""
    with pytest.raises(JobError, match="no index"):
        Archive(Counted(damage(archive(CONTENTS))))
