"""``sluice-file``: files, folders and streams without a zone; nothing half-made is left, whatever goes wrong."""

from __future__ import annotations

import os
import pty
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from python_rules.engine.file_command import main
from python_rules.engine.keys import FileProvider, Keyring, create_master_key

from .test_engine_codecs import sample, tool

COMMAND = [sys.executable, "-m", "python_rules.engine.file_command"]


@pytest.fixture
def keys(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The options that name a key."""
    folder = tmp_path_factory.mktemp("keys")
    create_master_key(str(folder / "master"))
    keyring = Keyring(str(folder / "keyring"), FileProvider(str(folder / "master")))
    keyring.create("k")
    keyring.create("other")
    return ["--keyring", str(folder / "keyring"), "--master", str(folder / "master"), "--key", "k"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "data.csv"
    made.write_bytes(sample(3_000_000))
    return made


@pytest.mark.parametrize("compression", ["zstd", "gzip", "bgzf", "auto", "none"])
@pytest.mark.parametrize("encryption", ["aes256-gcm", "crypt4gh", "openssl-ctr", "openssl-cbc", "none"])
def test_there_and_back(file: Path, keys: list[str], compression: str, encryption: str) -> None:
    """The name says what was done, and that is what is undone."""
    if (compression, encryption) == ("none", "none"):
        return
    plain = file.read_bytes()
    given = keys if encryption != "none" else []
    assert main(["seal", str(file), "--compression", compression, "--encryption", encryption, *given]) == 0
    file.unlink()
    (sealed,) = file.parent.iterdir()
    assert main(["open", str(sealed), *given]) == 0
    assert file.read_bytes() == plain


@pytest.mark.parametrize(("method", "armour"), [("ctr", "-a"), ("cbc", "")])
def test_openssl_with_other_options(file: Path, tmp_path: Path, method: str, armour: str) -> None:
    """-iter and -a, which openssl's files do not tell, are told on the command line, for both ways."""
    secret = tmp_path / "secret"
    secret.write_text("a project's passphrase")
    secret.chmod(0o600)
    ours, theirs = tmp_path / "ours", ["openssl", "enc", f"-aes-256-{method}", "-pbkdf2", "-iter", "4321", "-d"]
    given = ["--secret", str(secret), "--iterations", "4321"]
    more = [
        "--compression",
        "none",
        "--encryption",
        f"openssl-{method}",
        "--out",
        str(ours),
        *["--armour"][: len(armour)],
    ]
    assert main(["seal", str(file), *given, *more]) == 0
    stock = [*theirs, "-pass", f"file:{secret}", "-in", str(ours), *armour.split()]
    assert subprocess.run(stock, capture_output=True, check=True).stdout == file.read_bytes()
    assert main(["open", str(ours), *given, "--as", f"openssl-{method}", "--out", str(tmp_path / "back")]) == 0
    assert (tmp_path / "back").read_bytes() == file.read_bytes()


def test_streams(keys: list[str]) -> None:
    """Standard input to standard output, both ways; the compression is recognised."""
    data = sample(9_000_000)
    sealed = subprocess.run([*COMMAND, "seal", *keys], input=data, capture_output=True, check=True).stdout
    opened = subprocess.run([*COMMAND, "open", *keys], input=sealed, capture_output=True, check=True)
    assert opened.stdout == data
    assert b"\r" not in opened.stderr  # no progress where nobody watches


@pytest.mark.parametrize("make", ["gzip -c", "zstd -c", "bzip2 -c", "xz -c", "lz4 -c"])
def test_what_other_programs_made(make: str) -> None:
    """Migration from every format that is read."""
    data = sample(100_000)
    done = subprocess.run([*COMMAND, "open"], input=tool(make, data), capture_output=True, check=True)
    assert done.stdout == data


def test_it_needs_no_zone() -> None:
    """Nothing of an iRODS client is imported."""
    code = "import sys, python_rules.engine.file_command; sys.exit('irods' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_it_is_a_command_of_sluice(file: Path, keys: list[str]) -> None:
    """``sluice seal`` and ``sluice open`` are the same commands, where the engine is installed."""
    sluice = Path(sys.executable).with_name("sluice")
    subprocess.run([sluice, "seal", file, *keys, "-q"], check=True)
    done = subprocess.run([sluice, "open", f"{file}.zst.tink", *keys, "--out", "-"], capture_output=True, check=True)
    assert done.stdout == file.read_bytes()
    assert subprocess.run([sluice, "open", "none"], capture_output=True, check=False).returncode == 1


def test_a_folder(tmp_path: Path, keys: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """It is packed and unpacked, members are listed and read alone, and a packed one is stock tar's to read."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for number in range(50):
        (tmp_path / "in" / "sub" / f"{number}").write_bytes(sample(number * 1000))
    assert main(["seal", str(tmp_path / "in"), *keys]) == 0
    sealed = str(tmp_path / "in.tar.zst.tink")
    assert main(["open", sealed, *keys, "--out", str(tmp_path / "out")]) == 0
    assert tool(f"diff -r {tmp_path / 'in'} {tmp_path / 'out'}", b"") == b""
    assert main(["open", sealed, *keys, "--list"]) == 0
    assert "        7000  sub/7\n" in capfd.readouterr().out
    assert main(["open", sealed, *keys, "--member", "sub/7", "--out", str(tmp_path / "7")]) == 0
    assert (tmp_path / "7").read_bytes() == sample(7000)
    assert main(["open", sealed, *keys, "--packed"]) == 0
    assert b"sub/7\n" in tool(f"tar -tf {tmp_path / 'in.tar'}", b"")


FAILURES = [
    "another key", "no key", "no such key", "cut off", "trailing", "damaged", "too much", "other data", "not there",
    "not so", "unknown",
]  # fmt: skip


def spoiled(sealed: Path, keys: list[str], tmp_path: Path) -> dict[str, list[str]]:
    """Ways in which opening fails."""
    data = sealed.read_bytes()
    for name, content in {"cut": data[:-1], "long": data + b"x", "bit": data[:99] + b"\0\0" + data[101:]}.items():
        (tmp_path / f"{name}.zst.tink").write_bytes(content)
    return {
        "another key": [str(sealed), *keys[:-1], "other"],
        "no key": [str(sealed)],
        "no such key": [str(sealed), *keys[:-1], "none"],
        "cut off": [str(tmp_path / "cut.zst.tink"), *keys],
        "trailing": [str(tmp_path / "long.zst.tink"), *keys],
        "damaged": [str(tmp_path / "bit.zst.tink"), *keys],
        "too much": [str(sealed), *keys, "--limit", "100"],
        "other data": [str(sealed), *keys, "--expect", "00" * 32],
        "not there": [str(tmp_path / "none.zst"), *keys],
        "not so": [str(sealed), *keys, "--as", "gzip"],
        "unknown": [str(sealed), *keys, "--as", "rar"],
    }


@pytest.mark.parametrize("how", FAILURES)
def test_what_fails_leaves_nothing(
    how: str, file: Path, keys: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sentence on the error output, status 1, and no new file under any name."""
    assert main(["seal", str(file), *keys]) == 0
    given = spoiled(tmp_path / "data.csv.zst.tink", keys, tmp_path)[how]
    before = sorted(os.listdir(tmp_path))
    capsys.readouterr()
    assert main(["open", *given, "--out", str(tmp_path / "out")]) == 1
    assert sorted(os.listdir(tmp_path)) == before
    assert capsys.readouterr().err.startswith("sluice: ")


def test_what_exists_is_kept(file: Path, keys: list[str]) -> None:
    """Unless --force is given."""
    assert main(["seal", str(file), *keys]) == 0
    assert main(["seal", str(file), *keys]) == 1
    assert main(["seal", str(file), *keys, "--force"]) == 0
    assert main(["open", f"{file}.zst.tink", *keys]) == 1


@pytest.mark.parametrize("size", [100, 20_000_000])
def test_a_full_disk_and_a_broken_pipe(size: int, tmp_path: Path) -> None:
    """They are told with the offset."""
    (tmp_path / "in").write_bytes(random.Random(1).randbytes(size))
    command = [*COMMAND, "seal", str(tmp_path / "in"), "--out", "-"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert b"No space left on device, after 0 bytes" in done.stderr
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert b"Broken pipe, after 0 bytes" in done.stderr


def test_a_killed_command_leaves_nothing(tmp_path: Path) -> None:
    """SIGTERM in the middle of a stream: no output, no hidden file."""
    with subprocess.Popen([*COMMAND, "seal", "--out", str(tmp_path / "out")], stdin=subprocess.PIPE) as running:
        assert running.stdin is not None
        running.stdin.write(bytes(20_000_000))
        assert [name[:8] for name in os.listdir(tmp_path)] == [".sluice-"]
        running.send_signal(signal.SIGTERM)
        running.stdin.close()
        assert running.wait(20) == 128 + signal.SIGTERM
    assert os.listdir(tmp_path) == []


def test_progress_on_a_terminal(tmp_path: Path) -> None:
    """It tells how much was read."""
    (tmp_path / "in").write_bytes(random.Random(1).randbytes(100_000_000))
    terminal, inner = pty.openpty()
    command = [*COMMAND, "seal", str(tmp_path / "in"), "--compression", "gzip", "--threads", "1"]
    subprocess.run(command, stderr=inner, check=True)
    os.close(inner)
    shown = os.read(terminal, 10_000)
    os.close(terminal)
    assert b"MB read" in shown
