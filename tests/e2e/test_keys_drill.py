"""The drill: a machine is lost with its keyring, the catalogue has lost the AVUs, and every object is opened again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from irods.models import DataObject

from python_rules.engine.key_command import main as sluice_keys
from python_rules.engine.keys import Keyring, signing
from tests.e2e.conftest import done_by_rule, read, write
from tests.stack.site import Account, EmbeddedSite

# below, at and above one segment; and two
CONTENT = {f"size-{size}": os.urandom(size) for size in (0, 1, 70_000, (1 << 20) - 56, 1 << 20, 2_500_000)}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedSite]:
    made = EmbeddedSite(tmp_path_factory.mktemp("drill") / "zone")
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def alice(site: EmbeddedSite) -> Account:
    return site.make_user("alice")


def test_everything_is_opened_again(
    site: EmbeddedSite, alice: Account, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the back-up of the keyring, the master key that was kept elsewhere, and the bare objects."""
    keyring, config = Keyring.of(site.settings), ["--config", site.settings.path]
    keyring.create("project", alice.qualified)
    with alice.session() as session:
        for part, (operation, method) in enumerate(
            (("encrypt", ""), ("compress_encrypt", ""), ("encrypt", "crypt4gh"))
        ):
            session.collections.create(f"{alice.home}/{part}")
            for name, content in CONTENT.items():
                write(session, f"{alice.home}/{part}/{name}", content)
            options = "key=project;original=remove" + (f";encryption={method}" if method else "")
            done_by_rule(session, operation, f"{alice.home}/{part}", "", options)
            keyring.rotate("project")
        signer = signing.public_key(keyring)
        assert sluice_keys([*config, "backup", str(tmp_path / "backup.json")]) == 0

        # the machine is gone: keyring and audit log; of the zone's metadata nothing is left
        for lost in (keyring.path, keyring.path + ".audit"):
            os.unlink(lost)
        paths = _without_metadata(alice)
        assert len(paths) == 3 * len(CONTENT)

        assert sluice_keys([*config, "restore", str(tmp_path / "backup.json"), "--signer", signer]) == 0
        assert sluice_keys([*config, "relabel", alice.home, "--user", alice.qualified]) == 0
        assert f"{len(paths)} of {len(paths)} objects relabelled" in capsys.readouterr().out

        for part, operation in enumerate(("decrypt", "decrypt_decompress", "decrypt")):
            done_by_rule(session, operation, f"{alice.home}/{part}", f"{alice.home}/back{part}")
            back = {name: read(session, f"{alice.home}/back{part}/{name}") for name in CONTENT}
            assert back == CONTENT


def test_without_the_back_up_nothing_is_opened(site: EmbeddedSite, alice: Account, tmp_path: Path) -> None:
    """The objects alone tell nobody anything: an empty keyring finds no key."""
    settings = json.loads(Path(site.settings.path).read_text())
    settings["keys"]["keyring"] = str(tmp_path / "empty.json")
    (tmp_path / "sluice.json").write_text(json.dumps(settings))
    _without_metadata(alice)
    assert (
        sluice_keys(["--config", str(tmp_path / "sluice.json"), "relabel", alice.home, "--user", alice.qualified]) == 0
    )
    with alice.session() as session:
        assert not session.metadata.get(DataObject, f"{alice.home}/0/size-1.tink")


def _without_metadata(alice: Account) -> list[str]:
    """Take every sluice:: AVU from every sealed object; the paths."""
    paths = []
    with alice.session() as session:
        for part in session.collections.get(alice.home).subcollections:
            for item in part.data_objects:
                if item.name.endswith((".tink", ".c4gh")):
                    paths.append(item.path)
                    for avu in session.metadata.get(DataObject, item.path):
                        session.metadata.remove(DataObject, item.path, avu)
    return paths
