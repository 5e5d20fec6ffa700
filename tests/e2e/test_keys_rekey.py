"""Rekeying a collection, and shredding what was not rekeyed: objects, metadata, receipt."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from irods.meta import iRODSMeta
from irods.models import DataObject
from irods.session import iRODSSession

from python_rules.engine import anchoring
from python_rules.engine.key_command import main as sluice_keys
from python_rules.engine.keys import Keyring, Log, signing
from python_rules.engine.ledger import Ledger
from python_rules.engine.rekey import HEADER_ATTRIBUTE
from python_rules.engine.seal import crypt4gh
from tests.e2e.conftest import done_by_rule, read, write
from tests.stack import rulecall
from tests.stack.site import Account, EmbeddedSite
from tests.stack.waiting import until

CONTENT = {"empty": b"", "one": b"x", "small": os.urandom(5000), "large": os.urandom(2_500_000)}
WAYS = {"aes256-gcm": "encrypt", "zstd": "compress_encrypt", "crypt4gh": "encrypt"}


class Place:
    """A new collection of alice, sealed in three ways under version 1 of a new key of hers."""

    def __init__(self, site: EmbeddedSite, alice: Account, session: iRODSSession) -> None:
        self.session, self.site = session, site
        self.keyring = Keyring.of(site.settings)
        self.key = f"k-{uuid.uuid4().hex[:8]}"
        self.path = f"{alice.home}/{self.key}"
        self.keyring.create(self.key, alice.qualified)
        for way, operation in WAYS.items():
            session.collections.create(f"{self.path}/{way}")
            for name, content in CONTENT.items():
                write(session, f"{self.path}/{way}/{name}", content)
            method = ";encryption=crypt4gh" if way == "crypt4gh" else ""
            options = f"key={self.key};original=remove{method}"
            self.done(operation, f"{self.path}/{way}", "", options)

    def done(self, operation: str, source: str = "", target: str = "", options: str = "") -> dict[str, Any]:
        return done_by_rule(self.session, operation, source or self.path, target, options)

    def objects(self) -> dict[str, DataObject]:
        """The sealed objects by their paths."""
        parts = [self.session.collections.get(f"{self.path}/{way}") for way in WAYS]
        return {item.path: item for part in parts for item in part.data_objects}

    def keys(self) -> set[str]:
        """The versions that the objects name."""
        return {avu.value for path in self.objects() for avu in self._avus(path) if avu.name == "sluice::key"}

    def opened(self) -> dict[str, dict[str, bytes]]:
        """What comes out of them again."""
        target = f"{self.path}-{uuid.uuid4().hex[:6]}"
        self.session.collections.create(target)
        for way in WAYS:
            operation = "decrypt_decompress" if way == "zstd" else "decrypt"
            self.done(operation, f"{self.path}/{way}", f"{target}/{way}")
        return {way: {name: read(self.session, f"{target}/{way}/{name}") for name in CONTENT} for way in WAYS}

    def _avus(self, path: str) -> list[iRODSMeta]:
        return list(self.session.metadata.get(DataObject, path))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedSite]:
    made = EmbeddedSite(tmp_path_factory.mktemp("rekey") / "zone")
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def alice(site: EmbeddedSite) -> Account:
    return site.make_user("alice")


@pytest.fixture
def place(site: EmbeddedSite, alice: Account) -> Iterator[Place]:
    with alice.session() as session:
        yield Place(site, alice, session)


def stored(item: DataObject) -> bytes:
    return Path(item.replicas[0].path).read_bytes()


def test_a_collection_is_rekeyed(place: Place) -> None:
    """Every object opens again, under the new version alone; of crypt4gh nothing but the header is written."""
    before = {path: stored(item) for path, item in place.objects().items() if path.endswith(".c4gh")}
    place.keyring.rotate(place.key)

    job = place.done("rekey")

    assert job["progress"]["objects_done"] == len(WAYS) * len(CONTENT)
    assert place.keys() == {f"{place.key}:2"}
    for path, item in place.objects().items():
        assert item.checksum == "sha2:" + base64.b64encode(hashlib.sha256(stored(item)).digest()).decode()
        if path in before:
            size = crypt4gh.header_size(before[path])
            assert stored(item)[size:] == before[path][size:]
            assert stored(item)[:size] != before[path][:size]
    place.keyring.set_status(place.key, "disabled", 1)
    assert place.opened() == dict.fromkeys(WAYS, CONTENT)


@pytest.mark.long
def test_what_needs_nothing_is_left_alone(place: Place) -> None:
    """A second time, and in a collection of plain objects, nothing is written."""
    write(place.session, f"{place.path}/aes256-gcm/plain", b"plain")
    before = {path: (item.id, item.modify_time) for path, item in place.objects().items()}

    place.done("rekey")

    assert {path: (item.id, item.modify_time) for path, item in place.objects().items()} == before


@pytest.mark.long
def test_an_attempt_that_broke_in_the_header_is_finished(place: Place, site: EmbeddedSite) -> None:
    """Killed after it had noted the new header, before or while it wrote it."""
    place.keyring.rotate(place.key)
    path = next(path for path in place.objects() if path.endswith("large.c4gh"))
    file = Path(place.objects()[path].replicas[0].path)
    old, new = place.keyring.version(place.key, 1), place.keyring.version(place.key, 2)
    size, header = crypt4gh.rewritten(file.read_bytes()[:4096], old, [crypt4gh.public_key(new)])
    waiting = iRODSMeta(HEADER_ATTRIBUTE, base64.b64encode(header).decode(), new.reference)
    place.session.metadata.add(DataObject, path, waiting)
    file.write_bytes(header[: size // 2] + file.read_bytes()[size // 2 :])

    place.done("rekey")

    assert place.keys() == {f"{place.key}:2"}
    assert HEADER_ATTRIBUTE not in {avu.name for avu in place.session.metadata.get(DataObject, path)}
    assert place.opened()["crypt4gh"] == CONTENT


@pytest.mark.long
def test_rekeying_to_a_key_needs_its_grant(place: Place) -> None:
    """It is refused at submit, as sealing under it would be; what goes with no rekey is refused as well."""
    place.keyring.create(f"{place.key}-other", "bob#tempZone")
    asked = rulecall.call(place.session, "sluice_request", "rekey", place.path, "", f"key={place.key}-other")
    assert asked["error"]["code"] == "key_not_found"
    asked = rulecall.call(place.session, "sluice_request", "rekey", place.path, f"{place.path}-b", "")
    assert (asked["error"]["code"], asked["error"]["field"]) == ("bad_value", "target")


@pytest.mark.long
def test_a_cut_audit_log_is_noticed(place: Place, site: EmbeddedSite, capsys: pytest.CaptureFixture[str]) -> None:
    """The patrol notes the head in the catalogue: the chain alone would verify, and the log is not given a new mark."""
    command, log = ["--config", site.settings.path, "audit"], Log.of(site.settings)
    with site.admin() as admin:
        book = Ledger(admin, site.settings.ledger)
        until(lambda: str(log.mark()) in book.told(anchoring.attribute()) or None, "the patrol's mark", 30)
        assert sluice_keys([*command, "--zone"]) == 0
        whole = Path(log.path).read_bytes()
        Path(log.path).write_bytes(b"".join(whole.splitlines(keepends=True)[:-3]))
        try:
            assert sluice_keys(command) == 0
            assert sluice_keys([*command, "--zone"]) == 1
            assert f"has lost entry {log.head().number + 3}" in capsys.readouterr().err
            told = rulecall.call(admin, "sluice_selfcheck")["ok"]["parts"]["audit"]
            assert "has lost entry" in told["problem"]
        finally:
            Path(log.path).write_bytes(whole)


@pytest.mark.long
def test_a_shredded_version_takes_its_objects_along(
    place: Place, site: EmbeddedSite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unreadable wherever they are, copies too; the receipt in the zone lists them; what was rekeyed stays."""
    config = ["--config", site.settings.path]
    place.keyring.rotate(place.key)
    place.done("rekey", f"{place.path}/crypt4gh")
    lost = {path for path in place.objects() if not path.endswith(".c4gh")}

    assert sluice_keys([*config, "destroy", place.key, "--version", "1", "--days", "0"]) == 0
    assert sluice_keys([*config, "purge"]) == 0

    asked = ("decrypt", f"{place.path}/aes256-gcm", f"{place.path}-never", "")
    assert "destroyed" in rulecall.call(place.session, "sluice_request", *asked)["error"]["text"]
    place.done("decrypt", f"{place.path}/crypt4gh", f"{place.path}-back")
    receipt = tmp_path / "receipt.json"
    receipt.write_bytes(read(place.session, f"/{site.zone}/sluice/receipts/{place.key}-1.json"))
    assert {item["path"] for item in json.loads(receipt.read_text())["objects"]} == lost
    capsys.readouterr()
    assert (
        sluice_keys(["--config", "/nowhere", "receipt", str(receipt), "--signer", signing.public_key(place.keyring)])
        == 0
    )
    assert all(path in capsys.readouterr().out for path in sorted(lost)[:1])
