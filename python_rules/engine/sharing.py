"""Sharing one sealed object with somebody who has a Crypt4GH key pair: never its key in the clear, nor the named key.

The answer is a Crypt4GH header for the reader's public key. Of a ``crypt4gh`` object it takes the place of the first
``replaces`` bytes, and any Crypt4GH tool opens the result. Of an ``aes256-gcm`` object it holds the key of that one
object: ``sluice-file open OBJECT --share HEADER --secret PRIVATE_KEY``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from irods.session import iRODSSession

from python_rules.config import Config
from python_rules.engine import encoding, identity, sessions
from python_rules.engine.keys import Key, KeyUse
from python_rules.engine.keys.key import ObjectKey
from python_rules.engine.seal import crypt4gh, tink
from python_rules.engine.transfer.zone import Zone
from python_rules.jobs import paths
from python_rules.jobs.errors import JobError, RequestError

_FIRST = 64 * 1024  # bytes of an object: its whole header
LARGEST = 64 * 1024  # bytes of a header
_SHAREABLE = ("crypt4gh", "aes256-gcm")


def answer(config: Config, service: iRODSSession, path: str, reader: str, user: str) -> dict[str, Any]:
    """Share an object that the user may read and whose key he may open with; ``reader`` is a public key."""
    public = public_key(reader)
    keys = identity.keys_for(config, service, user, "")
    with sessions.as_user(config, user) as session:
        return share(Zone(session, ""), keys, paths.checked(path, "path"), public)


def share(zone: Zone, keys: KeyUse, path: str, public: bytes) -> dict[str, Any]:
    """The header for the owner of a public key; raises JobError."""
    source = zone.list(path).objects[0] if zone.existing(path) else None
    if source is None:
        raise JobError("source_not_found", f"{path} does not exist, or may not be read", field="path")
    told = encoding.read(zone.attributes(source))
    method = told.methods[-1] if told.methods else ""
    if method not in _SHAREABLE:
        raise encoding.wrong("it is not sealed in a way that can be shared", "encrypt it with aes256-gcm or crypt4gh")
    start = _start(zone, path)
    name, version = encoding.key_of(told)
    key = keys.shared_key(name, version, path, f"with {fingerprint(public)}")
    size, header = _header(method, start, key, public)
    return {"path": path, "method": method, "replaces": size, "header": base64.b64encode(header).decode()}


def received(header: bytes, private: Key) -> ObjectKey:
    """The key of one ``aes256-gcm`` object, out of the header that was made for the owner of a private key."""
    return ObjectKey("shared", 0, crypt4gh.data_key(header, private))


def public_key(text: str) -> bytes:
    """A reader's public key: 32 bytes in base64, bare or in a file of the crypt4gh tool; raises RequestError."""
    lines = [line for line in text.strip().splitlines() if not line.startswith("-----")]
    try:
        public = base64.b64decode("".join(lines), validate=True)
    except (binascii.Error, ValueError):
        public = b""
    if len(public) != crypt4gh.PUBLIC_KEY_SIZE:
        raise RequestError(
            "bad_value",
            "this is not a Crypt4GH public key",
            field="reader",
            remedy="give the content of the reader's .pub file (crypt4gh-keygen); never a private key",
        )
    return public


def fingerprint(public: bytes) -> str:
    """A short name of a public key in the audit log."""
    return "reader " + hashlib.sha256(public).hexdigest()[:16]


def _header(method: str, start: bytes, key: Key, public: bytes) -> tuple[int, bytes]:
    if method == "crypt4gh":
        return crypt4gh.rewritten(start, key, [public])
    if len(start) < tink.HEADER_SIZE:
        raise tink.corrupt("the sealed data end inside their header", len(start))
    return 0, crypt4gh.header(tink.object_key(key, start[1 : 1 + tink.SALT_SIZE]), [public])


def _start(zone: Zone, path: str) -> bytes:
    buffer, reader = bytearray(_FIRST), zone.reader(path)
    try:
        return bytes(buffer[: reader.readinto(buffer)])
    finally:
        reader.close()
