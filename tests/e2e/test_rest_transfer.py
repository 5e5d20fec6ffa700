"""LEXIS's transfer interface: what Py4Lexis and the portal do with a dataset."""

from __future__ import annotations

import hashlib
import io
import tarfile
import uuid
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from irods.access import iRODSAccess
from irods.meta import iRODSMeta
from irods.models import Collection
from irods.session import iRODSSession

from tests.e2e.conftest import Stack, read, write
from tests.e2e.test_rest_lexis import PENDING
from tests.stack.waiting import until


@contextmanager
def laid_out(stack: Stack, project: str) -> Iterator[dict[str, str]]:
    """A dataset of a project where alice may write, as LEXIS names it; ``collection`` is where LEXIS lays it."""
    top = f"/{stack.site.zone}/project/proj{hashlib.md5(project.encode(), usedforsecurity=False).hexdigest()}"
    with stack.site.admin() as rods:
        rods.collections.create(top, recurse=True)
        rods.acls.set(iRODSAccess("own", top, stack.alice.name, stack.site.zone))
        rods.acls.set(iRODSAccess("inherit", top))
        rods.metadata.set(Collection, top, iRODSMeta("ShortProject", project))
    named = {"zone": stack.site.zone, "access": "project", "project": project, "dataset_id": str(uuid.uuid4())}
    yield {**named, "collection": f"{top}/{named['dataset_id']}"}
    with stack.alice.session() as alice:  # what was moved there is hers alone
        for below in alice.collections.get(top).subcollections:
            alice.collections.remove(below.path, recurse=True, force=True)
    with stack.site.admin() as rods:
        rods.collections.remove(top, recurse=True, force=True)


@pytest.fixture
def dataset(stack: Stack) -> Iterator[dict[str, str]]:
    """One of a project of its own."""
    with laid_out(stack, f"p-{uuid.uuid4().hex[:8]}") as named:
        yield named


@pytest.fixture
def sealable(stack: Stack) -> Iterator[dict[str, str]]:
    """One of the project that alice has the key of."""
    with laid_out(stack, stack.site.key) as named:
        yield named


PLAIN = {"encryption": "no", "expand": "no", "metadata": "{}"}


def header(told: dict[str, str]) -> str:
    """The header Upload-Metadata; what is empty has no value there."""
    return ",".join(f"{name} {b64encode(value.encode()).decode()}".strip() for name, value in told.items())


def uploaded(
    client: httpx.Client, at: str, told: dict[str, str], content: bytes
) -> tuple[httpx.Response, httpx.Response]:
    """What TUS answers to an upload's creation and to its only piece."""
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(content)), "Upload-Metadata": header(told)}
    piece = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    made = client.post(at, headers=headers)
    assert made.status_code == 201, made.text
    return made, client.patch(made.headers["Location"], headers=piece, content=content)


def archive(files: dict[str, bytes]) -> bytes:
    """A .tar.gz of files by their names."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return made.getvalue()


@pytest.mark.parametrize("prefix", ["", pytest.param("/api/v0.2/dataset", marks=pytest.mark.long)])
def test_a_dataset_is_uploaded_and_downloaded_through_the_transfer_interface(
    stack: Stack, session: iRODSSession, dataset: dict[str, str], prefix: str
) -> None:
    """TUS with LEXIS's metadata, both transfers on the list, and the .tar.gz holds what was sent; bob sees nothing."""
    where = {name: dataset[name] for name in ("zone", "access", "project", "dataset_id")}
    told = {**where, **PLAIN, "path": "run 1", "filename": "Übung.bin"}
    content = bytes(range(256)) * 500

    with stack.rest() as client:
        made, sent = uploaded(client, f"{prefix}/transfer/upload/", told, content)
        asked = client.post(f"{prefix}/transfer/download", json={**where, "path": ""})
        packed = client.get(f"{prefix}/transfer/download/{asked.json()['requestId']}")
        listed = client.get(f"{prefix}/transfer/status").json()
        one = client.get(f"{prefix}/transfer/status/{asked.json()['requestId']}").json()
    with stack.rest(stack.bob) as bob:
        assert bob.get(f"{prefix}/transfer/status").json() == []
        assert bob.get(f"{prefix}/transfer/download/{asked.json()['requestId']}").status_code == 404

    assert (made.status_code, sent.status_code, asked.status_code) == (201, 204, 200), (made.text, sent.text)
    assert read(session, f"{dataset['collection']}/run 1/Übung.bin") == content
    with tarfile.open(fileobj=io.BytesIO(packed.content), mode="r:gz") as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    assert members == {f"{dataset['dataset_id']}/run 1/Übung.bin": content}
    assert {(row["transfer_type"], row["task_state"]) for row in listed} >= {
        ("upload", "SUCCESS"),
        ("download", "SUCCESS"),
    }
    assert set(one) == {
        "request_id",
        "created_at",
        "project",
        "filename",
        "task_state",
        "task_result",
        "transfer_type",
    }


FILES = {"a.txt": b"plain text " * 5_000, "below/b.bin": bytes(range(256)) * 100}


@pytest.mark.long
@pytest.mark.parametrize("flags", ["expand", "encryption", "both"])
def test_an_upload_is_unpacked_and_encrypted_as_it_asks(
    stack: Stack, session: iRODSSession, sealable: dict[str, str], flags: str
) -> None:
    """LEXIS's flags: the transfer ends when all is done, nothing is left in the home, and the data's flag is told."""
    asked = {name: "yes" if flags in (name, "both") else "no" for name in ("expand", "encryption")}
    where = {name: sealable[name] for name in ("zone", "access", "project", "dataset_id")}
    told = {**where, **PLAIN, **asked, "path": "in", "filename": "data.tar.gz"}
    sent_as = archive(FILES)

    with stack.rest() as client:
        made, sent = uploaded(client, "/transfer/upload/", told, sent_as)
        address = f"/transfer/status/{made.headers['Location'].rpartition('/')[2]}"
        assert sent.status_code == 204, sent.text
        end = until(
            lambda: found if (found := client.get(address).json())["task_state"] != "STARTED" else None, "the end", 240
        )
        path = f"{sealable['collection'].removeprefix('/' + sealable['zone'])}/in"
        flag = client.post("/staging/data/flags", json={"target_system": sealable["zone"], "target_path": path})

    assert (end["task_state"], end["filename"]) == ("SUCCESS", "data.tar.gz"), end["task_result"]
    assert flag.json() == {"encryption": asked["encryption"], "compression": "no"}
    inside = f"{sealable['collection']}/in" + ("" if asked["expand"] == "yes" else "/data.tar.gz")
    if asked["encryption"] == "yes":
        stack.done(operation="decrypt", source=inside, target=f"{sealable['collection']}/out")
        inside = f"{sealable['collection']}/out"
    if asked["expand"] == "yes":
        assert {name: read(session, f"{inside}/{name}") for name in FILES} == FILES
    else:
        assert read(session, inside) == sent_as
    assert left_in_home(session, stack, made.headers["Location"]) == []


def left_in_home(session: iRODSSession, stack: Stack, address: str) -> list[str]:
    """What in alice's home has an upload's id in its name."""
    home = session.collections.get(stack.alice.home)
    names = [one.name for one in (*home.subcollections, *home.data_objects)]
    return [name for name in names if address.rpartition("/")[2] in name]


@pytest.mark.parametrize(
    "missing", ["zone", "access", "project", "path", "metadata", "encryption", "expand", "filename"]
)
def test_each_member_of_an_uploads_metadata_is_asked_for(stack: Stack, dataset: dict[str, str], missing: str) -> None:
    """400 names it."""
    told = {**{name: dataset[name] for name in ("zone", "access", "project")}, **PLAIN, "path": "", "filename": "f"}
    told.pop(missing)
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "1", "Upload-Metadata": header(told)}

    with stack.rest() as client:
        answer = client.post("/transfer/upload/", headers=headers)

    assert answer.status_code == 400
    assert missing in answer.text


@pytest.mark.parametrize("prefix", ["/dataset", "/api/v0.2/dataset"])
def test_a_dataset_is_made_filled_searched_listed_and_deleted(
    stack: Stack, session: iRODSSession, dataset: dict[str, str], prefix: str
) -> None:
    """As the portal and Yorc's plug-in do it; bob finds nothing, and may not look."""
    where = {"access": "project", "project": dataset["project"], "zone": dataset["zone"]}
    metadata = {"title": "Überlauf (2026)", "creator": ["A. One", "B. Two"], "AlternateIdentifier": [["doi", "10.1/x"]]}
    file = {"name": "f.txt", "file": b64encode(b"content").decode(), "path": "in"}

    with stack.rest() as client:
        made = client.post(prefix, json={**where, "push_method": "empty", "metadata": metadata})
        one = {**where, "internalID": made.json()["internalID"]}
        put = client.post(prefix, json={**one, **file, "push_method": "directupload"})
        found = client.post(f"{prefix}/search/metadata", json={"title": "überlauf (", "creator": ["b. two"]})
        none = client.post(f"{prefix}/search/metadata", json={"title": "überlauf (", "creator": ["c"]})
        tree = client.post(f"{prefix}/listing", json=one)
        flat = client.post(f"{prefix}/listing", json={**one, "recursive": False})
        with stack.rest(stack.bob) as bob:
            assert bob.post(f"{prefix}/search/metadata", json={"title": "überlauf"}).json() == []
            assert bob.post(f"{prefix}/listing", json=one).status_code == 404
            assert bob.request("DELETE", prefix, json=one).status_code == 204
        gone = client.request("DELETE", prefix, json=one)
        polled = f"/staging/delete/{gone.json()['request_id']}"
        status = until(lambda: text if (text := client.get(polled).json()["status"]) not in PENDING else None, "an end")
        again = client.request("DELETE", prefix, json=one)

    assert (made.status_code, made.json()["status"]) == (201, "201"), made.text
    assert (put.status_code, put.json()) == (200, {"status": "200", "internalID": one["internalID"]}), put.text
    [hit] = found.json()
    assert hit["location"] == one
    assert {name: hit["metadata"][name] for name in metadata} == metadata
    assert hit["flags"] == {"encryption": "no", "compression": "no"}
    assert none.json() == []
    assert (tree.json()["name"], tree.json()["type"]) == (one["internalID"], "directory")
    [below] = tree.json()["contents"]
    assert [(entry["name"], entry["type"], entry["size"]) for entry in below["contents"]] == [("f.txt", "file", 7)]
    assert [set(entry) for entry in flat.json()["contents"]] == [{"name", "type", "create_time"}]
    assert (gone.status_code, status, again.status_code) == (201, "Data deleted", 204)


def test_an_upload_of_the_older_portal_becomes_part_of_a_dataset(
    stack: Stack, session: iRODSSession, dataset: dict[str, str]
) -> None:
    """TUS at /api/v0.2/dataset/upload/ first, then POST with push_method tus and the file's name."""
    where = {"access": "project", "project": dataset["project"], "zone": dataset["zone"]}
    told = {**where, "filename": f"{uuid.uuid4().hex}.bin", "user": stack.alice.name}

    with stack.rest() as client:
        _, sent = uploaded(client, "/api/v0.2/dataset/upload/", told, b"older")
        made = client.post("/api/v0.2/dataset", json={**where, "push_method": "tus", "name": told["filename"]})
        twice = client.post("/api/v0.2/dataset", json={**where, "push_method": "tus", "name": told["filename"]})

    assert (sent.status_code, made.status_code) == (204, 201), (sent.text, made.text)
    assert (twice.status_code, twice.json()["errorString"]) == (400, "name: TUS upload not found")
    collection = dataset["collection"].rpartition("/")[0]
    assert read(session, f"{collection}/{made.json()['internalID']}/{told['filename']}") == b"older"


def test_an_upload_that_is_given_up_leaves_nothing_in_the_home(
    stack: Stack, session: iRODSSession, sealable: dict[str, str]
) -> None:
    """Not even what had come."""
    told = {**{name: sealable[name] for name in ("zone", "access", "project")}, **PLAIN, "encryption": "yes"}
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "9"}

    with stack.rest() as client:
        named = {**headers, "Upload-Metadata": header({**told, "path": "", "filename": "f"})}
        address = client.post("/transfer/upload/", headers=named).headers["Location"]
        there = left_in_home(session, stack, address)
        gone = client.delete(address, headers=headers)

    assert (len(there), gone.status_code) == (1, 204)
    assert left_in_home(session, stack, address) == []


def test_what_lies_on_a_system_is_streamed(stack: Stack, session: iRODSSession, place: str) -> None:
    """POST /staging/download: a data object's bytes, a collection as a .tar.gz."""
    write(session, f"{place}/a", b"alone")
    system = {"source_system": stack.site.zone}

    with stack.rest() as client:
        alone = client.post("/staging/download", json={**system, "source_path": f"{place}/a"})
        all_of_it = client.post("/api/v0.2/dataset/download", json={**system, "source_path": place})
    with stack.rest(stack.bob) as bob:
        hidden = bob.post("/staging/download", json={**system, "source_path": f"{place}/a"})

    assert (alone.content, alone.headers["Content-Type"]) == (b"alone", "application/octet-stream")
    with tarfile.open(fileobj=io.BytesIO(all_of_it.content), mode="r:gz") as tar:
        assert [member.name.rpartition("/")[2] for member in tar] == ["a"]
    assert hidden.status_code == 404
