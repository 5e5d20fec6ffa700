"""Jobs of many small objects, and hooks: calls for each object, objects a second, what a put costs, when work begins.

``python -m tests.benchmarks.jobs >docs/benchmarks/jobs.md``: the page, of an embedded zone; with ``--real
irods_environment.json --etc /etc/irods`` of an existing one as well.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from embedded_zone.testing import Trace
from tests.benchmarks import hooks
from tests.e2e.jobs import Bench
from tests.e2e.test_many_objects import engine_calls, filled
from tests.stack.shared import shared_folder
from tests.stack.site import EmbeddedSite, ExistingSite, Site

COUNTED = 480
OBJECTS = {"embedded zone": 2000, "iRODS server": 300}  # the latter takes a tenth of a second for each write
OPERATIONS = ("compress", "decompress", "duplicate", "verify", "delete")

HEAD = """# Jobs: how fast

Made by `python -m tests.benchmarks.jobs`. {cores} cores, load {load:.1f} at the start; client, zone and engine share
them.

## Calls and objects

Objects of 1.2 KB in three collections. *Calls* are those to the zone for each object, of all kinds, logins and looks at
the record among them, in a job of {counted} objects in an embedded zone. *Objects a second* are of a job of {objects}
({real} on an iRODS server), from its submit to its end, queue and engine's start among it.
"""
TABLE = "\n| operation | calls | {columns} |\n|---|--:|{rules}|"
HOOKS = """
## Hooks, {zone}

Timed from inside the server, and as a client sees it: open, write, close of 1 KiB. Jobs of a policy without a quiet
period; the delay queue is polled {polled}.
"""


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, help="irods_environment.json of an administrator of an existing zone")
    parser.add_argument("--etc", type=Path, default=Path("/etc/irods"), help="where its core.py lies")
    parser.add_argument("--puts", type=int, default=200)
    given = parser.parse_args()
    embedded_zone, real = OBJECTS.values()
    told = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "counted": COUNTED}
    print(HEAD.format(**told, objects=embedded_zone, real=real), end="", flush=True)
    with tempfile.TemporaryDirectory() as folder, shared_folder() as shared:
        embedded = EmbeddedSite(Path(folder) / "zone")
        sites: dict[str, Site] = {"embedded zone": embedded}
        if given.real:
            sites["iRODS server"] = ExistingSite(given.real, "demo")
        try:
            _objects(_calls(Path(folder) / "counted"), sites)
            etc = embedded.server.config.etc
            _hooks("embedded zone", "every half second", embedded, Path(etc), shared / "embedded", given.puts)
            if given.real:
                name = "iRODS server"
                _hooks(name, "every three seconds", sites[name], given.etc, shared / "real", given.puts)
        finally:
            for site in sites.values():
                site.close()


def _calls(home: Path) -> dict[str, float]:
    """Calls for each object, by operation."""
    site = EmbeddedSite(home, trace=True)
    try:
        zone = Bench(site, site.make_user("bench"))
        place = filled(zone, COUNTED)
        found = {}
        for operation in OPERATIONS:
            trace = Trace([site.server])
            _done(zone, place, operation)
            found[operation] = engine_calls(zone, trace).total() / COUNTED
        return found
    finally:
        site.close()


def _objects(calls: dict[str, float], sites: dict[str, Site]) -> None:
    rates: dict[str, list[float]] = {operation: [] for operation in OPERATIONS}
    for name, site in sites.items():
        zone = Bench(site, site.make_user(f"bench-{os.getpid()}"))
        place = filled(zone, OBJECTS[name])
        for operation in OPERATIONS:
            rates[operation].append(OBJECTS[name] / _done(zone, place, operation))
    print(
        TABLE.format(columns=" | ".join(f"objects/s, {name}" for name in sites), rules="|".join("--:" for _ in sites))
    )
    for operation, told in rates.items():
        print(f"| `{operation}` | {calls[operation]:.1f} | " + " | ".join(f"{rate:.0f}" for rate in told) + " |")


def _done(zone: Bench, place: str, operation: str) -> float:
    """Seconds of a job that succeeded."""
    ends = {"compress": ("in", "made"), "decompress": ("made", "back"), "duplicate": ("in", "copy")}
    source, target = ends.get(operation, ("in", ""))
    asked = {"operation": operation, "source": f"{place}/{source}"}
    begun = time.perf_counter()
    job = zone.ended(zone.submit(**asked, **({"target": f"{place}/{target}"} if target else {})), 1800)
    assert job["state"] == "succeeded", job
    return time.perf_counter() - begun


def _hooks(name: str, polled: str, site: Site, etc: Path, folder: Path, puts: int) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    print(HOOKS.format(zone=name, polled=polled))
    hooks.measure(site, etc, folder / "hooks.jsonl", puts, rounds=10)


if __name__ == "__main__":
    main()
