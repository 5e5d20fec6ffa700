"""kill -9 at the steps of the operations that are no plain conversions: done once, and nothing lost or left."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from irods.meta import iRODSMeta
from irods.models import Collection, DataObject

from tests.e2e.faults import STEPS, Faults, Step
from tests.e2e.jobs import Bench, bench
from tests.e2e.victims import VICTIMS, bury
from tests.stack.site import EmbeddedSite

DATA = random.Random(6).randbytes(9_000_000)
NAMES = ("a", "b", "c")

COPIED: Step = ("transfer.copying", "", "copy", "after", 1)
ENDS = {name: STEPS[name] for name in ("results written", "state written")}
MADE = {name: STEPS[name] for name in ("verified", "dressed", "published")}
TAKEN = {"taken away": STEPS["taken away"]}
MOVED: dict[str, Step] = {
    "before the rename": ("transfer.trees", "TreeZone", "publish_collection", "before", 1),
    "after the rename": ("transfer.trees", "TreeZone", "publish_collection", "after", 1),
}


@dataclass(frozen=True)
class Row:
    """A request below a place (``{place}``), the steps at which it is met, and what must be there in the end."""

    request: dict[str, Any]
    steps: dict[str, Step]
    ends: Callable[[Bench, str], None]


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    if os.environ.get("SLUICE_TEST_ZONE"):
        pytest.skip("kills servers: only on a zone of its own")
    home = tmp_path_factory.mktemp("crash")
    with bench(home) as made:
        with made.site.admin() as session:
            first = session.resources.get("demoResc")
            beside = f"{Path(first.vault_path).parent}/second"
            session.resources.create("second", "unixfilesystem", host=first.location, path=beside)
        yield made
    bury(home)


def filled(zone: Bench, place: str) -> None:
    """An object with metadata, one that is in its way, and a collection with metadata."""
    zone.write(f"{place}/one/in", DATA)
    zone.write(f"{place}/one/out", b"the old one")
    for name in NAMES:
        zone.write(f"{place}/tree/sub/{name}", name.encode() * 5000)
    with zone.user.session() as session:
        session.metadata.add(DataObject, f"{place}/one/in", iRODSMeta("sample", "42"))
        session.metadata.add(Collection, f"{place}/tree", iRODSMeta("project", "x"))


def holds(zone: Bench, place: str, *names: str) -> None:
    """The collection holds these objects, hidden ones counted."""
    zone.until_names(place, list(names), 30)


def is_whole(zone: Bench, path: str) -> None:
    """The object has the content and the metadata of ``one/in``."""
    assert zone.read(path) == DATA
    with zone.user.session() as session:
        assert session.data_objects.get(path).metadata.get_one("sample").value == "42"


def tree_is_whole(zone: Bench, root: str) -> None:
    """The collection has the content and the metadata of ``tree``."""
    holds(zone, f"{root}/sub", *NAMES)
    assert [zone.read(f"{root}/sub/{name}") for name in NAMES] == [name.encode() * 5000 for name in NAMES]
    with zone.user.session() as session:
        assert session.collections.get(root).metadata.get_one("project").value == "x"


def is_gone(zone: Bench, path: str) -> None:
    with zone.user.session() as session:
        assert not session.collections.exists(path)


def _copied(zone: Bench, place: str) -> None:
    holds(zone, f"{place}/one", "in", "out")
    is_whole(zone, f"{place}/one/in")
    is_whole(zone, f"{place}/one/out")


def _moved(zone: Bench, place: str) -> None:
    holds(zone, f"{place}/one", "out")
    is_whole(zone, f"{place}/one/out")


def _tree_moved(zone: Bench, place: str) -> None:
    tree_is_whole(zone, f"{place}/moved")
    is_gone(zone, f"{place}/tree")


def _tree_copied(zone: Bench, place: str) -> None:
    tree_is_whole(zone, f"{place}/tree")
    tree_is_whole(zone, f"{place}/copy")


def _deleted(zone: Bench, place: str) -> None:
    is_gone(zone, f"{place}/tree")
    trashed = f"{place}/tree/sub".replace("/home/", "/trash/home/", 1)
    holds(zone, trashed, *NAMES)


def _replicated(zone: Bench, place: str) -> None:
    tree_is_whole(zone, f"{place}/tree")
    with zone.user.session() as session:
        for name in NAMES:
            replicas = session.data_objects.get(f"{place}/tree/sub/{name}").replicas
            assert sorted((one.resource_name, one.status) for one in replicas) == [("demoResc", "1"), ("second", "1")]


def _unchanged(zone: Bench, place: str) -> None:
    tree_is_whole(zone, f"{place}/tree")


def _packed(zone: Bench, place: str) -> None:
    is_gone(zone, f"{place}/tree")
    job = zone.ended(
        zone.submit(operation="decompress", source=f"{place}/p.tar.zst", target=f"{place}/tree", pack=True)
    )
    assert job["state"] == "succeeded", job
    tree_is_whole(zone, f"{place}/tree")


def _compressed_with_a_replica(zone: Bench, place: str) -> None:
    holds(zone, f"{place}/one", "in.zst", "out")
    holds(zone, f"{place}/kept", "in.zst")
    for name in ("one", "kept"):
        job = zone.ended(
            zone.submit(operation="decompress", source=f"{place}/{name}/in.zst", target=f"{place}/{name}-back")
        )
        assert job["state"] == "succeeded", job
        assert zone.read(f"{place}/{name}-back") == DATA


ROWS: dict[str, Row] = {
    "duplicate": Row(
        {"operation": "duplicate", "source": "{place}/one/in", "target": "{place}/one/out", "existing": "replace"},
        {"copied": COPIED, **MADE, **TAKEN, **ENDS},
        _copied,
    ),
    "stage, copy": Row(
        {"operation": "stage", "source": "{place}/one/in", "target": "{place}/one/out", "existing": "replace"},
        {"copied": COPIED, **MADE, **TAKEN, **ENDS},
        _copied,
    ),
    "stage, move": Row(
        {
            "operation": "stage",
            "source": "{place}/one/in",
            "target": "{place}/one/out",
            "existing": "replace",
            "original": "remove",
        },
        {**TAKEN, "published": STEPS["published"], **ENDS},
        _moved,
    ),
    "stage, move a collection": Row(
        {"operation": "stage", "source": "{place}/tree", "target": "{place}/moved", "original": "remove"},
        {**MOVED, **ENDS},
        _tree_moved,
    ),
    "stage, copy a collection": Row(
        {"operation": "stage", "source": "{place}/tree", "target": "{place}/copy"},
        {"dressed": ("transfer.copying", "", "dress_collections", "after", 1), "copied": COPIED, **ENDS},
        _tree_copied,
    ),
    "delete": Row(
        {"operation": "delete", "source": "{place}/tree"},
        {
            "first removed": ("transfer.zone", "Zone", "remove", "after", 1),
            "before the collection": ("operations.delete", "", "finish", "before", 1),
            "after the collection": ("operations.delete", "", "finish", "after", 1),
            **ENDS,
        },
        _deleted,
    ),
    "replicate": Row(
        {"operation": "replicate", "source": "{place}/tree", "replica": "second"},
        {
            "replicated": ("transfer.replicas", "", "_verify", "before", 1),
            "second replicated": ("transfer.replicas", "", "_verify", "after", 2),
            **ENDS,
        },
        _replicated,
    ),
    "replicate elsewhere": Row(
        {"operation": "replicate", "source": "{place}/tree", "replica": "{place}/copy"},
        {"copied": COPIED, **MADE, "noted": ("operations.replicate", "", "finish", "after", 1), **ENDS},
        _tree_copied,
    ),
    "verify": Row(
        {"operation": "verify", "source": "{place}/tree"},
        {"first": ("transfer.checksums", "", "verified", "after", 1), **ENDS},
        _unchanged,
    ),
    "size": Row({"operation": "size", "source": "{place}/tree"}, ENDS, _unchanged),
    "pack": Row(
        {
            "operation": "compress",
            "source": "{place}/tree",
            "target": "{place}/p.tar.zst",
            "pack": True,
            "original": "remove",
        },
        {**MADE, "original removed": ("transfer.trees", "TreeZone", "remove", "after", 1), **ENDS},
        _packed,
    ),
    "a replica of the result": Row(
        {"operation": "compress", "source": "{place}/one/in", "original": "remove", "replica": "{place}/kept"},
        {
            "before the replica": ("operations.replicate", "", "follow", "before", 1),
            "after the replica": ("operations.replicate", "", "follow", "after", 1),
            "original removed": STEPS["original removed"],
            **ENDS,
        },
        _compressed_with_a_replica,
    ),
}
MATRIX = [
    pytest.param(row, step, victim, id=f"{row}-{step}-{victim}")
    for row in ROWS
    for step in ROWS[row].steps
    for victim in VICTIMS
    if not (victim in ("delay server", "main server") and step in ENDS)  # the plain conversions show what these do
]


@pytest.mark.long
@pytest.mark.parametrize(("name", "step", "victim"), MATRIX)
def test_the_matrix(zone: Bench, server: EmbeddedSite, faults: Faults, name: str, step: str, victim: str) -> None:
    """Every operation, every step of its own, every victim."""
    place, row = zone.place(), ROWS[name]
    filled(zone, place)
    request = {field: _filled_in(value, place) for field, value in row.request.items()}
    with faults.at(row.steps[step]):
        job_id = zone.submit(**request)
        VICTIMS[victim](server, faults.stopped())
        job = zone.ended(job_id)

    assert job["state"] == "succeeded", job
    assert [change["state"] for change in job["transitions"]].count("succeeded") == 1, job["transitions"]
    row.ends(zone, place)


def _filled_in(value: object, place: str) -> object:
    return value.format(place=place) if isinstance(value, str) else value


@pytest.mark.long
@pytest.mark.parametrize("victim", ["engine", "everything"])
@pytest.mark.parametrize(
    "step",
    [
        ("transfer.trees", "HiddenTree", "begin", "after", 3),
        ("transfer.trees", "HiddenTree", "finish", "after", 1),
        *MOVED.values(),
        STEPS["original removed"],
    ],
    ids=lambda step: f"{step[2]} {step[3]}",
)
def test_unpacking(zone: Bench, server: EmbeddedSite, faults: Faults, step: Step, victim: str) -> None:
    """A packed collection comes back whole, once, and no hidden collection stays."""
    place = zone.place()
    filled(zone, place)
    packed = zone.submit(
        operation="compress", source=f"{place}/tree", target=f"{place}/p.tar.zst", pack=True, original="remove"
    )
    assert zone.ended(packed)["state"] == "succeeded"
    with faults.at(step):
        job_id = zone.submit(
            operation="decompress", source=f"{place}/p.tar.zst", target=f"{place}/tree", pack=True, original="remove"
        )
        VICTIMS[victim](server, faults.stopped())
        job = zone.ended(job_id)

    assert job["state"] == "succeeded", job
    tree_is_whole(zone, f"{place}/tree")
    holds(zone, place)
    with zone.user.session() as session:
        assert [one.name for one in session.collections.get(place).subcollections] == ["one", "tree"]


# A job in parts: they are written, marked as complete, given their states, and gathered.
PARTS: dict[str, Step] = {
    "two parts written": ("ledger", "Ledger", "write", "after", 2),
    "three parts written": ("ledger", "Ledger", "write", "after", 3),
    "split": ("shards", "", "split", "after", 1),
    "one begun": ("again", "", "queue", "before", 1),
    "all begun": ("shards", "", "begin", "after", 1),
    "gathered": ("shards", "Gathering", "results", "after", 1),
    **ENDS,
}


@pytest.mark.long
@pytest.mark.parametrize("victim", ["engine", "agent", "everything"])
@pytest.mark.parametrize("step", PARTS)
def test_a_job_in_parts(zone: Bench, server: EmbeddedSite, faults: Faults, step: str, victim: str) -> None:
    """Whoever of its engines is killed, each object is there once and the job has one end."""
    place = zone.place()
    names = [f"{number:02}" for number in range(12)]
    for name in names:
        zone.write(f"{place}/in/{name}", name.encode() * 500)
    server.configure("jobs", shards=3, shard_objects=4)
    try:
        with faults.at(PARTS[step]):
            job_id = zone.submit(operation="compress", source=f"{place}/in", target=f"{place}/out")
            VICTIMS[victim](server, faults.stopped())
            job = zone.ended(job_id)
    finally:
        server.configure("jobs", shards=1)

    assert (job["state"], job["progress"]["objects_done"]) == ("succeeded", len(names)), job
    assert [change["state"] for change in job["transitions"]].count("succeeded") == 1, job["transitions"]
    holds(zone, f"{place}/out", *(f"{name}.zst" for name in names))
