"""The keyring: life cycle, wrapping, permissions, secrecy, the command."""

from __future__ import annotations

import copy
import json
import os
import pickle
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from python_rules.engine.key_command import main
from python_rules.engine.keys import FileProvider, Keyring, create_master_key
from python_rules.engine.parallel import Workers
from python_rules.engine.seal.table import ENCRYPTIONS
from python_rules.jobs.errors import JobError


@pytest.fixture
def master(tmp_path: Path) -> Path:
    create_master_key(str(tmp_path / "master.key"))
    return tmp_path / "master.key"


@pytest.fixture
def keyring(tmp_path: Path, master: Path) -> Keyring:
    return Keyring(str(tmp_path / "keyring.json"), FileProvider(str(master)))


@pytest.fixture
def workers() -> Iterator[Workers]:
    with Workers(1) as made:
        yield made


@pytest.fixture
def settings(tmp_path: Path, keyring: Keyring, master: Path) -> str:
    values = {
        "zone": {"name": "z"},
        "engine": {"python": "/x"},
        "keys": {"keyring": keyring.path, "master_key": str(master)},
    }
    (tmp_path / "sluice.json").write_text(json.dumps(values))
    return str(tmp_path / "sluice.json")


def test_life_cycle(keyring: Keyring) -> None:
    """The primary version seals; after a rotation the old one still opens."""
    keyring.create("a")
    first = keyring.primary("a")
    assert keyring.rotate("a") == 2
    second = keyring.primary("a")
    assert (first.version, second.version, second.reference) == (1, 2, "a:2")
    assert keyring.version("a", 1).secret == first.secret != second.secret
    assert [(v.number, v.status, v.primary) for v in keyring.list()["a"]] == [
        (1, "enabled", False),
        (2, "enabled", True),
    ]


def test_a_disabled_key_does_nothing(keyring: Keyring) -> None:
    """It neither seals nor opens until it is enabled again."""
    keyring.create("a")
    keyring.set_status("a", "disabled")
    for use in (lambda: keyring.primary("a"), lambda: keyring.version("a", 1)):
        with pytest.raises(JobError, match="disabled") as caught:
            use()
        assert caught.value.code == "not_permitted"
    keyring.set_status("a", "enabled", 1)
    assert keyring.primary("a").version == 1


def test_an_unknown_key_names_those_that_exist(keyring: Keyring) -> None:
    """The remedy lists the names and the command that makes one."""
    with pytest.raises(JobError) as none:
        keyring.primary("b")
    assert "none yet" in none.value.remedy
    keyring.create("a")
    with pytest.raises(JobError) as other:
        keyring.version("b", 1)
    assert (other.value.code, other.value.field) == ("key_not_found", "key")
    assert "there are: a" in other.value.remedy
    with pytest.raises(JobError, match="no version 7"):
        keyring.version("a", 7)


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "ü", "a" * 65, "a\n"])
def test_bad_names(keyring: Keyring, name: str) -> None:
    """What is not a key's name makes no key."""
    with pytest.raises(JobError, match="not a key's name"):
        keyring.create(name)
    assert keyring.list() == {}


def test_a_name_is_taken_once(keyring: Keyring) -> None:
    """Creating a key again does not replace it."""
    keyring.create("a")
    before = keyring.primary("a")
    with pytest.raises(JobError, match="exists"):
        keyring.create("a")
    after = keyring.primary("a")
    assert after.secret == before.secret != bytes(32)


def test_names_are_readable_and_secrets_are_not(keyring: Keyring) -> None:
    """The file shows names to the standard library, and no secret; only its owner may read it."""
    keyring.create("a")
    text = Path(keyring.path).read_text()
    assert list(json.loads(text)["keys"]) == ["a"]
    assert keyring.primary("a").secret.hex() not in text
    assert stat.S_IMODE(os.stat(keyring.path).st_mode) == 0o600


def test_a_key_in_the_place_of_another_is_refused(keyring: Keyring) -> None:
    """A wrapped secret is bound to its name and version."""
    keyring.create("a")
    keyring.create("b")
    content = json.loads(Path(keyring.path).read_text())
    content["keys"]["a"], content["keys"]["b"] = content["keys"]["b"], content["keys"]["a"]
    Path(keyring.path).write_text(json.dumps(content))
    with pytest.raises(JobError, match="did not wrap"):
        keyring.primary("a")


def test_another_master_key_is_refused(keyring: Keyring, tmp_path: Path) -> None:
    """The error says which of the two files to restore."""
    keyring.create("a")
    create_master_key(str(tmp_path / "other.key"))
    with pytest.raises(JobError, match="did not wrap"):
        Keyring(keyring.path, FileProvider(str(tmp_path / "other.key"))).primary("a")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.chmod(0o640), "mode 0640"),
        (lambda path: path.chmod(0o604), "mode 0604"),
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.write_bytes(b"AAAA"), "32 bytes"),
        (lambda path: path.write_bytes(b"\xff!"), "32 bytes"),
    ],
)
def test_a_master_key_that_is_not_safe_is_not_used(keyring: Keyring, master: Path, spoil, says: str) -> None:
    """Its file must be the service account's own, readable by nobody else, and whole."""
    keyring.create("a")
    spoil(master)
    with pytest.raises(JobError, match=says) as caught:
        keyring.primary("a")
    assert caught.value.code == "configuration"


def test_a_master_key_of_another_user_is_not_used(keyring: Keyring, master: Path) -> None:
    """Whoever owns the file could change it."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    keyring.create("a")
    os.chown(master, 12345, -1)
    with pytest.raises(JobError, match="belongs to user 12345"):
        keyring.primary("a")


def test_a_master_key_is_never_overwritten(master: Path) -> None:
    """Making it again fails and leaves it."""
    before = master.read_bytes()
    with pytest.raises(JobError, match="cannot be made"):
        create_master_key(str(master))
    assert master.read_bytes() == before


@pytest.mark.parametrize("text", ["", "[]", '{"format": 3, "keys": {}}', '{"format": 1}'])
def test_a_damaged_keyring_is_said_so(keyring: Keyring, text: str) -> None:
    """It is never taken for an empty one, and never written over."""
    Path(keyring.path).write_text(text)
    with pytest.raises(JobError) as caught:
        keyring.create("a")
    assert caught.value.code == "configuration"
    assert Path(keyring.path).read_text() == text


def test_keys_show_themselves_to_nobody(keyring: Keyring) -> None:
    """No repr, no pickle, no copy."""
    keyring.create("a")
    key = keyring.primary("a")
    assert repr(key) == str(key) == "Key()"
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not copied"):
            leak(key)
    assert not hasattr(key, "__dict__")


def test_writers_wait_for_each_other(keyring: Keyring) -> None:
    """Keys made at the same time are all there."""
    threads = [threading.Thread(target=keyring.create, args=(f"k{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keyring.list()) == 8


def test_command(settings: str, keyring: Keyring, capsys: pytest.CaptureFixture[str]) -> None:
    """create, rotate, disable, enable and list do what they say."""
    for words in (["create", "a"], ["rotate", "a"], ["disable", "a", "--version", "1"], ["list"]):
        assert main(["--config", settings, *words]) == 0
    shown = capsys.readouterr().out
    assert "a:1  disabled" in shown
    assert "primary" in shown
    assert main(["--config", settings, "enable", "a"]) == 0
    assert keyring.version("a", 1).version == 1


def test_command_fails_with_a_remedy(settings: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The error output names what is wrong and what to do; the status is 1."""
    assert main(["--config", settings, "rotate", "nope"]) == 1
    assert "sluice keys create nope" in capsys.readouterr().err


def test_command_makes_the_master_key_once(settings: str, master: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """init refuses to make a second one."""
    assert main(["--config", settings, "init"]) == 1
    master.unlink()
    assert main(["--config", settings, "init"]) == 0
    assert stat.S_IMODE(master.stat().st_mode) == 0o600


def test_a_passphrase_is_imported_for_openssl_alone(
    keyring: Keyring, settings: str, tmp_path: Path, workers: Workers
) -> None:
    """Any first line of a private file, with openssl's -iter; stock openssl opens what is sealed under it."""
    phrase = tmp_path / "phrase"
    phrase.touch(0o600)
    phrase.write_bytes(b"a project's passphrase\r\nnot this\n")
    assert main(["--config", settings, "import", "lexis", str(phrase), "--passphrase", "--iterations", "77"]) == 0
    key = keyring.primary("lexis")
    codec = ENCRYPTIONS["openssl-ctr"].sealer(workers, key)
    sealed = b"".join([*codec.feed(b"data"), *codec.finish()])
    command = ["openssl", "enc", "-d", "-aes-256-ctr", "-pbkdf2", "-iter", "77", "-pass", f"file:{phrase}"]
    assert subprocess.run(command, input=sealed, capture_output=True, check=True).stdout == b"data"
    with pytest.raises(JobError, match="lexis is a passphrase of openssl") as caught:
        ENCRYPTIONS["aes256-gcm"].sealer(workers, key)
    assert "openssl-ctr" in caught.value.remedy


@pytest.mark.parametrize(("line", "rounds"), [(b"\n", "1"), (bytes(1024), "1"), (b"p", "-1"), (b"p", "2147483648")])
def test_what_is_no_passphrase(settings: str, tmp_path: Path, capsys, line: bytes, rounds: str) -> None:
    """An empty line, too long a one, and iterations that openssl has not."""
    phrase = tmp_path / "phrase"
    phrase.touch(0o600)
    phrase.write_bytes(line)
    assert main(["--config", settings, "import", "lexis", str(phrase), "--passphrase", "--iterations", rounds]) != 0
    assert "1 to" in capsys.readouterr().err
