"""Keysets in the form of Google's tinkey, with Google's library on the other side."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tink
from tink import cleartext_keyset_handle, streaming_aead

from python_rules.config import Config
from python_rules.engine.key_command import main
from python_rules.engine.keys import Keyring, Log
from python_rules.engine.parallel import Workers
from python_rules.engine.seal.tink import Opener, Sealer

DATA = b"x" * 1_500_000  # two segments
TEMPLATES = streaming_aead.streaming_aead_key_templates


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    streaming_aead.register()


@pytest.fixture
def workers() -> Iterator[Workers]:
    with Workers(1) as made:
        yield made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keyset.json"


def through(codec: Any, data: bytes) -> bytes:
    return b"".join(map(bytes, [*codec.feed(data), *codec.finish()]))


def opened_by_tink(file: Path, sealed: bytes) -> bytes:
    handle = cleartext_keyset_handle.read(tink.JsonKeysetReader(file.read_text()))
    with handle.primitive(streaming_aead.StreamingAead).new_decrypting_stream(io.BytesIO(sealed), b"") as stream:
        return bytes(stream.read())


def written_by_tink(file: Path, handle: Any) -> None:
    with open(file, "w") as text:
        file.chmod(0o600)
        cleartext_keyset_handle.write(tink.JsonKeysetWriter(text), handle)


def sealed_by_tink(handle: Any) -> bytes:
    class Sink(io.BytesIO):
        def close(self) -> None:
            """Tink closes what it wrote to."""

    sink = Sink()
    with handle.primitive(streaming_aead.StreamingAead).new_encrypting_stream(sink, b"") as stream:
        stream.write(DATA)
    return sink.getvalue()


def test_tink_opens_with_an_exported_key(filed: Config, keyring: Keyring, workers: Workers, file: Path) -> None:
    """What any version sealed; the file is private, and the log tells of the export."""
    keyring.create("k")
    keyring.rotate("k")
    sealed = [through(Sealer(workers, keyring.version("k", number)), DATA) for number in (1, 2)]

    assert main(["--config", filed.path, "export", "k", str(file)]) == 0

    assert [opened_by_tink(file, one) for one in sealed] == [DATA, DATA]
    assert file.stat().st_mode & 0o777 == 0o600
    assert [entry["act"] for entry in Log.of(filed).entries()] == ["export"]
    assert main(["--config", filed.path, "export", "k", str(file)]) == 1  # never over a file


def test_what_tink_sealed_is_opened_with_an_imported_keyset(
    filed: Config, keyring: Keyring, workers: Workers, file: Path
) -> None:
    """And the other way round: what is sealed under the imported key, Tink's own keyset opens."""
    handle = tink.new_keyset_handle(TEMPLATES.AES256_GCM_HKDF_1MB)
    written_by_tink(file, handle)

    assert main(["--config", filed.path, "import", "k", str(file), "--owner", "alice#z"]) == 0

    assert through(Opener(workers, keyring.primary("k")), sealed_by_tink(handle)) == DATA
    assert opened_by_tink(file, through(Sealer(workers, keyring.primary("k")), DATA)) == DATA


def test_every_key_of_a_keyset_is_a_version(filed: Config, keyring: Keyring, file: Path) -> None:
    """In their order, with the primary one and the states that they have; destroyed ones are not there any more."""
    keyset: dict[str, Any] = {"primaryKeyId": 0, "key": []}
    for status in ("ENABLED", "ENABLED", "DISABLED"):
        written_by_tink(file, tink.new_keyset_handle(TEMPLATES.AES256_GCM_HKDF_1MB))
        keyset["key"] += [{**json.loads(file.read_text())["key"][0], "status": status}]
    keyset["key"].insert(0, {"status": "DESTROYED", "keyId": 1, "outputPrefixType": "RAW"})
    keyset["primaryKeyId"] = keyset["key"][2]["keyId"]
    file.write_text(json.dumps(keyset))

    assert main(["--config", filed.path, "import", "k", str(file)]) == 0

    told = [(version.number, version.status, version.primary) for version in keyring.list()["k"]]
    assert told == [(1, "enabled", False), (2, "enabled", True), (3, "disabled", False)]
    assert keyring.rotate("k") == 4


@pytest.mark.parametrize("template", ["AES256_GCM_HKDF_4KB", "AES128_GCM_HKDF_1MB", "aead"])
def test_other_keysets_are_refused(
    filed: Config, keyring: Keyring, file: Path, capsys: pytest.CaptureFixture[str], template: str
) -> None:
    """The error tells which template does, and shows nothing of the keyset."""
    chosen = tink.aead.aead_key_templates.AES256_GCM if template == "aead" else getattr(TEMPLATES, template)
    tink.aead.register()
    written_by_tink(file, tink.new_keyset_handle(chosen))

    assert main(["--config", filed.path, "import", "k", str(file)]) == 1

    told = capsys.readouterr().err
    assert "AES256_GCM_HKDF_1MB" in told
    assert json.loads(file.read_text())["key"][0]["keyData"]["value"][:12] not in told
    assert keyring.list() == {}


def _cut(keyset: dict[str, Any]) -> None:
    data = keyset["key"][0]["keyData"]
    data["value"] = base64.b64encode(base64.b64decode(data["value"])[:-4]).decode()


@pytest.mark.parametrize(
    "spoil",
    [
        _cut,
        lambda keyset: keyset.pop("primaryKeyId"),
        lambda keyset: keyset.update(primaryKeyId=7),
        lambda keyset: keyset["key"][0].update(status="DISABLED", keyId=3),
        lambda keyset: keyset["key"][0]["keyData"].update(value="//////////8="),
        lambda keyset: keyset["key"][0]["keyData"].update(value=7),
        lambda keyset: keyset.update(key={}),
    ],
)
def test_a_damaged_keyset_makes_no_key(filed: Config, keyring: Keyring, file: Path, spoil: Any) -> None:
    """Whatever is wrong with it."""
    written_by_tink(file, tink.new_keyset_handle(TEMPLATES.AES256_GCM_HKDF_1MB))
    keyset = json.loads(file.read_text())
    spoil(keyset)
    file.write_text(json.dumps(keyset))
    assert main(["--config", filed.path, "import", "k", str(file)]) == 1
    assert keyring.list() == {}


def test_a_keyset_that_others_can_read_is_not_taken(
    filed: Config, keyring: Keyring, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its secret may be known already."""
    written_by_tink(file, tink.new_keyset_handle(TEMPLATES.AES256_GCM_HKDF_1MB))
    file.chmod(0o644)
    assert main(["--config", filed.path, "import", "k", str(file)]) == 1
    assert "others may read it" in capsys.readouterr().err


def test_a_version_that_does_nothing_is_not_exported(filed: Config, keyring: Keyring, file: Path) -> None:
    """Disabled and condemned ones stay inside; of a key whose primary one is such, nothing is written."""
    keyring.create("k")
    keyring.rotate("k")
    keyring.condemn("k", 7, 1)
    assert main(["--config", filed.path, "export", "k", str(file)]) == 0
    assert [key["keyId"] for key in json.loads(file.read_text())["key"]] == [2]
    keyring.set_status("k", "disabled", 2)
    assert main(["--config", filed.path, "export", "k", str(file) + "2"]) == 1
    assert not Path(str(file) + "2").exists()
