"""Staging through the doors: jobs that move files between the zone and configured systems."""

from __future__ import annotations

import io
import json
import os
import tarfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from irods.meta import iRODSMeta
from irods.models import DataObject

from tests.e2e.jobs import Bench, bench
from tests.stack.site import EmbeddedSite

NAMES = ["plain.txt", "empty", "a/b/deep", "ünï ☃ 'q' \"d\" 100%_<x>/it's.txt", "-rf"]


@dataclass
class Yard:
    """A zone with a staging area of this host, called 'yard', and a folder of its own in it for each test."""

    bench: Bench
    folder: Path
    name: str

    def put(self, name: str, content: bytes) -> bytes:
        """A file of the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return content

    def at(self, name: str = "") -> str:
        """The address of something in the folder."""
        return f"yard:{self.folder.name}/{name}".rstrip("/")

    def run(self, source: str, target: str, **more: object) -> dict[str, Any]:
        """A staging job that has ended."""
        return self.bench.ended(self.bench.submit(operation="stage", source=source, target=target, **more))

    def moved(self, source: str, target: str, **more: object) -> dict[str, Any]:
        """A staging job that succeeded."""
        job = self.run(source, target, **more)
        assert job["state"] == "succeeded", (job["state"], job["error"])
        return job

    def files(self) -> dict[str, bytes]:
        """All files of the folder, hidden ones as well."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Path]]:
    """A zone that knows the staging area 'yard'. On an existing zone SLUICE_TEST_YARD names its folder."""
    with bench(tmp_path_factory.mktemp("zone")) as made:
        if isinstance(made.site, EmbeddedSite):
            area = tmp_path_factory.mktemp("area")
            _configure(Path(made.site.settings.path), area)
            yield made, area
        else:
            before = os.umask(0)  # the zone's service account is another Unix user
            try:
                yield made, Path(os.environ["SLUICE_TEST_YARD"])
            finally:
                os.umask(before)


def _configure(settings_file: Path, area: Path) -> None:
    settings = json.loads(settings_file.read_text())
    settings["systems"] = {
        "yard": {"type": "posix", "base": str(area), "allowed": ["public"]},
        "closed": {"type": "posix", "base": str(area), "allowed": ["nobody"]},
    }
    settings_file.write_text(json.dumps(settings))


@pytest.fixture
def yard(zone: tuple[Bench, Path]) -> Yard:
    folder = zone[1] / uuid.uuid4().hex[:8]
    folder.mkdir()
    return Yard(zone[0], folder, folder.name)


def test_a_file_goes_out_and_comes_back(yard: Yard) -> None:
    """A data object becomes a file with its content and time, and a file an object; both tell of their job."""
    place = yard.bench.place()
    content = os.urandom(5_000_000)
    yard.bench.write(f"{place}/in", content)

    out = yard.moved(f"{place}/in", yard.at("out"))
    back = yard.moved(yard.at("out"), f"{place}/back")

    assert yard.files() == {"out": content}
    assert yard.bench.read(f"{place}/back") == content
    assert out["progress"]["bytes_done"] == back["progress"]["bytes_done"] == len(content)
    with yard.bench.user.session() as session:
        modified = session.data_objects.get(f"{place}/back").modify_time.timestamp()
        avus = {avu.name: avu.value for avu in session.metadata.get(DataObject, f"{place}/back")}
    assert int(modified) == int((yard.folder / "out").stat().st_mtime)
    assert avus["sluice::job"] == back["id"]


def test_a_tree_goes_out_and_comes_back(yard: Yard) -> None:
    """All names, empty files and empty folders survive both directions."""
    place = yard.bench.place()
    content = {name: name.encode() * 1000 if name != "empty" else b"" for name in NAMES}
    for name, data in content.items():
        yard.put(f"tree/{name}", data)
    (yard.folder / "tree" / "hollow" / "inner").mkdir(parents=True)

    yard.moved(yard.at("tree"), f"{place}/tree")
    yard.moved(f"{place}/tree", yard.at("again"))

    assert {name: yard.files()[f"again/{name}"] for name in NAMES} == content
    assert (yard.folder / "again" / "hollow" / "inner").is_dir()


@pytest.mark.long
def test_transforms_happen_on_the_way(yard: Yard) -> None:
    """Into the zone files are compressed and encrypted, out of it decoded, as LEXIS's rule says."""
    place, key = yard.bench.place(), yard.bench.site.key
    text = yard.put("in/a.txt", b"line of text\n" * 100_000)

    yard.moved(yard.at("in"), f"{place}/sealed", preset="lexis", key=key)
    yard.moved(f"{place}/sealed", yard.at("out"), preset="lexis")

    assert yard.bench.names(f"{place}/sealed") == ["a.txt.zst.tink"]
    assert len(yard.bench.read(f"{place}/sealed/a.txt.zst.tink")) < len(text) / 10
    assert yard.files()["out/a.txt"] == text


@pytest.mark.long
def test_what_exists_is_refused_skipped_or_replaced(yard: Yard) -> None:
    """The same content is skipped by size and checksum; another one is an error with skip, replaced with replace."""
    place = yard.bench.place()
    for name in ("same", "other", "new"):
        yard.put(f"in/{name}", name.encode())
    yard.bench.write(f"{place}/in/same", b"same")
    yard.bench.write(f"{place}/in/other", b"OTHER")

    refused = yard.bench.refused(
        "sluice_submit", json.dumps({"operation": "stage", "source": yard.at("in"), "target": f"{place}/in"})
    )
    skipped = yard.run(yard.at("in"), f"{place}/in", existing="skip")
    other_after_skip = yard.bench.read(f"{place}/in/other")
    replaced = yard.moved(yard.at("in"), f"{place}/in", existing="replace")

    assert refused["code"] == "target_exists"
    assert (skipped["state"], skipped["error"]["code"]) == ("partial", "target_exists")
    assert other_after_skip == b"OTHER"
    assert replaced["progress"]["objects_done"] == 3
    assert {name: yard.bench.read(f"{place}/in/{name}") for name in ("same", "other", "new")} == {
        "same": b"same",
        "other": b"other",
        "new": b"new",
    }


@pytest.mark.long
def test_patterns_links_and_what_is_too_much(yard: Yard) -> None:
    """include and exclude choose files, links are kept where the target can, and delete_extra makes both ends equal."""
    for name in ("a.csv", "b.txt", "raw/c.csv", "tmp/d.csv"):
        yard.put(f"in/{name}", name.encode())
    (yard.folder / "in" / "link").symlink_to("a.csv")
    yard.put("out/old.csv", b"old")
    yard.put("out/old.txt", b"stays, for the patterns leave it out")
    place = yard.bench.place()

    yard.moved(yard.at("in"), f"{place}/in", include=["*.csv"], exclude=["tmp"], links="skip")
    yard.moved(f"{place}/in", yard.at("out"), include=["*.csv"], existing="replace", delete_extra=True)
    yard.moved(yard.at("in"), yard.at("copy"), links="keep")
    refused = yard.run(yard.at("in"), yard.at("third"))

    assert set(yard.files()) >= {"out/a.csv", "out/raw/c.csv", "out/old.txt"}
    assert not (yard.folder / "out" / "old.csv").exists()
    assert not (yard.folder / "out" / "tmp").exists()
    assert os.readlink(yard.folder / "copy" / "link") == "a.csv"
    assert (refused["state"], refused["error"]["field"]) == ("partial", "links")


@pytest.mark.long
def test_a_move_leaves_nothing_behind(yard: Yard) -> None:
    """With original: remove the source is gone, empty folders as well; within the zone it is a rename."""
    place = yard.bench.place()
    yard.put("in/a/b", b"content")

    yard.moved(yard.at("in"), f"{place}/in", original="remove")
    with yard.bench.user.session() as session:
        number = session.data_objects.get(f"{place}/in/a/b").id
    yard.moved(f"{place}/in", f"{place}/moved", original="remove")

    assert yard.files() == {}
    assert not (yard.folder / "in").exists()
    with yard.bench.user.session() as session:
        assert session.data_objects.get(f"{place}/moved/a/b").id == number
        assert not session.collections.exists(f"{place}/in")


@pytest.mark.long
def test_copies_within_the_zone_keep_metadata(yard: Yard) -> None:
    """Zone path to zone path is the server's own copy, with the source's AVUs."""
    place = yard.bench.place()
    yard.bench.write(f"{place}/in/a", b"content")
    with yard.bench.user.session() as session:
        session.metadata.add(DataObject, f"{place}/in/a", iRODSMeta("colour", "blue"))

    yard.moved(f"{place}/in", f"{place}/copy")

    assert yard.bench.read(f"{place}/copy/a") == b"content"
    with yard.bench.user.session() as session:
        avus = {avu.name: avu.value for avu in session.metadata.get(DataObject, f"{place}/copy/a")}
    assert avus["colour"] == "blue"


@pytest.mark.long
def test_more_large_files_than_connections(yard: Yard) -> None:
    """Files that are read in a thread of their own give their connections back; also from a system to itself."""
    for number in range(7):
        yard.put(f"in/{number}", os.urandom(5_000_000))

    yard.moved(yard.at("in"), f"{yard.bench.place()}/in")
    yard.moved(yard.at("in"), yard.at("out"))

    assert all(yard.files()[f"out/{number}"] == yard.files()[f"in/{number}"] for number in range(7))


@pytest.mark.long
@pytest.mark.parametrize("transforms", [{}, {"preset": "lexis"}])
def test_a_tree_is_packed_into_the_zone_and_unpacked_out_of_it(yard: Yard, transforms: dict[str, str]) -> None:
    """One object, as tar reads it; out of it come all names, empty folders, links and times."""
    place = yard.bench.place()
    content = {name: yard.put(f"tree/{name}", name.encode() * 999) for name in NAMES}
    content["large"] = yard.put("tree/large", os.urandom(3_000_000))
    (yard.folder / "tree" / "hollow").mkdir()
    (yard.folder / "tree" / "link").symlink_to("plain.txt")
    os.utime(yard.folder / "tree" / "plain.txt", (1_600_000_000, 1_600_000_000))
    key = {"key": yard.bench.site.key} if transforms else {}

    yard.moved(yard.at("tree"), f"{place}/packed", pack=True, links="keep", **transforms, **key)
    back = transforms or {"decode": True}
    yard.moved(f"{place}/packed", yard.at("again"), pack=True, links="keep", **back)

    files = yard.files()
    assert {name: files[f"again/{name}"] for name in content} == content
    assert (yard.folder / "again" / "hollow").is_dir()
    assert os.readlink(yard.folder / "again" / "link") == "plain.txt"
    assert int((yard.folder / "again" / "plain.txt").stat().st_mtime) == 1_600_000_000
    if not transforms:
        with tarfile.open(fileobj=io.BytesIO(yard.bench.read(f"{place}/packed"))) as tar:
            assert "./large" in tar.getnames() or "large" in tar.getnames()


@pytest.mark.long
def test_a_collection_is_packed_out_of_the_zone_and_unpacked_into_it(yard: Yard) -> None:
    """The tar at the system has the AVUs, and gives them back."""
    place = yard.bench.place()
    for name in ("a", "b/c"):
        yard.bench.write(f"{place}/tree/{name}", name.encode())
    with yard.bench.user.session() as session:
        session.metadata.add(DataObject, f"{place}/tree/a", iRODSMeta("colour", "blue"))

    yard.moved(f"{place}/tree", yard.at("tree.tar.zst"), pack=True, compression="zstd", exclude=["c"])
    yard.moved(yard.at("tree.tar.zst"), f"{place}/again", pack=True, decode=True)
    again = yard.run(yard.at("tree.tar.zst"), f"{place}/tree/a", pack=True, decode=True, existing="replace")

    assert yard.bench.read(f"{place}/again/a") == b"a"
    with yard.bench.user.session() as session:
        assert not session.data_objects.exists(f"{place}/again/b/c")
        avus = {avu.name: avu.value for avu in session.metadata.get(DataObject, f"{place}/again/a")}
    assert avus["colour"] == "blue"
    assert (again["state"], again["error"]["code"]) == ("failed", "target_exists")


@pytest.mark.long
def test_a_move_may_pack(yard: Yard) -> None:
    """What was packed goes, and the folders that are empty then; what a pattern leaves out stays."""
    yard.put("in/a/b", b"content")
    yard.put("in/c.tmp", b"stays")

    yard.moved(yard.at("in"), f"{yard.bench.place()}/in.tar", pack=True, original="remove", exclude=["*.tmp"])

    assert yard.files() == {"in/c.tmp": b"stays"}
    assert not (yard.folder / "in" / "a").exists()


@pytest.mark.long
def test_a_sealed_file_is_opened_on_its_way_into_the_zone(yard: Yard) -> None:
    """The request names the key, for no metadata do; what nobody sealed is taken as it is."""
    place, key = yard.bench.place(), yard.bench.site.key
    plain = yard.put("in/a.txt", b"line of text\n" * 10_000)
    yard.moved(yard.at("in"), yard.at("sealed"), compression="zstd", key=key)
    yard.put("sealed/b.txt", b"was never sealed")

    yard.moved(yard.at("sealed"), f"{place}/open", decode=True, key=key)

    assert yard.bench.names(f"{place}/open") == ["a.txt", "b.txt"]
    assert yard.bench.read(f"{place}/open/a.txt") == plain


@pytest.mark.long
def test_what_an_older_version_of_the_key_sealed_is_opened(yard: Yard) -> None:
    """No metadata tell the version: the newest that fits is found, for each file its own."""
    bench, key = yard.bench, f"turning-{uuid.uuid4().hex[:8]}"
    bench.ask_as_admin("sluice_keys_create", key, bench.user.qualified)
    plain = {name: os.urandom(2_000_000) for name in ("first", "second", "third")}
    for number, (name, data) in enumerate(plain.items()):
        if number:
            bench.ask("sluice_keys_rotate", key)
        yard.put(f"in/{name}", data)
        yard.moved(yard.at(f"in/{name}"), yard.at(f"sealed/{name}.tink"), encryption="aes256-gcm", key=key)

    place = bench.place()
    yard.moved(yard.at("sealed"), f"{place}/open", decode=True, key=key)
    bench.ask("sluice_keys_destroy", key, "")

    assert {name: bench.read(f"{place}/open/{name}") for name in plain} == plain


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("closed:x", "system_not_found"),
        ("nowhere:x", "system_not_found"),
        ("yard:../../etc/passwd", "bad_path"),
        ("yard:a//b", "bad_path"),
        ("sftp://host/path", "system_not_found"),
    ],
)
def test_a_request_that_cannot_be_is_refused_at_once(yard: Yard, source: str, code: str) -> None:
    """Systems that the user may not use or that nobody configured, paths that leave the base, free addresses."""
    request = {"operation": "stage", "source": source, "target": f"{yard.bench.user.home}/x"}

    error = yard.bench.refused("sluice_submit", json.dumps(request))

    assert (error["code"], error["field"]) == (code, "source")
    assert error["remedy"]


@pytest.mark.long
def test_a_plan_tells_what_would_happen_and_makes_nothing(yard: Yard) -> None:
    """Objects, bytes, room at the target, what exists there already, and what could not be moved."""
    place = yard.bench.place()
    yard.put("in/a", b"12345")
    yard.put("in/b/c", b"123")
    (yard.folder / "in" / "link").symlink_to("a")
    yard.bench.write(f"{place}/in/a", b"other")
    request = {"operation": "stage", "source": yard.at("in"), "target": f"{place}/in", "existing": "skip"}

    plan = yard.bench.ask("sluice_plan", json.dumps(request))
    out = yard.bench.ask("sluice_plan", json.dumps({**request, "source": f"{place}/in", "target": yard.at("new")}))
    closed = yard.bench.ask("sluice_plan", json.dumps({**request, "source": "closed:x"}))

    assert (plan["objects"], plan["bytes"], plan["expected_bytes"]) == (3, 8, 8)
    assert plan["existing_targets"] == {"count": 1, "first": [f"{place}/in/a"], "then": "skip"}
    assert (plan["unusable"]["count"], plan["unusable"]["first"][0]["field"]) == (1, "links")
    assert [row["name"] for row in out["resources"]] == ["yard"]
    assert out["fits"]
    assert closed["refused"][0]["code"] == "system_not_found"
    assert not (yard.folder / "new").exists()


def test_what_is_wrong_with_one_file_is_told_of_it(yard: Yard) -> None:
    """A link out of the base, a name that the zone cannot hold, a file that may not be read: each is named."""
    place = yard.bench.place()
    yard.put("in/good", b"good")
    (yard.folder / "in" / "out").symlink_to("/etc/passwd")
    yard.put("in/line\nbreak", b"x")
    (yard.folder / "in" / os.fsdecode(b"latin\xe9")).write_bytes(b"x")

    job = yard.run(yard.at("in"), f"{place}/in")

    assert job["state"] == "partial"
    assert job["progress"]["objects_failed"] == 3
    assert yard.bench.names(f"{place}/in") == ["good"]


def test_the_systems_are_listed_and_checked(yard: Yard) -> None:
    """A user sees those that he may use, and one line says whether one works."""
    listed = yard.bench.ask("sluice_systems", "")["systems"]
    checked = yard.bench.ask("sluice_systems", "check=yard")
    refused = yard.bench.refused("sluice_systems", "check=closed")

    assert [row["name"] for row in listed] == ["yard"]
    assert checked["works"]
    assert "free" in checked["told"]
    assert refused["code"] == "system_not_found"
