"""OpenID Connect: a bearer token, checked against the configured provider, and the iRODS user that it stands for.

Only the configured issuer is ever asked, for its keys. A key that is not known yet is asked for again, at most once
in a while: that is how a provider changes keys.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt

from workers.settings import OidcSettings

_TIMEOUT = 5.0
_LARGEST_ANSWER = 1 << 20
_REQUIRED = ["iss", "aud", "exp", "sub"]
log = logging.getLogger(__name__)


class TokenRefused(Exception):
    """The token is not good; the text says why, without repeating anything of it."""


class ProviderUnavailable(Exception):
    """The provider's keys cannot be had."""


class Tokens:
    """Tokens of one provider."""

    def __init__(self, settings: OidcSettings) -> None:
        self._settings = settings
        self._algorithms = frozenset(settings.algorithms.split())
        self._keys = _Keys(settings)

    @property
    def accepted(self) -> bool:
        """Whether a provider is configured at all."""
        return bool(self._settings.issuer)

    def user(self, token: str) -> str:
        """The iRODS user of a good token, as the settings map it; raises TokenRefused or ProviderUnavailable."""
        return self._mapped(self._checked(token))

    def _checked(self, token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in self._algorithms:
                raise TokenRefused("the token's algorithm is not allowed")
            return jwt.decode(
                token,
                self._keys.find(header.get("kid")),
                algorithms=[header["alg"]],
                audience=self._settings.audience,
                issuer=self._settings.issuer,
                leeway=self._settings.leeway_seconds,
                options={"require": _REQUIRED},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise TokenRefused(f"the token is not good ({type(error).__name__})") from None

    def _mapped(self, claims: dict[str, Any]) -> str:
        name = self._settings.user_claim
        value = claims.get(name)
        if not isinstance(value, str) or not value or (name == "email" and claims.get("email_verified") is not True):
            raise TokenRefused(f"the token has no usable claim {name}")
        if value in self._settings.users:
            return self._settings.users[value]
        if self._settings.unmapped != "same":
            raise TokenRefused("no iRODS user is configured for this token")
        return value


class _Keys:
    """The provider's signing keys by their ids."""

    def __init__(self, settings: OidcSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._fetched = -1e9

    def find(self, key_id: str | None) -> jwt.PyJWK:
        """The key of that id; raises TokenRefused if the provider has none."""
        with self._lock:
            age = time.monotonic() - self._fetched
            unknown = key_id not in self._keys
            if age > self._settings.keys_seconds or (unknown and age > self._settings.refresh_seconds):
                self._refresh()
            if key_id not in self._keys:
                raise TokenRefused("the token's key is not one of the provider's")
            return self._keys[key_id]

    def _refresh(self) -> None:
        try:
            answer = _fetched(self._settings.keys_url or self._discovered())
            keys = [jwt.PyJWK(entry) for entry in answer["keys"] if entry.get("use", "sig") == "sig"]
        except (httpx.HTTPError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
            log.warning("the keys of %s cannot be had: %s", self._settings.issuer, type(error).__name__)
            if not self._keys:
                raise ProviderUnavailable from error
        else:
            self._keys = {key.key_id: key for key in keys}
        self._fetched = time.monotonic()

    def _discovered(self) -> str:
        issuer = self._settings.issuer
        found = _fetched(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if found["issuer"] != issuer or urlsplit(found["jwks_uri"])[:2] != urlsplit(issuer)[:2]:
            raise ValueError("the provider names another issuer or another host")  # oidc.keys_url would allow it
        return str(found["jwks_uri"])


def _fetched(url: str) -> dict[str, Any]:
    """A JSON object from a configured address; redirections are not followed."""
    answer = httpx.get(url, timeout=_TIMEOUT, follow_redirects=False)
    answer.raise_for_status()
    if answer.status_code != 200 or len(answer.content) > _LARGEST_ANSWER:
        raise ValueError("not a key set")
    return dict(answer.json())
