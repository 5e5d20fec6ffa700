"""``make demo``: seal a real dataset over REST, restore it, compare every file.

Exit status 0 says that every file came back equal.
"""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from api_shim.client.http import SluiceClient, SluiceError
from python_rules.jobs import states
from tests.stack import dataset, trees
from tests.stack.stack import Stack, running

HOME = Path(".demo")
FILES = 400
LARGE_MIB = 256
console = Console(highlight=False)


@dataclass(frozen=True)
class Timed:
    """A finished job and how long it took from submit to end, in seconds."""

    job: dict[str, Any]
    seconds: float


def main() -> int:
    """Run the demonstration; 0 if all files compared equal, 130 if it was interrupted."""
    shutil.rmtree(HOME, ignore_errors=True)
    try:
        with running(HOME) as stack:
            return demonstrate(stack)
    except SluiceError as error:
        console.print(f"[bold red]{error.text}[/] {error.remedy}")
        return 1
    except KeyboardInterrupt:
        console.print("\ninterrupted; everything was stopped")
        return 130


def demonstrate(stack: Stack) -> int:
    """Put, seal, restore, compare, tell."""
    console.print(f"zone {stack.site.zone} on port {stack.site.port}, shim at {stack.services.url}")
    folder = HOME / "dataset"
    dataset.make(folder, FILES, LARGE_MIB)
    home = stack.user.home
    with stack.user.session() as session:
        began = time.monotonic()
        size = trees.put(session, folder, f"{home}/dataset")
        took = time.monotonic() - began
        console.print(f"put {FILES + 1} files, {_mb(size)}, in {took:.1f} s with python-irodsclient")
        with SluiceClient(stack.services.url, stack.user.name, stack.user.password) as sluice:
            sealed = _done(sluice, "compress_encrypt", f"{home}/dataset", target=f"{home}/sealed", key=stack.site.key)
            back = _done(sluice, "decrypt_decompress", f"{home}/sealed", target=f"{home}/restored")
        console.print("comparing checksums file by file ...")
        expected, found = trees.local_digests(folder), trees.digests(session, f"{home}/restored")
    equal = sum(found.get(name) == digest for name, digest in expected.items())
    console.print(_table(sealed, back))
    if equal != len(expected) or len(found) != len(expected):
        console.print(f"[bold red]{len(expected) - equal} of {len(expected)} files differ[/]")
        return 1
    console.print(f"[bold green]all {equal} files compare equal[/]")
    console.print(_next())
    return 0


def _done(sluice: SluiceClient, operation: str, source: str, **options: str) -> Timed:
    """Submit a job and follow it to its end by its own status."""
    began = time.monotonic()
    job = sluice.submit(operation, source, **options)
    with Progress(TextColumn(f"{operation:18}"), BarColumn(30), TextColumn("{task.fields[told]}")) as bar:
        line = bar.add_task(operation, total=None, told="")
        for job in sluice.watch(job["id"]):  # noqa: B020 - the newest state of the same job
            progress = job["progress"]
            bar.update(line, total=progress["bytes_total"] or None, completed=progress["bytes_done"], told=_told(job))
    if job["state"] != states.SUCCEEDED:
        raise SystemExit(f"{operation} ended {job['state']}: {job['error']}")
    return Timed(job, time.monotonic() - began)


def _told(job: dict[str, Any]) -> str:
    progress = job["progress"]
    left = progress["seconds_left"]
    return (
        f"{job['state']:9} {progress['objects_done']}/{progress['objects_total']} objects "
        f"{_mb(progress['bytes_done'])} {_mb(progress['rate'])}/s" + (f" {left:.0f} s left" if left else "")
    )


def _table(sealed: Timed, back: Timed) -> Table:
    table = Table("job", "bytes in", "bytes out", "ratio", "MB/s", "seconds", "id")
    for timed in (sealed, back):
        progress = timed.job["progress"]
        read, written = progress["bytes_done"], progress["bytes_written"]
        plain = max(read, written)
        table.add_row(
            timed.job["operation"],
            f"{read:,}",
            f"{written:,}",
            f"{written / read:.3f}",
            f"{plain / timed.seconds / 1e6:.0f}",
            f"{timed.seconds:.1f}",
            timed.job["id"],
        )
    return table


def _next() -> str:
    return """next:
  make up                      the same set, kept running; prints addresses and credentials
  docs/jobs.md                 requests, rule files, and policies on collections
  docs/install.md              the same on a real zone"""


def _mb(size: float) -> str:
    return f"{size / 1e6:.1f} MB"


if __name__ == "__main__":
    sys.exit(main())
