"""A LEXIS orchestrator's loop (submit, poll until a known text, fail on an unknown one) for each operation."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from irods.session import iRODSSession

from tests.e2e.conftest import Stack, read, write
from tests.stack.waiting import until

TEXT = b"Orchestrators compare texts literally.\n" * 10_000
PENDING = {"Task still in the queue, or task does not exist", "In progress"}
FAILED = "Task Failed, reason: "
DONE = {
    "compress": "Compression completed",
    "decompress": "Decompression completed",
    "encrypt": "Encryption completed",
    "decrypt": "Decryption completed",
    "compress_encrypt": "Compression and Encryption completed",
    "decrypt_decompress": "Decryption and Decompression completed",
}


def orchestrated(client: httpx.Client, prefix: str, operation: str, body: dict[str, str]) -> str:
    """What Yorc's plugin does; the target path of a request that ended well."""
    submitted = client.post(f"{prefix}/encryption/{operation}", json=body)
    assert submitted.status_code in (200, 201, 202), submitted.text
    address = f"{prefix}/encryption/{operation}/{submitted.json()['request_id']}"

    def look() -> str | None:
        answer = client.get(address)
        assert answer.status_code == 200, answer.text
        status = answer.json()["status"]
        if status in PENDING:
            return None
        if status == DONE[operation]:
            return str(answer.json()["target_path"])
        raise AssertionError(f"Unexpected status {status!r}")

    return until(look, f"the end of {operation}", 60)


@pytest.mark.parametrize("prefix", ["", "/api/v0.1.1", "/api/v0.2/dataset"])
@pytest.mark.parametrize(
    ("there", "back"), [("compress", "decompress"), ("encrypt", "decrypt"), ("compress_encrypt", "decrypt_decompress")]
)
def test_there_and_back(stack: Stack, session: iRODSSession, place: str, prefix: str, there: str, back: str) -> None:
    """Each operation is carried through, and its reverse restores the bytes."""
    write(session, f"{place}/in", TEXT)
    system = {"source_system": stack.site.zone, "project": stack.site.key}
    path = f"{place}/in".removeprefix(f"/{stack.site.zone}/")

    with stack.rest() as client:
        made = orchestrated(client, prefix, there, {**system, "source_path": path})
        restored = orchestrated(client, prefix, back, {**system, "source_path": made})

    assert not made.startswith("/")
    assert read(session, f"/{stack.site.zone}/{restored}") == TEXT


def staged(client: httpx.Client, method: str, path: str, body: dict[str, Any], done: str) -> dict[str, str]:
    """The last answer of a poll below /staging, whose status is the text that says that it is done."""
    submitted = client.request(method, path, json=body)
    assert submitted.status_code == 201, submitted.text
    polled = path.removesuffix("/assign")

    def look() -> dict[str, str] | None:
        answer = client.get(f"{polled}/{submitted.json()['request_id']}")
        assert answer.status_code == 200, answer.text
        if answer.json()["status"] in PENDING:
            return None
        assert answer.json()["status"] == done, answer.text
        return dict(answer.json())

    return until(look, done, 60)


def test_a_dataset_is_duplicated_replicated_and_deleted(stack: Stack, session: iRODSSession, place: str) -> None:
    """As Yorc and Py4Lexis drive it; the status of replication is told of both ends."""
    session.collections.create(f"{place}/set/below")
    session.collections.get(f"{place}/set").metadata.add("title", "first")
    write(session, f"{place}/set/below/a", TEXT)
    zone = stack.site.zone
    dataset = {"source_system": zone, "source_path": f"{place}/set".removeprefix(f"/{zone}/")}
    target = {"target_system": zone, "target_path": f"{place}/replica".removeprefix(f"/{zone}/")}

    with stack.rest() as client:
        copy = staged(client, "POST", "/staging/duplicate", dataset, "Duplication completed")
        replica = staged(client, "POST", "/staging/replicate", {**dataset, **target}, "Replication completed")
        told = [
            client.post("/staging/replication/status", json={"target_system": zone, "target_path": path}).json()
            for path in (dataset["source_path"], replica["target_path"])
        ]
        gone = {"target_system": zone, "target_path": copy["target_path"]}
        copied = session.collections.get(f"/{zone}/{copy['target_path']}").metadata
        assert [avu.value for avu in copied.get_all("title")] == ["Duplicate of first"]
        assert read(session, f"/{zone}/{copy['target_path']}/below/a") == TEXT
        staged(client, "DELETE", "/staging/delete", gone, "Data deleted")

    assert read(session, f"/{zone}/{replica['target_path']}/below/a") == TEXT
    assert replica["PID"] == ""
    assert [answer["status"].split(" ")[0] for answer in told] == ["Parent", "Replica"]
    assert not session.collections.exists(f"/{zone}/{copy['target_path']}")


@pytest.mark.parametrize("flags", [("no", "no"), ("yes", "yes")])
def test_a_dataset_is_staged_with_the_flags_that_it_asks_for(
    stack: Stack, session: iRODSSession, place: str, flags: tuple[str, str]
) -> None:
    """Into the zone what is asked for is done, the flags of the data tell it, and its metadata are on it."""
    session.collections.create(f"{place}/set")
    write(session, f"{place}/set/a", TEXT)
    zone = stack.site.zone
    ends = {"source_system": zone, "source_path": f"{place}/set", "target_system": zone, "target_path": f"{place}/new"}
    asked = dict(zip(("encryption", "compression"), flags, strict=True))
    body = {**ends, **asked, "metadata": {"title": "t", "creator": ["A", "B"]}, "project": stack.site.key}

    with stack.rest() as client:
        told = staged(client, "POST", "/staging/stage", body, "Transfer completed")
        found = client.post("/staging/data/flags", json={"target_system": zone, "target_path": f"{place}/new"}).json()

    assert told["target_path"] == f"{place}/new".removeprefix(f"/{zone}/")
    assert found == asked
    avus = {(avu.name, avu.value) for avu in session.collections.get(f"{place}/new").metadata.items()}
    assert avus >= {("title", "t"), ("creator", "A"), ("creator", "B")}
    source = f"{place}/new"
    if flags == ("yes", "yes"):
        stack.done(operation="decrypt_decompress", source=source, target=f"{place}/plain")
        source = f"{place}/plain"
    assert read(session, f"{source}/a") == TEXT


def test_a_persistent_identifier_is_told_and_keeps_its_dataset(stack: Stack, session: iRODSSession, place: str) -> None:
    """The AVU PID answers pid/assign; without one the poll fails, and with one a deletion does."""
    body = {"source_system": stack.site.zone, "source_path": place}

    with stack.rest() as client:

        def assigned() -> dict[str, str]:
            made = client.post("/staging/pid/assign", json=body)
            assert made.status_code == 201, made.text
            return dict(client.get(f"/staging/pid/{made.json()['request_id']}").json())

        without = assigned()
        session.collections.get(place).metadata.add("PID", "21.T1/7")
        told = assigned()
        gone = client.post("/staging/delete", json={"target_system": stack.site.zone, "target_path": place})
        address = f"/staging/delete/{gone.json()['request_id']}"
        status = until(
            lambda: text if (text := client.get(address).json()["status"]) not in PENDING else None, "a failure", 30
        )

    assert without["status"].startswith(FAILED)
    assert told == {"status": "PID assigned successfully", "PID": "21.T1/7"}
    assert status.startswith(FAILED)
    assert session.collections.exists(place)


@pytest.mark.parametrize("name", ["data", "it's 100% _ü"])
def test_the_size_of_a_dataset_is_told_in_texts(stack: Stack, session: iRODSSession, place: str, name: str) -> None:
    """Bytes, files and small files, of the dataset and nothing beside it; a replica counts once."""
    session.collections.create(f"{place}/{name}/below")
    write(session, f"{place}/{name}/a", b"x" * 1000)
    write(session, f"{place}/{name}/below/b", b"x" * 234)
    session.collections.create(f"{place}/{name}2")
    write(session, f"{place}/{name}2/c", b"x" * 5000)
    body = {"target_system": stack.site.zone, "target_path": f"{place}/{name}"}

    with stack.rest() as client:
        submitted = client.post("/staging/data/size", json=body)
        found = client.get(f"/staging/data/size/{submitted.json()['request_id']}")
        missing = client.post("/staging/data/size", json={**body, "target_path": f"{place}/none"}).json()
        nothing = client.get(f"/staging/data/size/{missing['request_id']}").json()
    with stack.rest(stack.bob) as other:
        foreign = other.post("/staging/data/size", json=body).json()
        hidden = other.get(f"/staging/data/size/{foreign['request_id']}").json()
        stolen = other.get(f"/staging/data/size/{submitted.json()['request_id']}").json()

    assert submitted.status_code == 201
    assert found.json() == {"result": "Done", "size": "1234", "totalfiles": "2", "smallfiles": "2"}
    assert nothing == hidden == {"result": "Done", "size": "-1", "totalfiles": "-1", "smallfiles": "-1"}
    assert stolen["status"] in PENDING


def test_flags_and_replication_are_the_collections_metadata(stack: Stack, session: iRODSSession, place: str) -> None:
    """The four texts and the two flags, as LEXIS and B2SAFE keep them."""
    body = {"target_system": stack.site.zone, "target_path": place}
    collection = session.collections.get(place)

    def asked(what: str, path: str = place) -> dict[str, str]:
        with stack.rest() as client:
            answer = client.post(f"/staging/{what}", json={**body, "target_path": path})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    assert asked("data/flags") == {"encryption": "no", "compression": "no"}
    assert asked("replication/status") == {"status": "Dataset is not replicated"}
    collection.metadata.add("encryption", "yes")
    collection.metadata.add("EUDAT/REPLICA", "21.T1/1")
    assert asked("data/flags") == {"encryption": "yes", "compression": "no"}
    assert asked("replication/status") == {"status": "Parent dataset. Dataset is replicated"}
    collection.metadata.add("EUDAT/PARENT", "21.T1/0")
    assert asked("replication/status") == {"status": "Replica dataset. Dataset is replicated"}
    text = "Dataset doesn't exist or you don't have permission to access it"
    assert asked("replication/status", f"{place}/none") == {"status": text}


def test_a_missing_source_fails_when_it_is_polled(stack: Stack, place: str) -> None:
    """The submit is 201 as with LEXIS; the poll says why it failed."""
    body = {"source_system": stack.site.zone, "source_path": f"{place}/missing", "project": stack.site.key}

    with stack.rest() as client:
        submitted = client.post("/encryption/encrypt", json=body)
        address = f"/encryption/encrypt/{submitted.json()['request_id']}"
        status = until(
            lambda: text if (text := client.get(address).json()["status"]) not in PENDING else None, "a failure", 30
        )

    assert status.startswith(FAILED)
    assert len(status) > len(FAILED)
