"""Resource trees: where new replicas go, which one is read, what follows a write."""

from __future__ import annotations

from collections.abc import Iterator

import irods.keywords as kw
import pytest
from irods import exception as ex
from irods.session import iRODSSession

from embedded_zone.server.supervisor import EmbeddedZone
from tests.zone import objects_zone

HOME = "/tempZone/home/rods"


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedZone]:
    with EmbeddedZone(tmp_path_factory.mktemp("zone") / "home") as running:
        with objects_zone.session(running) as opened:
            for name in ("one", "two", "three", "cache", "archive", "small", "down"):
                objects_zone.add_resource(opened, running, name)
            for root, kind, children in (
                ("repl", "replication", ("one", "two")),
                ("pass", "passthru", ("three",)),
                ("comp", "compound", ()),
            ):
                opened.resources.create(root, kind)
                for child in children:
                    opened.resources.add_child(root, child)
            opened.resources.add_child("comp", "cache", "cache")
            opened.resources.add_child("comp", "archive", "archive")
            opened.resources.modify("small", "context", "minimum_free_space_for_create_in_bytes=1000")
            opened.resources.modify("small", "free_space", "1010")
            opened.resources.modify("down", "status", "down")
        yield running


@pytest.fixture
def opened(zone: EmbeddedZone) -> Iterator[iRODSSession]:
    with objects_zone.session(zone) as opened:
        yield opened


def write(opened: iRODSSession, path: str, data: bytes = b"data", **options: str) -> None:
    with opened.data_objects.open(path, "w", **options) as file:
        file.write(data)


def replicas(opened: iRODSSession, path: str) -> list[tuple[str, str]]:
    return sorted((r.resc_hier, r.status) for r in opened.data_objects.get(path).replicas)


def test_a_passthru_hands_everything_to_its_child(opened: iRODSSession) -> None:
    """The replica lies on the leaf, and the hierarchy names both."""
    write(opened, f"{HOME}/p", **{kw.DEST_RESC_NAME_KW: "pass"})

    assert replicas(opened, f"{HOME}/p") == [("pass;three", "1")]


def test_a_child_cannot_be_named(opened: iRODSSession) -> None:
    """Clients address roots only."""
    with pytest.raises(ex.DIRECT_CHILD_ACCESS):
        write(opened, f"{HOME}/child", **{kw.DEST_RESC_NAME_KW: "three"})


def test_a_replication_resource_keeps_its_children_equal(opened: iRODSSession) -> None:
    """A new object has a good replica on each child, and an overwrite reaches both."""
    path = f"{HOME}/r"
    write(opened, path, **{kw.DEST_RESC_NAME_KW: "repl"})
    assert replicas(opened, path) == [("repl;one", "1"), ("repl;two", "1")]

    write(opened, path, b"longer data", **{kw.DEST_RESC_NAME_KW: "repl"})

    assert replicas(opened, path) == [("repl;one", "1"), ("repl;two", "1")]
    assert {r.size for r in opened.data_objects.get(path).replicas} == {11}


def test_a_compound_resource_writes_its_archive_too(opened: iRODSSession) -> None:
    """New data lies in the cache and in the archive."""
    write(opened, f"{HOME}/c", **{kw.DEST_RESC_NAME_KW: "comp"})

    assert replicas(opened, f"{HOME}/c") == [("comp;archive", "1"), ("comp;cache", "1")]


def test_a_limit_of_free_space_refuses_what_does_not_fit(opened: iRODSSession) -> None:
    """minimum_free_space_for_create_in_bytes counts the announced size."""
    write(opened, f"{HOME}/fits", b"x" * 10, **{kw.DEST_RESC_NAME_KW: "small", kw.DATA_SIZE_KW: "10"})

    with pytest.raises(ex.USER_FILE_TOO_LARGE):
        write(opened, f"{HOME}/too_big", b"x" * 11, **{kw.DEST_RESC_NAME_KW: "small", kw.DATA_SIZE_KW: "11"})


def test_a_resource_that_is_down_is_replaced_by_the_default(opened: iRODSSession) -> None:
    """As on a real zone a write to it lands on the default resource without a word."""
    write(opened, f"{HOME}/elsewhere", **{kw.DEST_RESC_NAME_KW: "down"})

    assert replicas(opened, f"{HOME}/elsewhere") == [("demoResc", "1")]


def test_trim_keeps_the_last_good_replica(opened: iRODSSession) -> None:
    """Two copies stay by default, one when asked, and never none."""
    path = f"{HOME}/trimmed"
    write(opened, path)
    for name in ("pass", "small"):
        opened.data_objects.replicate(path, name)

    opened.data_objects.trim(path)
    assert len(replicas(opened, path)) == 2
    opened.data_objects.trim(path, **{kw.COPIES_KW: "1"})
    assert len(replicas(opened, path)) == 1
    opened.data_objects.trim(path, **{kw.COPIES_KW: "1"})
    assert len(replicas(opened, path)) == 1


def test_replica_numbers_choose(opened: iRODSSession) -> None:
    """replNum opens just that replica; a number that does not exist is an error."""
    path = f"{HOME}/numbered"
    write(opened, path, b"first")
    opened.data_objects.replicate(path, "pass")
    write(opened, path, b"second", **{kw.REPL_NUM_KW: "1"})

    contents = [opened.data_objects.open(path, "r", **{kw.REPL_NUM_KW: number}).read() for number in "01"]
    assert contents == [b"first", b"second"]
    with pytest.raises(ex.SYS_REPLICA_DOES_NOT_EXIST):
        opened.data_objects.open(path, "r", **{kw.REPL_NUM_KW: "7"})


def test_a_copy_checks_the_checksum_of_its_source(zone: EmbeddedZone, opened: iRODSSession) -> None:
    """A source replica that was damaged on disk is not replicated as good."""
    path = f"{HOME}/damaged"
    write(opened, path, b"right", **{kw.REG_CHKSUM_KW: ""})
    with open(opened.data_objects.get(path).replicas[0].path, "wb") as file:
        file.write(b"wrong")

    with pytest.raises(ex.USER_CHKSUM_MISMATCH):
        opened.data_objects.replicate(path, "pass")

    assert replicas(opened, path) == [("demoResc", "1"), ("pass;three", "0")]
