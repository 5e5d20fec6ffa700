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

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

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
        with httpx.Client(base_url=stack.services.url, auth=(stack.user.name, stack.user.password), timeout=60) as rest:
            sealed = _done(rest, "sealing", operation="compress_encrypt", source=f"{home}/dataset",
                           target=f"{home}/sealed", key=stack.site.key)  # fmt: skip
            back = _done(rest, "restoring", operation="decrypt_decompress", source=f"{home}/sealed",
                         target=f"{home}/restored")  # fmt: skip
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


def _done(rest: httpx.Client, what: str, **request: str) -> Timed:
    """Submit a job and follow it to its end by its own status."""
    began = time.monotonic()
    answer = rest.post("/api/v1/jobs", json=request)
    job = answer.json()
    if answer.status_code not in (201, 202):
        raise SystemExit(f"{what}: {job.get('detail')} {job.get('remedy')}")
    with Progress(TextColumn(f"{what:10}"), BarColumn(), TextColumn("{task.fields[told]}"), console=console) as bar:
        line = bar.add_task(what, total=None, told="")
        while job["state"] not in states.FINAL:
            time.sleep(0.2)
            job = rest.get(f"/api/v1/jobs/{job['id']}").json()
            progress = job["progress"]
            bar.update(line, total=progress["bytes_total"] or None, completed=progress["bytes_done"], told=_told(job))
    if job["state"] != states.SUCCEEDED:
        raise SystemExit(f"{what} ended {job['state']}: {job['error']}")
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
