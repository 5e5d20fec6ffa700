"""Back-up and restoring of the keyring itself; the drill with a zone is tests/e2e/test_keys_drill.py."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from python_rules.engine.keys import FileProvider, Keyring, Log, backup, create_master_key, shredding, signing
from python_rules.jobs.errors import JobError
from tests.unit.keys.conftest import spellings

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def text(keyring: Keyring, log: Log) -> str:
    """A back-up of two keys, one of them rotated and granted."""
    keyring.create("a", "alice#z")
    keyring.rotate("a")
    keyring.create("b")
    return backup.backup(keyring, log, NOW)


def empty(keyring: Keyring, folder: Path) -> Keyring:
    """A keyring on a new machine, where only the master key was brought."""
    return Keyring(str(folder / "new-machine.json"), keyring.provider)


def test_everything_comes_back_on_an_empty_machine(keyring: Keyring, text: str, tmp_path: Path) -> None:
    """Names, versions, secrets, owners, and the signer."""
    new = empty(keyring, tmp_path)

    assert backup.restore(new, text, signing.public_key(keyring)) == ["a:1", "a:2", "b:1"]

    assert new.list() == keyring.list()
    assert new.row("a") == keyring.row("a")
    for number in (1, 2):
        assert new.version("a", number).secret == keyring.version("a", number).secret
    assert signing.public_key(new) == signing.public_key(keyring)


def test_a_back_up_holds_no_secret(keyring: Keyring, text: str) -> None:
    """In no spelling."""
    for key in (keyring.version("a", 1), keyring.version("a", 2), keyring.primary("b")):
        assert not any(spelling in text.encode() for spelling in spellings(bytes(key.secret)))


def test_without_the_master_key_nothing_is_written(text: str, tmp_path: Path) -> None:
    """The error says so before a file is there that opens nothing."""
    create_master_key(str(tmp_path / "other.key"))
    new = Keyring(str(tmp_path / "new-machine.json"), FileProvider(str(tmp_path / "other.key")))
    with pytest.raises(JobError, match="did not wrap"):
        backup.restore(new, text)
    assert not Path(new.path).exists()


def test_what_is_there_stays(keyring: Keyring, log: Log, text: str) -> None:
    """Newer versions and grants are kept, a destroyed version stays destroyed."""
    keyring.rotate("a")
    keyring.condemn("a", 0, 1)
    shredding.shred(keyring, log, lambda reference: [], lambda receipt: None, "purge")
    before = keyring.list()

    assert backup.restore(keyring, text) == []

    assert keyring.list() == before


def test_one_lost_version_comes_back(keyring: Keyring, text: str) -> None:
    """Beside those that are there."""
    with keyring.rows() as rows:
        del rows["a"]["versions"]["1"], rows["b"]
    assert backup.restore(keyring, text) == ["a:1", "b:1"]
    assert keyring.version("a", 1).version == 1


@pytest.mark.parametrize("spoil", ["", "{}", "null", "[1]", "changed", "unsigned"])
def test_a_back_up_that_was_changed_is_refused(keyring: Keyring, text: str, tmp_path: Path, spoil: str) -> None:
    """One grant more would be one reader more."""
    content = json.loads(text)
    if spoil == "changed":
        content["keyring"]["keys"]["a"]["owner"] = "mallory#z"
        spoil = json.dumps(content)
    elif spoil == "unsigned":
        spoil = json.dumps({**content, "signature": ""})
    new = empty(keyring, tmp_path)
    with pytest.raises(JobError) as caught:
        backup.restore(new, spoil)
    assert caught.value.code == "verification_failed"
    assert new.list() == {}
