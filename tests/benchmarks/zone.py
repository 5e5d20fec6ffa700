"""How fast the embedded zone is, and a real one beside it: ``python -m tests.benchmarks.zone``.

    python -m tests.benchmarks.zone                                   # an embedded zone made for the purpose
    python -m tests.benchmarks.zone --real irods_environment.json     # and an existing zone, in turn, row by row

The client is python-irodsclient on this machine. Each row is measured on one side, then on the other, several times;
the medians are printed with the number to reach. *Real* is what a real 5.0.2 server gave once where none is given.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import irods.keywords as kw
from irods.access import iRODSAccess
from irods.column import Like
from irods.meta import AVUOperation, iRODSMeta
from irods.models import Collection, DataObjectMeta
from irods.session import iRODSSession

from embedded_zone.server.embedding import EmbeddedZone
from tests.zone.server_zone import children

MIB = 1 << 20
PAGED_ROWS = 10_000
CROWD = 50


class Row(NamedTuple):
    """One line: what is measured, by which function of a Side, how; ``seen`` on a real server, ``reach`` by ours."""

    what: str
    measure: str
    argument: int = 0
    seen: float | None = None
    reach: float | None = None
    rate: bool = False  # MB/s, more is better; otherwise milliseconds, less is better


ROWS = (
    Row("put, default", "put", 0, 271, 300, True),
    Row("put, 1 thread", "put", 1, 224, 300, True),
    Row("put, 2 threads", "put", 2, 255, 300, True),
    Row("put, 4 threads", "put", 4, 256, 300, True),
    Row("put with REG_CHKSUM", "put_checksummed", 0, 219, 219, True),
    Row("get, default", "get", 0, 254, 254, True),
    Row("get, 1 thread", "get", 1, 469, 470, True),
    Row("open-write, 1 MiB writes", "write", 1, 194, 194, True),
    Row("open-write, 4 MiB writes", "write", 4, 326, 326, True),
    Row("open-write, 16 MiB writes", "write", 16, 188, 188, True),
    Row("open-write, 64 MiB writes", "write", 64, 197, 197, True),
    Row("open-read, 1 MiB reads", "read", 1, 420, 420, True),
    Row("open-read, 4 MiB reads", "read", 4, 840, 840, True),
    Row("open-read, 16 MiB reads", "read", 16, 1176, 1176, True),
    Row("open-read, 64 MiB reads", "read", 64, 520, 520, True),
    Row("server checksum SHA-256", "checksum", 0, 1192, 1192, True),
    Row("copy (server side)", "copy", 0, 282, 282, True),
    Row("rename a large object", "rename_large", 0, 38, 38),
    Row("rename 1 KiB", "rename_small", 0, 24, 24),
    Row("connect + auth + disconnect", "connect", 0, 106, 40),
    Row("put 1 KiB", "put_small", 0, 62, 20),
    Row("open-write-close 1 KiB", "write_small", 0, 47, 20),
    Row("open-read-close 1 KiB", "read_small", 0, 17, 17),
    Row("data_objects.get", "stat", 0, 8.6, 8.6),
    Row("GenQuery, 1 row", "query", 1, 2.2, 2.2),
    Row("GenQuery, 200 rows", "query", 200, 4.6, 4.6),
    Row("metadata.add", "metadata_add", 0, 11, 11),
    Row("metadata.set", "metadata_set", 0, 11, 11),
    Row("atomic metadata, 1 AVU", "atomic", 1, 29, 8),
    Row("atomic metadata, 10 AVUs", "atomic", 10, 45, 8),
    Row("acl set", "acl", 0, 7, 7),
    Row("collection create", "collection", 0, 31, 31),
    Row("touch, new", "touch", 0, 59, 59),
    Row("unlink, force", "unlink", 0, 19, 19),
    Row(f"query of {PAGED_ROWS} rows, paged", "paged", 0),
    Row(f"{CROWD} connections at once, one query each", "crowd", 0),
)


@dataclass
class Side:
    """One zone under measurement; methods named in ROWS return seconds for one operation, or for ``size`` bytes."""

    name: str
    connect_to: Callable[[], iRODSSession]
    folder: Path
    size: int
    repeat: int = 10
    unpaged: bool = True  # the rows of the paged query are not there yet

    def __post_init__(self) -> None:
        self.session = self.connect_to()
        self.session.connection_timeout = 600
        self.home = f"/{self.session.zone}/home/{self.session.username}/benchmark-{os.getpid()}"
        self.session.collections.create(self.home)
        self.numbers = iter(range(10**9))
        self.local = self.folder / "local"
        if not self.local.exists():
            self.local.write_bytes(os.urandom(MIB) * (self.size // MIB))
            (self.folder / "small").write_bytes(os.urandom(1024))
        self.session.data_objects.put(str(self.local), self.large)
        self.session.data_objects.put(str(self.folder / "small"), self.small)
        self.session.collections.create(f"{self.home}/many")
        for number in range(200):
            self.session.collections.create(f"{self.home}/many/{number:03}")

    @property
    def large(self) -> str:
        return f"{self.home}/large"

    @property
    def small(self) -> str:
        return f"{self.home}/small"

    def close(self) -> None:
        self.session.collections.get(self.home).remove(recurse=True, force=True)
        self.session.cleanup()

    def new(self) -> str:
        return f"{self.home}/o{next(self.numbers)}"

    def each(self, action: Callable[[], object]) -> float:
        """Seconds of one of ``repeat`` actions."""
        action()
        started = time.perf_counter()
        for _ in range(self.repeat):
            action()
        return (time.perf_counter() - started) / self.repeat

    @contextmanager
    def gone_afterwards(self) -> Iterator[str]:
        path = self.new()
        yield path
        self.session.data_objects.unlink(path, force=True)

    # --- large objects

    def put(self, threads: int, **options: str) -> float:
        with self.gone_afterwards() as path:
            return _timed(lambda: self.session.data_objects.put(str(self.local), path, num_threads=threads, **options))

    def put_checksummed(self, threads: int) -> float:
        return self.put(threads, **{kw.REG_CHKSUM_KW: ""})

    def get(self, threads: int) -> float:
        target = self.folder / "got"
        target.unlink(missing_ok=True)
        return _timed(lambda: self.session.data_objects.get(self.large, str(target), num_threads=threads))

    def write(self, mebibytes: int) -> float:
        block = os.urandom(MIB) * mebibytes

        def act() -> None:
            with self.session.data_objects.open(path, "w") as file:
                for _ in range(self.size // len(block)):
                    file.write(block)

        with self.gone_afterwards() as path:
            return _timed(act)

    def read(self, mebibytes: int) -> float:
        def act() -> None:
            with self.session.data_objects.open(self.large, "r") as file:
                while file.read(mebibytes * MIB):
                    pass

        return _timed(act)

    def checksum(self, _argument: int) -> float:
        return _timed(lambda: self.session.data_objects.chksum(self.large, **{kw.FORCE_CHKSUM_KW: ""}))

    def copy(self, _argument: int) -> float:
        with self.gone_afterwards() as path:
            return _timed(lambda: self.session.data_objects.copy(self.large, path))

    def rename_large(self, _argument: int) -> float:
        return self._rename(self.large)

    def rename_small(self, _argument: int) -> float:
        return self._rename(self.small)

    def _rename(self, path: str) -> float:
        names = [path, f"{path}.moved"]

        def act() -> None:
            self.session.data_objects.move(*names)
            names.reverse()

        seconds = self.each(act)
        if names[0] != path:
            self.session.data_objects.move(*names)
        return seconds

    # --- single operations

    def connect(self, _argument: int) -> float:
        def act() -> None:
            with self.connect_to() as session:
                session.server_version  # noqa: B018  connects

        return self.each(act)

    def put_small(self, _argument: int) -> float:
        return self.each(lambda: self.session.data_objects.put(str(self.folder / "small"), self.new()))

    def write_small(self, _argument: int) -> float:
        def act() -> None:
            with self.session.data_objects.open(self.new(), "w") as file:
                file.write(bytes(1024))

        return self.each(act)

    def read_small(self, _argument: int) -> float:
        def act() -> None:
            with self.session.data_objects.open(self.small, "r") as file:
                file.read()

        return self.each(act)

    def stat(self, _argument: int) -> float:
        return self.each(lambda: self.session.data_objects.get(self.small))

    def query(self, rows: int) -> float:
        pattern = f"{self.home}/many/%" if rows > 1 else f"{self.home}/many/000"
        query = self.session.query(Collection.name).filter(Like(Collection.name, pattern))
        return self.each(lambda: list(query))

    def metadata_add(self, _argument: int) -> float:
        metadata = self.session.data_objects.get(self.small).metadata
        return self.each(lambda: metadata.add(f"a{next(self.numbers)}", "value"))

    def metadata_set(self, _argument: int) -> float:
        metadata = self.session.data_objects.get(self.small).metadata
        return self.each(lambda: metadata.set("set", str(next(self.numbers))))

    def atomic(self, count: int) -> float:
        metadata = self.session.data_objects.get(self.small).metadata

        def act() -> None:
            avus = (iRODSMeta(f"b{next(self.numbers)}", "value") for _ in range(count))
            metadata.apply_atomic_operations(*(AVUOperation(operation="add", avu=avu) for avu in avus))

        return self.each(act)

    def acl(self, _argument: int) -> float:
        access = iRODSAccess("read", self.small, "public", self.session.zone)
        return self.each(lambda: self.session.acls.set(access))

    def collection(self, _argument: int) -> float:
        return self.each(lambda: self.session.collections.create(self.new()))

    def touch(self, _argument: int) -> float:
        return self.each(lambda: self.session.data_objects.touch(self.new()))

    def unlink(self, _argument: int) -> float:
        paths = [self.new() for _ in range(self.repeat + 1)]
        for path in paths:
            self.session.data_objects.create(path)
        return self.each(lambda: self.session.data_objects.unlink(paths.pop(), force=True))

    def paged(self, _argument: int) -> float:
        metadata = self.session.data_objects.get(self.large).metadata
        first = 0 if self.unpaged else PAGED_ROWS
        self.unpaged = False
        for start in range(first, PAGED_ROWS, 1000):
            avus = (iRODSMeta("page", f"{number:05}") for number in range(start, start + 1000))
            metadata.apply_atomic_operations(*(AVUOperation(operation="add", avu=avu) for avu in avus))
        # A session of its own: its one connection holds the query's place between pages.
        with self.connect_to() as session:
            query = session.query(DataObjectMeta.value).filter(DataObjectMeta.name == "page")
            return _timed(lambda: _expect(sum(1 for _ in query), PAGED_ROWS))

    def crowd(self, _argument: int) -> float:
        def act() -> None:
            with self.connect_to() as session:
                _expect(len(list(session.query(Collection.id).filter(Collection.name == self.home))), 1)

        def all_at_once() -> None:
            with concurrent.futures.ThreadPoolExecutor(CROWD) as pool:
                for future in [pool.submit(act) for _ in range(CROWD)]:
                    future.result()

        return _timed(all_at_once)


def _expect(found: int, wanted: int) -> None:
    if found != wanted:
        raise AssertionError(f"{found} rows instead of {wanted}")


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


# --- what only an embedded zone can be asked


def start_up(folder: Path) -> float:
    """Seconds until a zone that exists accepts connections."""
    zone = EmbeddedZone(folder / "start")
    seconds = _timed(zone.start)
    zone.stop()
    return seconds


def memory_per_connection(zone: EmbeddedZone) -> float:
    """MiB that one more idle, logged-in connection takes from the machine (its own pages, and its share of others)."""
    before = set(children(zone.pid))
    with iRODSSession(**zone.session_arguments()) as session:
        session.collections.exists(f"/{session.zone}/home")
        return statistics.median(_proportional(pid) for pid in set(children(zone.pid)) - before)


def _proportional(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean:", "Private_Dirty:"))) / 1024


# --- the table


def measured(row: Row, side: Side, rounds: int) -> float:
    """The median over the rounds, in the row's unit."""
    seconds = statistics.median(getattr(side, row.measure)(row.argument) for _ in range(rounds))
    return side.size / MIB * 1.048576 / seconds if row.rate else seconds * 1000


def line(row: Row, ours: float, real: float | None) -> str:
    """One line of the table; ``real`` from this run, else what was once seen."""
    beside = real if real is not None else row.seen
    goal = row.reach
    met = goal is None or (ours >= goal if row.rate else ours <= goal)
    unit = "MB/s" if row.rate else "ms"
    cells = (row.what, f"{ours:.1f} {unit}", _number(beside), _number(goal), "" if met else "missed")
    return f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def main() -> int:
    """Measure and print."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        print(f"| start-up | {start_up(folder) * 1000:.0f} ms | – | 1000 |  |", flush=True)
        with EmbeddedZone(folder / "zone") as zone:
            print(f"| memory of a connection | {memory_per_connection(zone):.1f} MiB | – | – |  |", flush=True)
            size = options.size * MIB
            ours = Side("embedded", lambda: iRODSSession(**zone.session_arguments()), folder, size)
            real = _real(options.real, folder, size)
            for row in ROWS:
                if options.only in row.what:
                    theirs = measured(row, real, options.rounds) if real else None
                    print(line(row, measured(row, ours, options.rounds), theirs), flush=True)
            for side in filter(None, (ours, real)):
                side.close()
    return 0


def _real(environment: str, folder: Path, size: int) -> Side | None:
    if not environment:
        return None
    secret = str(Path(environment).with_name(".irodsA"))
    return Side(
        "real",
        lambda: iRODSSession(irods_env_file=environment, irods_authentication_file=secret),
        folder,
        size,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", default="", metavar="FILE", help="the environment file of an existing zone")
    parser.add_argument("--size", type=int, default=1024, metavar="MIB", help="of the large object (default: 1024)")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts (default: 3)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only rows whose name holds this")
    parser.add_argument("--folder", help="for the zone and the local files (default: the system's temporary folder)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
