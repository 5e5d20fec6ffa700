"""docs/FORMAT.md, followed to the letter with stock tools: its programs are written out, its commands are run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from python_rules.engine.encoding import SUFFIXES
from python_rules.engine.file_command import main
from python_rules.engine.keys import FileProvider, Keyring, create_master_key

from .test_engine_codecs import sample

PAGE = Path(__file__).parents[3] / "docs" / "FORMAT.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
COMMANDS = [text for kind, text in BLOCKS if kind == "sh"]
PROGRAMS = [text for kind, text in BLOCKS if kind == "python"]
DATA = sample(2_500_000)
SEALED = {
    "data.csv.zst": ("zstd", "none"),
    "data.csv.gz": ("gzip", "none"),
    "data.csv.bgzf.gz": ("bgzf", "none"),
    "data.csv.zst.tink": ("zstd", "aes256-gcm"),
    "data.csv.c4gh": ("none", "crypt4gh"),
    "data.csv.enc": ("none", "openssl-ctr"),
    "data.csv.cbc": ("none", "openssl-cbc"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a user has: sealed files, a keyring and its master key, a passphrase; and the page's programs."""
    made = tmp_path_factory.mktemp("recovery")
    create_master_key(str(made / "master"))
    keyring = Keyring(str(made / "keyring.json"), FileProvider(str(made / "master")))
    keyring.create("project-x")
    (made / "key").write_bytes(keyring.primary("project-x").secret)
    (made / "passphrase").write_text("correct horse\n")
    for secret in ("key", "passphrase"):
        (made / secret).chmod(0o600)
    (made / "run7").mkdir()
    for name in ("data.csv", "run7/data.csv"):
        (made / name).write_bytes(DATA)
    for name, (compression, encryption) in SEALED.items():
        secret = made / ("passphrase" if encryption.startswith("openssl") else "key")
        key = ["--secret", str(secret)] if encryption != "none" else []
        given = ["--compression", compression, "--encryption", encryption, "--out", str(made / name), *key]
        assert main(["seal", str(made / "data.csv"), *given]) == 0
    assert main(["seal", str(made / "run7"), "--secret", str(made / "key")]) == 0
    for program in PROGRAMS:
        (made / program.split()[1].rstrip(":")).write_text(program, encoding="utf-8")
    return made


@pytest.mark.parametrize("command", COMMANDS, ids=lambda text: text.split("\n")[0][:40])
def test_the_commands_of_the_page(command: str, folder: Path) -> None:
    """Each block gives the plain data back, with no part of Sluice."""
    (folder / "data.csv").unlink(missing_ok=True)
    shutil.rmtree(folder / "unpacked", ignore_errors=True)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", command], cwd=folder, env={"PATH": path}, check=True)
    assert (folder / "data.csv").read_bytes() == DATA


def test_no_part_of_sluice_is_used() -> None:
    """Neither commands nor programs name one."""
    assert not [text for text in (*COMMANDS, *PROGRAMS) if "python_rules" in text or "sluice-file" in text]


def test_every_method_is_on_the_page() -> None:
    """Each that is written has a row, each that is read is named."""
    page = PAGE.read_text(encoding="utf-8")
    assert not [name for name in SUFFIXES if name not in page]
