"""Secrets leave no trace: known keys are planted, everything is done and broken, and every place is searched."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from irods.meta import iRODSMeta
from irods.models import DataObject

from python_rules.engine.key_command import main as sluice_keys
from python_rules.engine.keys import Keyring
from python_rules.engine.keys.key import Secret
from python_rules.jobs import states
from tests.e2e.conftest import write
from tests.stack import rulecall, traces
from tests.stack.services import Services
from tests.stack.site import Account, EmbeddedSite
from tests.stack.waiting import until

KEY = "canary"
DATA = os.urandom(1 << 20) + b"plain text of the canary's object, to be found if it is left anywhere" * 1000
SECRETS = {"the key": os.urandom(32), "the master key": os.urandom(32)}


class Debugging(Services):
    """Worker and shim that log all they can."""

    def _start(self, module: str, log: str, *more: str) -> subprocess.Popen[bytes]:
        return super()._start(module, log, "--log-level", "debug", *more)


class Zone:
    """A stack of its own, whose keys are known to the test."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.site = EmbeddedSite(home / "zone")
        path = Path(self.site.settings.path)
        settings = json.loads(path.read_text())
        settings["engine"]["log_level"] = "DEBUG"
        settings["keys"]["destroy_days"] = 0
        path.write_text(json.dumps(settings))
        self.master = Path(self.site.settings["keys.master_key"])
        self.master.write_bytes(base64.b64encode(SECRETS["the master key"]))
        Path(self.site.settings["keys.keyring"]).unlink()
        self.alice = self.site.make_user("alice")
        Keyring.of(self.site.settings).add(KEY, Secret(SECRETS["the key"]), self.alice.qualified)
        self.services = Debugging(self.site, home / "services")

    def rest(self, who: Account | None = None) -> httpx.Client:
        account = who or self.alice
        return httpx.Client(base_url=self.services.url, auth=(account.name, account.password), timeout=60)

    def ended(self, **request: object) -> dict[str, Any]:
        """The job of a request in its final state, or the problem that refused it."""
        with self.rest() as client:
            answer = client.post("/api/v1/jobs", json=request)
            if answer.status_code >= 400:
                return {"state": "refused", "error": answer.json()}
            path = f"/api/v1/jobs/{answer.json()['id']}"

            def final() -> dict[str, Any] | None:
                job: dict[str, Any] = client.get(path).json()
                return job if job["state"] in states.FINAL else None

            return until(final, f"the end of {request}", 120)

    def vault_file(self, path: str) -> Path:
        """The file of a data object's replica."""
        with self.alice.session() as session:
            return Path(session.data_objects.get(path).replicas[0].path)

    def close(self) -> None:
        self.services.close()
        self.site.close()


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zone]:
    made = Zone(tmp_path_factory.mktemp("canary"))
    try:
        yield made
    finally:
        made.close()


def everything(zone: Zone, place: str) -> list[str]:
    """Every operation that has to do with keys, by every door; how each ended."""
    with zone.alice.session() as session:
        session.collections.create(place)
        write(session, f"{place}/a", DATA)
        sealing = {"operation": "compress_encrypt", "key": KEY}
        jobs = [
            zone.ended(operation="encrypt", source=f"{place}/a", key=KEY),
            zone.ended(**sealing, source=f"{place}/a", compression="gzip"),
            zone.ended(operation="decrypt", source=f"{place}/a.tink", target=f"{place}/b"),
            zone.ended(operation="decrypt_decompress", source=f"{place}/a.gz.tink", target=f"{place}/c"),
        ]
        rulecall.call_file(session, "encrypt.r", source=f"{place}/a", target=f"{place}/d.tink", options=f"key={KEY}")
        for action in ("list", "show", "rotate", "grant", "revoke", "disable", "enable"):
            texts = {
                "list": (),
                "grant": (KEY, "bob#tempZone", "open", place),
                "revoke": (KEY, "bob#tempZone", ""),
                "disable": (KEY, "2"),
                "enable": (KEY, "2"),
            }.get(action, (KEY,))
            assert "ok" in rulecall.call(session, f"sluice_keys_{action}", *texts)
    return [job["state"] for job in jobs]


def failures(zone: Zone, place: str) -> list[str]:
    """The same made to fail, step after step; the code of each failure."""
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


def kill_engines(zone: Zone) -> int:
    """kill -9 to every engine of this zone; how many there were."""
    mine = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if _is_engine(zone, path)]
    for pid in mine:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(mine)


def _is_engine(zone: Zone, path: Path) -> bool:
    with suppress(OSError):
        words = path.read_bytes()
        return b"python_rules.engine" in words and b"\0run\0" in words and str(zone.home).encode() in words
    return False


def derived(zone: Zone, place: str) -> dict[str, bytes]:
    """The keys of single objects, which only their headers and the planted key tell."""
    names = ("a.tink", "a.gz.tink")
    salts = {name: zone.vault_file(f"{place}/{name}").read_bytes()[1:33] for name in names}
    return {f"the key of {n}": HKDF(SHA256(), 32, s, b"").derive(SECRETS["the key"]) for n, s in salts.items()}


def test_secrets_leave_no_trace(zone: Zone) -> None:
    """Not in logs, records, AVUs, rows, messages, the vault, process lists or environments; with debug logging."""
    place = f"{zone.alice.home}/{uuid.uuid4().hex[:8]}"
    with traces.watched_processes(SECRETS) as seen:
        assert everything(zone, place) == ["succeeded"] * 4
        with zone.rest() as client:
            job = client.post("/api/v1/jobs", json={"operation": "encrypt", "source": place, "key": KEY}).json()["id"]
        until(lambda: kill_engines(zone) or None, "an engine to kill")
        codes = failures(zone, place)
        settings = zone.site.settings.path
        for words in (["destroy", KEY, "--version", "2"], ["purge"], ["backup", str(zone.home / "backup.json")]):
            assert sluice_keys(["--config", settings, *words]) == 0

    assert codes[:3] == ["key_not_found", "bad_value", "target_exists"]
    assert codes[3:6] == ["configuration"] * 3
    assert codes[6:] == ["corrupt_ciphertext"] * 2 + ["key_not_found"]
    assert job
    assert seen == []
    assert "DEBUG" in Path(zone.site.settings["engine.log"]).read_text()
    zone.master.write_bytes(b"")  # the one place where it belongs
    assert traces.found_in_files([zone.home], SECRETS | derived(zone, place)) == []
    cores = [path for folder in (zone.home, Path.cwd()) for path in folder.glob("core*") if path.is_file()]
    assert cores == []


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    """Every spelling, planted in a log line, is found: the test above could fail."""
    secret = os.urandom(32)
    for how, text in traces.spellings(secret).items():
        (tmp_path / "log").write_bytes(b"x" * 5000 + text + b"y" * 5000)
        assert f"canary ({how}) in {tmp_path / 'log'}" in traces.found_in_files([tmp_path], {"canary": secret})
    for shift in range(1, 4):
        (tmp_path / "log").write_bytes(base64.b64encode(b"abc"[:shift] + secret + b"tail"))
        assert traces.found_in_files([tmp_path], {"canary": secret})
