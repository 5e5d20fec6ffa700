"""What a later attempt does with what an earlier one left, and how connections are shared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from python_rules import config, systems
from python_rules.engine import processes
from python_rules.engine.staging.patterns import wanted
from python_rules.engine.staging.persistent import Sink
from python_rules.engine.staging.slots import Slots, Throttle
from python_rules.engine.systems.posix import Posix
from python_rules.engine.systems.system import System
from python_rules.engine.watch import UNWATCHED
from python_rules.jobs.model import from_json
from tests.systems.files import sha256

BLOCK = 4 << 20


def system(base: Path, user: str = "alice#tempZone", **more: object) -> System:
    given = {"type": "posix", "base": str(base), "allowed": ["public"], **more}
    return System("yard", systems.checked({"yard": given}, AssertionError)["yard"], user)


@pytest.mark.parametrize("damaged", [False, True])
def test_a_later_attempt_writes_only_what_is_missing(tmp_path: Path, damaged: bool) -> None:
    """After a kill two equal blocks are left as they are; a block that is damaged, and all behind it, is written."""
    place, job, data = Posix(system(tmp_path)), str(uuid.uuid4()), os.urandom(3 * BLOCK)
    first = place.write("file", len(data), f"{job}-abc.1")
    first.write(data[:BLOCK])
    first.write(data[BLOCK : 2 * BLOCK])
    first.abandon(keep=True)
    if damaged:
        left = next(tmp_path.iterdir())
        left.write_bytes(data[:BLOCK] + b"?" + data[BLOCK + 1 : 2 * BLOCK])
    paid: list[int] = []

    sink = Sink(lambda: place.write("file", len(data), f"{job}-abc.2"), UNWATCHED, paid.append)
    for start in range(0, len(data), BLOCK):
        sink.write(data[start : start + BLOCK])
    sink.publish(len(data), sha256(data), None)

    assert (tmp_path / "file").read_bytes() == data
    assert sum(paid) == (2 if damaged else 1) * BLOCK


def settings(folder: Path) -> config.Config:
    path = folder / "sluice.json"
    sections = {
        "zone": {"name": "tempZone"},
        "engine": {"python": sys.executable, "state": str(folder)},
        "keys": {"keyring": str(folder / "keyring.json")},
    }
    path.write_text(json.dumps(sections))
    return config.load(str(path))


def test_connections_are_bounded_and_shared_between_users(tmp_path: Path) -> None:
    """Two are taken, a third must wait until one is given back; a dead process's count for nothing."""
    slots = Slots(settings(tmp_path), system(tmp_path, connections=2))

    assert [slots.take(), slots.take(), slots.take()] == [True, True, False]
    slots.give()
    assert slots.take()


def test_who_has_more_than_his_share_gives_way(tmp_path: Path) -> None:
    """While bob waits, alice's engine is to give one of two connections back; what a dead engine held is free."""
    chosen = settings(tmp_path)
    alice = Slots(chosen, system(tmp_path, connections=2))
    assert [alice.take(), alice.take()] == [True, True]
    state = tmp_path / "system-yard.json"
    child = subprocess.Popen(["sleep", "60"])
    try:
        row = {"pid": child.pid, "began": processes.began(child.pid), "user": "bob#tempZone", "held": 0, "waits": True}
        state.write_text(json.dumps([*json.loads(state.read_text()), row]))
        assert alice.should_yield()
        alice.give()
        assert not alice.take(), "bob comes first"
    finally:
        child.kill()
        child.wait()
    assert alice.take(), "bob's engine is dead"


def test_bandwidth_is_paid_for() -> None:
    """At 10 MB/s 2 MB take 0.2 s to be paid, however many threads take them; without a rate nothing waits."""
    waited: list[float] = []
    throttle = Throttle(10e6, lambda: 1.0)
    throttle.take(2_000_000, lambda: None)

    throttle.take(1, lambda: waited.append(1))
    Throttle(0, lambda: 1.0).take(1 << 40, lambda: waited.append(2))

    assert waited
    assert 2 not in waited


@pytest.mark.parametrize(
    ("include", "exclude", "kept"),
    [
        ([], [], ["a.csv", "raw/b.csv", "raw/c.txt"]),
        (["*.csv"], [], ["a.csv", "raw/b.csv"]),
        (["raw/*"], [], ["raw/b.csv", "raw/c.txt"]),
        ([], ["raw"], ["a.csv"]),
        (["*.csv"], ["raw/b*"], ["a.csv"]),
        (["raw"], [], ["raw/b.csv", "raw/c.txt"]),
    ],
)
def test_patterns_choose_files(include: list[str], exclude: list[str], kept: list[str]) -> None:
    """Without a slash a pattern is of names, with one of paths; an excluded folder takes what lies in it with it."""
    asked = from_json(
        {"operation": "stage", "source": "yard:x", "target": "/tempZone/x", "include": include, "exclude": exclude}
    )
    assert [name for name in ("a.csv", "raw/b.csv", "raw/c.txt") if wanted(asked, name, True)] == kept
