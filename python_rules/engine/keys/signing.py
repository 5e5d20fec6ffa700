"""The zone's signature under receipts: an Ed25519 key in the keyring, wrapped as every other secret."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from python_rules.engine.keys import store
from python_rules.engine.keys.key import Secret
from python_rules.engine.keys.keyring import Keyring
from python_rules.jobs.errors import JobError

_CONTEXT = b"sluice keyring 1 signer"


def public_key(keyring: Keyring) -> str:
    """The public half in base64; both halves are made at the first call."""
    signer = store.read(keyring.path).get("signer")
    if signer is None:
        with store.changed(keyring.path) as document:
            signer = document.setdefault("signer", None) or _made(keyring)
            document["signer"] = signer
    return str(signer["public"])


def signed(keyring: Keyring, content: dict[str, Any]) -> dict[str, Any]:
    """The content with ``signer`` and ``signature``: over its canonical JSON, all members but the signature."""
    whole = {**content, "signer": public_key(keyring)}
    wrapped = base64.b64decode(store.read(keyring.path)["signer"]["wrapped"])
    secret = Secret(keyring.provider.unwrap(wrapped, _CONTEXT))
    signature = Ed25519PrivateKey.from_private_bytes(secret).sign(canonical(whole))
    return {**whole, "signature": base64.b64encode(signature).decode()}


def verify(content: Any, signer: str = "") -> str:
    """The signer's public key, if the signature fits; raises JobError ``verification_failed``.

    Without ``signer`` this says only that nobody but the holder of the key inside made it: compare that key.
    """
    try:
        told = {name: value for name, value in content.items() if name != "signature"}
        if signer and told["signer"] != signer:
            raise _invalid(f"it was signed by another key, {fingerprint(told['signer'])}")
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(told["signer"], validate=True))
        public.verify(base64.b64decode(content["signature"], validate=True), canonical(told))
    except (AttributeError, KeyError, TypeError, ValueError, binascii.Error):
        raise _invalid("it is not a signed document of Sluice") from None
    except InvalidSignature:
        raise _invalid("its signature does not fit its content") from None
    return str(told["signer"])


def fingerprint(public: str) -> str:
    """A short name of a public key, to be compared by people."""
    digest = hashlib.sha256(public.encode()).hexdigest()[:32]
    return ":".join(digest[at : at + 4] for at in range(0, len(digest), 4))


def rewrapped(signer: dict[str, str], old: Any, new: Any) -> dict[str, str]:
    """The signer's row for another provider."""
    secret = Secret(old.unwrap(base64.b64decode(signer["wrapped"]), _CONTEXT))
    return {**signer, "wrapped": base64.b64encode(new.wrap(bytes(secret), _CONTEXT)).decode()}


def canonical(content: dict[str, Any]) -> bytes:
    """The one text of JSON values: sorted members, no blanks, ASCII."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _made(keyring: Keyring) -> dict[str, str]:
    private = Ed25519PrivateKey.generate()
    wrapped = keyring.provider.wrap(private.private_bytes_raw(), _CONTEXT)
    public = base64.b64encode(private.public_key().public_bytes_raw()).decode()
    return {"public": public, "wrapped": base64.b64encode(wrapped).decode()}


def _invalid(what: str) -> JobError:
    return JobError("verification_failed", f"the document proves nothing: {what}", remedy="ask its issuer for another")
