"""How many small objects are cut into groups and parts, and what a later attempt leaves out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from python_rules import config
from python_rules.engine import shards
from python_rules.engine.group import MOST, SMALL, groups
from python_rules.engine.leftovers import _is_made
from python_rules.engine.transfer.listing import Listing, SourceObject
from python_rules.jobs.model import from_json
from python_rules.jobs.record import Body


def source(name: str, size: int = 10) -> SourceObject:
    return SourceObject(f"/z/in/{name}", name, size, hash(name) % 1000)


def many(count: int, size: int = 10) -> list[SourceObject]:
    return [source(f"{number:05}", size) for number in range(count)]


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (1, [1]), (8, [2] * 4), (63, [15, 15, 15, 15, 3]), (64, [16] * 4)]
)
def test_every_connection_has_something(count: int, sizes: list[int]) -> None:
    """A few objects are spread over the connections, many come in full groups."""
    assert [len(group) for group in groups(many(count), 4)] == sizes


def test_large_objects_are_alone() -> None:
    """A group waits for its slowest object, so nothing large is in one; none is lost."""
    mixed = [source("large", SMALL + 1), *many(2 * MOST), source("also large", SMALL + 1)]
    found = list(groups(mixed, 1))
    assert [len(group) for group in found] == [1, 1, MOST, MOST]
    assert sorted(one.path for group in found for one in group) == sorted(one.path for one in mixed)


def settings(tmp_path: Path, **jobs: Any) -> config.Config:
    path = tmp_path / config.FILE_NAME
    path.write_text(
        json.dumps({"zone": {"name": "z"}, "engine": {"python": "/p"}, "keys": {"keyring": "/k"}, "jobs": jobs})
    )
    return config.load(str(path))


@pytest.mark.parametrize(("count", "expected"), [(0, 1), (19, 1), (20, 2), (39, 3), (40, 4), (10_000, 4)])
def test_how_many_parts_a_collection_is_worth(tmp_path: Path, count: int, expected: int) -> None:
    """Each has at least so many objects; an object alone is never split."""
    chosen = settings(tmp_path, shards=4, shard_objects=10)
    objects = tuple(many(count))
    assert shards.number_for(chosen, Listing("/z/in", True, objects)) == expected
    assert shards.number_for(chosen, Listing("/z/in", False, objects)) == 1


def test_parts_share_the_objects_evenly() -> None:
    """Every object is in one part; sizes and numbers are about the same."""
    objects = [source(str(number), number) for number in range(101)]
    parts = shards._dealt(objects, 4)
    assert sorted(one.size for part in parts for one in part) == list(range(101))
    assert {len(part) for part in parts} == {25, 26}
    totals = [sum(one.size for one in part) for part in parts]
    assert max(totals) - min(totals) <= 101


def test_a_part_is_a_record_that_knows_its_job() -> None:
    """What a part's body tells comes back as it was, and a job's body has no parent."""
    request = from_json({"operation": "compress", "source": "/z/in", "objects": ["a"]})
    part = Body("6f0b7a0e-6c58-4d0c-9b0f-3c1f5b1c9a51", "u#z", "rule", "2026-11-22T12:00:00Z", request, parent="p")
    assert Body.from_text(part.to_json()).parent == "p"
    assert Body.from_text(part.to_json()).job_id == "p"
    assert "parent" not in json.loads(Body(part.id, "u#z", "rule", part.submitted, request).to_json())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("c/a", True),
        ("c/a.gz", True),
        ("c/b", False),
        ("a", False),
        ("c/aa", False),
        ("d/c.zst", True),
        ("d/cc.zst", False),
    ],
)
def test_a_source_that_is_gone_may_be_a_result_by_now(name: str, expected: bool) -> None:
    """What an earlier attempt took away has a result of the same name, longer or shorter by a suffix."""
    made = ["c/a.gz.tink", "c/aaa.gz", "d/c"]
    assert _is_made(source(name), made) == expected
