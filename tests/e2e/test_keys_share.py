"""One sealed object for a researcher who has a Crypt4GH key pair and no account: by rule, opened with no zone."""

from __future__ import annotations

import base64
import io
import json
import os
import uuid
from pathlib import Path
from typing import Any

import pytest
from crypt4gh import lib
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from irods.session import iRODSSession

from api_shim.client import keys
from api_shim.client.http import SluiceClient
from python_rules.engine import file_command
from tests.e2e.conftest import Stack, read, write
from tests.stack import rulecall

DATA = os.urandom(1_500_000)


@pytest.fixture
def researcher() -> X25519PrivateKey:
    return X25519PrivateKey.generate()


def public(private: X25519PrivateKey) -> str:
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()


def sealed(stack: Stack, session: iRODSSession, place: str, method: str) -> str:
    """A new object under the demo key; its path."""
    path = write(session, f"{place}/a", DATA)
    stack.done(operation="encrypt", source=path, key=stack.site.key, encryption=method, target=f"{place}/sealed")
    return f"{place}/sealed"


def test_crypt4gh_by_another_header(
    stack: Stack, session: iRODSSession, place: str, researcher: X25519PrivateKey, tmp_path: Path
) -> None:
    """The reference tool opens the header that ``sluice keys share`` answered, with the body that was downloaded."""
    path = sealed(stack, session, place, "crypt4gh")
    reader = tmp_path / "reader.pub"
    label = "CRYPT4GH PUBLIC KEY-----"
    reader.write_text(f"-----BEGIN {label}\n{public(researcher)}\n-----END {label}\n")

    with SluiceClient(stack.url, stack.alice.name, stack.alice.password) as client:
        shared: dict[str, Any] = json.loads(keys.run(["share", path, str(reader)], lambda: client, False))

    whole = base64.b64decode(shared["header"]) + read(session, path)[shared["replaces"] :]
    opened = io.BytesIO()
    lib.decrypt([(0, researcher.private_bytes_raw(), None)], io.BytesIO(whole), opened)
    assert opened.getvalue() == DATA


def test_aes256_gcm_by_the_key_of_the_object(
    stack: Stack, session: iRODSSession, place: str, researcher: X25519PrivateKey, tmp_path: Path
) -> None:
    """The stand-alone decryptor opens that object with it, and no other one of the same key."""
    path = sealed(stack, session, place, "aes256-gcm")
    shared = rulecall.call(session, "sluice_keys_share", path, public(researcher))["ok"]
    (tmp_path / "share.json").write_text(json.dumps(shared))
    secret = tmp_path / "private"
    secret.write_bytes(researcher.private_bytes_raw())
    secret.chmod(0o600)
    (tmp_path / "data.tink").write_bytes(read(session, path))
    other = f"{place}/other"
    stack.done(operation="encrypt", source=f"{place}/a", key=stack.site.key, target=other)
    (tmp_path / "other.tink").write_bytes(read(session, other))
    words = ["--share", str(tmp_path / "share.json"), "--secret", str(secret), "--quiet"]

    assert file_command.main(["open", str(tmp_path / "data.tink"), *words]) == 0
    assert file_command.main(["open", str(tmp_path / "other.tink"), *words]) == 1

    assert (tmp_path / "data").read_bytes() == DATA
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("reader", "code"), [("", "bad_value"), ("AAAA", "bad_value"), ("not base64!", "bad_value"), ("€", "bad_value")]
)
def test_what_is_no_public_key_is_refused(session: iRODSSession, place: str, reader: str, code: str) -> None:
    """Before anything is looked at."""
    assert rulecall.call(session, "sluice_keys_share", f"{place}/a", reader)["error"]["code"] == code


def test_who_may_not_open_may_not_share(
    stack: Stack, session: iRODSSession, place: str, researcher: X25519PrivateKey
) -> None:
    """Neither an object that may not be read, nor one whose key may not be used."""
    path = sealed(stack, session, place, "aes256-gcm")
    with stack.bob.session() as his:
        refused = rulecall.call(his, "sluice_keys_share", path, public(researcher))
        assert refused["error"]["code"] == "source_not_found"
    with stack.site.admin() as admin:
        key = f"share-{uuid.uuid4().hex[:8]}"
        rulecall.call(admin, "sluice_keys_create", key, stack.alice.qualified)
        assert "ok" in rulecall.call(session, "sluice_keys_grant", key, stack.bob.qualified, "seal", "")
    with stack.bob.session() as his:
        mine = write(his, f"{stack.bob.home}/{key}", b"x")
        with stack.rest(stack.bob) as client:
            asked = {"operation": "encrypt", "source": mine, "key": key}
            job = stack.finished(client.post("/api/v1/jobs", json=asked).json()["id"], stack.bob)
        assert job["state"] == "succeeded", job
        refused = rulecall.call(his, "sluice_keys_share", f"{mine}.tink", public(researcher))
        assert refused["error"]["code"] == "not_permitted"
