"""A zone whose engine stops where it is told to, and a system of every type beside it, each on its real server."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from irods.models import Collection, DataObject

from python_rules.engine.systems.place import Place
from python_rules.engine.transfer import queries
from tests.e2e.faults import Faults, Step, Stopped
from tests.e2e.jobs import Bench, bench
from tests.stack.site import EmbeddedSite
from tests.stack.waiting import until
from tests.systems.conftest import ALL
from tests.systems.files import read
from tests.systems.peers import Peer

SIZE = 22_000_003  # bytes of a file of six blocks

# Where an engine stops in the middle of a file that it writes to a system, or to the zone.
WRITING: dict[str, Step] = {
    "posix": ("systems.posix", "Writing", "write", "after", 4),
    "sftp": ("systems.sftp_files", "Writing", "write", "after", 4),
    "rsync": ("systems.sftp_files", "Writing", "write", "after", 4),
    "irods": ("systems.zone", "ZoneWriting", "write", "after", 4),
    "s3": ("systems.parts", "PartedWriter", "_settle", "after", 1),
    "swift": ("systems.parts", "PartedWriter", "_settle", "after", 1),
    "postgresql": ("systems.postgres_csv", "Writing", "write", "after", 4),
    "couchdb": ("systems.documents", "Writing", "write", "after", 4),
}
INTO_ZONE: Step = ("transfer.streams", "_Stream", "write", "after", 4)


@dataclass
class Ground:
    """The zone, and the peers by their type, which is their systems' name as well."""

    bench: Bench
    faults: Faults
    peers: dict[str, Peer]

    def stopped(self, step: Step, source: str, target: str, **more: object) -> tuple[str, Stopped]:
        """A job whose engine waits in the middle of its file, and the engine's process."""
        with self.faults.at(step):
            job_id = self.bench.submit(operation="stage", source=source, target=target, **more)
            return job_id, self.faults.stopped()

    def killed(self, step: Step, source: str, target: str, **more: object) -> str:
        """A job whose engine was killed there."""
        job_id, engine = self.stopped(step, source, target, **more)
        os.kill(engine.pid, signal.SIGKILL)
        return job_id

    def succeeded(self, job_id: str) -> dict[str, Any]:
        """The job, which took two attempts."""
        job = self.bench.ended(job_id)
        assert (job["state"], job["attempt"]) == ("succeeded", 2), (job["state"], job["error"])
        return job

    def address(self, kind: str, name: str) -> str:
        """The address of a file of a system."""
        return f"{kind}:{self._path(kind, name)}"

    def content(self, kind: str, name: str) -> object:
        """What of a file's content comes back."""
        with closing(self.peers[kind].open()) as place:
            return self.peers[kind].shown(read(place, self._path(kind, name)))

    def bring(self, kind: str, name: str, data: bytes) -> None:
        """A file of a system."""
        with closing(self.peers[kind].open()) as place:
            self.peers[kind].bring(place, self._path(kind, name), data)

    def removed(self, kind: str, name: str) -> None:
        """A file of a system, no more."""
        with closing(self.peers[kind].open()) as place:
            place.remove(self._path(kind, name))

    def holdings(self, kind: str) -> list[str]:
        """All that the far side has, hidden or not."""
        with closing(self.peers[kind].open()) as place:
            return sorted(_HOLDINGS[kind](self.peers[kind], place))

    def until_holdings(self, kind: str, wanted: list[str]) -> None:
        """Wait until the far side has just this."""
        until(lambda: True if self.holdings(kind) == wanted else None, f"{kind} to hold {wanted}", 30)

    def _path(self, kind: str, name: str) -> str:
        peer = self.peers[kind]
        return f"{peer.parent or ''}/{name}{peer.ending}".lstrip("/")


@contextmanager
def ground(tmp_path_factory: pytest.TempPathFactory, *kinds: str, **more: object) -> Iterator[Ground]:
    """The zone with these types; ``more`` are settings of every system."""
    with ExitStack() as stack:
        peers = {kind: stack.enter_context(ALL[kind](tmp_path_factory.mktemp(kind))) for kind in kinds}
        made = stack.enter_context(bench(tmp_path_factory.mktemp("zone")))
        if not isinstance(made.site, EmbeddedSite):
            pytest.skip("stops engines by a script of its own: only on an embedded zone")
        faults = Faults(made.site, tmp_path_factory.mktemp("faults"))
        configure(made.site, {kind: {"type": kind, **peer.settings, **more} for kind, peer in peers.items()})
        yield Ground(made, faults, peers)


def configure(site: EmbeddedSite, systems: dict[str, dict[str, object]]) -> None:
    """Have the zone know these systems, beside those that it knows."""
    path = Path(site.settings.path)
    settings = json.loads(path.read_text())
    settings.setdefault("systems", {}).update({name: {"allowed": ["public"], **row} for name, row in systems.items()})
    path.write_text(json.dumps(settings))


def _files(peer: Peer, place: Place) -> list[str]:
    base = Path(str(peer.settings["base"]))
    return [str(path.relative_to(base)) for path in base.rglob("*")]


def _objects(peer: Peer, place: Any) -> list[str]:
    query = place.zone.session.query(Collection.name, DataObject.name).filter(
        queries.begins(Collection.name, str(peer.settings["base"]))
    )
    return [f"{row[Collection.name]}/{row[DataObject.name]}" for row in query]


def _bucket(peer: Peer, place: Any) -> list[str]:
    keys = place.client.list_objects_v2(Bucket=place.bucket).get("Contents", ())
    uploads = place.client.list_multipart_uploads(Bucket=place.bucket).get("Uploads", ())
    return [row["Key"] for row in keys] + [f"upload of {row['Key']}" for row in uploads]


def _containers(peer: Peer, place: Any) -> list[str]:
    found = [
        (one, row) for one in (place.container, place.segments) for row in place.account.listed(one, "", allow=(404,))
    ]
    return [f"{container}/{row['name']}" for container, row in found]


def _tables(peer: Peer, place: Any) -> list[str]:
    with place._link.opened(read_only=True) as connection:
        rows = connection.execute("select oid::regclass::text from pg_class where relnamespace >= 2200").fetchall()
        busy = connection.execute("select pid from pg_stat_activity where state like 'idle in transaction%'").fetchall()
    return [str(name) for (name,) in rows] + [f"transaction of {pid}" for (pid,) in busy]


def _databases(peer: Peer, place: Any) -> list[str]:
    return [str(name) for name in place.store.get("_all_dbs", "")]


_HOLDINGS: dict[str, Callable[[Peer, Any], list[str]]] = {
    "posix": _files,
    "sftp": _files,
    "rsync": _files,
    "irods": _objects,
    "s3": _bucket,
    "swift": _containers,
    "postgresql": _tables,
    "couchdb": _databases,
}
