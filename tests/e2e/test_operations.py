"""Copy, replicate, delete, verify, measure: each on objects and collections, by rule, with results for each object."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from irods.access import iRODSAccess
from irods.meta import iRODSMeta
from irods.models import Collection, DataObject
from irods.session import iRODSSession

from python_rules.jobs import record
from tests.e2e.jobs import Bench, bench

TEXT = b"What is kept is looked after.\n" * 3000


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("operations")) as made:
        yield made


@pytest.fixture(scope="module")
def vault(zone: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A second storage resource."""
    name = f"second-{uuid.uuid4().hex[:6]}"
    with zone.site.admin() as session:
        first = session.resources.get("demoResc")
        beside = f"{Path(first.vault_path).parent}/{name}"
        session.resources.create(name, "unixfilesystem", host=first.location, path=beside)
    yield name
    with zone.site.admin() as session:
        for row in session.query(Collection.name, DataObject.name).filter(DataObject.resource_name == name):
            path = f"{row[Collection.name]}/{row[DataObject.name]}"
            session.data_objects.unlink(path, force=True, irodsAdmin="")
        session.resources.remove(name)


@pytest.fixture
def place(zone: Bench) -> str:
    return zone.place()


@pytest.fixture
def session(zone: Bench) -> Iterator[iRODSSession]:
    with zone.user.session() as opened:
        yield opened


def done(zone: Bench, state: str = "succeeded", **request: object) -> dict[str, Any]:
    """A job that ended in this state."""
    job = zone.ended(zone.submit(**request))
    assert job["state"] == state, job
    return job


def results(zone: Bench, job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A job's results by the name of the object."""
    path = record.results_path(f"/{zone.user.zone}/sluice", zone.user.qualified, job["id"])
    rows = [json.loads(line) for line in zone.read(path).splitlines()]
    return {row["source"].rpartition("/")[2]: row for row in rows}


def avus(session: iRODSSession, path: str) -> set[tuple[str, str]]:
    return {(item.name, item.value) for item in session.data_objects.get(path).metadata.items()}


def damage(zone: Bench, path: str, resource: str = "demoResc") -> None:
    """Change a byte in the vault, as a failing disk would."""
    with zone.user.session() as session:
        found = session.data_objects.get(path).replicas
        physical = next(one.path for one in found if one.resource_name == resource)
    with open(physical, "r+b") as file:
        first = file.read(1)
        file.seek(0)
        file.write(bytes([first[0] ^ 1]))


def test_an_object_is_duplicated_with_all_that_belongs_to_it(zone: Bench, place: str, session: iRODSSession) -> None:
    """Bytes, checksum, metadata and access rights are the copy's too; nothing is left beside it."""
    zone.write(f"{place}/in", TEXT)
    session.metadata.add(DataObject, f"{place}/in", iRODSMeta("colour", "blue"))
    session.acls.set(iRODSAccess("read", f"{place}/in", "public", zone.user.zone))

    done(zone, operation="duplicate", source=f"{place}/in", target=f"{place}/copy")

    assert zone.read(f"{place}/copy") == TEXT
    assert ("colour", "blue") in avus(session, f"{place}/copy")
    assert "public" in {right.user_name for right in session.acls.get(session.data_objects.get(f"{place}/copy"))}
    assert session.data_objects.get(f"{place}/copy").checksum.startswith("sha2:")
    assert zone.names(place) == ["copy", "in"]


def test_a_duplicate_of_what_is_sealed_opens_as_its_model(zone: Bench, place: str, session: iRODSSession) -> None:
    """The sluice:: metadata follow, in a whole tree with its collections' metadata; a policy does not."""
    zone.write(f"{place}/in/a", TEXT)
    zone.write(f"{place}/in/below/b", TEXT * 2)
    done(zone, operation="compress_encrypt", source=f"{place}/in", target=f"{place}/sealed", key=zone.site.key)
    session.metadata.add(Collection, f"{place}/sealed/below", iRODSMeta("project", "x"))
    zone.ask("sluice_policy_set", f"{place}/sealed", "operation=none")

    job = done(zone, operation="duplicate", source=f"{place}/sealed", target=f"{place}/copy")
    done(zone, operation="decrypt_decompress", source=f"{place}/copy", target=f"{place}/back")

    assert zone.read(f"{place}/back/below/b") == TEXT * 2
    assert results(zone, job)["a.zst.tink"]["plain_size"] == len(TEXT)
    assert "x" in {item.value for item in session.collections.get(f"{place}/copy/below").metadata.items()}
    assert zone.ask("sluice_policy_show", f"{place}/copy")["collection"] is None


@pytest.mark.parametrize(
    ("existing", "state", "content"), [("skip", "succeeded", b"old"), ("replace", "succeeded", TEXT)]
)
def test_a_duplicate_meets_what_exists(zone: Bench, place: str, existing: str, state: str, content: bytes) -> None:
    """Skipped or replaced as asked; refused at once otherwise."""
    zone.write(f"{place}/in", TEXT)
    zone.write(f"{place}/copy", b"old")
    request = {"operation": "duplicate", "source": f"{place}/in", "target": f"{place}/copy"}

    assert zone.refused("sluice_submit", json.dumps(request))["code"] == "target_exists"
    done(zone, state, **request, existing=existing)

    assert zone.read(f"{place}/copy") == content


def test_a_replica_is_made_once_and_verified(zone: Bench, place: str, vault: str, session: iRODSSession) -> None:
    """Afterwards one good replica lies on the resource; a second job finds it and makes none."""
    zone.write(f"{place}/in/a", TEXT)
    zone.write(f"{place}/in/b", b"")

    done(zone, operation="replicate", source=f"{place}/in", replica=vault)
    again = done(zone, operation="replicate", source=f"{place}/in", replica=vault)

    for name in ("a", "b"):
        found = session.data_objects.get(f"{place}/in/{name}").replicas
        assert sorted((one.resource_name, one.status) for one in found) == [("demoResc", "1"), (vault, "1")]
        assert len({one.checksum for one in found}) == 1
    assert {row["state"] for row in results(zone, again).values()} == {"skipped"}


@pytest.mark.long
def test_a_stale_replica_is_brought_up_to_date(zone: Bench, place: str, vault: str, session: iRODSSession) -> None:
    """One that lies there but is old counts as none."""
    zone.write(f"{place}/in", b"old")
    done(zone, operation="replicate", source=f"{place}/in", replica=vault)
    zone.write(f"{place}/in", TEXT)

    done(zone, operation="replicate", source=f"{place}/in", replica=vault)

    assert {(one.status, one.size) for one in session.data_objects.get(f"{place}/in").replicas} == {("1", len(TEXT))}


@pytest.mark.long
def test_a_damaged_replica_fails_and_names_the_way_out(zone: Bench, place: str, vault: str) -> None:
    """A replica that is there and is not what was recorded is no success."""
    zone.write(f"{place}/in", TEXT)
    done(zone, operation="replicate", source=f"{place}/in", replica=vault)
    damage(zone, f"{place}/in", vault)

    job = done(zone, "failed", operation="replicate", source=f"{place}/in", replica=vault)

    assert job["error"]["code"] == "verification_failed"
    assert "itrim" in job["error"]["remedy"]


@pytest.mark.long
def test_a_replica_elsewhere_knows_its_parent(zone: Bench, place: str, session: iRODSSession) -> None:
    """Copies in another collection are brought up to date by a later job, and what is not theirs is not touched."""
    zone.write(f"{place}/in/a", b"old")
    zone.write(f"{place}/in/b", TEXT)
    request = {"operation": "replicate", "source": f"{place}/in", "replica": f"{place}/archive/deep"}
    done(zone, **request)
    zone.write(f"{place}/in/a", TEXT)

    again = done(zone, **request)

    assert zone.read(f"{place}/archive/deep/a") == TEXT
    assert [results(zone, again)[name]["state"] for name in ("a", "b")] == ["succeeded", "skipped"]
    assert ("sluice::replica_of", f"{place}/in/a") in avus(session, f"{place}/archive/deep/a")


def test_a_result_gets_its_replica_before_the_original_goes(
    zone: Bench, place: str, vault: str, session: iRODSSession
) -> None:
    """Any operation that makes something may be told where another one of it is to be."""
    zone.write(f"{place}/in/a", TEXT)

    done(zone, operation="compress", source=f"{place}/in", original="remove", replica=vault)
    done(zone, operation="decompress", source=f"{place}/in", target=f"{place}/out", replica=f"{place}/far")

    assert zone.names(f"{place}/in") == ["a.zst"]
    found = session.data_objects.get(f"{place}/in/a.zst").replicas
    assert {one.resource_name for one in found} == {"demoResc", vault}
    assert zone.read(f"{place}/far/a") == TEXT


@pytest.mark.long
def test_names_may_do_without_suffixes(zone: Bench, place: str) -> None:
    """What is encoded is told by metadata; a decoding job reads those."""
    zone.write(f"{place}/in/a.txt", TEXT)
    sealed = {"operation": "compress_encrypt", "key": zone.site.key, "suffix": False}

    done(zone, **sealed, source=f"{place}/in", target=f"{place}/sealed")
    done(zone, operation="decrypt_decompress", source=f"{place}/sealed", target=f"{place}/back")

    assert zone.names(f"{place}/sealed") == zone.names(f"{place}/back") == ["a.txt"]
    assert zone.read(f"{place}/back/a.txt") == TEXT


@pytest.mark.parametrize(("original", "in_trash"), [("trash", True), ("remove", False)])
def test_a_collection_is_deleted(zone: Bench, place: str, session: iRODSSession, original: str, in_trash: bool) -> None:
    """With all that is below it; in the trash it is to be found under its own path."""
    zone.write(f"{place}/old/a", TEXT)
    zone.write(f"{place}/old/below/b", b"")
    session.collections.create(f"{place}/old/empty")

    job = done(zone, operation="delete", source=f"{place}/old", original=original)

    assert not session.collections.exists(f"{place}/old")
    trashed = f"{place}/old/below/b".replace(f"/{zone.user.zone}/", f"/{zone.user.zone}/trash/", 1)
    assert session.data_objects.exists(trashed) is in_trash
    assert set(results(zone, job)) == {"a", "b"}


def test_what_is_not_the_users_stays(zone: Bench, place: str, session: iRODSSession) -> None:
    """An object of somebody else in one's own collection is refused, and named; the rest goes: the job is partial."""
    zone.write(f"{place}/mixed/mine", TEXT)
    session.acls.set(iRODSAccess("own", f"{place}/mixed", "rods", zone.user.zone))
    with zone.site.admin() as admin:
        with admin.data_objects.open(f"{place}/mixed/theirs", "w") as stream:
            stream.write(TEXT)
        admin.acls.set(iRODSAccess("read", f"{place}/mixed/theirs", zone.user.name, zone.user.zone))
    request = {"operation": "delete", "source": f"{place}/mixed"}

    plan = zone.ask("sluice_plan", json.dumps(request))
    job = done(zone, "partial", **request)
    alone = zone.refused("sluice_submit", json.dumps({**request, "source": f"{place}/mixed/theirs"}))

    assert (plan["unusable"]["count"], plan["would_start"]) == (1, True)
    assert zone.names(f"{place}/mixed") == ["theirs"]
    assert results(zone, job)["theirs"]["error"]["code"] == alone["code"] == "not_permitted"
    with zone.site.admin() as admin:
        admin.data_objects.unlink(f"{place}/mixed/theirs", force=True)


@pytest.mark.long
def test_homes_and_named_data_are_not_deleted(zone: Bench, place: str, session: iRODSSession) -> None:
    """Nobody means to delete a home; what has a persistent identifier must stay."""
    zone.write(f"{place}/in", TEXT)
    session.metadata.add(DataObject, f"{place}/in", iRODSMeta("PID", "21.T1/1"))

    for source in (zone.user.home, f"{place}/in"):
        error = zone.refused("sluice_submit", json.dumps({"operation": "delete", "source": source}))
        assert (error["code"], error["field"]) == ("not_permitted", "source")


def test_verify_finds_what_is_damaged(zone: Bench, place: str) -> None:
    """Good, damaged, damaged inside a seal, and without a checksum: each told for itself; a retry looks again."""
    zone.write(f"{place}/in/good", TEXT)
    zone.write(f"{place}/in/bad", TEXT)
    done(zone, operation="duplicate", source=f"{place}/in", target=f"{place}/all")  # copies have checksums
    done(zone, operation="compress_encrypt", source=f"{place}/in/good", target=f"{place}/all/sealed", key=zone.site.key)
    zone.write(f"{place}/all/unknown", TEXT)
    damage(zone, f"{place}/all/bad")

    job = done(zone, "partial", operation="verify", source=f"{place}/all")
    told = results(zone, job)

    assert {name: row["state"] for name, row in told.items()} == {
        "good": "succeeded",
        "sealed": "succeeded",
        "bad": "failed",
        "unknown": "skipped",
    }
    assert (told["bad"]["error"]["code"], job["error"]["object"]) == ("verification_failed", f"{place}/all/bad")
    assert job["result"] == {"good": 2, "not_comparable": 1, "failed": 1, "decoded": 1}
    damage(zone, f"{place}/all/bad")  # the same bit again: it is whole
    zone.ask("sluice_retry", job["id"])
    assert zone.ended(job["id"])["result"] == {"good": 3, "not_comparable": 1, "failed": 0, "decoded": 1}


@pytest.mark.long
def test_verify_compares_what_is_sealed_with_what_was_sealed(zone: Bench, place: str, session: iRODSSession) -> None:
    """Stored bytes that match their checksum are not enough: the plain data must be those that were recorded."""
    zone.write(f"{place}/in", TEXT)
    done(zone, operation="compress", source=f"{place}/in", target=f"{place}/out")
    item = session.data_objects.get(f"{place}/out")
    item.metadata.set("sluice::plain_sha256", "sha2:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")

    job = done(zone, "failed", operation="verify", source=f"{place}/out")

    assert "plain data" in job["error"]["text"]


@pytest.mark.long
def test_who_may_only_read_may_verify_and_measure(zone: Bench, place: str, session: iRODSSession) -> None:
    """Neither writes anything; sums are of plain and of stored bytes."""
    zone.write(f"{place}/in/plain", TEXT)
    done(zone, operation="compress", source=f"{place}/in/plain", target=f"{place}/in/packed")
    reader = zone.site.make_user(f"reader-{uuid.uuid4().hex[:6]}")
    session.acls.set(iRODSAccess("read", place, reader.name, reader.zone))
    session.acls.set(iRODSAccess("read", f"{place}/in", reader.name, reader.zone), recursive=True)
    other = Bench(zone.site, reader)

    assert done(other, operation="verify", source=f"{place}/in")["result"]["good"] == 1
    told = done(other, operation="size", source=f"{place}/in")["result"]

    stored = len(TEXT) + session.data_objects.get(f"{place}/in/packed").size
    assert told == {
        "objects": 2,
        "stored_bytes": stored,
        "plain_bytes": 2 * len(TEXT),
        "plain_unknown": 0,
        "encoded": 1,
    }


@pytest.mark.parametrize(
    ("request_", "code", "field"),
    [
        ({"operation": "replicate"}, "missing_field", "replica"),
        ({"operation": "replicate", "replica": "no-such-resource"}, "resource_not_found", "replica"),
        ({"operation": "replicate", "replica": "/noZone/home/x"}, "zone_not_found", "replica"),
        ({"operation": "replicate", "replica": "a;b"}, "bad_value", "replica"),
        ({"operation": "duplicate"}, "missing_field", "target"),
        ({"operation": "delete", "original": "keep"}, "bad_value", "original"),
        ({"operation": "verify", "original": "trash"}, "bad_value", "original"),
        ({"operation": "size", "target": "/tempZone/home/x"}, "bad_value", "target"),
    ],
)
def test_what_does_not_go_together_is_refused(
    zone: Bench, place: str, request_: dict[str, str], code: str, field: str
) -> None:
    """Nothing is created; the field and a remedy are named."""
    zone.write(f"{place}/in", TEXT)

    error = zone.refused("sluice_submit", json.dumps({"source": f"{place}/in", **request_}))

    assert (error["code"], error["field"]) == (code, field)
    assert error["remedy"]
