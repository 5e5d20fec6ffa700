"""The same job through every door: one record, one id, one status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from irods.exception import CAT_NO_ACCESS_PERMISSION
from irods.meta import iRODSMeta
from irods.session import iRODSSession

from python_rules.jobs import record
from tests.e2e.conftest import Stack, ended, read, write
from tests.stack import dataset, rulecall, trees
from tests.stack.waiting import until

TEXT = b"Research sites keep their data in iRODS zones.\n" * 5000


def test_rest_round_trip_of_a_tree(stack: Stack, session: iRODSSession, place: str, tmp_path: Path) -> None:
    """A tree that REST compressed and encrypted comes back equal, file by file, names and folders included."""
    dataset.make(tmp_path, 12, 0)
    (tmp_path / "Übung 'quoted' 100%").mkdir()
    (tmp_path / "Übung 'quoted' 100%" / "数据 🧬.txt").write_bytes(TEXT)
    (tmp_path / "empty").write_bytes(b"")
    trees.put(session, tmp_path, f"{place}/plain")

    sealed = stack.done(
        operation="compress_encrypt", source=f"{place}/plain", target=f"{place}/sealed", key=stack.site.key
    )
    back = stack.done(operation="decrypt_decompress", source=f"{place}/sealed", target=f"{place}/back")

    expected = trees.local_digests(tmp_path)
    assert trees.digests(session, f"{place}/back") == expected
    assert set(trees.listing(session, f"{place}/sealed")) == {f"{name}.zst.tink" for name in expected}
    assert sealed["progress"]["objects_done"] == back["progress"]["objects_done"] == len(expected)
    assert sealed["progress"]["bytes_done"] == sealed["progress"]["bytes_total"]


@pytest.mark.parametrize("operation", ["compress", "encrypt", "compress_encrypt"])
@pytest.mark.parametrize("compression", ["zstd", "gzip"])
def test_rule_file_round_trip(
    stack: Stack, session: iRODSSession, place: str, operation: str, compression: str
) -> None:
    """A rule file run by an ordinary user starts the job, and its reverse restores the bytes."""
    write(session, f"{place}/in", TEXT)
    options = [] if operation == "encrypt" else [f"compression={compression}"]
    options += [] if operation == "compress" else [f"key={stack.site.key}"]

    job = rulecall.call_file(
        session, f"{operation}.r", source=f"{place}/in", target=f"{place}/out", options=";".join(options)
    )["ok"]
    assert ended(session, job["id"])["state"] == "succeeded"
    reverse = {"compress": "decompress", "encrypt": "decrypt", "compress_encrypt": "decrypt_decompress"}[operation]
    back = rulecall.call_file(session, f"{reverse}.r", source=f"{place}/out", target=f"{place}/back", options="")["ok"]
    assert ended(session, back["id"])["state"] == "succeeded"

    assert read(session, f"{place}/back") == TEXT
    assert read(session, f"{place}/out") != TEXT


def test_one_status_through_every_door(stack: Stack, session: iRODSSession, place: str) -> None:
    """REST, the status rule, and the record itself tell the same job."""
    write(session, f"{place}/in", TEXT)

    job = stack.done(operation="compress", source=f"{place}/in", target=f"{place}/out")

    by_rule = rulecall.call(session, "sluice_status", job["id"])["ok"]
    assert by_rule == job
    assert [row["state"] for row in job["transitions"]] == ["queued", "running", "succeeded"]
    assert (job["door"], job["user"], job["attempt"]) == ("rest", stack.alice.qualified, 1)
    path = record.body_path(f"/{stack.site.zone}/sluice", stack.alice.qualified, job["id"])
    assert json.loads(read(session, path))["source"] == f"{place}/in"
    avus = {item.name: item.value for item in session.data_objects.get(path).metadata.items()}
    assert avus[record.STATE] == "succeeded"


def test_a_record_is_its_owners_to_read_and_nobody_elses(stack: Stack, session: iRODSSession, place: str) -> None:
    """The owner may read a record but not change it; another user does not see that it exists."""
    write(session, f"{place}/in", TEXT)
    job = stack.done(operation="compress", source=f"{place}/in", target=f"{place}/out")
    path = record.body_path(f"/{stack.site.zone}/sluice", stack.alice.qualified, job["id"])

    with pytest.raises(CAT_NO_ACCESS_PERMISSION):
        session.data_objects.get(path).metadata.add(iRODSMeta(record.STATE, "failed"))
    with stack.bob.session() as other:
        assert not other.data_objects.exists(path)
        assert rulecall.call(other, "sluice_status", job["id"])["error"]["code"] == "job_not_found"
    with stack.rest(stack.bob) as client:
        assert client.get(f"/api/v1/jobs/{job['id']}").status_code == 404


def test_put_into_a_collection_with_a_policy(stack: Stack, session: iRODSSession, place: str) -> None:
    """What is put into a collection that carries a policy is compressed and encrypted, several puts in one job."""
    policy = {"operation": "compress_encrypt", "key": stack.site.key, "target": f"{place}/sealed"}
    landing = f"{place}/landing"
    session.collections.create(landing)
    session.collections.get(landing).metadata.add(iRODSMeta("sluice::policy", json.dumps(policy)))

    names = ["one.txt", "two ü.txt", "it's three.txt"]
    with stack.alice.session() as putter:  # a new connection: agents remember the list of policies a little
        for name in names:
            write(putter, f"{landing}/{name}", TEXT + name.encode())
    wanted = {f"{name}.zst.tink" for name in names}
    until(lambda: True if set(trees.listing(session, f"{place}/sealed")) == wanted else None, "the policy's job", 60)

    with stack.rest() as client:
        jobs = client.get("/api/v1/jobs", params={"limit": 100}).json()["jobs"]
    mine = [job for job in jobs if job["source"] == landing]
    assert {job["door"] for job in mine} == {"hook"}
    assert len(mine) <= 2  # the second takes what came while the first was gathered
    stack.finished(mine[0]["id"])
    stack.done(operation="decrypt_decompress", source=f"{place}/sealed", target=f"{place}/back")
    assert read(session, f"{place}/back/two ü.txt") == TEXT + "two ü.txt".encode()
    assert set(trees.listing(session, landing)) == set(names)


def test_results_lie_beside_their_sources_where_no_target_is_named(
    stack: Stack, session: iRODSSession, place: str
) -> None:
    """Without a target each result appears beside its source, with the suffix that its readers know."""
    write(session, f"{place}/data.csv", TEXT)

    stack.done(operation="compress", source=f"{place}/data.csv", compression="gzip")

    assert set(trees.listing(session, place)) == {"data.csv", "data.csv.gz"}


def test_the_same_idempotency_key_gives_the_same_job(stack: Stack, session: iRODSSession, place: str) -> None:
    """A submit that is repeated with its key starts nothing new; another request with that key is refused."""
    write(session, f"{place}/in", TEXT)
    request = {"operation": "compress", "source": f"{place}/in", "target": f"{place}/out"}
    headers = {"Idempotency-Key": f"once {place}"}

    with stack.rest() as client:
        first = client.post("/api/v1/jobs", json=request, headers=headers)
        stack.finished(first.json()["id"])
        again = client.post("/api/v1/jobs", json=request, headers=headers)
        other = client.post("/api/v1/jobs", json={**request, "target": f"{place}/b"}, headers=headers)

    assert again.json()["id"] == first.json()["id"]
    assert (other.status_code, other.json()["code"]) == (409, "job_exists")
