"""A stack whose secrets the test knows, all that is done with them, and every place where they could be left."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from irods.session import iRODSSession

from python_rules.engine.keys import Keyring
from python_rules.engine.keys.key import Secret
from python_rules.jobs import states
from tests.e2e.conftest import write
from tests.peers import softhsm, transit
from tests.stack import rulecall, traces
from tests.stack.services import Services
from tests.stack.site import Account, EmbeddedSite
from tests.stack.waiting import until

KEY = "canary"
DATA = os.urandom(1 << 20) + b"plain text of the canary's object, to be found if it is left anywhere" * 1000
SECRETS = {
    "the key": os.urandom(32),
    "the imported key": os.urandom(32),
    "the master key": os.urandom(32),
    "the token's PIN": os.urandom(12).hex().encode(),
    "the service's token": os.urandom(20).hex().encode(),
    "a user's password": os.urandom(15).hex().encode(),
}


class Debugging(Services):
    """Worker and shim that log all they can."""

    def _start(self, module: str, log: str, *more: str) -> subprocess.Popen[bytes]:
        return super()._start(module, log, "--log-level", "debug", *more)


class Canary:
    """A zone, its worker and shim; ``more`` are further settings of these."""

    def __init__(self, home: Path, opened: ExitStack, **more: dict[str, Any]) -> None:
        self.home = home
        self.site = EmbeddedSite(home / "zone")
        opened.callback(self.site.close)
        self.master = Path(self.site.settings["keys.master_key"])
        self.settings(self.site.settings.path, destroy_days=0)
        self.master.write_bytes(base64.b64encode(SECRETS["the master key"]))
        Path(self.site.settings["keys.keyring"]).unlink()
        self.alice = self.site.make_user("alice", SECRETS["a user's password"].decode())
        Keyring.of(self.site.settings).add(KEY, Secret(SECRETS["the key"]), self.alice.qualified)
        # made before anybody watches: SoftHSM's own tool takes the PIN on its command line
        pin = SECRETS["the token's PIN"].decode()
        self.on_token = softhsm.made(home / "softhsm", "canary", pin, self.softhsm_conf)
        self.services = Debugging(self.site, home / "services", **more)
        opened.callback(self.services.close)

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
                return job if job.get("state") in states.FINAL else None

            return until(final, f"the end of {request}", 120)

    def sluice_keys(self, *words: str, given: bytes = b"", settings: str = "") -> str:
        """What the administrator's command prints; a process of its own, as in a terminal."""
        settings = settings or self.site.settings.path
        command = [sys.executable, "-m", "python_rules.engine.key_command", "--config", settings]
        environment = {**os.environ, "SOFTHSM2_CONF": str(self.softhsm_conf)}
        done = subprocess.run([*command, *words], input=given, capture_output=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    @property
    def softhsm_conf(self) -> Path:
        """Where the token's library finds it from an engine: below the server's HOME."""
        return self.site.server.config.home / ".config" / "softhsm2" / "softhsm2.conf"

    def move_to(self, provider: str, **keys: str) -> None:
        """Make the master key of another provider, wrap the keyring with it, put it in force: by the commands."""
        after = self.home / f"{provider}.json"
        self.settings(str(after), provider=provider, **keys)
        self.sluice_keys("init", settings=str(after))
        self.sluice_keys("move", "--to", str(after))
        self.settings(self.site.settings.path, provider=provider, **keys)

    def settings(self, to: str, **keys: object) -> None:
        """Write the settings in force, with other values of keys.*, to a file."""
        values = json.loads(Path(self.site.settings.path).read_text())
        values["engine"]["log_level"] = "DEBUG"
        values["keys"].update(keys)
        Path(to).write_text(json.dumps(values))

    def vault_file(self, path: str) -> Path:
        """The file of a data object's replica."""
        with self.alice.session() as session:
            return Path(session.data_objects.get(path).replicas[0].path)

    def derived(self, place: str) -> dict[str, bytes]:
        """The keys of single objects, which only their headers and the planted key tell."""
        salts = {name: self.vault_file(f"{place}/{name}").read_bytes()[1:33] for name in ("a.tink", "a.gz.tink")}
        return {f"the key of {n}": HKDF(SHA256(), 32, s, b"").derive(SECRETS["the key"]) for n, s in salts.items()}

    def found(self, place: str, *more: Path) -> list[str]:
        """Which secret lies where, in any spelling, but where it belongs."""
        for belongs_here in (self.master, self.home / "pin", self.home / "token"):
            belongs_here.write_bytes(b"")
        hits = traces.found_in_files([self.home, *more], SECRETS | self.derived(place))
        # The embedded zone compares passwords as they are; a real one scrambles them in its database.
        return [hit for hit in hits if not (hit.startswith("a user's password") and hit.endswith("catalog.sqlite"))]

    def cores(self) -> list[Path]:
        """Core files, wherever a process of ours could have left one."""
        places = [self.home, Path.cwd(), self.site.server.config.home, Path("/")]
        return [path for place in places for path in place.glob("core*") if path.is_file()]


def everything(zone: Canary, place: str) -> list[str]:
    """Every operation that has to do with keys, by every door; how each ended."""
    with zone.alice.session() as session:
        session.collections.create(place)
        write(session, f"{place}/a", DATA)
        sealing = {"operation": "compress_encrypt", "key": KEY}
        jobs = [
            zone.ended(operation="encrypt", source=f"{place}/a", key=KEY),
            zone.ended(**sealing, source=f"{place}/a", compression="gzip"),
            zone.ended(operation="encrypt", source=f"{place}/a", key=KEY, encryption="crypt4gh"),
            zone.ended(operation="decrypt", source=f"{place}/a.tink", target=f"{place}/b"),
            zone.ended(operation="decrypt_decompress", source=f"{place}/a.gz.tink", target=f"{place}/c"),
        ]
        rulecall.call_file(session, "encrypt.r", source=f"{place}/a", target=f"{place}/d.tink", options=f"key={KEY}")
        by_rules(session, place)
        jobs.append(zone.ended(operation="rekey", source=f"{place}/a.c4gh"))
        reader = base64.b64encode(os.urandom(32)).decode()
        with zone.rest() as client:
            told = client.post("/api/v1/shares", json={"path": f"{place}/a.tink", "reader": reader})
        assert told.status_code == 200, (told.text, jobs)
    return [job["state"] for job in jobs]


def by_rules(session: iRODSSession, place: str) -> None:
    """The life of a key by the rules."""
    calls: dict[str, tuple[str, ...]] = {
        "list": (),
        "show": (KEY,),
        "rotate": (KEY,),
        "grant": (KEY, "bob#tempZone", "open", place),
        "revoke": (KEY, "bob#tempZone", ""),
        "disable": (KEY, "2"),
        "enable": (KEY, "2"),
    }
    for action, texts in calls.items():
        assert "ok" in rulecall.call(session, f"sluice_keys_{action}", *texts)


def by_every_provider(zone: Canary, place: str) -> dict[str, list[str]]:
    """The keyring moved to a token and to a transit service: how jobs end with each, and without its secret."""
    told = {}
    zone.sluice_keys("rotate", KEY)
    pin, token = _private(zone.home / "pin", "the token's PIN"), _private(zone.home / "token", "the service's token")
    with transit.served(SECRETS["the service's token"].decode()) as (url, _):
        for provider, private, keys in (
            ("pkcs11", pin, {**zone.on_token, "pin_file": str(pin)}),
            ("transit", token, {"transit_url": url, "token_file": str(token)}),
        ):
            zone.move_to(provider, **keys)
            sealed, back = f"{place}/{provider}.tink", f"{place}/{provider}"
            jobs = [
                zone.ended(operation="encrypt", source=f"{place}/a", target=sealed, key=KEY),
                zone.ended(operation="decrypt", source=sealed, target=back),
            ]
            right = private.read_bytes()
            private.write_text("wrong")
            jobs.append(zone.ended(operation="decrypt", source=sealed, target=f"{back}-never"))
            private.write_bytes(right)
            told[provider] = [job["error"]["code"] if job["error"] else job["state"] for job in jobs]
    return told


def _private(path: Path, secret: str) -> Path:
    path.write_bytes(SECRETS[secret])
    path.chmod(0o600)
    return path
