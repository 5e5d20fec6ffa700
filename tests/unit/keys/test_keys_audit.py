"""The audit log: complete, chained, and refusing what it cannot write."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from python_rules.engine.keys import Keyring, KeyUse, Log, Who
from python_rules.engine.keys.audit import Head, Mark
from python_rules.engine.keys.desk import Desk
from python_rules.jobs.errors import JobError
from tests.stack.waiting import until

Lines = list[bytes]


@pytest.fixture
def five(log: Log) -> Log:
    """A log of five entries."""
    for number in range(5):
        log.record("open", f"k:{number}", "alice#z", object=f"/z/{number}", job="j")
    return log


def rewritten(log: Log, change: Callable[[Lines], Lines]) -> None:
    path = Path(log.path)
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


def test_every_use_and_every_change_is_told(keyring: Keyring, log: Log) -> None:
    """With job, user, version and object; a refusal too."""
    desk = Desk(keyring, log, Who("rods#z", admin=True), 7)
    desk.create("k", "alice#z")
    KeyUse(keyring, log, Who("alice#z"), "job-1").sealing_key("k", "/z/a.tink")
    desk.rotate("k")
    KeyUse(keyring, log, Who("alice#z"), "job-2").opening_key("k", 1, "/z/a.tink")
    with pytest.raises(JobError):
        KeyUse(keyring, log, Who("rods#z", admin=True), "job-3").opening_key("k", 1, "/z/a.tink")
    KeyUse(keyring, log, Who("alice#z"), "job-4").both_keys("k", 1, "k", "/z/b.tink")
    KeyUse(keyring, log, Who("alice#z")).shared_key("k", 1, "/z/a.tink", "with reader 0123")

    told = [(row["act"], row["key"], row["user"], row["job"], row["object"]) for row in log.entries()]

    assert told == [
        ("create", "k", "rods#z", "", ""),
        ("seal", "k:1", "alice#z", "job-1", "/z/a.tink"),
        ("rotate", "k", "rods#z", "", ""),
        ("open", "k:1", "alice#z", "job-2", "/z/a.tink"),
        ("refused", "k:1", "rods#z", "job-3", "/z/a.tink"),
        ("open", "k:1", "alice#z", "job-4", "/z/b.tink"),
        ("seal", "k:2", "alice#z", "job-4", "/z/b.tink"),
        ("share", "k:1", "alice#z", "", "/z/a.tink"),
    ]
    assert list(log.entries())[-1]["note"] == "with reader 0123"


def test_an_untouched_log_verifies(five: Log) -> None:
    """And its head is the last entry; a later head contains the earlier."""
    earlier = five.verify()
    five.record("seal", "k:1", "alice#z")

    assert (earlier.number, five.verify(earlier).number) == (5, 6)
    assert five.head() == five.verify()


@pytest.mark.parametrize(
    ("change", "entry"),
    [
        (lambda lines: [lines[0].replace(b"alice", b"alicf"), *lines[1:]], 2),
        (lambda lines: lines[1:], 1),
        (lambda lines: [*lines[:2], *lines[3:]], 3),
        (lambda lines: [lines[1], lines[0], *lines[2:]], 1),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]], 4),
        (lambda lines: [*lines[:4], b"{}\n", *lines[4:]], 5),
        (lambda lines: [*lines, b"not json\n"], 6),
    ],
)
def test_no_entry_is_changed_unseen(five: Log, change: Callable[[Lines], Lines], entry: int) -> None:
    """Edited, removed, swapped, repeated, inserted, appended: the first wrong entry is named."""
    rewritten(five, change)
    with pytest.raises(JobError, match=f"entry {entry} of the audit log") as caught:
        five.verify()
    assert caught.value.code == "verification_failed"


def test_every_flipped_byte_is_seen(five: Log) -> None:
    """Of every entry, once a later head is known."""
    head, path = five.verify(), Path(five.path)
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(JobError):
            five.verify(head)


def test_a_cut_end_shows_against_a_known_head(five: Log) -> None:
    """The chain alone cannot tell."""
    head = five.verify()
    rewritten(five, lambda lines: lines[:3])

    assert five.verify().number == 3
    with pytest.raises(JobError, match="entry 5"):
        five.verify(head)


def test_a_log_written_anew_shows_against_a_known_head(five: Log) -> None:
    """As many entries, each in its place, and yet not those."""
    head = five.verify()
    os.unlink(five.path)
    for _ in range(6):
        five.record("open", "k:9", "mallory#z")
    with pytest.raises(JobError):
        five.verify(head)


def test_a_torn_line_is_dropped_and_told(five: Log) -> None:
    """A crash in the middle of writing: that use was never granted."""
    with open(five.path, "ab") as file:
        file.write(b'{"n":6,"act":"op')
    assert five.verify().number == 5

    five.record("seal", "k:1", "alice#z")

    assert five.verify().number == 6
    assert "unfinished line of 16 bytes" in list(five.entries())[-1]["note"]


def test_writers_wait_for_each_other(log: Log) -> None:
    """Threads and processes make one chain."""
    threads = [threading.Thread(target=lambda: [log.record("open", "k:1", "a#z") for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.verify().number == 40


_ENGINE = """
import sys
from python_rules.engine.keys import Log
log = Log(sys.argv[1])
for number in range(int(sys.argv[2])):
    log.record("open", f"k:{number}", sys.argv[3])
"""


def test_engines_write_at_the_same_time(log: Log) -> None:
    """Processes make one whole chain, though one of them is killed in the middle."""
    command = [sys.executable, "-c", _ENGINE, log.path]
    writers = [subprocess.Popen([*command, "40", f"user{number}#z"]) for number in range(2)]
    victim = subprocess.Popen([*command, "1000000", "victim#z"])
    until(lambda: log.head().number > 20 or None, "some entries", 30)
    victim.kill()
    assert [writer.wait() for writer in writers] == [0, 0]
    victim.wait()
    log.record("open", "k:1", "last#z")

    users = [entry["user"] for entry in log.entries()]

    assert [users.count(f"user{number}#z") for number in range(2)] == [40, 40]
    assert users[-1] == "last#z"


def test_a_mark_finds_its_entry_again(five: Log) -> None:
    """However long the log grows; not when its end was cut off, nor when it was written anew."""
    mark = Mark.parsed(str(five.mark()))
    assert mark == five.mark()
    five.record("open", "k:6", "alice#z")
    assert five.holds(mark)

    rewritten(five, lambda lines: lines[:4])
    assert not five.holds(mark)

    for number in (5, 6):
        five.record("open", f"k:{number}", "mallory#z")
    five.verify()
    assert not five.holds(mark)
    assert [Mark.parsed(text) for text in ("", "1:x", "x:y@3", "1:a@b")] == [None] * 4


@pytest.mark.parametrize("object", ["/z/" + "x" * 9000, '/z/"}\n{"n":1', "/z/ünï\u2028"])
def test_what_users_write_stays_in_its_entry(log: Log, object: str) -> None:
    """Long names, quotes, line ends of every kind."""
    log.record("open", "k:1", "a#z", object=object)
    log.record("open", "k:1", "a#z")
    assert [row["object"] for row in log.entries()] == [object, ""]
    assert log.verify().number == 2


def test_no_log_no_key(keyring: Keyring, tmp_path: Path) -> None:
    """What cannot be logged is not done, and changes nothing."""
    keyring.create("k", "alice#z")
    broken = Log(str(tmp_path / "missing" / "audit"))

    for use in (
        lambda: KeyUse(keyring, broken, Who("alice#z")).sealing_key("k", "/z/a"),
        lambda: Desk(keyring, broken, Who("alice#z"), 7).rotate("k"),
    ):
        with pytest.raises(JobError, match="cannot be written") as caught:
            use()
        assert caught.value.code == "configuration"
    assert [version.number for version in keyring.list()["k"]] == [1]


def test_an_empty_log_is_whole(log: Log) -> None:
    """Before the first use."""
    assert log.verify() == log.head() == Head(0, "0" * 64)
    assert os.path.exists(log.path) is False


def test_only_the_service_account_reads_it(five: Log) -> None:
    """It tells who works on what."""
    assert os.stat(five.path).st_mode & 0o777 == 0o600
