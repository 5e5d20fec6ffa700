"""The provider whose master key lives in a PKCS#11 token and never leaves it (HSM, smart card, SoftHSM)."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pkcs11
from pkcs11 import GCMParams, KeyType, Mechanism

from python_rules.engine.keys.provider import not_wrapped, read_private
from python_rules.jobs.errors import JobError

NONCE_SIZE = 12
TAG_BITS = 128
# A login is the process's, not the session's: two at the same time refuse each other.
_LOGIN = threading.Lock()


class TokenProvider:
    """An AES-256 key in a token, found by the labels of both; the PIN is in a file of its own."""

    def __init__(self, module: str, token: str, label: str, pin_file: str) -> None:
        self._module = module
        self._token = token
        self._label = label
        self._pin_file = pin_file
        self.name = f"pkcs11 token {token} key {label}"

    def wrap(self, secret: bytes, context: bytes) -> bytes:
        """As Provider.wrap: a random nonce, then AES-GCM as the token does it."""
        nonce = os.urandom(NONCE_SIZE)
        with self._session() as session:
            return nonce + bytes(self._key(session).encrypt(secret, **_gcm(nonce, context)))

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """As Provider.unwrap."""
        with self._session() as session:
            key = self._key(session)
            try:
                return bytes(key.decrypt(wrapped[NONCE_SIZE:], **_gcm(wrapped[:NONCE_SIZE], context)))
            except pkcs11.PKCS11Error:  # tokens tell a wrong tag by codes of their own choice
                raise not_wrapped(f"the {self.name}") from None

    def create(self) -> str:
        """As Provider.create; the key is made in the token, sensitive and not extractable."""
        with self._session(rw=True) as session:
            if next(iter(session.get_objects({pkcs11.Attribute.LABEL: self._label})), None) is not None:
                raise self._unusable("exists", "a master key is never overwritten")
            session.generate_key(KeyType.AES, 256, label=self._label, store=True)
        return f"{self.name} made; back the token up as its vendor says"

    @contextmanager
    def _session(self, rw: bool = False) -> Iterator[Any]:
        pin = read_private(self._pin_file).decode().strip()
        try:
            with _LOGIN, pkcs11.lib(self._module).get_token(token_label=self._token).open(rw, user_pin=pin) as session:
                yield session
        except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
            what = type(error).__name__
            raise self._unusable(
                f"cannot be used ({what})", "check keys.pkcs11_*, keys.pin_file and the token"
            ) from None

    def _key(self, session: Any) -> Any:
        try:
            return session.get_key(label=self._label, key_type=KeyType.AES)
        except pkcs11.NoSuchKey:
            raise self._unusable("is not there", "make it once with: sluice-keys init; or restore the token") from None

    def _unusable(self, what: str, remedy: str) -> JobError:
        return JobError("configuration", f"the {self.name} {what}", remedy=remedy)


def _gcm(nonce: bytes, context: bytes) -> dict[str, Any]:
    return {"mechanism": Mechanism.AES_GCM, "mechanism_param": GCMParams(nonce, context, TAG_BITS)}
