"""Datasets that LEXIS's workers made with tar, gzip and stock openssl, opened inside the zone."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import uuid

import pytest
from irods.session import iRODSSession

from python_rules.engine.key_command import main as sluice_keys
from tests.e2e.conftest import Stack, done_by_rule, read, write
from tests.stack import rulecall
from tests.stack.site import EmbeddedSite

PHRASE = "a project's passphrase, 31 bytes+"
DATA = b"measured,value\n" * 20_000
OPENSSL = ["openssl", "enc", "-aes-256-ctr", "-pbkdf2", "-iter", "2500", "-pass", "env:SECRET"]


@pytest.fixture(scope="module")
def key(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The project's passphrase as a key of alice."""
    name = f"lexis-{uuid.uuid4().hex[:8]}"
    file = tmp_path_factory.mktemp("phrase") / "phrase"
    file.touch(0o600)
    file.write_text(PHRASE + "\n")
    assert isinstance(stack.site, EmbeddedSite)
    words = ["import", name, str(file), "--passphrase", "--iterations", "2500", "--owner", stack.alice.qualified]
    assert sluice_keys(["--config", str(stack.site.server.config.etc / "sluice.json"), *words]) == 0
    return name


def sealed(data: bytes, *options: str) -> bytes:
    """What stock openssl makes of data."""
    environment = {**os.environ, "SECRET": PHRASE}
    return subprocess.run([*OPENSSL, *options], input=data, stdout=subprocess.PIPE, env=environment, check=True).stdout


def tar_gz(name: str, data: bytes) -> bytes:
    """What ``tar cz`` makes of one file."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return made.getvalue()


@pytest.mark.long
@pytest.mark.parametrize("options", [(), ("-a",)], ids=["bytes", "base64"])
def test_a_packed_dataset_is_opened(
    stack: Stack, session: iRODSSession, place: str, key: str, options: tuple[str, ...]
) -> None:
    """One request decrypts, decompresses and unpacks it; the passphrase never leaves the keyring."""
    source = write(session, f"{place}/set.tar.gz.enc", sealed(tar_gz("a/b.csv", DATA), *options))
    job = stack.done(operation="decrypt_decompress", source=source, target=f"{place}/set", pack=True, key=key)
    assert read(session, f"{place}/set/a/b.csv") == DATA
    assert PHRASE not in str(job)


@pytest.mark.long
def test_what_is_sealed_with_it_stock_openssl_opens(stack: Stack, session: iRODSSession, place: str, key: str) -> None:
    """And back again, by a rule, without naming the key: the object does."""
    plain = write(session, f"{place}/b.csv", DATA)
    done_by_rule(session, "encrypt", plain, "", f"key={key};encryption=openssl-ctr;original=remove")
    assert sealed(read(session, f"{plain}.enc"), "-d") == DATA
    done_by_rule(session, "decrypt", f"{plain}.enc")
    assert read(session, plain) == DATA


@pytest.mark.long
def test_a_passphrase_is_no_key_to_another_method(stack: Stack, session: iRODSSession, place: str, key: str) -> None:
    """A short secret under AES-GCM would look safe and not be."""
    plain = write(session, f"{place}/b.csv", DATA)
    answer = rulecall.call(session, "sluice_request", "encrypt", plain, "", f"key={key}")
    if "ok" in answer:
        job = stack.finished(answer["ok"]["id"])
        assert job["state"] == "failed"
        assert "is a passphrase of openssl" in str(job)
        assert "openssl-ctr" in str(job)
    else:
        assert "is a passphrase of openssl" in str(answer)


@pytest.mark.long
def test_who_may_not_use_the_key_is_told_before_the_job(stack: Stack, place: str, key: str) -> None:
    """Bob has the object and not the key."""
    bob = stack.bob
    with bob.session() as his:
        path = write(his, f"{bob.home}/{uuid.uuid4().hex}.enc", sealed(DATA))
    with stack.rest(bob) as client:
        answer = client.post("/api/v1/jobs", json={"operation": "decrypt", "source": path, "key": key})
    assert (answer.status_code, answer.json()["code"]) == (404, "key_not_found")
