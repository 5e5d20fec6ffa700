"""The provider whose master key is one of a transit service (Vault, OpenBao): the service wraps, and keeps the key."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import hvac
import requests
from hvac.exceptions import InvalidPath, InvalidRequest, VaultError

from python_rules.engine.keys.provider import not_wrapped, read_private
from python_rules.jobs.errors import JobError

TIMEOUT_SECONDS = 10


class TransitProvider:
    """A key of type aes256-gcm96 in a transit mount; the client's token is in a file of its own."""

    def __init__(self, url: str, mount: str, label: str, token_file: str, authority: str = "") -> None:
        self._url = url
        self._mount = mount
        self._label = label
        self._token_file = token_file
        self._authority = authority
        self.name = f"transit {url} {mount}/{label}"

    def wrap(self, secret: bytes, context: bytes) -> bytes:
        """As Provider.wrap: ``vault:v<n>:<base64>``, so that the service may rotate its own key."""
        with self._transit() as transit:
            answer = transit.encrypt_data(self._label, plaintext=_text(secret), **self._bound(context))
        return str(answer["data"]["ciphertext"]).encode()

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """As Provider.unwrap."""
        with self._transit() as transit:
            try:
                answer = transit.decrypt_data(self._label, ciphertext=wrapped.decode(), **self._bound(context))
            except (InvalidRequest, UnicodeDecodeError):
                raise not_wrapped(f"the {self.name}") from None
        return base64.b64decode(answer["data"]["plaintext"])

    def create(self) -> str:
        """As Provider.create; the service never exports the key."""
        with self._transit() as transit:
            try:
                transit.read_key(self._label, mount_point=self._mount)
            except InvalidPath:
                transit.create_key(self._label, key_type="aes256-gcm96", exportable=False, mount_point=self._mount)
                return f"{self.name} made"
        raise self._unusable("exists", "a master key is never overwritten")

    def _bound(self, context: bytes) -> dict[str, str]:
        return {"associated_data": _text(context), "mount_point": self._mount}

    @contextmanager
    def _transit(self) -> Iterator[Any]:
        token = read_private(self._token_file).decode().strip()
        session = requests.Session()
        # Neither proxies nor a .netrc of the environment have a say in where a secret goes.
        session.trust_env = False
        session.verify = self._authority or True
        client = hvac.Client(self._url, token=token, timeout=TIMEOUT_SECONDS, session=session, allow_redirects=False)
        try:
            yield client.secrets.transit
        except (VaultError, requests.RequestException) as error:
            what = type(error).__name__  # their texts may hold the request
            raise self._unusable(
                f"cannot be used ({what})", "check keys.transit_*, keys.token_file and the service"
            ) from None
        finally:
            session.close()

    def _unusable(self, what: str, remedy: str) -> JobError:
        return JobError("configuration", f"the {self.name} {what}", remedy=remedy)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
