"""What staging costs against the plain tools, both sides in one run: python -m tests.benchmarks.staging [MiB] [files].

Over one sshd of this machine, from memory-backed files: ``sftp`` and ``rsync`` against a Place of type sftp, ``cp``
against type posix; then with compression and encryption on the way; and ``rsync -a`` against a Place of type rsync, for
a new file and for one of which a hundredth changed. Every transfer of ours is verified (what is written
is hashed again there), those of the plain tools are not.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from python_rules.engine import pipeline
from python_rules.engine.codec import Chain
from python_rules.engine.codec.table import COMPRESSIONS
from python_rules.engine.keys import Key
from python_rules.engine.parallel import Workers
from python_rules.engine.seal.table import ENCRYPTIONS
from python_rules.engine.staging.persistent import Sink, Source
from python_rules.engine.systems.place import FILE, Comparing, Place
from python_rules.engine.watch import UNWATCHED
from tests.systems.peers import Peer, Sshd, posix, ssh_options

MIB = 1 << 20
CONNECTIONS = 4
FILE_SIZE = 10 * 1024


def main(mebibytes: int, files: int) -> None:
    """Print a row for each case: ours, theirs, and how many times as fast we are."""
    with tempfile.TemporaryDirectory(dir=_fastest()) as place, Sshd() as server:
        home = Path(place)
        server.start()
        remote = Peer("sftp", server.settings())
        content = _content(mebibytes)
        (home / "large").write_bytes(content)
        _make_tree(home / "tree", files)
        with posix(home) as local:
            (home / "area" / "large").write_bytes(content)
            os.rename(home / "tree", home / "area" / "tree")
            _large(home, server, local, remote, mebibytes)
            _small(home, server, local, remote, files)
            _differences(home, server, local, mebibytes)


def _large(home: Path, server: Sshd, local: Peer, remote: Peer, mebibytes: int) -> None:
    size = mebibytes * MIB
    here, base = home / "area" / "large", server.home / "base"
    plain_up = _timed(lambda: _sftp(server, f"put {here} {base}/theirs"))
    hashed = _timed(lambda: _run("sha256sum", str(base / "theirs")))
    plain_down = _timed(lambda: _sftp(server, f"get {base}/theirs {home}/theirs"))
    ours_up = _timed(lambda: _move(local.open(), remote.open(), "large", "ours", Chain()))
    ours_down = _timed(lambda: _move(remote.open(), local.open(), "ours", "back", Chain()))
    assert (home / "area" / "back").read_bytes() == here.read_bytes()
    workers = Workers(0)
    key = Key("benchmark", 1, os.urandom(32))
    sealed = _timed(lambda: _move(local.open(), remote.open(), "large", "sealed", _sealing(workers, key)))
    copied = _timed(lambda: _run("cp", str(here), str(home / "copy")))
    ours_copy = _timed(lambda: _move(local.open(), local.open(), "large", "copy", Chain()))
    _row(f"put of {mebibytes} MiB, sftp", size, ours_up, plain_up)
    _row("the same, both verified (sftp, then sha256sum)", size, ours_up, plain_up + hashed)
    _row(f"get of {mebibytes} MiB, sftp", size, ours_down, plain_down)
    _row("put with zstd and aes256-gcm, against plain sftp", size, sealed, plain_up)
    _row("posix to posix, against cp", size, ours_copy, copied)


def _small(home: Path, server: Sshd, local: Peer, remote: Peer, files: int) -> None:
    tree, base, size = home / "area" / "tree", server.home / "base", files * FILE_SIZE
    ssh = " ".join(["ssh", *ssh_options(server)])
    plain = _timed(lambda: _sftp(server, f"put -r {tree} {base}/theirs-tree"))
    rsynced = _timed(lambda: _run("rsync", "-a", "-e", ssh, f"{tree}/", f"127.0.0.1:{base}/rsync-tree/"))
    ours = _timed(lambda: _tree(local, remote, "tree", "ours-tree"))
    ours_down = _timed(lambda: _tree(remote, local, "ours-tree", "tree-back"))
    plain_down = _timed(lambda: _sftp(server, f"get -r {base}/theirs-tree {home}/theirs-tree"))
    _row(f"put of {files} files of 10 KiB, sftp", size, ours, plain)
    _row("the same, rsync", size, ours, rsynced)
    _row("get of them, sftp", size, ours_down, plain_down)


def _differences(home: Path, server: Sshd, local: Peer, mebibytes: int) -> None:
    """Plain rsync first, then ours: a new file, then its next version, in both directions."""
    remote, size, base = Peer("rsync", server.settings()), mebibytes * MIB, server.home / "base"
    old = home / "area" / "large"
    new = home / "area" / "next"
    new.write_bytes(_changed(old.read_bytes()))
    for file, what in ((old, "a new file"), (new, "1 % changed")):
        plain = _timed(lambda file=file: _rsync(server, str(file), f"127.0.0.1:{base}/rsync"))
        ours = _timed(lambda file=file: _move(local.open(), remote.open(), file.name, "ours-rsync", Chain()))
        assert (base / "ours-rsync").read_bytes() == file.read_bytes()
        _row(f"put of {mebibytes} MiB, rsync -a: {what}", size, ours, plain)
    shutil.copy(old, home / "back")
    plain = _timed(lambda: _rsync(server, f"127.0.0.1:{base}/rsync", f"{home}/back"))
    ours = _timed(lambda: _move_against(remote.open(), local.open(), "ours-rsync", "ours-back", old))
    assert (home / "area" / "ours-back").read_bytes() == new.read_bytes()
    _row(f"get of {mebibytes} MiB, rsync -a: 1 % changed", size, ours, plain)


def _changed(data: bytes) -> bytes:
    """A hundredth of it is another: pieces of 10 KiB in their places, and a byte put in at the start."""
    found, step = bytearray(data), 100 * FILE_SIZE
    for start in range(step // 2, len(found) - FILE_SIZE, step):
        found[start : start + FILE_SIZE] = random.Random(start).randbytes(FILE_SIZE)
    return b"x" + bytes(found)


class _OldFile:
    """A file of this host as the older version."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self.size = path.stat().st_size

    def read_at(self, offset: int, buffer: memoryview) -> int:
        return os.preadv(self._file.fileno(), [buffer], offset)

    def close(self) -> None:
        self._file.close()


def _move_against(source: Place, target: Place, path: str, name: str, old: Path) -> None:
    assert isinstance(source, Comparing)
    sink = Sink(lambda: target.write(name, None, ""), UNWATCHED)
    reader = source.read_against(path, _OldFile(old))
    passed = pipeline.run(reader, Chain(), sink)
    reader.close()
    sink.publish(passed.written_size, passed.written_sha256, None)


def _move(source: Place, target: Place, path: str, name: str, codec: Chain) -> None:
    found = source.find(path)
    assert found
    sink = Sink(lambda: target.write(name, None, ""), UNWATCHED)
    reader = Source(lambda offset: source.read(path, offset), UNWATCHED)
    passed = pipeline.run(reader, codec, sink, size=found.size)
    reader.close()
    sink.publish(passed.written_size, passed.written_sha256, found.modified)


def _tree(source: Peer, target: Peer, path: str, name: str) -> None:
    """All files of a folder, over a few connections as a job has them."""
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        pairs = list(pool.map(lambda _: (source.open(), target.open()), range(CONNECTIONS)))
    pairs[0][1].make_folder(name)
    items = list(pairs[0][0].walk(path))
    for item in items:
        if item.kind != FILE:
            pairs[0][1].make_folder(name + item.path[len(path) :])
    files = [item.path for item in items if item.kind == FILE]

    def some(number: int) -> None:
        for one in files[number::CONNECTIONS]:
            _move(*pairs[number], one, name + one[len(path) :], Chain())

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(some, range(CONNECTIONS)))
    for pair in pairs:
        for place in pair:
            place.close()


def _sealing(workers: Workers, key: Key) -> Chain:
    return Chain(COMPRESSIONS["zstd"].encoder(workers, 3), ENCRYPTIONS["aes256-gcm"].sealer(workers, key))


def _sftp(server: Sshd, command: str) -> None:
    run = ["sftp", "-q", "-b", "-", *ssh_options(server, port="-P"), "127.0.0.1"]
    subprocess.run(run, input=command.encode(), check=True, capture_output=True)


def _rsync(server: Sshd, source: str, target: str) -> None:
    _run("rsync", "-a", "-I", "-e", " ".join(["ssh", *ssh_options(server)]), source, target)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _timed(action: Callable[[], None]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _row(what: str, size: int, ours: float, theirs: float) -> None:
    speeds = f"{size / ours / 1e6:8.1f} MB/s against {size / theirs / 1e6:8.1f}"
    print(f"{what:52} {ours:7.2f} s {theirs:7.2f} s  {speeds}  {theirs / ours:5.2f} x", flush=True)


def _content(mebibytes: int) -> bytes:
    """Half of it compressible, as measured data are."""
    chosen = random.Random(1)
    block = chosen.randbytes(MIB // 2) + (b"time,temperature,pressure\n" * 21_000)[: MIB // 2]
    return block * mebibytes


def _make_tree(folder: Path, files: int) -> None:
    for number in range(files):
        path = folder / f"{number % 16:02}" / f"{number:06}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(random.Random(number).randbytes(FILE_SIZE))


def _fastest() -> str | None:
    """Memory, where there is such a file system: disks are not what is compared here."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


if __name__ == "__main__":
    given = [int(one) for one in sys.argv[1:]]
    main(*(given + [256, 2000][len(given) :]))
