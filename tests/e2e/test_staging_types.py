"""Jobs that move data between the zone and object stores and databases, each on its real server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.jobs import Bench, bench
from tests.stack.site import EmbeddedSite
from tests.systems.objects import s3_settings, swift_place, swift_settings
from tests.systems.servers_databases import Couch, Postgres
from tests.systems.servers_objects import Swift

pytestmark = pytest.mark.long
TREE = {"plain.txt": b"x" * 100_000, "empty": b"", "a/ünï ☃ 100%.bin": os.urandom(12_000_000), "a/b/deep": b"deep"}


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A zone that knows one system of each of these types."""
    home = tmp_path_factory.mktemp("types")
    with Swift() as swift, Postgres() as postgres, Couch() as couch:
        for server in (swift, postgres, couch):
            server.start()
        swift_place(swift, home, "jobs").account.ask("PUT", "jobs")
        database = {"address": f"127.0.0.1:{postgres.port}", "base": "postgres", "user": "sluice", "tls": "disable"}
        systems: dict[str, dict[str, Any]] = {
            "s3": {"type": "s3", **s3_settings(swift, home, "jobs/s3")},
            "swift": {"type": "swift", **swift_settings(swift, home, "jobs/swift")},
            "database": {"type": "postgresql", **database},
            "notes": {"type": "couchdb", "address": couch.url},
        }
        with bench(tmp_path_factory.mktemp("zone")) as made:
            assert isinstance(made.site, EmbeddedSite)
            path = Path(made.site.settings.path)
            settings = json.loads(path.read_text())
            settings["systems"] = {name: {"allowed": ["public"], **row} for name, row in systems.items()}
            path.write_text(json.dumps(settings))
            yield made


def moved(zone: Bench, source: str, target: str, **more: object) -> dict[str, Any]:
    """A staging job that succeeded."""
    job = zone.ended(zone.submit(operation="stage", source=source, target=target, **more))
    assert job["state"] == "succeeded", (job["state"], job["error"])
    return job


@pytest.mark.parametrize("system", ["s3", "swift"])
def test_a_tree_goes_to_an_object_store_and_comes_back(zone: Bench, system: str) -> None:
    """All names and contents, in one part and in several."""
    place = zone.place()
    for name, content in TREE.items():
        zone.write(f"{place}/tree/{name}", content)

    moved(zone, f"{place}/tree", f"{system}:{system}-tree")
    moved(zone, f"{system}:{system}-tree", f"{place}/back")

    assert {name: zone.read(f"{place}/back/{name}") for name in TREE} == TREE


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_goes_into_the_zone_and_becomes_a_table_again(zone: Bench, form: str) -> None:
    """The bytes in the zone make an equal table."""
    place = zone.place()
    table = b"id::integer,name::text,at::timestamp with time zone\n1,x,2024-01-01 00:00:00+00\n2,,\n"
    zone.write(f"{place}/first.csv", table)

    moved(zone, f"{place}/first.csv", f"database:public/first_{form}.csv")
    moved(zone, f"database:public/first_{form}.{form}", f"{place}/out.{form}")
    moved(zone, f"{place}/out.{form}", f"database:public/second_{form}.{form}")
    moved(zone, f"database:public/second_{form}.csv", f"{place}/back.csv")

    assert zone.read(f"{place}/back.csv") == table


def test_documents_go_out_and_come_back(zone: Bench) -> None:
    """With their ids and revisions."""
    place = zone.place()
    rows = [{"n": n, "t": "ü", "_id": f"{n:04d}", "_rev": f"2-{n:032x}"} for n in range(50)]
    zone.write(f"{place}/notes.jsonl", b"".join(json.dumps(row).encode() + b"\n" for row in rows))

    moved(zone, f"{place}/notes.jsonl", "notes:written.jsonl")
    moved(zone, "notes:written.jsonl", f"{place}/back.jsonl")

    back = [json.loads(line) for line in zone.read(f"{place}/back.jsonl").splitlines()]
    assert back == rows
