"""Keysets as Google's tinkey writes them: JSON in the clear, of the one type of key that ``aes256-gcm`` has.

    {"primaryKeyId": 2, "key": [{"keyData": {"typeUrl": ..., "value": "<base64 of AesGcmHkdfStreamingKey>",
        "keyMaterialType": "SYMMETRIC"}, "status": "ENABLED", "keyId": 2, "outputPrefixType": "RAW"}]}

Each key of a keyset is a version of ours, in their order. The protocol buffer inside holds numbers and bytes alone.
"""

from __future__ import annotations

import base64
import json
from typing import Any, NamedTuple

from python_rules.engine.keys.key import Secret
from python_rules.engine.keys.keyring import DISABLED, ENABLED, SECRET_SIZE
from python_rules.jobs.errors import JobError

TYPE = "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey"
TEMPLATE = "AES256_GCM_HKDF_1MB"
LARGEST = 64 * 1024  # bytes of a keyset: some 200 versions
# AesGcmHkdfStreamingKey: 1 version, 2 parameters, 3 key. Parameters: 1 bytes of a segment, 2 of a derived key, 3 hash.
_PARAMETERS, _KEY = 2, 3
_WANTED: dict[int, int | bytes] = {1: 1 << 20, 2: 32, 3: 3}  # 3 is SHA256
_BEFORE_KEY = bytes.fromhex("1208088080401020 18031a20")  # the parameters, then the tag and size of the key
_STATUS = {"ENABLED": ENABLED, "DISABLED": DISABLED}


class Keyset(NamedTuple):
    """The versions, oldest first, each with its status; and the number of the primary one, from 1."""

    versions: list[tuple[Secret, str]]
    primary: int


def read(text: bytes) -> Keyset:
    """The keyset in a text; raises JobError ``bad_value`` if it is none, or not of our type."""
    try:
        content = json.loads(text)
        keys = [key for key in content["key"] if key["status"] in _STATUS]
        ids = [key["keyId"] for key in keys]
        versions = [(_secret(key), _STATUS[key["status"]]) for key in keys]
        return Keyset(versions, ids.index(content["primaryKeyId"]) + 1)
    except (ValueError, KeyError, TypeError, IndexError):
        raise _wrong("this is no keyset in the clear, or its primary key is not enabled") from None


def written(versions: dict[int, Secret], primary: int) -> bytes:
    """The keyset of these versions; key ids are the versions' numbers."""
    keys = [_key(number, secret) for number, secret in versions.items()]
    return json.dumps({"primaryKeyId": primary, "key": keys}, indent=2).encode() + b"\n"


def _key(number: int, secret: Secret) -> dict[str, Any]:
    value = base64.b64encode(_BEFORE_KEY + secret).decode()
    data = {"typeUrl": TYPE, "value": value, "keyMaterialType": "SYMMETRIC"}
    return {"keyData": data, "status": "ENABLED", "keyId": number, "outputPrefixType": "RAW"}


def _secret(key: dict[str, Any]) -> Secret:
    data = key["keyData"]
    if data["typeUrl"] != TYPE:
        raise _wrong(f"it holds a key of type {str(data['typeUrl']).rpartition('.')[2][:64]!a}")
    fields = _fields(base64.b64decode(data["value"], validate=True))
    secret, parameters = fields[_KEY], fields[_PARAMETERS]
    if not isinstance(secret, bytes) or not isinstance(parameters, bytes) or len(secret) != SECRET_SIZE:
        raise ValueError
    if _fields(parameters) != _WANTED:
        raise _wrong("its keys have other parameters")
    return Secret(secret)


def _fields(message: bytes) -> dict[int, int | bytes]:
    """The fields of a protocol buffer by number; raises ValueError or IndexError."""
    found: dict[int, int | bytes] = {}
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        value, at = _varint(message, at)
        if tag & 7 == 2:  # so many bytes
            at += value
            if at > len(message):
                raise ValueError
            found[tag >> 3] = message[at - value : at]
        elif tag & 7 == 0:
            found[tag >> 3] = value
        else:
            raise ValueError
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _wrong(what: str) -> JobError:
    return JobError(
        "bad_value", what, field="file", remedy=f"make it with: tinkey create-keyset --key-template {TEMPLATE}"
    )
