"""The end of a key: ordered, taken back, carried out; and the receipt that proves it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from python_rules.engine.key_command import main
from python_rules.engine.keys import Keyring, Log, Who, shredding, signing
from python_rules.engine.keys.desk import Desk
from python_rules.jobs.errors import JobError
from tests.unit.keys.conftest import Clock

SEALED = [{"path": "/z/home/a.tink", "data_id": 7, "size": 99, "checksum": "sha2:x"}]


@pytest.fixture
def desk(keyring: Keyring, log: Log) -> Desk:
    """Alice's, with her key of two versions."""
    keyring.create("k", "alice#z")
    keyring.rotate("k")
    return Desk(keyring, log, Who("alice#z"), 7)


def shred(keyring: Keyring, log: Log) -> list[dict[str, Any]]:
    return shredding.shred(keyring, log, lambda reference: copy.deepcopy(SEALED), lambda receipt: None, "purge")


def statuses(keyring: Keyring) -> list[str]:
    return [version.status for version in keyring.list()["k"]]


def test_condemned_is_as_good_as_gone_and_comes_back(desk: Desk, keyring: Keyring, log: Log, clock: Clock) -> None:
    """It does nothing, tells until when it can be taken back, and is what it was before."""
    keyring.set_status("k", "disabled", 1)
    secret = bytes(keyring.primary("k").secret)

    desk.destroy("k")
    with pytest.raises(JobError, match="condemned") as caught:
        keyring.primary("k")
    clock.pass_days(6.9)
    assert shred(keyring, log) == []
    desk.recover("k")

    assert "until 2026-11-29T12:00:00Z" in caught.value.remedy
    assert statuses(keyring) == ["disabled", "enabled"]
    assert keyring.primary("k").secret == secret


def test_when_its_time_has_come_there_is_no_way_back(desk: Desk, keyring: Keyring, log: Log, clock: Clock) -> None:
    """Whether or not somebody came by to carry it out."""
    desk.destroy("k", 1)
    clock.pass_days(7)

    with pytest.raises(JobError, match="cannot be done now"):
        desk.recover("k")
    receipt = shred(keyring, log)[0]

    assert statuses(keyring) == ["destroyed", "enabled"]
    assert "wrapped" not in keyring.row("k")["versions"]["1"]
    with pytest.raises(JobError, match="destroyed") as caught:
        keyring.version("k", 1)
    assert "for ever" in caught.value.remedy
    assert (receipt["key"], receipt["objects"]) == ("k:1", SEALED)
    for act in (desk.enable, desk.recover, desk.destroy):
        with pytest.raises(JobError) as refused:
            act("k", 1)
        assert refused.value.code == "illegal_transition"


def test_nothing_of_a_destroyed_version_stays(desk: Desk, keyring: Keyring, log: Log, clock: Clock) -> None:
    """Its wrapped secret is in no file beside the keyring."""
    wrapped = keyring.row("k")["versions"]["1"]["wrapped"]
    desk.destroy("k", 1, days=0)

    shred(keyring, log)

    files = [path for path in Path(keyring.path).parent.iterdir() if path.is_file()]
    assert all(wrapped.encode() not in path.read_bytes() for path in files)


def test_a_receipt_is_verified_without_a_zone(
    desk: Desk, keyring: Keyring, log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a command that is given nothing but the receipt and the signer's public key."""
    log.record("seal", "k:1", "alice#z", object="/z/home/moved.tink")
    desk.destroy("k", 1, days=0)
    receipt = shred(keyring, log)[0]
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(receipt))

    assert main(["--config", "/nowhere", "receipt", str(path), "--signer", signing.public_key(keyring)]) == 0

    assert "k:1 destroyed 2026-11-22T12:00:00Z" in capsys.readouterr().out
    assert receipt["sealed_by_log"] == ["/z/home/moved.tink"]
    assert receipt["audit_head"] == str(log.head())


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.update(key="k:2"),
        lambda r: r["objects"].pop(),
        lambda r: r["objects"][0].update(size=1),
        lambda r: r.update(more=1),
        lambda r: r.pop("destroyed"),
        lambda r: r.update(signature=""),
        lambda r: r.update(signature=None),
        lambda r: r.pop("signer"),
        lambda r: r.update(signer="AAAA"),
    ],
)
def test_a_changed_receipt_proves_nothing(desk: Desk, keyring: Keyring, log: Log, change: Any) -> None:
    """Whatever was changed in it."""
    desk.destroy("k", 1, days=0)
    receipt = shred(keyring, log)[0]
    shredding.verified(copy.deepcopy(receipt))

    change(receipt)

    with pytest.raises(JobError) as caught:
        shredding.verified(receipt)
    assert caught.value.code == "verification_failed"


def test_a_receipt_of_another_signer_is_refused(desk: Desk, keyring: Keyring, log: Log) -> None:
    """Anyone can sign something with a key of his own."""
    desk.destroy("k", 1, days=0)
    receipt = shred(keyring, log)[0]
    with pytest.raises(JobError, match="signed by another key"):
        shredding.verified(receipt, "A" * 43 + "=")
    other = signing.signed(keyring, {"kind": "something else"})
    with pytest.raises(JobError, match="no receipt"):
        shredding.verified(other)


def test_a_receipt_that_could_not_be_stored_is_made_again(desk: Desk, keyring: Keyring, log: Log) -> None:
    """The key is gone all the same."""
    desk.destroy("k", days=0)

    def fails(_receipt: dict[str, Any]) -> None:
        raise JobError("zone_unavailable", "the zone is away")

    with pytest.raises(JobError, match="the zone is away"):
        shredding.shred(keyring, log, lambda reference: SEALED, fails, "purge")

    assert statuses(keyring) == ["destroyed", "destroyed"]
    assert [receipt["key"] for receipt in shred(keyring, log)] == ["k:1", "k:2"]
    assert shred(keyring, log) == []
