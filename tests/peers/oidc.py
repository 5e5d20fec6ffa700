"""A real OpenID provider (npm's oidc-provider, certified by the OpenID Foundation) for tests of bearer tokens."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.peers.daemon import Daemon
from tests.peers.npm import install

SOURCE = Path(__file__).parent / "openid"
INSTALLED = Path(sys.prefix) / "openid"
_MAKERS = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
}


class OpenIdProvider(Daemon):
    """A provider; ``start`` after ``new_keys`` is how one changes its keys."""

    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        install(SOURCE, INSTALLED)
        super().__init__("openid", "")
        self.new_keys()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return ["node", str(SOURCE / "provider.mjs"), str(INSTALLED), str(self.port), str(self.home / "keys.json")]

    def new_keys(self) -> None:
        """Other signing keys, from the next start on."""
        keys = [_jwk(algorithm, make()) for algorithm, make in _MAKERS.items()]
        (self.home / "keys.json").write_text(json.dumps({"keys": keys}))

    def token(self, client: str, audience: str = "sluice", algorithm: str = "ES256", seconds: int = 600) -> str:
        """An access token for a client, who is called <client>@example.org in it."""
        asked = {"grant_type": "client_credentials", "resource": f"urn:{audience}:{algorithm}:{seconds}"}
        answer = httpx.post(f"{self.issuer}/token", data=asked, auth=(client, "a secret of the test"))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


def _jwk(algorithm: str, private_key: Any) -> dict[str, Any]:
    key = jwt.get_algorithm_by_name(algorithm).to_jwk(private_key, as_dict=True)
    return {**key, "use": "sig", "alg": algorithm, "kid": os.urandom(6).hex()}
