"""TUS 1.0 row by row, and downloads: bytes go straight into the zone and come from there, as the user."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from irods.models import Collection, DataObject
from irods.session import iRODSSession

from tests.e2e.conftest import Stack, read, write
from tests.peers import tusjs

VERSION = {"Tus-Resumable": "1.0.0"}
PIECE = {**VERSION, "Content-Type": "application/offset+octet-stream"}
TEXT = bytes(range(256)) * 400


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    """Alice's client."""
    with stack.rest() as opened:
        yield opened


def metadata(**values: str) -> dict[str, str]:
    """The header Upload-Metadata."""
    pairs = (f"{name} {b64encode(value.encode()).decode()}" for name, value in values.items())
    return {"Upload-Metadata": ",".join(pairs)}


def begun(client: httpx.Client, path: str, length: int | None = len(TEXT), **headers: str) -> str:
    """The address of a new upload."""
    size = {"Upload-Defer-Length": "1"} if length is None else {"Upload-Length": str(length)}
    answer = client.post("/api/v1/uploads/", headers={**VERSION, **size, **metadata(path=path), **headers})
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


def sent(client: httpx.Client, address: str, offset: int, data: bytes, **headers: str) -> httpx.Response:
    """A piece."""
    return client.patch(address, headers={**PIECE, "Upload-Offset": str(offset), **headers}, content=data)


def names_in(session: iRODSSession, place: str) -> list[str]:
    """The data objects of a collection, hidden ones too."""
    return sorted(row[DataObject.name] for row in session.query(DataObject.name).filter(Collection.name == place))


def test_pieces_make_an_object_that_appears_whole(client: httpx.Client, session: iRODSSession, place: str) -> None:
    """Until the last piece nothing has the name; the offset is what the zone holds."""
    address = begun(client, f"{place}/in")
    sent(client, address, 0, TEXT[:1000])
    before = names_in(session, place)
    told = client.head(address, headers=VERSION)
    last = sent(client, address, 1000, TEXT[1000:])

    assert [name.startswith(".sluice-tus-") for name in before] == [True]
    assert (told.headers["Upload-Offset"], told.headers["Upload-Length"]) == ("1000", str(len(TEXT)))
    assert (last.status_code, last.headers["Upload-Offset"]) == (204, str(len(TEXT)))
    assert names_in(session, place) == ["in"]
    assert read(session, f"{place}/in") == TEXT
    assert (
        session.data_objects.get(f"{place}/in").checksum == "sha2:" + b64encode(hashlib.sha256(TEXT).digest()).decode()
    )
    assert client.head(address, headers=VERSION).headers["Upload-Offset"] == str(len(TEXT))


def test_a_piece_at_the_wrong_offset_is_refused(client: httpx.Client, session: iRODSSession, place: str) -> None:
    """409, and nothing has changed; neither do too many bytes change anything."""
    address = begun(client, f"{place}/in", 10)
    sent(client, address, 0, b"12345")

    assert sent(client, address, 4, b"x").status_code == 409
    assert sent(client, address, 5, b"678901").status_code == 413
    assert sent(client, address, 5, b"x", **{"Content-Type": "text/plain"}).status_code == 415
    assert client.head(address, headers=VERSION).headers["Upload-Offset"] == "5"
    assert sent(client, address, 5, b"67890").status_code == 204
    assert read(session, f"{place}/in") == b"1234567890"


def test_a_piece_whose_checksum_differs_is_not_kept(client: httpx.Client, place: str) -> None:
    """460, the offset stays; the right one is taken; an unknown algorithm is 400."""
    address = begun(client, f"{place}/in", 3)
    right = b64encode(hashlib.sha256(b"abc").digest()).decode()

    assert sent(client, address, 0, b"abd", **{"Upload-Checksum": f"sha256 {right}"}).status_code == 460
    assert sent(client, address, 0, b"abc", **{"Upload-Checksum": "crc32 AAAA"}).status_code == 400
    assert client.head(address, headers=VERSION).headers["Upload-Offset"] == "0"
    assert sent(client, address, 0, b"abc", **{"Upload-Checksum": f"sha256 {right}"}).status_code == 204


def test_the_whole_is_checked_against_the_hash_in_the_metadata(
    client: httpx.Client, session: iRODSSession, place: str
) -> None:
    """A client that knows the file's SHA-256 gets nothing else under the name."""
    header = metadata(path=f"{place}/in", sha256=hashlib.sha256(b"other").hexdigest())
    answer = client.post("/api/v1/uploads/", headers={**VERSION, "Upload-Length": "3", **header})

    assert sent(client, answer.headers["Location"], 0, b"abc").status_code == 460
    assert names_in(session, place) == []


def test_creation_may_carry_data_and_leave_the_length_open(
    client: httpx.Client, session: iRODSSession, place: str
) -> None:
    """creation-with-upload and creation-defer-length."""
    whole = {**PIECE, "Upload-Length": "3", **metadata(path=f"{place}/a")}
    assert client.post("/api/v1/uploads/", headers=whole, content=b"abc").headers["Upload-Offset"] == "3"
    address = begun(client, f"{place}/b", None)
    assert client.head(address, headers=VERSION).headers["Upload-Defer-Length"] == "1"
    sent(client, address, 0, b"ab")
    sent(client, address, 2, b"c", **{"Upload-Length": "3"})

    assert (read(session, f"{place}/a"), read(session, f"{place}/b")) == (b"abc", b"abc")


def test_parts_are_joined(client: httpx.Client, session: iRODSSession, place: str) -> None:
    """concatenation: parts need no name; the final one may not be written to."""
    parts = []
    for piece in (b"one ", b"two ", b"three"):
        headers = {**PIECE, "Upload-Length": str(len(piece)), "Upload-Concat": "partial"}
        parts.append(client.post("/api/v1/uploads/", headers=headers, content=piece).headers["Location"])
    headers = {**VERSION, "Upload-Concat": f"final;{' '.join(parts)}", **metadata(path=f"{place}/in")}
    whole = client.post("/api/v1/uploads/", headers=headers)

    assert whole.status_code == 201, whole.text
    assert read(session, f"{place}/in") == b"one two three"
    assert sent(client, whole.headers["Location"], 13, b"!").status_code == 405
    assert client.head(parts[0], headers=VERSION).status_code == 404


def test_an_upload_ends_by_request(client: httpx.Client, session: iRODSSession, place: str) -> None:
    """termination: 204, then 404, and nothing is left; also by POST with the method in a header."""
    for headers, method in ((VERSION, "DELETE"), ({**VERSION, "X-HTTP-Method-Override": "DELETE"}, "POST")):
        address = begun(client, f"{place}/in")
        assert client.request(method, address, headers=headers).status_code == 204
        assert client.head(address, headers=VERSION).status_code == 404
    assert names_in(session, place) == []


def test_an_upload_is_its_users_and_goes_where_the_user_may(stack: Stack, client: httpx.Client, place: str) -> None:
    """Bob neither sees alice's upload nor begins one in her collection; a name that is taken is refused at once."""
    address = begun(client, f"{place}/in", 3)
    sent(client, address, 0, b"abc")
    with stack.rest(stack.bob) as bob:
        assert bob.head(address, headers=VERSION).status_code == 404
        headers = {**VERSION, "Upload-Length": "1", **metadata(path=f"{place}/bobs")}
        assert bob.post("/api/v1/uploads/", headers=headers).status_code in (403, 404, 409)
    taken = client.post("/api/v1/uploads/", headers={**VERSION, "Upload-Length": "1", **metadata(path=f"{place}/in")})
    assert (taken.status_code, taken.json()["code"]) == (409, "target_exists")
    hidden = metadata(path=f"{place}/.sluice-x")
    assert client.post("/api/v1/uploads/", headers={**VERSION, "Upload-Length": "1", **hidden}).status_code == 400


def test_the_protocols_version_and_abilities_are_told(stack: Stack, client: httpx.Client) -> None:
    """OPTIONS needs no credentials; another version is 412."""
    told = httpx.options(f"{stack.url}/api/v1/uploads/")

    assert told.status_code == 204
    assert set(told.headers["Tus-Extension"].split(",")) >= {
        "creation",
        "creation-with-upload",
        "creation-defer-length",
        "checksum",
        "expiration",
        "termination",
        "concatenation",
    }
    assert client.post("/api/v1/uploads/", headers={"Upload-Length": "1"}).status_code == 412


def test_downloads_tell_ranges(client: httpx.Client, session: iRODSSession, place: str) -> None:
    """One range is 206 with its bytes; If-Range and If-None-Match go by the checksum; what is hidden is 404."""
    write(session, f"{place}/in", TEXT)
    session.data_objects.chksum(f"{place}/in")
    address = f"/api/v1/data{place}/in"

    whole = client.get(address)
    assert (whole.status_code, whole.content, whole.headers["Content-Length"]) == (200, TEXT, str(len(TEXT)))
    ranges = {"bytes=5-9": (5, 10), "bytes=-7": (len(TEXT) - 7, len(TEXT)), "bytes=1000-": (1000, len(TEXT))}
    for asked, (first, end) in ranges.items():
        part = client.get(address, headers={"Range": asked, "If-Range": whole.headers["ETag"]})
        assert (part.status_code, part.content) == (206, TEXT[first:end])
        assert part.headers["Content-Range"] == f"bytes {first}-{end - 1}/{len(TEXT)}"
    assert client.get(address, headers={"Range": "bytes=5-9", "If-Range": '"older"'}).status_code == 200
    assert client.get(address, headers={"Range": f"bytes={len(TEXT)}-"}).status_code == 416
    assert client.get(address, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert (client.head(address).headers["Content-Length"], client.head(address).content) == (str(len(TEXT)), b"")
    assert client.get(f"/api/v1/data{place}/none").status_code == 404


def test_nobody_downloads_what_is_not_his(stack: Stack, session: iRODSSession, place: str) -> None:
    """To bob alice's object does not exist."""
    write(session, f"{place}/in", TEXT)
    with stack.rest(stack.bob) as bob:
        assert bob.get(f"/api/v1/data{place}/in").status_code == 404


CLIENTS: dict[str, dict[str, Any]] = {
    "in chunks": {"chunk_size": 30_000},
    "at once": {"chunk_size": 1 << 30},
    "with the creation": {"chunk_size": 30_000, "with_creation": True},
    "of unknown length": {"chunk_size": 30_000, "defer": True},
    "broken off and resumed": {"chunk_size": 20_000, "stop_after": 40_000},
}


@pytest.mark.long
@pytest.mark.parametrize("how", CLIENTS)
def test_tus_js_client_uploads(stack: Stack, session: iRODSSession, place: str, tmp_path: Path, how: str) -> None:
    """The real client, in the ways that it knows."""
    (tmp_path / "file").write_bytes(TEXT)
    who = stack.alice

    tusjs.upload(
        f"{stack.url}/api/v1/uploads/",
        who.name,
        who.password,
        tmp_path / "file",
        {"path": f"{place}/in"},
        **CLIENTS[how],
    )

    assert read(session, f"{place}/in") == TEXT
    assert names_in(session, place) == ["in"]


@pytest.mark.long
def test_tus_js_client_uploads_in_parallel(stack: Stack, session: iRODSSession, place: str, tmp_path: Path) -> None:
    """Its parts become one object, and none of them stays."""
    (tmp_path / "file").write_bytes(TEXT)
    who = stack.alice

    tusjs.upload(
        f"{stack.url}/api/v1/uploads/",
        who.name,
        who.password,
        tmp_path / "file",
        {"path": f"{place}/in"},
        chunk_size=10_000,
        parallel=3,
    )

    assert read(session, f"{place}/in") == TEXT
    assert not [name for name in names_in(session, who.home) if name.startswith(".sluice-tus-")]
