"""S3 and Swift against OpenStack Swift from Debian's packages: what every place does is in the contract suite, this is
what object stores have of their own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from python_rules.engine.systems.place import FILE, FOLDER, Place
from python_rules.engine.systems.swift import Swift as SwiftPlace
from python_rules.jobs.errors import JobError
from tests.stack.waiting import until
from tests.systems.files import drained, read, sha256
from tests.systems.objects import PART, finish, put, s3_place, secret, swift_place
from tests.systems.servers_objects import KEY, USER, Swift

pytestmark = pytest.mark.long
DATA = os.urandom(2 * PART + 12_345)

Opened = Callable[..., Place]


@pytest.fixture(scope="module")
def swift() -> Iterator[Swift]:
    """A node that all tests of this module use."""
    with Swift() as node:
        node.start()
        yield node


@pytest.fixture(params=["s3", "swift"])
def opened(request: pytest.FixtureRequest, swift: Swift, tmp_path: Path) -> Iterator[Opened]:
    """Opens places in a bucket of this test's own, below a prefix; each call with other settings if wanted."""
    bucket = f"b{abs(hash(request.node.name)) % 10**12}"
    store(swift).create_bucket(Bucket=bucket)
    places: list[Place] = []

    def one(**given: object) -> Place:
        make = s3_place if request.param == "s3" else swift_place
        places.append(make(swift, tmp_path, given.pop("base", f"{bucket}/pre/fix"), **given))
        return places[-1]

    yield one
    for place in places:
        place.close()


def store(swift: Swift) -> Any:
    """boto3 alone."""
    return boto3.client(
        "s3",
        endpoint_url=swift.url,
        region_name="us-east-1",
        aws_access_key_id=USER,
        aws_secret_access_key=KEY,
        config=boto3.session.Config(
            request_checksum_calculation="when_required", response_checksum_validation="when_required"
        ),
    )


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, len(DATA)])
def test_a_file_of_any_size_is_what_was_written(opened: Opened, size: int) -> None:
    """Around the edge of a part, with the size known and unknown."""
    place = opened()
    for known in (True, False):
        put(place, "a/b", DATA[:size], 1_700_000_000.25, size=known)
        found = place.find("a/b")
        assert found is not None
        assert (found.kind, found.size) == (FILE, size)
        assert read(place, "a/b") == DATA[:size]


def test_a_range_is_read_from_any_offset(opened: Opened) -> None:
    """Within a part, at its edge, at the end and behind it."""
    place = opened()
    put(place, "big", DATA)
    for offset in (1, PART - 1, PART, len(DATA) - 1, len(DATA), len(DATA) + 1):
        assert read(place, "big", offset) == DATA[offset:]


def test_names_in_full_unicode_are_kept(opened: Opened) -> None:
    """Also what URLs, XML and JSON have to escape; the listing gives the same names."""
    place = opened()
    names = ["ä ö/ü&<>\"'.txt", "日本/語 100%.dat", "a+b=c?d#e", "😀", "%2F", "new\nline", "e\u0301"]
    for name in names:
        put(place, name, name.encode())
    assert [item.path for item in place.walk("") if item.kind == FILE] == sorted(names, key=str.encode)
    for name in names:
        assert read(place, name) == name.encode()


def test_a_tree_has_its_folders_before_what_they_hold(opened: Opened) -> None:
    """Empty folders included; a folder that only keys imply is one as well."""
    place = opened()
    place.make_folder("empty/inner")
    for path in ("a/b/c", "a/b-", "z"):
        put(place, path, b"1")
    kinds = [(item.path, item.kind) for item in place.walk("")]
    assert kinds == [
        ("a", FOLDER), ("a/b-", FILE), ("a/b", FOLDER), ("a/b/c", FILE),
        ("empty", FOLDER), ("empty/inner", FOLDER), ("z", FILE),
    ]  # fmt: skip
    assert [item.path for item in place.walk("a/b")] == ["a/b/c"]
    folder = place.find("a/b")
    assert folder is not None
    assert folder.kind == FOLDER
    assert place.find("nothing") is None


def test_a_listing_says_what_a_look_says(opened: Opened) -> None:
    """Time and hash as they were kept with each file, of one part and of several."""
    place = opened()
    put(place, "d/small", b"1", 1_600_000_000.5)
    put(place, "d/large", DATA)
    assert [place.find(item.path) for item in place.walk("d")] == list(place.walk("d"))


def test_a_listing_goes_over_several_pages(opened: Opened, swift: Swift) -> None:
    """S3 gives 1,000 keys at a time."""
    place = opened()
    for number in range(1_005):
        put(place, f"n/{number:05d}", b"")
    assert [item.path for item in place.walk("n")] == [f"n/{number:05d}" for number in range(1_005)]


def test_nothing_is_seen_before_it_is_published(opened: Opened) -> None:
    """The old content stays under the name until then, and after a broken attempt."""
    place = opened()
    put(place, "f", b"old")
    writer = place.write("f", len(DATA), "job-content.1")
    writer.write(DATA)
    assert read(place, "f") == b"old"
    with pytest.raises(JobError) as raised:
        writer.publish(len(DATA), sha256(b"another content"))
    assert raised.value.code == "verification_failed"
    writer.abandon()
    assert read(place, "f") == b"old"
    assert [item.path for item in place.walk("")] == ["f"]


def test_a_later_attempt_sends_only_what_is_not_there(opened: Opened, swift: Swift, tmp_path: Path) -> None:
    """The segments of the first attempt stay as they were; a part that is another one now is sent again."""
    first = opened()
    writer = first.write("f", len(DATA), "job-content.1")
    writer.write(DATA[: 2 * PART])
    writer.abandon(keep=True)
    before = segments(first, swift, tmp_path)
    changed = DATA[: PART + 1] + b"another content" + DATA[PART + 16 :]
    again = opened()
    writer = again.write("f", len(DATA), "job-content.2")
    finish(writer, changed, changed)
    after = segments(again, swift, tmp_path)
    assert read(again, "f") == changed
    kept = [name for name in before if before[name] == after[name]]
    assert len(before) - len(kept) == 1
    assert len(kept) >= 1
    assert leftovers(again) == []


def test_an_attempt_with_less_to_write_leaves_no_parts_of_the_one_before(opened: Opened, swift: Swift) -> None:
    """As when the size was not known, and what is sent is compressed better now."""
    place = opened()
    writer = place.write("f", None, "job-content.1")
    writer.write(DATA)
    writer.abandon(keep=True)
    short = DATA[: PART + 10]
    finish(place.write("f", None, "job-content.2"), short, short)
    assert read(place, "f") == short
    place.remove("f")
    if isinstance(place, SwiftPlace):
        assert list(place.account.listed(place.segments, "")) == []


def segments(place: Place, swift: Swift, folder: Path) -> dict[str, str]:
    """The segments that Swift keeps for either interface, and when each was written."""
    if isinstance(place, SwiftPlace):
        container, account = place.segments, place.account
    else:
        container = f"{place.bucket}+segments"
        account = swift_place(swift, folder, "any").account
    rows = account.listed(container, "", allow=(404,))
    return {row["name"]: row["last_modified"] for row in rows if row["bytes"] > 1_000}


def test_what_a_job_left_is_cleaned(opened: Opened) -> None:
    """At its path and below it, and not what another job has on its way."""
    place = opened()
    for job, path in (("job1", "t/f"), ("job2", "t/f")):
        writer = place.write(path, len(DATA), f"{job}-c.1")
        writer.write(DATA)
        writer.abandon(keep=True)
    place.clean("t", "job1")
    assert [name.split("/")[1].startswith("job2-c.1-") for name in leftovers(place)] == [True]


def test_uploads_that_nobody_went_on_with_are_swept(opened: Opened) -> None:
    """The next large file does it, once they are as old as the settings say."""
    place = opened(leftover_days=0)
    writer = place.write("f", len(DATA), "job1-c.1")
    writer.write(DATA)
    writer.abandon(keep=True)
    marked = max(modified for _, modified in place._marks._store.names(".sluice-"))  # type: ignore[attr-defined]
    until(lambda: True if time.time() > marked else None, "the next second")
    other = place.write("g", len(DATA), "job2-c.1")
    other.write(DATA)
    other.publish(len(DATA), sha256(DATA))
    assert leftovers(place) == []


def test_a_large_file_that_is_replaced_or_removed_leaves_no_parts(opened: Opened, swift: Swift) -> None:
    """By a large one, by a small one, by nothing."""
    place = opened()
    put(place, "f", DATA)
    put(place, "f", DATA[::-1])
    assert read(place, "f") == DATA[::-1]
    put(place, "f", b"small")
    assert read(place, "f") == b"small"
    put(place, "f", DATA)
    place.remove("f")
    assert place.find("f") is None
    place.remove("f")
    if isinstance(place, SwiftPlace):
        assert list(place.account.listed(place.segments, "")) == []
        assert list(place.account.listed(place.container, "")) == []
    else:
        assert store(swift).list_objects_v2(Bucket=place.bucket).get("Contents", []) == []


def test_a_folder_that_holds_something_is_not_removed(opened: Opened) -> None:
    """An empty one is."""
    place = opened()
    place.make_folder("d")
    put(place, "d/f", b"1")
    with pytest.raises(JobError) as raised:
        place.remove("d")
    assert raised.value.code == "target_exists"
    place.remove("d/f")
    place.remove("d")
    assert place.find("d") is None


def test_a_reader_notices_that_the_file_was_replaced(opened: Opened) -> None:
    """Never half of one content and half of another."""
    place, other = opened(streams=1), opened()
    put(place, "f", DATA)
    reader = place.read("f")
    buffer = bytearray(PART // 2)
    reader.readinto(buffer)
    put(other, "f", DATA[::-1])
    with pytest.raises(JobError) as raised:
        drained(reader)
    assert raised.value.code == "source_changed"
    reader.close()


def test_a_name_that_no_store_can_hold_is_refused_before_anything_is_sent(opened: Opened) -> None:
    """1,024 bytes with the prefix; a path that leaves the base; a name of ours."""
    place = opened()
    for bad in ("x" * 1_020, "a/../../b", "/etc/passwd", "a//b", ".sluice-uploads/x", "\ud800"):
        with pytest.raises(JobError) as raised:
            place.write(bad, 1)
        assert raised.value.code == "bad_path"
        assert raised.value.remedy


def test_credentials_that_are_refused_are_told_apart_from_what_is_missing(opened: Opened, tmp_path: Path) -> None:
    """Nobody else's fault, and retrying does not help; the error shows no secret."""
    shown = secret(tmp_path, "wrong", f"[default]\naws_access_key_id = {USER}\naws_secret_access_key = wrong-secret\n")
    for given in ({"credentials_file": shown}, {"password_file": secret(tmp_path, "wrong-key", "wrong-secret")}):
        if set(given) & set(opened()._system.settings):  # type: ignore[attr-defined]
            place = opened(**given)
    with pytest.raises(JobError) as raised:
        place.check()
    assert raised.value.code == "system_refused"
    assert "wrong-secret" not in str(raised.value.public())


def test_a_bucket_of_somebody_else_is_not_permitted(opened: Opened, swift: Swift, tmp_path: Path) -> None:
    """Bob has an account, and no access."""
    shown = secret(tmp_path, "bob", f"[default]\naws_access_key_id = stage:bob\naws_secret_access_key = {KEY}-of-bob\n")
    place = opened()
    key = secret(tmp_path, "bob-key", f"{KEY}-of-bob")
    if isinstance(place, SwiftPlace):
        bob = opened(user="stage:bob", password_file=key)
    else:
        bob = opened(credentials_file=shown)
    with pytest.raises(JobError) as raised:
        bob.check()
    assert raised.value.code == "not_permitted"


def test_a_bucket_that_goes_in_mid_way_is_named(opened: Opened, swift: Swift) -> None:
    """The writer says so; the store's answer is not taken for a missing source."""
    place = opened()
    writer = place.write("f", len(DATA), "job-content.1")
    writer.write(DATA[: PART + 1])
    while writer._flying:  # type: ignore[attr-defined]
        writer._settle()  # type: ignore[attr-defined]
    if isinstance(place, SwiftPlace):
        for row in list(place.account.listed(place.segments, "")):
            place.account.ask("DELETE", place.segments, row["name"])
        place.account.ask("DELETE", place.segments)
    else:
        empty(store(swift), place.bucket)
    with pytest.raises(JobError) as raised:
        finish(writer, DATA[PART + 1 :], DATA)
    assert raised.value.code in ("system_error", "system_unavailable")
    assert raised.value.remedy


def test_a_store_that_is_silent_is_taken_for_stalled(opened: Opened, swift: Swift) -> None:
    """After the system's timeout, not after an hour."""
    place = opened(timeout_seconds=0.5)
    put(place, "f", b"1")
    swift.proxy.pause()
    try:
        with pytest.raises(JobError) as raised:
            place.find("f")
    finally:
        swift.proxy.resume()
    assert raised.value.code == "system_unavailable"


def test_a_write_survives_a_restart_of_the_store(opened: Opened, swift: Swift) -> None:
    """The parts that were on their way are sent again; with Swift's tokens gone, a new one is asked for."""
    place = opened()
    writer = place.write("f", len(DATA))
    writer.write(DATA[: PART + 1])
    swift.proxy.kill()
    swift.memcached.kill()
    swift.memcached.start()
    swift.proxy.start()
    writer.write(DATA[PART + 1 :])
    writer.publish(len(DATA), sha256(DATA))
    assert read(place, "f") == DATA


def test_a_secret_that_others_may_read_is_not_used(opened: Opened, tmp_path: Path) -> None:
    """Mode 0600 or nothing, and the error names the key of the settings."""
    path = tmp_path / "open"
    path.write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    path.chmod(0o644)
    key = "password_file" if isinstance(opened(), SwiftPlace) else "credentials_file"
    with pytest.raises(JobError) as raised:
        opened(**{key: str(path)}).check()
    assert raised.value.code == "configuration"
    assert key in raised.value.text


def empty(client: Any, bucket: str) -> None:
    """Remove a bucket with all that is in it, uploads that were not completed included."""
    for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", ()):
        client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for row in client.list_objects_v2(Bucket=bucket).get("Contents", ()):
        client.delete_object(Bucket=bucket, Key=row["Key"])
    client.delete_bucket(Bucket=bucket)


def leftovers(place: Place) -> list[str]:
    """Marks of uploads that were not ended."""
    return [name for name, _ in place._marks._store.names(".sluice-")]  # type: ignore[attr-defined]
