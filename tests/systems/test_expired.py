"""Credentials that expire, are revoked or changed while files move: renewed where that can be, and told otherwise."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from python_rules.engine.staging.persistent import Source
from python_rules.engine.systems.place import Outgoing, Place
from python_rules.engine.systems.swift import Swift as SwiftPlace
from python_rules.engine.watch import UNWATCHED
from python_rules.jobs.errors import JobError
from tests.systems.cutting import cutting
from tests.systems.files import MIB, drained, listed, read, sha256, write
from tests.systems.objects import PART, place_of, s3_place, secret, swift_place
from tests.systems.peers import Nginx, Peer
from tests.systems.servers_keystone import REGION, STAGE, Keystone
from tests.systems.servers_objects import KEY, USER, Swift

DATA = os.urandom(3 * PART + 12_345)
OTHER_KEY = "another-key-2"
long = pytest.mark.long


@pytest.fixture(scope="module")
def swift() -> Iterator[Swift]:
    """A node whose user's key the tests change."""
    with Swift() as node:
        node.start()
        yield node


@pytest.fixture
def known(swift: Swift, tmp_path: Path) -> Callable[[str], None]:
    """Has the node know the user by another key; afterwards it is the first one again."""

    def change(key: str) -> None:
        swift.proxy.kill()
        swift.configure(key)
        swift.revoke()
        swift.proxy.start()

    change(KEY)
    with closing(swift_place(swift, tmp_path, "con")) as place:
        place.account.ask("PUT", "con")  # type: ignore[attr-defined]
        for path in listed(place, ""):
            place.remove(path)
    return change


@pytest.fixture(params=["s3", "swift"])
def place(request: pytest.FixtureRequest, swift: Swift, known: object, tmp_path: Path) -> Iterator[Place]:
    """The container, by both interfaces."""
    with closing((s3_place if request.param == "s3" else swift_place)(swift, tmp_path, "con")) as made:
        yield made


def give(place: Place, folder: Path, key: str) -> None:
    """Put another key into the file of credentials."""
    if isinstance(place, SwiftPlace):
        secret(folder, "key", key)
    else:
        shown = f"[default]\naws_access_key_id = {USER}\naws_secret_access_key = {key}\n"
        secret(folder, "credentials", shown)


def begun(place: Place, path: str, token: str = "") -> Outgoing:
    """A file of which two parts are there."""
    outgoing = place.write(path, len(DATA), token)
    outgoing.write(DATA[: 2 * PART + 1])
    while outgoing._flying:  # type: ignore[attr-defined]
        outgoing._settle()  # type: ignore[attr-defined]
    return outgoing


def end(outgoing: Outgoing) -> None:
    outgoing.write(DATA[2 * PART + 1 :])
    outgoing.publish(len(DATA), sha256(DATA))


@long
def test_what_was_refused_in_the_middle_is_told_and_not_seen(
    place: Place, known: Callable[[str], None], tmp_path: Path
) -> None:
    """The key was changed at the store: nobody tries for long, the old file stays, and a later attempt goes on."""
    write(place, "f", b"the old one")
    outgoing = begun(place, "f", "job-content.1")
    known(OTHER_KEY)

    with pytest.raises(JobError) as caught:
        end(outgoing)
    outgoing.abandon(keep=True)

    assert caught.value.code == "system_refused"
    assert "renew the credentials" in caught.value.remedy
    assert KEY not in str(caught.value.public())
    give(place, tmp_path, OTHER_KEY)
    assert listed(place, "") == ["f"]
    assert read(place, "f") == b"the old one"
    again = place.write("f", len(DATA), "job-content.2")
    assert len(again._there) >= 2  # type: ignore[attr-defined]
    again.write(DATA)
    again.publish(len(DATA), sha256(DATA))
    assert read(place, "f") == DATA


@long
def test_credentials_that_were_renewed_in_their_file_are_used_at_once(
    place: Place, known: Callable[[str], None], tmp_path: Path
) -> None:
    """A file that is on its way goes on with them, in both directions."""
    outgoing = begun(place, "f")
    known(OTHER_KEY)
    give(place, tmp_path, OTHER_KEY)
    end(outgoing)

    incoming = place.read("f")
    begin = bytearray(MIB)
    assert incoming.readinto(begin) == MIB
    known("yet-another-key-3")
    give(place, tmp_path, "yet-another-key-3")

    assert bytes(begin) + drained(incoming) == DATA


@long
def test_a_token_that_expires_is_renewed(swift: Swift, known: object, tmp_path: Path) -> None:
    """While a file is written, and while one is read."""
    with closing(swift_place(swift, tmp_path, "con")) as place:
        outgoing = begun(place, "f")
        swift.revoke()
        end(outgoing)

        incoming = place.read("f")
        swift.revoke()
        assert drained(incoming) == DATA


@pytest.fixture(scope="module")
def keystone() -> Iterator[Keystone]:
    with Keystone() as server:
        server.start()
        yield server


@pytest.fixture(scope="module")
def cloud(keystone: Keystone) -> Iterator[Swift]:
    """A Swift whose tokens Keystone gives."""
    with Swift(keystone) as node:
        keystone.fill(node.url)
        node.start()
        yield node


@pytest.fixture
def member(keystone: Keystone, cloud: Swift, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens the container "con" of the project, as its member."""
    places: list[Any] = []

    def opened(**given: Any) -> Any:
        row = {
            "address": keystone.auth_url,
            "user": "stage",
            "project": "science",
            "base": "con",
            "password_file": secret(tmp_path, "password", STAGE),
            "part_mib": 5,
            **given,
        }
        places.append(place_of("swift", **row))
        return places[-1]

    opened().account.ask("PUT", "con")
    yield opened
    for place in places:
        place.close()


@long
def test_keystone_gives_the_tokens(member: Callable[..., Any]) -> None:
    """By the user's password: small and large files, listings, and what is free."""
    place = member(region=REGION)
    write(place, "small", b"x")
    write(place, "large", DATA)

    assert read(place, "large") == DATA
    assert listed(place, "") == ["large", "small"]
    assert "objects" in place.check()
    place.remove("large")
    place.remove("small")
    assert listed(place, "") == []


@long
def test_an_application_credential_stands_for_user_and_project(
    member: Callable[..., Any], keystone: Keystone, tmp_path: Path
) -> None:
    """It names neither."""
    number = keystone.application_credential(f"sluice-{tmp_path.name}", "app-secret")
    file = secret(tmp_path, "app", "app-secret")
    place = member(user="", project="", application_credential=number, password_file=file)

    write(place, "f", b"content")

    assert read(place, "f") == b"content"
    place.remove("f")


@long
def test_a_token_of_keystone_that_was_revoked_is_renewed(member: Callable[..., Any], keystone: Keystone) -> None:
    """While a file is written, and while one is read."""
    place = member()
    outgoing = begun(place, "f")
    keystone.revoke(place.account._token)
    end(outgoing)

    incoming = place.read("f")
    keystone.revoke(place.account._token)

    assert drained(incoming) == DATA
    place.remove("f")


@long
def test_what_keystone_refuses_is_told(member: Callable[..., Any], tmp_path: Path) -> None:
    """A wrong password, a project that the user is not in, a region that is not there; no secret is shown."""
    wrong = secret(tmp_path, "wrong", "wrong-secret")
    for code, given in (
        ("system_refused", {"password_file": wrong}),
        ("system_refused", {"user": "idle"}),
        ("configuration", {"region": "elsewhere"}),
    ):
        with pytest.raises(JobError) as caught:
            member(**given).check()
        assert caught.value.code == code, json.dumps(caught.value.public())
        assert caught.value.remedy
        assert "wrong-secret" not in str(caught.value.public())


@long
def test_a_password_that_was_changed_in_the_middle_is_told(
    member: Callable[..., Any], keystone: Keystone, tmp_path: Path
) -> None:
    """Nothing is seen of the file; with the new password in its file the same place goes on."""
    place = member()
    outgoing = begun(place, "f")
    keystone.change_password("stage", "changed-secret")
    try:
        with pytest.raises(JobError) as caught:
            end(outgoing)
        assert caught.value.code == "system_refused"
        secret(tmp_path, "password", "changed-secret")
        outgoing.abandon()
        assert listed(place, "") == []
    finally:
        keystone.change_password("stage", STAGE)


def test_a_web_server_that_refuses_in_the_middle_is_told(tmp_path: Path) -> None:
    """The connection broke, and the token was revoked meanwhile: told at once; a new token in the file is used."""
    with Nginx() as server:
        server.start()
        server.put("guarded/file", DATA)
        server.allow("token-1")
        with cutting(server.port) as proxy:
            file = secret(tmp_path, "token", "token-1")
            address = f"https://127.0.0.1:{proxy.port}"
            trusted = {"authority": str(server.home / "cert.pem"), "token_file": file, "timeout_seconds": 5}
            place = Peer("http", {"address": address, "base": "pub/guarded", **trusted}).open()

            proxy.cuts = [9 * MIB]
            source = Source(lambda offset: place.read("file", offset), UNWATCHED)
            assert source.readinto(bytearray(MIB)) == MIB
            server.allow("token-2")
            with pytest.raises(JobError) as caught:
                drained(source)
            secret(tmp_path, "token", "token-2")

            assert (caught.value.code, proxy.made) == ("system_refused", 1)
            assert "renew the credentials" in caught.value.remedy
            assert "token-1" not in str(caught.value.public())
            assert read(place, "file") == DATA
            place.close()
