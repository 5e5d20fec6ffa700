"""``make demo``: seal a real dataset over REST, restore it, compare every file.

Exit status 0 says that every file came back equal.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from api_shim.client.http import SluiceClient, SluiceError
from python_rules.jobs import states
from tests.stack import dataset, trees
from tests.stack.stack import Stack, running

console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Timed:
    """A finished job and how long it took from submit to end, in seconds."""

    job: dict[str, Any]
    seconds: float


def main() -> int:
    """Run the demonstration; 0 if all files compared equal, 130 if it was interrupted."""
    given = _parser().parse_args()
    shutil.rmtree(given.home, ignore_errors=True)
    try:
        with running(given.home) as stack:
            return demonstrate(stack, given)
    except SluiceError as error:
        console.print(f"[bold red]{error.text}[/] {error.remedy}")
        return 1
    except KeyboardInterrupt:
        console.print("\ninterrupted; everything was stopped")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".demo"), help="folder to work in; it is emptied first")
    parser.add_argument("--files", type=int, default=400, help="how many of Python's source files")
    parser.add_argument("--large-mib", type=int, default=256, help="size of the one large file of text, in MiB")
    return parser


def demonstrate(stack: Stack, given: argparse.Namespace) -> int:
    """Put, seal, restore, compare, tell."""
    console.print(f"zone {stack.site.zone} on port {stack.site.port}, shim at {stack.services.url}")
    folder = given.home / "dataset"
    files = dataset.make(folder, given.files, given.large_mib)
    home = stack.user.home
    with stack.user.session() as session:
        began = time.monotonic()
        size = trees.put(session, folder, f"{home}/dataset")
        took = time.monotonic() - began
        console.print(f"put {len(files)} files, {_mb(size)}, in {took:.1f} s with python-irodsclient")
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


def _table(*jobs: Timed) -> str:
    """One line for each job, wide enough for its id."""
    lines = [f"\n{'job':18} {'bytes in':>13} {'bytes out':>13} {'ratio':>6} {'MB/s':>5} {'s':>5}  id"]
    for timed in jobs:
        progress = timed.job["progress"]
        read, written = progress["bytes_done"], progress["bytes_written"]
        rate = max(read, written) / timed.seconds / 1e6
        lines.append(
            f"{timed.job['operation']:18} {read:13,} {written:13,} {written / read:6.3f} {rate:5.0f} "
            f"{timed.seconds:5.1f}  {timed.job['id']}"
        )
    return "\n".join(lines) + "\n"


def _next() -> str:
    return """next:
  make up                      the same set, kept running; prints addresses and credentials
  docs/jobs.md                 requests, rule files, and policies on collections
  docs/install.md              the same on a real zone"""


def _mb(size: float) -> str:
    return f"{size / 1e6:.1f} MB"


if __name__ == "__main__":
    sys.exit(main())
