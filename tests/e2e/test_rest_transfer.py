"""LEXIS's transfer interface: what Py4Lexis and the portal do with a dataset."""

from __future__ import annotations

import hashlib
import io
import tarfile
import uuid
from base64 import b64encode
from collections.abc import Iterator

import pytest
from irods.access import iRODSAccess
from irods.session import iRODSSession

from tests.e2e.conftest import Stack, read


@pytest.fixture
def dataset(stack: Stack) -> Iterator[dict[str, str]]:
    """A dataset of a project where alice may write, as LEXIS names it; ``collection`` is where LEXIS lays it."""
    project = f"p-{uuid.uuid4().hex[:8]}"
    top = f"/{stack.site.zone}/project/proj{hashlib.md5(project.encode(), usedforsecurity=False).hexdigest()}"
    with stack.site.admin() as rods:
        rods.collections.create(top, recurse=True)
        rods.acls.set(iRODSAccess("own", top, stack.alice.name, stack.site.zone))
        rods.acls.set(iRODSAccess("inherit", top))
    named = {"zone": stack.site.zone, "access": "project", "project": project, "dataset_id": str(uuid.uuid4())}
    yield {**named, "collection": f"{top}/{named['dataset_id']}"}
    with stack.site.admin() as rods:
        rods.collections.remove(top, recurse=True, force=True)


@pytest.mark.parametrize("prefix", ["", pytest.param("/api/v0.2/dataset", marks=pytest.mark.long)])
def test_a_dataset_is_uploaded_and_downloaded_through_the_transfer_interface(
    stack: Stack, session: iRODSSession, dataset: dict[str, str], prefix: str
) -> None:
    """TUS with LEXIS's metadata, both transfers on the list, and the .tar.gz holds what was sent; bob sees nothing."""
    where = {name: dataset[name] for name in ("zone", "access", "project", "dataset_id")}
    told = {**where, "path": "run 1", "filename": "Übung.bin", "encryption": "no", "expand": "no", "metadata": "{}"}
    content = bytes(range(256)) * 500
    pairs = [f"{name} {b64encode(value.encode()).decode()}" for name, value in told.items()]
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(content)), "Upload-Metadata": ",".join(pairs)}
    piece = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}

    with stack.rest() as client:
        made = client.post(f"{prefix}/transfer/upload/", headers=headers)
        sent = client.patch(made.headers["Location"], headers=piece, content=content)
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
