"""Keys through rules and REST: who may do what, and that a denial says who may change it."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from irods.session import iRODSSession

from api_shim.client import keys
from api_shim.client.http import SluiceClient, SluiceError
from tests.e2e.conftest import Stack, read, write
from tests.stack import rulecall

DATA = b"sealed under a key that others must ask for\n" * 1000


@pytest.fixture(scope="module")
def admin(stack: Stack) -> Iterator[iRODSSession]:
    """The administrator's own session."""
    with stack.site.admin() as opened:
        yield opened


@pytest.fixture
def key(stack: Stack, admin: iRODSSession) -> str:
    """A new key of alice."""
    name = f"doors-{uuid.uuid4().hex[:8]}"
    answer = rulecall.call(admin, "sluice_keys_create", name, stack.alice.qualified)
    assert answer["ok"]["owner"] == stack.alice.qualified, answer
    return name


def by_rest(stack: Stack, account: Any, method: str, path: str, /, **body: Any) -> tuple[int, Any]:
    """Status and content of a request about keys."""
    with stack.rest(account) as client:
        answer = client.request(method, f"/api/v1/keys{path}", json=body or None)
    return answer.status_code, answer.json()


@pytest.mark.long
def test_a_key_is_lent_step_by_step(stack: Stack, session: iRODSSession, place: str, key: str) -> None:
    """Without a grant the key does not exist; with 'seal' bob seals; with 'open' he opens what he sealed."""
    bob, home = stack.bob, stack.bob.home
    with bob.session() as his:
        path = write(his, f"{home}/{key}.txt", DATA)
        asked = {"operation": "encrypt", "source": path, "key": key}
        with stack.rest(bob) as client:
            unknown = client.post("/api/v1/jobs", json=asked)
        assert (unknown.status_code, unknown.json()["code"]) == (404, "key_not_found")

        by_rest(stack, stack.alice, "POST", f"/{key}/grant", who=bob.qualified, rights=["seal"], collection=home)
        with stack.rest(bob) as client:
            sealed = stack.finished(client.post("/api/v1/jobs", json=asked).json()["id"], bob)
            assert sealed["state"] == "succeeded", sealed
            back = {"operation": "decrypt", "source": f"{path}.tink", "target": f"{path}.back"}
            refused = client.post("/api/v1/jobs", json=back)
            assert (refused.status_code, refused.json()["code"]) == (403, "not_permitted")
            assert f"{bob.qualified} may not open with the key {key}" in refused.json()["detail"]
            assert f"ask {stack.alice.qualified} or an administrator" in refused.json()["remedy"]
            planned = client.post("/api/v1/plans", json=back).json()
            assert planned["would_start"] is False
            assert planned["unusable"]["first"][0]["remedy"] == planned["refused"][0]["remedy"]

            rulecall.call(session, "sluice_keys_grant", key, bob.qualified, "open", "")
            opened = stack.finished(client.post("/api/v1/jobs", json=back).json()["id"], bob)
            assert opened["state"] == "succeeded", opened
        assert read(his, f"{path}.back") == DATA


def test_an_administrator_uses_no_key_without_a_grant(
    stack: Stack, admin: iRODSSession, session: iRODSSession, place: str, key: str
) -> None:
    """A rodsadmin may manage it, and is refused as anybody else when he would seal."""
    path = write(admin, f"/{stack.site.zone}/home/{admin.username}/{key}", DATA)
    answer = rulecall.call(admin, "sluice_request", "encrypt", path, "", f"key={key}")
    assert answer["error"]["code"] == "key_not_found", answer
    assert "ok" in rulecall.call(admin, "sluice_keys_rotate", key)
    admin.data_objects.unlink(path, force=True)


def test_the_life_of_a_key_over_rest(stack: Stack, session: iRODSSession, place: str, key: str) -> None:
    """What was sealed before a rotation opens after it; disabled, enabled, condemned, taken back."""
    path = write(session, f"{place}/a", DATA)
    stack.done(operation="encrypt", source=path, key=key)

    rotated = by_rest(stack, stack.alice, "POST", f"/{key}/rotate")[1]
    assert [version["primary"] for version in rotated["versions"]] == [False, True]
    stack.done(operation="decrypt", source=f"{path}.tink", target=f"{place}/b")

    for action, status in (("disable", "disabled"), ("enable", "enabled"), ("destroy", "condemned")):
        code, told = by_rest(stack, stack.alice, "POST", f"/{key}/{action}", version=1)
        assert (code, told["versions"][0]["status"]) == (200, status)
    with stack.rest() as client:
        asked = {"operation": "decrypt", "source": f"{path}.tink", "target": f"{place}/c"}
        refused = client.post("/api/v1/jobs", json=asked).json()
    assert "condemned" in refused["detail"]
    assert f"sluice keys recover {key}" in refused["remedy"]
    assert by_rest(stack, stack.alice, "POST", f"/{key}/recover", version=1)[0] == 200
    stack.done(operation="decrypt", source=f"{path}.tink", target=f"{place}/c")


@pytest.mark.long
def test_a_rotated_key_seals_what_is_there(stack: Stack, session: iRODSSession, place: str, key: str) -> None:
    """Both ways of a rekey, wherever the zone is: header alone, and sealed again; checksums are those of the data."""
    for method in ("crypt4gh", "aes256-gcm"):
        path = write(session, f"{place}/{method}", DATA)
        asked = {"source": path, "target": f"{place}/sealed-{method}", "key": key, "encryption": method}
        stack.done(operation="encrypt", **asked)
    before = read(session, f"{place}/sealed-crypt4gh")
    by_rest(stack, stack.alice, "POST", f"/{key}/rotate")

    stack.done(operation="rekey", source=place)

    for method in ("crypt4gh", "aes256-gcm"):
        item = session.data_objects.get(f"{place}/sealed-{method}")
        avus = {avu.name: avu.value for avu in item.metadata.items()}
        assert avus["sluice::key"] == f"{key}:2"
        assert "sluice::header" not in avus
        now = read(session, item.path)
        assert item.checksum == "sha2:" + base64.b64encode(hashlib.sha256(now).digest()).decode()
        assert [replica.status for replica in item.replicas] == ["1"]
        if method == "crypt4gh":
            assert (now[:124] != before[:124], now[124:] == before[124:]) == (True, True)
        stack.done(operation="decrypt", source=item.path, target=f"{place}/back-{method}")
        assert read(session, f"{place}/back-{method}") == DATA


def test_a_stranger_learns_nothing_and_changes_nothing(stack: Stack, key: str) -> None:
    """Every route and every rule, as somebody who has nothing to do with the key."""
    for action in ("rotate", "disable", "enable", "destroy", "recover"):
        assert by_rest(stack, stack.bob, "POST", f"/{key}/{action}")[0] == 404
    assert by_rest(stack, stack.bob, "GET", f"/{key}")[0] == 404
    assert by_rest(stack, stack.bob, "POST", "", name="bobs-own")[0] == 403
    assert by_rest(stack, stack.bob, "POST", f"/{key}/grant", who=stack.bob.qualified, rights=["open"])[0] == 404
    with stack.bob.session() as his:
        assert key not in str(rulecall.call(his, "sluice_keys_list"))
        assert rulecall.call(his, "sluice_keys_show", key)["error"]["code"] == "key_not_found"
        asked = rulecall.call(his, "sluice_keys_grant", key, stack.bob.qualified, "open", "")
        assert asked["error"]["code"] == "key_not_found"


@pytest.mark.long
def test_a_collection_of_which_nothing_may_be_opened_is_refused(
    stack: Stack, session: iRODSSession, place: str, key: str
) -> None:
    """At once; where one object may be opened the job begins, and says of the others why not."""
    mine = f"{stack.bob.home}/{key}"
    by_rest(stack, stack.alice, "POST", f"/{key}/grant", who=stack.bob.qualified, rights=["seal"])
    for collection in ("granted", "other"):
        with stack.bob.session() as his:
            his.collections.create(f"{mine}/{collection}", recurse=True)
            write(his, f"{mine}/{collection}/a", DATA)
    with stack.rest(stack.bob) as client:
        asked = {"operation": "encrypt", "source": mine, "key": key, "original": "remove"}
        assert stack.finished(client.post("/api/v1/jobs", json=asked).json()["id"], stack.bob)["state"] == "succeeded"
        back = {"operation": "decrypt", "source": mine, "original": "remove"}
        refused = client.post("/api/v1/jobs", json=back)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_permitted")

        only_here = {"who": stack.bob.qualified, "rights": ["open"], "collection": f"{mine}/granted"}
        by_rest(stack, stack.alice, "POST", f"/{key}/grant", **only_here)
        planned = client.post("/api/v1/plans", json=back).json()
        job = stack.finished(client.post("/api/v1/jobs", json=back).json()["id"], stack.bob)

    assert planned["would_start"] is True
    assert planned["unusable"]["count"] == 1
    assert f"the grant holds in {mine}/granted" in planned["unusable"]["first"][0]["text"]
    assert (job["state"], job["error"]["code"]) == ("partial", "not_permitted")


def test_a_rekey_needs_both_rights(stack: Stack, session: iRODSSession, key: str) -> None:
    """Refused at once to who may only open; what is under the present version needs no right but to see the key."""
    mine = f"{stack.bob.home}/{key}"
    asked = {"operation": "rekey", "source": f"{mine}.tink"}
    by_rest(stack, stack.alice, "POST", f"/{key}/grant", who=stack.bob.qualified, rights=["seal"])
    with stack.bob.session() as his, stack.rest(stack.bob) as client:
        sealing = {"operation": "encrypt", "source": write(his, mine, DATA), "key": key}
        assert stack.finished(client.post("/api/v1/jobs", json=sealing).json()["id"], stack.bob)["state"] == "succeeded"
        assert client.post("/api/v1/plans", json=asked).json()["would_start"] is True
        by_rest(stack, stack.alice, "POST", f"/{key}/revoke", who=stack.bob.qualified)
        by_rest(stack, stack.alice, "POST", f"/{key}/grant", who=stack.bob.qualified, rights=["open"])
        by_rest(stack, stack.alice, "POST", f"/{key}/rotate")
        refused = client.post("/api/v1/jobs", json=asked).json()
    assert (refused["code"], "may not seal with the key" in refused["detail"]) == ("not_permitted", True)


def test_the_command_speaks_of_keys(stack: Stack, key: str, tmp_path: Path) -> None:
    """``sluice keys``, at a distance: the words of ``sluice-keys`` through REST, as the key's owner."""

    def sluice(*words: str, as_json: bool = False) -> str:
        with SluiceClient(stack.url, stack.alice.name, stack.alice.password) as client:
            return keys.run(list(words), lambda: client, as_json)

    bob = stack.bob.qualified
    assert sluice("rotate", key) == f"{key}:2 seals from now on; older versions still open"
    assert sluice("grant", key, bob, "seal", "open") == f"{bob} may seal, open with {key}"
    assert json.loads(sluice("show", key))["grants"] == [{"who": bob, "may": ["open", "seal"], "collection": ""}]
    assert sluice("revoke", key, bob, "open") == f"open taken from {bob}"
    assert sluice("disable", key, "--version", "1") == f"{key} disabled"
    listed = sluice("list").splitlines()
    shown = [row.split()[:2] for row in listed if row.startswith(key)]
    assert shown == [[f"{key}:1", "disabled"], [f"{key}:2", "enabled"]]
    assert sluice("enable", key) == f"{key} enabled"
    assert f"until then: recover {key}" in sluice("destroy", key, "--version", "1")
    assert sluice("recover", key, "--version", "1") == f"{key} is back"
    with pytest.raises(SluiceError, match="may not make the key"):
        sluice("create", f"{key}-more")
    assert json.loads(sluice("list", as_json=True))["keys"]
    with pytest.raises(SluiceError, match="No such file"):
        sluice("share", "/z/a", str(tmp_path / "none.pub"))


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("", {"name": "ok", "secret": "AAAA"}, "secret"),
        ("/{key}/grant", {"who": "bob", "rights": ["open"]}, "who"),
        ("/{key}/grant", {"who": "bob#z", "rights": ["all"]}, "rights"),
        ("/{key}/grant", {"who": "bob#z", "rights": 7}, "rights"),
        ("/{key}/disable", {"version": "x"}, "version"),
        ("/{key}/disable", {"version": True}, "version"),
    ],
)
def test_what_makes_no_sense_names_its_field(
    stack: Stack, key: str, path: str, body: dict[str, Any], field: str
) -> None:
    """A body that would bring a secret is refused as unknown."""
    code, told = by_rest(stack, stack.alice, "POST", path.format(key=key), **body)
    assert (code, told["field"]) == (400, field), told


@pytest.mark.parametrize("name", ["a b", "", "../x", "x" * 65, 'a"b', "ü"])
def test_what_is_no_name_makes_no_key(admin: iRODSSession, name: str) -> None:
    """Not even for an administrator."""
    answer = rulecall.call(admin, "sluice_keys_create", name, "")
    assert (answer["error"]["code"], answer["error"]["field"]) == ("bad_value", "key")
