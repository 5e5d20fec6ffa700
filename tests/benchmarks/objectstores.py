"""Object stores: Sluice's S3 system beside boto3 alone, and Swift's own interface, all on one Swift node here.

``python -m tests.benchmarks.objectstores >docs/benchmarks/objectstores.md``: the page. One large file and many small
ones, written and read, the sides in turn; medians. Both sides hash nothing of their own but what their work needs: ours
the SHA-256 of the whole and the MD5 of each part, boto3 its own checksums.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig

from python_rules.engine.pipeline import Tally, read_blocks
from python_rules.engine.systems.place import Place
from python_rules.engine.watch import UNWATCHED
from tests.systems.objects import s3_place, swift_place
from tests.systems.servers_objects import KEY, USER, Swift

MIB = 1 << 20
BLOCK = 4 * MIB
STREAMS = 4
SMALL = 4096  # bytes
BUCKET = "bench"

PAGE = """# Object stores: how fast

Made by `python -m tests.benchmarks.objectstores`. {cores} cores, load {load:.1f} at the start, Swift on the same cores
(one replica, Debian's packages); medians of {runs} runs. Parts of 8 MiB, {streams} at a time on every side.

| what | boto3 alone | Sluice, S3 | x boto3 | Sluice, Swift |
|---|--:|--:|--:|--:|
{rows}"""


class Boto:
    """boto3 with nothing around it."""

    def __init__(self, swift: Swift) -> None:
        self._client = boto3.client(
            "s3",
            endpoint_url=swift.url,
            region_name="us-east-1",
            aws_access_key_id=USER,
            aws_secret_access_key=KEY,
            config=boto3.session.Config(
                request_checksum_calculation="when_required", response_checksum_validation="when_required"
            ),
        )
        self._transfer = TransferConfig(
            multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=STREAMS
        )

    def write(self, name: str, data: bytes) -> None:
        """One file."""
        self._client.upload_fileobj(io.BytesIO(data), BUCKET, name, Config=self._transfer)

    def read(self, name: str, size: int) -> None:
        """One file, dropped."""
        with open(os.devnull, "wb") as nowhere:
            if size > 8 * MIB:
                with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
                    self._client.download_file(BUCKET, name, file.name, Config=self._transfer)
            else:
                nowhere.write(self._client.get_object(Bucket=BUCKET, Key=name)["Body"].read())


class Ours:
    """A place as a job uses it."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def write(self, name: str, data: bytes) -> None:
        """One file, verified."""
        tally = Tally()
        writer = self._place.write(name, len(data))
        for start in range(0, len(data), BLOCK):
            block = memoryview(data)[start : start + BLOCK]
            tally.add(block)
            writer.write(block)
        writer.publish(len(data), tally.sha256)

    def read(self, name: str, size: int) -> None:
        """One file, hashed as a job does, and dropped."""
        reader = self._place.read(name)
        for _ in Tally().over(read_blocks(reader, size, UNWATCHED)):
            pass
        reader.close()


Side = Callable[[], Any]


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024, help="MiB of the large file")
    parser.add_argument("--files", type=int, default=10_000, help=f"how many small files, of {SMALL} bytes")
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, Swift() as swift:
        swift.start()
        swift_place(swift, Path(folder), BUCKET).account.ask("PUT", BUCKET)
        sides: list[Side] = [
            lambda: Boto(swift),
            lambda: Ours(s3_place(swift, Path(folder), f"{BUCKET}/s3", part_mib=8, streams=STREAMS)),
            lambda: Ours(swift_place(swift, Path(folder), f"{BUCKET}/swift", part_mib=8, streams=STREAMS)),
        ]
        rows = [*_large(sides, os.urandom(asked.size * MIB), asked.runs), *_small(sides, asked.files, asked.runs)]
    shown = "".join(f"| {what} | {b:,.0f} | {s:,.0f} | {s / b:.2f} | {w:,.0f} |\n" for what, (b, s, w) in rows)
    print(PAGE.format(cores=os.cpu_count(), load=load, runs=asked.runs, streams=STREAMS, rows=shown), end="")


def _large(sides: list[Side], data: bytes, runs: int) -> list[tuple[str, list[float]]]:
    """Writing and reading one file, in MB a second."""
    written: list[list[float]] = [[] for _ in sides]
    read: list[list[float]] = [[] for _ in sides]
    for name in (f"large{run}" for run in range(runs)):
        for number, side in enumerate(sides):
            one = side()
            written[number].append(len(data) / 1e6 / _seconds(partial(one.write, name, data)))
            read[number].append(len(data) / 1e6 / _seconds(partial(one.read, name, len(data))))
    size = len(data) // MIB
    return [(f"write {size} MiB, MB/s", _medians(written)), (f"read {size} MiB, MB/s", _medians(read))]


def _small(sides: list[Side], files: int, runs: int) -> list[tuple[str, list[float]]]:
    """Writing and reading many, by as many threads as there are streams, in files a second."""
    data = os.urandom(SMALL)
    written: list[list[float]] = [[] for _ in sides]
    read: list[list[float]] = [[] for _ in sides]
    for run in range(runs):
        names = [f"small{run}/{n}" for n in range(files)]
        for number, side in enumerate(sides):
            ones = [side() for _ in range(STREAMS)]
            written[number].append(files / _seconds(partial(_shared, ones, names, lambda one, n: one.write(n, data))))
            read[number].append(files / _seconds(partial(_shared, ones, names, lambda one, n: one.read(n, SMALL))))
    return [
        (f"write {files} of 4 KiB, files/s", _medians(written)),
        (f"read {files} of 4 KiB, files/s", _medians(read)),
    ]


def _shared(ones: list[Any], names: list[str], do: Callable[[Any, str], None]) -> None:
    """Each thread has one of the connections and every so many-th name."""

    def some(number: int) -> None:
        for name in names[number :: len(ones)]:
            do(ones[number], name)

    with ThreadPoolExecutor(len(ones)) as pool:
        list(pool.map(some, range(len(ones))))


def _seconds(action: Callable[[], None]) -> float:
    start = time.monotonic()
    action()
    return time.monotonic() - start


def _medians(rates: list[list[float]]) -> list[float]:
    return [statistics.median(some) for some in rates]


if __name__ == "__main__":
    main()
