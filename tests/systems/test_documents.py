"""A document store on its real server: what is read is what is there, and what is written too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from python_rules.engine.systems.place import FILE, Place
from python_rules.jobs.errors import JobError
from tests.systems.files import read, sha256
from tests.systems.objects import place_of, put, secret
from tests.systems.servers_databases import Couch

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def couch() -> Iterator[Couch]:
    """A server that all tests of this module use."""
    with Couch() as server:
        server.start()
        yield server


@pytest.fixture
def store(couch: Couch, tmp_path: Path) -> Place:
    """The server as a system; few documents in a request, so that there are several."""
    return place_of("couchdb", address=couch.url, batch=7)


def documents(count: int) -> bytes:
    """JSON Lines with ids and revisions."""
    rows = [
        {"_id": f'id {n:04d} ü/"+', "_rev": f"3-{n:032x}", "n": n, "f": n / 4, "t": "ü\n\u2028😀", "l": [{"x": None}]}
        for n in range(count)
    ]
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def lines(data: bytes) -> list[Any]:
    """The documents of a file."""
    return [json.loads(line) for line in data.splitlines()]


def test_a_database_is_written_and_read_with_ids_and_revisions(store: Place, couch: Couch) -> None:
    """Over several requests, and again from what was read; the server itself says the same."""
    content = documents(40)
    assert put(store, "first.jsonl", content) == "read back"
    back = read(store, "first.jsonl")
    assert lines(back) == sorted(lines(content), key=lambda row: row["_id"])
    put(store, "second.jsonl", back)
    assert read(store, "second.jsonl") == back
    assert couch.ask("GET", "first")["doc_count"] == 40
    found = store.find("first.jsonl")
    assert found is not None
    assert (found.kind, found.size) == (FILE, -1)


def test_attachments_come_along(store: Place, couch: Couch) -> None:
    """Their bytes and types."""
    attached = {"a.bin": {"content_type": "application/x-test", "data": "AAEC/w=="}}
    put(store, "attached.jsonl", json.dumps({"_id": "a", "_rev": f"1-{1:032x}", "_attachments": attached}).encode())
    [row] = lines(read(store, "attached.jsonl"))
    assert row["_attachments"]["a.bin"]["data"] == "AAEC/w=="
    assert row["_attachments"]["a.bin"]["content_type"] == "application/x-test"


def test_documents_without_id_get_one(store: Place) -> None:
    """The same in every attempt; empty lines are none."""
    put(store, "loose.jsonl", b'{"n": 1}\n\n{"n": 1}')
    first = lines(read(store, "loose.jsonl"))
    assert [row["n"] for row in first] == [1, 1]
    put(store, "loose.jsonl", b'{"n": 1}\n\n{"n": 1}')
    assert lines(read(store, "loose.jsonl")) == first


def test_a_database_is_seen_when_it_is_whole(store: Place) -> None:
    """The old one until then; nothing of a broken attempt stays."""
    put(store, "whole.jsonl", documents(3))
    writer = store.write("whole.jsonl", resume="job-content.1")
    writer.write(documents(20))
    assert len(lines(read(store, "whole.jsonl"))) == 3
    assert [item.path for item in store.walk("") if "unpublished" in item.path] == []
    with pytest.raises(JobError) as raised:
        writer.publish(len(documents(20)), sha256(b"something else"))
    assert raised.value.code == "verification_failed"
    assert len(lines(read(store, "whole.jsonl"))) == 3
    store.clean("", "job")
    writer.abandon()
    put(store, "whole.jsonl", documents(5))
    assert len(lines(read(store, "whole.jsonl"))) == 5


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"[1]\n", "wrong_encoding"),
        (b"{\n", "wrong_encoding"),
        (b'{"_id": "a", "n": 1}\n{"_id": "a", "n": 2}\n', "verification_failed"),
        (b'{"_id": "a", "n": 12345678901234567890123}\n', "verification_failed"),
    ],
)
def test_what_the_store_cannot_keep_is_not_published(store: Place, content: bytes, code: str) -> None:
    """No object on a line, one id twice, a number that would lose digits."""
    with pytest.raises(JobError) as raised:
        put(store, "never.jsonl", content)
    assert raised.value.code == code
    assert raised.value.remedy
    assert store.find("never.jsonl") is None


@pytest.mark.parametrize("name", ["Upper.jsonl", "1st.jsonl", "_users.jsonl", "a b.jsonl", "x.json", "a/../b.jsonl"])
def test_a_name_that_no_database_has_is_refused(store: Place, name: str) -> None:
    """CouchDB's own rule, and no way to the server's own databases."""
    with pytest.raises(JobError) as raised:
        store.write(name)
    assert raised.value.code == "bad_path"


def test_a_silent_store_and_a_missing_database_are_told(couch: Couch, tmp_path: Path) -> None:
    """After the system's timeout; and the missing one by its name."""
    store = place_of("couchdb", address=couch.url, timeout_seconds=0.5)
    with pytest.raises(JobError) as raised:
        store.read("missing.jsonl")
    assert (raised.value.code, raised.value.object_path) == ("source_not_found", "there:missing.jsonl")
    couch.pause()
    try:
        with pytest.raises(JobError) as raised:
            store.check()
    finally:
        couch.resume()
    assert raised.value.code == "system_unavailable"
    assert "databases" in store.check()


def test_the_password_is_sent_and_never_shown(couch: Couch, tmp_path: Path) -> None:
    """From a file that nobody else may read."""
    given = {"user": "admin", "password_file": secret(tmp_path, "couch", "a secret")}
    store = place_of("couchdb", address="http://127.0.0.1:1", **given)
    with pytest.raises(JobError) as raised:
        store.check()
    assert "a secret" not in str(raised.value.public())
