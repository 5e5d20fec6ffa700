"""Copying, replicating, deleting and verifying go on where a killed engine left them, and leave nothing half-made."""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from irods.exception import iRODSException
from irods.models import Collection, DataObject
from irods.session import iRODSSession

from python_rules.jobs import record
from tests.e2e.jobs import Bench, bench
from tests.e2e.victims import holder_of
from tests.stack import rulecall
from tests.stack.site import EmbeddedSite
from tests.stack.waiting import until

COUNT = 80
NAMES = sorted(f"{number:03}" for number in range(COUNT))


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    home = tmp_path_factory.mktemp("again")
    with bench(home) as made:
        if not isinstance(made.site, EmbeddedSite):
            pytest.skip("kills processes of a zone of its own")
        yield made


@pytest.fixture(scope="module")
def vault(zone: Bench) -> str:
    """A second storage resource."""
    with zone.site.admin() as session:
        first = session.resources.get("demoResc")
        beside = f"{Path(first.vault_path).parent}/second"
        session.resources.create("second", "unixfilesystem", host=first.location, path=beside)
    return "second"


def killed_half_way(zone: Bench, begun: Callable[[iRODSSession], bool], **request: object) -> dict[str, Any]:
    """The job's end, after its engine was killed when its work had begun."""
    with zone.user.session() as session:
        job_id = zone.submit(**request)
        path = record.body_path(f"/{zone.user.zone}/sluice", zone.user.qualified, job_id)

        def engine() -> int | None:
            avus = session.data_objects.get(path).metadata.get_all(record.LEASE)
            return int(json.loads(avus[0].value)["pid"]) if avus and begun(session) else None

        os.kill(until(engine, "the job's work", 60), signal.SIGKILL)
    job = zone.ended(job_id)
    assert job["attempt"] > 1, job
    return job


def count(session: iRODSSession, collection: str, resource: str = "") -> int:
    """The data objects of a collection that have their final names, or their replicas on a resource."""
    found = session.query(DataObject.name, DataObject.resource_name).filter(Collection.name == collection)
    names = [row[DataObject.name] for row in found if resource in ("", row[DataObject.resource_name])]
    return sum(not name.startswith(".") for name in names)


def tree(zone: Bench) -> str:
    """A collection of small objects."""
    place = zone.place()
    with zone.user.session() as session:
        session.collections.create(f"{place}/in")
        for name in NAMES:
            with session.data_objects.open(f"{place}/in/{name}", "w") as stream:
                stream.write(name.encode() * 300_000)
    return place


@pytest.mark.long
def test_a_copy_goes_on(zone: Bench) -> None:
    """Every object once, and no hidden name."""
    place = tree(zone)

    job = killed_half_way(
        zone, lambda s: count(s, f"{place}/out") > 0, operation="duplicate", source=f"{place}/in", target=f"{place}/out"
    )

    assert job["state"] == "succeeded", job
    zone.until_names(f"{place}/out", NAMES, 30)
    assert zone.read(f"{place}/out/007") == b"007" * 300_000


@pytest.mark.long
def test_a_deletion_goes_on(zone: Bench) -> None:
    """What is gone is done; the collection goes in the end."""
    place = tree(zone)

    job = killed_half_way(
        zone, lambda s: count(s, f"{place}/in") < COUNT, operation="delete", source=f"{place}/in", original="remove"
    )

    assert job["state"] == "succeeded", job
    with zone.user.session() as session:
        assert not session.collections.exists(f"{place}/in")


@pytest.mark.long
def test_replicas_are_made_once(zone: Bench, vault: str) -> None:
    """One good replica of each object on the resource, and the originals as good as before."""
    place = tree(zone)

    job = killed_half_way(
        zone, lambda s: count(s, f"{place}/in", vault) > 0, operation="replicate", source=f"{place}/in", replica=vault
    )

    assert job["state"] == "succeeded", job
    with zone.user.session() as session:
        for name in NAMES:
            found = session.data_objects.get(f"{place}/in/{name}").replicas
            assert sorted((one.resource_name, one.status) for one in found) == [("demoResc", "1"), (vault, "1")]


@pytest.mark.long
def test_a_verification_looks_at_each_object_once(zone: Bench) -> None:
    """The result counts what both attempts saw."""
    place = tree(zone)
    copied = zone.submit(operation="duplicate", source=f"{place}/in", target=f"{place}/all")
    assert zone.ended(copied)["state"] == "succeeded"

    job = killed_half_way(zone, lambda _: True, operation="verify", source=f"{place}/all")

    assert job["result"] == {"good": COUNT, "not_comparable": 0, "failed": 0, "decoded": 0}


@pytest.mark.long
def test_a_deletion_that_was_cancelled_leaves_the_rest(zone: Bench) -> None:
    """What was not deleted yet is whole, and a retry deletes it."""
    place = tree(zone)
    job_id = zone.submit(operation="delete", source=f"{place}/in", idempotency_key=uuid.uuid4().hex)
    until(lambda: zone.status(job_id)["state"] != "queued" or None, "the job running", 30)
    with zone.user.session() as session:
        rulecall.call(session, "sluice_cancel", job_id)  # refused if all is deleted by now

    assert zone.ended(job_id)["state"] in ("cancelled", "succeeded")
    if zone.status(job_id)["state"] == "cancelled":
        zone.ask("sluice_retry", job_id)
    assert zone.ended(job_id)["state"] == "succeeded"
    with zone.user.session() as session:
        assert not session.collections.exists(f"{place}/in")


@pytest.mark.long
def test_an_object_is_freed_whose_replication_was_killed_in_the_server(zone: Bench, vault: str) -> None:
    """The agent's end leaves the object unreadable for everybody; the patrol sees that nobody writes any more."""
    place = zone.place()
    content = b"0123456789abcdef" * 65536
    with zone.user.session() as session:
        with session.data_objects.open(f"{place}/in", "w") as stream:
            for _ in range(400):
                stream.write(content)
        first = session.data_objects.get(f"{place}/in").replicas[0].path
    zone.submit(operation="replicate", source=f"{place}/in", replica=vault)

    assert isinstance(zone.site, EmbeddedSite)
    folder, name = str(zone.site.server.config.vault / vault), Path(first).name
    os.kill(until(lambda: holder_of(folder, name), "an agent writing the replica", 60), signal.SIGKILL)

    def readable() -> bool | None:
        try:
            with zone.user.session() as session, session.data_objects.open(f"{place}/in", "r") as stream:
                return bytes(stream.read(len(content))) == content
        except iRODSException:
            return None

    assert until(readable, "the object being freed", 200)
