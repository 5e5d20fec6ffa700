"""Secrets leave no trace: known keys are planted, everything is done and broken, and every place is searched."""

from __future__ import annotations

import base64
import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from irods.meta import iRODSMeta
from irods.models import DataObject

from tests.e2e.canary import KEY, SECRETS, Canary, by_every_provider, everything
from tests.stack import traces
from tests.stack.waiting import until


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canary]:
    with ExitStack() as opened:
        yield Canary(tmp_path_factory.mktemp("canary"), opened)


def failures(zone: Canary, place: str) -> list[str]:
    """What was done made to fail from outside, step after step; the code of each failure."""
    sealed, opening = f"{place}/a.tink", {"operation": "decrypt", "target": f"{place}/never"}
    codes = []

    def failed(**request: object) -> None:
        job = zone.ended(**request)
        codes.append(job["error"]["code"] if job["error"] else job["state"])

    failed(operation="encrypt", source=f"{place}/a", key="no-such-key")
    failed(operation="encrypt", source=f"{place}/a", key=base64.urlsafe_b64encode(b"not a name").decode())
    failed(operation="encrypt", source=f"{place}/a", key=KEY)  # its target exists
    master = zone.master.read_bytes()
    for spoiled in (b"", b"not base64!", base64.b64encode(bytes(32))):
        zone.master.write_bytes(spoiled)
        failed(source=sealed, **opening)
    zone.master.write_bytes(master)
    file = zone.vault_file(sealed)
    whole = file.read_bytes()
    for broken in (whole[:-1] + bytes([whole[-1] ^ 1]), whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2)):
        file.write_bytes(broken)
        failed(source=sealed, **opening)
    file.write_bytes(whole)
    with zone.alice.session() as session:
        session.metadata.set(DataObject, sealed, iRODSMeta("sluice::key", f"{KEY}:99"))
        failed(source=sealed, **opening)
        session.metadata.set(DataObject, sealed, iRODSMeta("sluice::key", f"{KEY}:1"))
    return codes


def kill_engines(zone: Canary) -> int:
    """kill -9 to every engine of this zone; how many there were."""
    mine = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if _is_engine(zone, path)]
    for pid in mine:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(mine)


def _is_engine(zone: Canary, path: Path) -> bool:
    with suppress(OSError):
        words = path.read_bytes()
        return b"python_rules.engine" in words and b"\0run\0" in words and str(zone.home).encode() in words
    return False


def test_secrets_leave_no_trace(zone: Canary) -> None:
    """Not in logs, records, AVUs, rows, messages, the vault, process lists or environments; with debug logging."""
    place = f"{zone.alice.home}/{uuid.uuid4().hex[:8]}"
    with traces.watched_processes(SECRETS) as seen:
        assert everything(zone, place) == ["succeeded"] * 6
        with zone.rest() as client:
            job = client.post("/api/v1/jobs", json={"operation": "encrypt", "source": place, "key": KEY}).json()["id"]
        until(lambda: kill_engines(zone) or None, "an engine to kill")
        codes = failures(zone, place)
        zone.sluice_keys("import", "imported", "-", given=base64.b64encode(SECRETS["the imported key"]))
        for words in (["destroy", KEY, "--version", "2"], ["purge"], ["backup", str(zone.home / "backup.json")]):
            zone.sluice_keys(*words)
        by_provider = by_every_provider(zone, place)

    assert codes[:3] == ["key_not_found", "bad_value", "target_exists"]
    assert codes[3:6] == ["configuration"] * 3
    assert codes[6:] == ["corrupt_ciphertext"] * 2 + ["key_not_found"]
    assert job
    ended = ["succeeded", "succeeded", "configuration"]
    assert by_provider == {"pkcs11": ended, "transit": ended}
    assert seen == []
    assert "DEBUG" in Path(zone.site.settings["engine.log"]).read_text()
    assert zone.found(place) == []
    assert zone.cores() == []


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    """Every spelling, planted in a log line, is found: the test above could fail."""
    secret = os.urandom(32)
    for how, text in traces.spellings(secret).items():
        (tmp_path / "log").write_bytes(b"x" * 5000 + text + b"y" * 5000)
        assert f"canary ({how}) in {tmp_path / 'log'}" in traces.found_in_files([tmp_path], {"canary": secret})
    for shift in range(1, 4):
        (tmp_path / "log").write_bytes(base64.b64encode(b"abc"[:shift] + secret + b"tail"))
        assert traces.found_in_files([tmp_path], {"canary": secret})
        body = b'{"args": "' + b"abc"[:shift] + base64.b64encode(secret) + b'"}'  # as kombu's spool holds a message
        (tmp_path / "log").write_bytes(base64.b64encode(body))
        assert traces.found_in_files([tmp_path], {"canary": secret})
