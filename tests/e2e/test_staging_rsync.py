"""Jobs that bring trees up to date between the zone and a host with rsync: the line carries what differs."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.jobs import Bench, bench
from tests.e2e.test_staging_types import moved
from tests.stack.site import EmbeddedSite
from tests.systems.cutting import Cutting, cutting
from tests.systems.peers import Sshd

pytestmark = pytest.mark.long
MIB = 1 << 20


@dataclass
class Host:
    """A zone that knows a host with rsync as 'hpc', and as 'quick' which trusts modify times."""

    bench: Bench
    base: Path
    proxy: Cutting

    def passed(self) -> int:
        """Bytes on the line since the last call."""
        passed, self.proxy.up, self.proxy.down = self.proxy.up + self.proxy.down, 0, 0
        return passed


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with Sshd() as server:
        server.start()
        with cutting(server.port) as proxy, bench(tmp_path_factory.mktemp("zone")) as made:
            assert isinstance(made.site, EmbeddedSite)
            known = server.home / "through_the_proxy"
            known.write_text(server.known_hosts.read_text().replace(f":{server.port} ", f":{proxy.port} "))
            row = {
                **server.settings(),
                "type": "rsync",
                "address": f"127.0.0.1:{proxy.port}",
                "known_hosts": str(known),
                "allowed": ["public"],
                "connections": 2,
            }
            path = Path(made.site.settings.path)
            settings = json.loads(path.read_text())
            settings["systems"] = {"hpc": row, "quick": {**row, "unchanged": "time"}}
            path.write_text(json.dumps(settings))
            yield Host(made, server.home / "base", proxy)


def edited(data: bytes, seed: int) -> bytes:
    """A piece put in, and one changed."""
    chosen = random.Random(seed)
    return data[:700_000] + chosen.randbytes(1000) + data[700_000:2_000_000] + chosen.randbytes(5000) + data[2_005_000:]


def test_a_tree_is_brought_up_to_date_in_both_directions(host: Host) -> None:
    """Of a tree of 21 MiB some kilobytes changed: that is what crosses the line, out of the zone and into it."""
    place = host.bench.place()
    tree = {f"{number % 2}/file {number}": os.urandom(3 * MIB) for number in range(7)} | {"empty": b"", "small": b"x"}
    for name, data in tree.items():
        host.bench.write(f"{place}/tree/{name}", data)
    moved(host.bench, f"{place}/tree", "hpc:tree")
    assert host.passed() > 21 * MIB

    for number in (1, 2):
        name = f"{number % 2}/file {number}"
        tree[name] = edited(tree[name], number)
        host.bench.write(f"{place}/tree/{name}", tree[name])
    moved(host.bench, f"{place}/tree", "hpc:tree", existing="replace")
    assert host.passed() < MIB
    assert {name: (host.base / "tree" / name).read_bytes() for name in tree} == tree

    for number in (3, 4):
        name = f"{number % 2}/file {number}"
        tree[name] = edited(tree[name], number)
        (host.base / "tree" / name).write_bytes(tree[name])
    moved(host.bench, "hpc:tree", f"{place}/tree", existing="replace")
    assert host.passed() < MIB
    assert {name: host.bench.read(f"{place}/tree/{name}") for name in tree} == tree
    assert not list((host.base / "tree").rglob(".sluice*"))


def test_times_may_be_trusted(host: Host) -> None:
    """Where the administrator says so, a file of the same size and modify time is not looked into."""
    place = host.bench.place()
    host.bench.write(f"{place}/file", b"one" * 1000)
    moved(host.bench, f"{place}/file", "quick:timed")
    there = host.base / "timed"
    before = there.stat()
    there.write_bytes(b"two" * 1000)
    os.utime(there, (before.st_atime, before.st_mtime))

    moved(host.bench, f"{place}/file", "quick:timed", existing="replace")
    assert there.read_bytes() == b"two" * 1000
    moved(host.bench, f"{place}/file", "hpc:timed", existing="replace")
    assert there.read_bytes() == b"one" * 1000


def test_without_rsync_there_the_job_says_so(host: Host) -> None:
    """The file that would need it is named, with what to do; the old version stays."""
    place, path = host.bench.place(), Path(host.bench.site.settings.path)
    data = os.urandom(MIB)
    host.bench.write(f"{place}/file", data)
    moved(host.bench, f"{place}/file", "hpc:lone")
    settings = json.loads(path.read_text())
    shutil.copy(path, f"{path}.before")
    settings["systems"]["hpc"]["program"] = "/no/such/rsync"
    path.write_text(json.dumps(settings))
    host.bench.write(f"{place}/file", data[::-1])

    asked = host.bench.submit(operation="stage", source=f"{place}/file", target="hpc:lone", existing="replace")
    job = host.bench.ended(asked)
    shutil.move(f"{path}.before", path)

    assert job["state"] == "failed"
    assert job["error"]["code"] == "system_error"
    assert "installed" in job["error"]["remedy"]
    assert (host.base / "lone").read_bytes() == data
