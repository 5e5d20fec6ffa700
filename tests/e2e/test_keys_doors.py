"""Keys through rules and REST: who may do what, and that a denial says who may change it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from irods.session import iRODSSession

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
            refused = stack.finished(client.post("/api/v1/jobs", json=back).json()["id"], bob)
            assert refused["error"]["code"] == "not_permitted"
            assert f"{bob.qualified} may not open with the key {key}" in refused["error"]["text"]
            assert f"ask {stack.alice.qualified} or an administrator" in refused["error"]["remedy"]

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
    refused = stack.finished(stack.submitted(operation="decrypt", source=f"{path}.tink", target=f"{place}/c")["id"])
    assert "condemned" in refused["error"]["text"]
    assert f"sluice-keys recover {key}" in refused["error"]["remedy"]
    assert by_rest(stack, stack.alice, "POST", f"/{key}/recover", version=1)[0] == 200
    stack.done(operation="decrypt", source=f"{path}.tink", target=f"{place}/c")


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
