"""Rates of the keys: unwraps with each provider, logged uses, and rekeying of small objects in an embedded zone.

``python -m tests.benchmarks.keys >docs/benchmarks/keys.md``: the page. Medians of three runs.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from irods.session import iRODSSession

from python_rules.engine.keys import FileProvider, Keyring, KeyUse, Log, Provider, Who
from python_rules.engine.keys.hsm import TokenProvider
from python_rules.engine.keys.transit import TransitProvider
from tests.e2e.conftest import done_by_rule
from tests.peers import softhsm, transit
from tests.stack.site import EmbeddedSite

UNWRAPS, OBJECTS, RUNS = 200, 500, 3


PAGE = """# Keys: how fast

Made by `python -m tests.benchmarks.keys`. {cores} cores, load {load:.1f} at the start; medians of {runs} runs.

| what | a second |
|---|--:|
{rows}
A job unwraps each version once, whatever the number of its objects: the provider is not what it waits for. A *use* is
what each object costs: its grant checked, an entry of the audit log on the disk.

Rekeying is measured from submit to the job's end, queue and engine's start among it, in an embedded zone on the same
cores: {objects} objects of 10 KiB. For each `crypt4gh` object that is nine calls to the zone (read the header: open,
read, close; compare; note the new header; write it: open, write, close, with which the server makes the checksum;
change the AVUs), whatever its size, but for the server's checksum; what is to be known of sixteen objects is asked for
in two calls more. An `aes256-gcm` object is read and written once.
"""


def main() -> None:
    """Print the page."""
    load = os.getloadavg()[0]
    rows = "".join(f"| {what} | {statistics.median(rates):,.0f} |\n" for what, rates in _measured())
    print(PAGE.format(cores=os.cpu_count(), load=load, runs=RUNS, rows=rows, objects=OBJECTS), end="")


def _measured() -> Iterator[tuple[str, list[float]]]:
    with tempfile.TemporaryDirectory(prefix="sluice-keys-") as folder:
        home = Path(folder)
        yield "unwraps, master key in a file", _unwraps(_file(home))
        yield "unwraps, PKCS#11 token (SoftHSM), a login for each", _unwraps(_token(home))
        with transit.served("token") as (url, _):
            yield "unwraps, transit service (a stand-in on this machine)", _unwraps(_service(home, url))
        yield "uses", _uses(home)
        for method in ("crypt4gh", "aes256-gcm"):
            yield f"objects rekeyed, `{method}`", _rekeys(home / method, method)


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
    done_by_rule(session, operation, source, "", options)
    return time.perf_counter() - begun


def _file(home: Path, name: str = "master") -> FileProvider:
    return FileProvider(str(home / f"{name}.key"))


def _token(home: Path) -> TokenProvider:
    conf = home / "softhsm2.conf"
    os.environ["SOFTHSM2_CONF"] = str(conf)
    module = softhsm.made(home / "softhsm", "bench", "5678", conf)["pkcs11_module"]
    return TokenProvider(module, "bench", "master", _private(home / "pin", "5678"))


def _service(home: Path, url: str) -> TransitProvider:
    return TransitProvider(url, "transit", "master", _private(home / "token", "token"))


def _private(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


if __name__ == "__main__":
    main()
