"""A LEXIS orchestrator's loop (submit, poll until a known text, fail on an unknown one) for each operation."""

from __future__ import annotations

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
