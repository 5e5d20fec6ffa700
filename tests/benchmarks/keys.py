"""Rates of the keys: unwraps with each provider, logged uses, and rekeying of small objects in an embedded zone.

``python -m tests.benchmarks.keys``; medians of three runs, on whatever else the machine does.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from irods.session import iRODSSession

from python_rules.engine.keys import FileProvider, Keyring, KeyUse, Log, Provider, Who
from python_rules.engine.keys.hsm import TokenProvider
from python_rules.engine.keys.transit import TransitProvider
from tests.e2e.conftest import ended
from tests.peers import transit
from tests.stack import rulecall
from tests.stack.site import EmbeddedSite

UNWRAPS, OBJECTS, RUNS = 200, 200, 3
MODULE = "/usr/lib/softhsm/libsofthsm2.so"


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="sluice-keys-") as folder:
        home = Path(folder)
        _tell("unwrap, master key in a file", _unwraps(_file(home)))
        _tell("unwrap, PKCS#11 token (SoftHSM)", _unwraps(_token(home)))
        with transit.served("token") as (url, _):
            _tell("unwrap, transit service on this machine", _unwraps(_service(home, url)))
        _tell("a use: grant, audit log with fsync, unwrap (file)", _uses(home))
        for method in ("crypt4gh", "aes256-gcm"):
            _tell(f"rekey of {OBJECTS} objects of 10 KiB, {method}", _rekeys(home / method, method))


def _tell(what: str, rates: list[float]) -> None:
    print(f"{what:55} {statistics.median(rates):9.1f} /s", flush=True)


def _rates(count: int, work: Callable[[], object]) -> list[float]:
    rates = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        work()
        rates.append(count / (time.perf_counter() - begun))
    return rates


def _unwraps(provider: Provider) -> list[float]:
    provider.create()
    wrapped = provider.wrap(os.urandom(32), b"bench:1")
    return _rates(UNWRAPS, lambda: [provider.unwrap(wrapped, b"bench:1") for _ in range(UNWRAPS)])


def _uses(home: Path) -> list[float]:
    keyring = Keyring(str(home / "keyring.json"), _file(home, "uses"))
    keyring.provider.create()
    keyring.create("k", "alice#z")
    use = KeyUse(keyring, Log(str(home / "audit")), Who("alice#z"), "job")
    return _rates(UNWRAPS, lambda: [use.opening_key("k", 1, "/z/home/alice/a.tink") for _ in range(UNWRAPS)])


def _rekeys(home: Path, method: str) -> list[float]:
    site = EmbeddedSite(home)
    try:
        alice = site.make_user("alice")
        keyring = Keyring.of(site.settings)
        keyring.create("k", alice.qualified)
        with alice.session() as session:
            place = f"{alice.home}/many"
            session.collections.create(place)
            for number in range(OBJECTS):
                with session.data_objects.open(f"{place}/{number}", "w") as stream:
                    stream.write(os.urandom(10 * 1024))
            _job(session, "encrypt", place, f"key=k;original=remove;encryption={method}")
            rates = []
            for _ in range(RUNS):
                keyring.rotate("k")
                rates.append(OBJECTS / _job(session, "rekey", place, ""))
        return rates
    finally:
        site.close()


def _job(session: iRODSSession, operation: str, source: str, options: str) -> float:
    """Seconds from submit to the end of a job that succeeded, queue and start of the engine among them."""
    begun = time.perf_counter()
    answer = rulecall.call(session, "sluice_request", operation, source, "", options)
    job = ended(session, answer["ok"]["id"])
    assert job["state"] == "succeeded", job
    return time.perf_counter() - begun


def _file(home: Path, name: str = "master") -> FileProvider:
    return FileProvider(str(home / f"{name}.key"))


def _token(home: Path) -> TokenProvider:
    (home / "tokens").mkdir()
    conf = home / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {home}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(conf)
    words = ["--init-token", "--free", "--label", "bench", "--so-pin", "1234", "--pin", "5678"]
    subprocess.run(["softhsm2-util", *words], check=True, capture_output=True)
    return TokenProvider(MODULE, "bench", "master", _private(home / "pin", "5678"))


def _service(home: Path, url: str) -> TransitProvider:
    return TransitProvider(url, "transit", "master", _private(home / "token", "token"))


def _private(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


if __name__ == "__main__":
    main()
