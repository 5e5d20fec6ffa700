"""Bearer tokens of a real OpenID provider: who they stand for, and which are refused."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import jwt
import pytest
from irods.session import iRODSSession

from tests.e2e.conftest import Stack, write
from tests.peers.oidc import OpenIdProvider
from tests.stack.services import Services
from tests.stack.waiting import until

pytestmark = pytest.mark.long  # the provider is installed by npm


@dataclass
class Door:
    """A shim that accepts the provider's tokens; alice and bob have accounts, mallory has none."""

    provider: OpenIdProvider
    url: str

    def get(self, token: str, path: str = "/api/v1/jobs") -> httpx.Response:
        """A route that needs a caller, with a token."""
        return httpx.get(self.url + path, headers={"Authorization": f"Bearer {token}"}, timeout=30)


@pytest.fixture(scope="module")
def door(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with OpenIdProvider() as provider:
        provider.start()
        users = {"alice@example.org": stack.alice.name, "bob@example.org": stack.bob.name}
        oidc = {"issuer": provider.issuer, "users": users, "refresh_seconds": 0, "leeway_seconds": 1}
        services = Services(stack.site, tmp_path_factory.mktemp("openid"), oidc=oidc)
        try:
            yield Door(provider, services.url)
        finally:
            services.close()


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_a_token_is_the_user_that_the_settings_map_it_to(
    door: Door, stack: Stack, session: iRODSSession, place: str, algorithm: str
) -> None:
    """The job is alice's, whichever way she came; bob's token does not find it."""
    write(session, f"{place}/in", b"x" * 1000)
    body = {"operation": "compress", "source": f"{place}/in", "target": f"{place}/{algorithm}"}
    headers = {"Authorization": f"Bearer {door.provider.token('alice', algorithm=algorithm)}"}

    made = httpx.post(f"{door.url}/api/v1/jobs", json=body, headers=headers, timeout=30)

    assert made.status_code == 201, made.text
    assert made.json()["user"] == stack.alice.qualified
    assert stack.finished(made.json()["id"])["state"] == "succeeded"
    assert door.get(door.provider.token("bob"), f"/api/v1/jobs/{made.json()['id']}").status_code == 404


def test_a_job_outlives_its_token(door: Door, stack: Stack, session: iRODSSession, place: str) -> None:
    """The token is of no use any more when the job ends; the job does not mind."""
    write(session, f"{place}/in", b"x" * 1000)
    body = {"operation": "compress", "source": f"{place}/in", "target": f"{place}/out"}
    token = door.provider.token("alice", seconds=2)

    made = httpx.post(
        f"{door.url}/api/v1/jobs", json=body, headers={"Authorization": f"Bearer {token}", "Prefer": "respond-async"}
    )

    assert made.status_code == 202, made.text
    until(lambda: True if door.get(token).status_code == 401 else None, "the token's end", 20)
    assert stack.finished(made.json()["id"])["state"] == "succeeded"


def other_audience(door: Door) -> str:
    """Made for another service."""
    return door.provider.token("alice", audience="elsewhere")


def unmapped(door: Door) -> str:
    """Good, but the settings name no iRODS user for it."""
    return door.provider.token("mallory")


def changed(door: Door) -> str:
    """Bob's name written into alice's token."""
    head, body, signature = door.provider.token("alice").split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["preferred_username"] = "bob@example.org"
    return f"{head}.{_part(claims)}.{signature}"


def _part(values: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def claims(door: Door) -> dict[str, object]:
    """What a good token says."""
    return dict(jwt.decode(door.provider.token("alice"), options={"verify_signature": False}))


def unsigned(door: Door) -> str:
    """Algorithm none."""
    return jwt.encode(claims(door), None, algorithm="none")  # type: ignore[arg-type]


def signed_with_the_public_key(door: Door) -> str:
    """HS256 under what everybody may read: the classic confusion."""
    public = httpx.get(f"{door.provider.issuer}/jwks").json()["keys"][0]
    text = ".".join(_part(part) for part in ({"alg": "HS256", "kid": public["kid"]}, claims(door)))
    signature = hmac.digest(json.dumps(public).encode(), text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def of_another_issuer(door: Door) -> str:
    """A key that the provider does not have."""
    stranger = OpenIdProvider()
    try:
        key = json.loads((stranger.home / "keys.json").read_text())["keys"][0]
    finally:
        stranger.close()
    return jwt.encode(claims(door), jwt.PyJWK(key).key, algorithm="ES256", headers={"kid": key["kid"]})


def without_an_end(door: Door) -> str:
    """Signed by the provider's own key, but valid for ever."""
    key = json.loads((door.provider.home / "keys.json").read_text())["keys"][0]
    endless = {name: value for name, value in claims(door).items() if name != "exp"}
    return jwt.encode(endless, jwt.PyJWK(key).key, algorithm="ES256", headers={"kid": key["kid"]})


def from_the_future(door: Door) -> str:
    """Not valid before an hour from now."""
    key = json.loads((door.provider.home / "keys.json").read_text())["keys"][0]
    later = {**claims(door), "nbf": int(time.time()) + 3600}
    return jwt.encode(later, jwt.PyJWK(key).key, algorithm="ES256", headers={"kid": key["kid"]})


REFUSED = [
    other_audience,
    unmapped,
    changed,
    unsigned,
    signed_with_the_public_key,
    of_another_issuer,
    without_an_end,
    from_the_future,
]


@pytest.mark.parametrize("make", REFUSED)
def test_other_tokens_are_refused(door: Door, make: object) -> None:
    """401, a challenge, and nothing of the token in the answer."""
    token = make(door)  # type: ignore[operator]

    answer = door.get(token)

    assert (answer.status_code, answer.json()["code"]) == (401, "login_required")
    assert "Bearer" in answer.headers["WWW-Authenticate"]
    assert token.split(".")[1] not in answer.text


def test_the_provider_may_change_its_keys(door: Door) -> None:
    """A token under the new key is good at once; one under the old key, which is gone, is not."""
    old = door.provider.token("alice")
    assert door.get(old).status_code == 200

    door.provider.kill()
    door.provider.new_keys()
    door.provider.start()

    assert door.get(door.provider.token("alice")).status_code == 200
    assert door.get(old).status_code == 401


def test_known_keys_outlast_an_outage_of_the_provider(door: Door) -> None:
    """Who has a token gets in while the provider is away."""
    token = door.provider.token("alice")
    assert door.get(token).status_code == 200

    door.provider.kill()
    try:
        answer = door.get(token)
    finally:
        door.provider.start()

    assert answer.status_code == 200
