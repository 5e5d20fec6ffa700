"""How fast the engine is beside the tools that users have now: ``python -m tests.benchmarks.engine``.

Both sides work on the same file in the same run, in turn, so that a busy machine slows both. Medians and ratios are
printed and written into docs/benchmarks/engine.md, with what the parts of the work take alone: the bound that they set.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from irods.session import iRODSSession

from embedded_zone.server.embedding import EmbeddedZone
from tests.benchmarks import corpora, engine_page
from tests.benchmarks.corpora import CORPORA

MIB = 1 << 20
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "engine.md"
WORK = f"{sys.executable} -m tests.benchmarks.engine_work"
ALL_CORES = len(os.sched_getaffinity(0))


class Row(NamedTuple):
    """One comparison: our steps, the other side as a shell command over {file}, the ratio of speeds to reach.

    With ``reader`` both sides read: ours what we made, the other one what its command made.
    """

    what: str
    steps: str
    theirs: str
    reach: float | None = None
    reader: str = ""
    shown: str = ""  # the other side's name, where the command is long

    @property
    def shrinks(self) -> bool:
        """Whether the sizes of the results are worth comparing."""
        return "compress" in self.what and not self.reader


SECRET = " -K " + "0f" * 32 + " -iv " + "01" * 16
OPENSSL = "openssl enc -aes-256-ctr" + SECRET
HASH = "openssl dgst -sha256"
PIGZ_OPENSSL = "pigz -6 -c {file} | " + OPENSSL
ZSTD = "zstd -3 -T2 -q -c {file}"
C4GH = "{bin}/crypt4gh encrypt --sk {keys}/sec --recipient_pk {keys}/pub < {file}"
TINK = WORK + " tink {file}"
SEALED = "zstd:3+aes256-gcm"
ROWS = (
    Row("compress+encrypt, zstd-3", SEALED, PIGZ_OPENSSL, 4.5),
    Row("compress+encrypt, zstd-3", SEALED, ZSTD, 0.95),
    Row("encrypt", "aes256-gcm", OPENSSL + " -in {file}", 1.5),
    Row("encrypt", "aes256-gcm", TINK, 20.0, shown="Tink's Python"),
    Row("encrypt", "aes256-gcm", "age -r {age} {file}", 2.0, shown="age"),
    Row("encrypt, crypt4gh", "crypt4gh", C4GH, 3.0, shown="crypt4gh encrypt"),
)
TEXT_ROWS = (
    Row("compress, gzip", "gzip:1", "pigz -1 -c {file}", 3.0),
    Row("compress, bgzf", "bgzf:1", "bgzip -l 1 -@ 2 -c {file}"),
    Row("compress, zstd-3", "zstd:3", ZSTD),
    Row(
        "encrypt and both hashes",
        "aes256-gcm",
        f"{HASH} {{file}} & {OPENSSL} -in {{file}} | {HASH}; wait",
        shown="openssl enc, openssl dgst twice",
    ),
    Row(
        "encrypt and both hashes",
        "aes256-gcm",
        f"{HASH} {{file}} & age -r {{age}} {{file}} | {HASH}; wait",
        shown="age, openssl dgst twice",
    ),
    Row("decrypt+decompress, zstd-3", SEALED, PIGZ_OPENSSL, reader=OPENSSL + " -d -in {file} | pigz -d -c"),
    Row("decompress, zstd-3", "zstd:3", ZSTD, reader="zstd -d -q -c {file}"),
    Row("decompress, gzip", "gzip:1", "pigz -1 -c {file}", reader="pigz -d -c {file}"),
    Row("decrypt", "aes256-gcm", OPENSSL + " -in {file}", reader=OPENSSL + " -d -in {file}"),
    Row("decrypt", "aes256-gcm", TINK + " {out}", reader=WORK + " tink_decode {file}", shown="Tink's Python"),
    Row("decrypt", "aes256-gcm", "age -r {age} {file}", reader="age -d -i {keys}/age {file}", shown="age"),
    Row(
        "decrypt, crypt4gh",
        "crypt4gh",
        C4GH,
        reader="{bin}/crypt4gh decrypt --sk {keys}/sec < {file}",
        shown="crypt4gh decrypt",
    ),
)
ONE_CORE = (ROWS[0], ROWS[1]._replace(theirs="zstd -3 -q -c {file}"), ROWS[2], *ROWS[4:], TEXT_ROWS[0])
SIZES = (4 << 10, 256 << 10, 4 << 20, 64 << 20)
LARGE = (1 << 30, 4 << 30)  # with --full
LARGE_ENOUGH = 16 << 20  # bytes from which on a pass costs more than its beginning
PACKED = (10_000, 10 << 10)  # files, and bytes of each
PUTS = 500  # files that are put one by one without --full
WHOLE = 1 << 30  # bytes of the object that a range is read out of


class Taken(NamedTuple):
    """Seconds of one run, the processor seconds behind them, and bytes of the result, where ours told."""

    wall: float
    processor: float
    size: int = 0


class Bound(NamedTuple):
    """What the parts of a pass take, in processor seconds for each GB of plain data, and the size of the result."""

    codec: float
    hashes: float
    serial: float  # the longer of the two hashes, which no second core helps
    part: float

    def rate(self, cores: int) -> float:
        """MB/s that so many cores could give if nothing else cost anything."""
        return 1000 * min(cores / (self.codec + self.hashes), 1 / self.serial)


class Bench:
    """One run: the folder it works in, and what it has found."""

    def __init__(self, folder: Path, rounds: int) -> None:
        self.folder = folder
        self.rounds = rounds
        self.table: list[str] = []
        self.parts: dict[str, Bound] = {}  # of text, by steps
        self.rates: dict[str, float] = {}
        self.filled = {"bin": str(Path(sys.executable).parent), "keys": str(folder), "age": _prepared(folder)}
        self.bound = cache(self._bound)
        self._sha256: float | None = None

    def compare(self, corpus: str, file: Path, row: Row, cores: int = ALL_CORES) -> None:
        """One line of the table."""
        ours, theirs = f"{WORK} encode {row.steps} {file}", self._filled(row.theirs, file)
        if row.reader:
            mine, other = file.with_suffix(".ours"), file.with_suffix(".theirs")
            shell(f"{ours} {mine}")
            shell(theirs if "{out}" in row.theirs else f"{theirs} > {other}")
            ours, theirs = f"{WORK} decode {row.steps} {mine}", self._filled(row.reader, other)
        sides: tuple[list[Taken], list[Taken]] = ([], [])
        for _ in range(self.rounds):
            sides[0].append(shell(ours, cores))
            sides[1].append(shell(f"{{ {theirs}; }} > /dev/null" if WORK not in theirs else theirs, cores))
        is_large = file.stat().st_size >= LARGE_ENOUGH
        bound = self.bound(corpus, file, row.steps, bool(row.reader)).rate(cores) if is_large else 0
        sizes = ""
        if row.shrinks and cores == ALL_CORES:
            other_size = int(subprocess.check_output(["sh", "-c", f"{theirs} | wc -c"]))
            sizes = f"{sides[0][0].size / other_size:.2f}"
        self.line(corpus, row, file.stat().st_size, sides, cores, bound, sizes)

    def line(
        self,
        corpus: str,
        row: Row,
        size: int,
        sides: tuple[list[Taken], list[Taken]],
        cores: int = ALL_CORES,
        bound: float = 0,
        sizes: str = "",
    ) -> None:
        """Print a line and keep it."""
        mine, other = (statistics.median(taken.wall for taken in side) for side in sides)
        processor = statistics.median(o.processor for o in sides[1]) / statistics.median(o.processor for o in sides[0])
        rate, ratio = size / mine / 1e6, other / mine
        if corpus == "text" and cores == ALL_CORES and not row.reader:
            self.rates[row.steps] = max(rate, self.rates.get(row.steps, 0))
        shown = row.shown or f"`{_short(row.reader or row.theirs)}`"
        line = (
            f"| {corpus} | {row.what} | {cores} | {rate:.3g} | {size / other / 1e6:.3g} | **{ratio:.2f}** "
            f"| {_verdict(row, ratio, bound * other / size * 1e6)} | {_percent(rate, bound)} | {processor:.2f} "
            f"| {sizes} | {shown} |"
        )
        print(line, file=sys.stderr, flush=True)
        self.table.append(line)

    def _filled(self, command: str, file: Path) -> str:
        return command.format(file=file, out=file.with_suffix(".theirs"), **self.filled)

    def _bound(self, corpus: str, file: Path, steps: str, decodes: bool) -> Bound:
        """Measured on one core's clock: reading and coding alone, and hashing alone."""
        size = file.stat().st_size
        stored = file.with_suffix(".ours")
        made = shell(f"{WORK} encode {steps} {file}" + (f" {stored}" if decodes else ""))
        work = f"bare_decode {steps} {stored}" if decodes else f"bare {steps} {file}"
        codec = min(shell(f"{WORK} {work}").processor for _ in range(self.rounds)) / size * 1e9
        part, each = made.size / size, self._hash(file)
        bound = Bound(codec, each * (1 + part), each * max(1, part), part)
        if corpus == "text" and not decodes:
            self.parts[steps] = bound
        return bound

    def _hash(self, file: Path) -> float:
        """Processor seconds of SHA-256 for each GB; measured once, on a file that is large enough."""
        if self._sha256 is None:
            size = file.stat().st_size
            reading, hashing = (
                min(shell(f"{WORK} {work} {file}").processor for _ in range(self.rounds)) for work in ("read", "sha256")
            )
            self._sha256 = (hashing - reading) / size * 1e9
        return self._sha256

    def roofline(self, file: Path) -> Iterator[str]:
        """The table of the parts."""
        size = file.stat().st_size
        copying = min(shell(f"{WORK} copy {file}").processor for _ in range(self.rounds)) / size * 1e9
        reading = min(shell(f"{WORK} read {file}").processor for _ in range(self.rounds)) / size * 1e9
        yield f"| reading alone | {reading:.2f} | | | | {1000 / reading:.0f} | | |"
        yield f"| reading and copying in memory | {copying:.2f} | | | | {1000 / copying:.0f} | | |"
        yield f"| SHA-256 alone | | {self._hash(file):.2f} | | | {1000 / self._hash(file):.0f} | | |"
        for steps, bound in self.parts.items():
            total, rate = bound.codec + bound.hashes, bound.rate(ALL_CORES)
            yield (
                f"| {steps} | {bound.codec:.2f} | {bound.hashes:.2f} | {bound.part:.2f} | {total:.2f} "
                f"| {bound.rate(1):.0f} | {rate:.0f} | {self.rates[steps]:.0f}, {_percent(self.rates[steps], rate)} |"
            )


def main() -> None:
    """Print the tables, and write the page."""
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        bench = Bench(Path(name), options.rounds)
        _corpora(bench, options.size * MIB)
        parts = list(bench.roofline(bench.folder / "text"))
        _sizes(bench, LARGE if options.full else ())
        _packed(bench, PACKED[0] if options.full else PUTS)
        _range(bench)
    memory = [(steps, memory_of(steps, 4096)) for steps in (SEALED, "gzip:1", "crypt4gh", "aes256-gcm")]
    PAGE.parent.mkdir(exist_ok=True)
    words = " --full" * options.full + f" --size {options.size}" * (options.size != SIZE)
    page = engine_page.text(words, options.rounds, options.size, bench.table, parts, memory)
    PAGE.write_text(page, encoding="utf-8")
    print(page)


def _corpora(bench: Bench, size: int) -> None:
    for name, corpus in CORPORA.items():
        file = bench.folder / name
        corpus.write(file, size)
        for row in ROWS + (TEXT_ROWS if name == "text" else ()):
            bench.compare(name, file, row)
        if name == "text":
            for row in ONE_CORE:
                bench.compare(name, file, row, cores=1)
        else:
            file.unlink()


def _sizes(bench: Bench, large: tuple[int, ...]) -> None:
    file = bench.folder / "sized"
    for size in (*SIZES, *large):
        corpora.write_text(file, size)
        for row in ROWS[:3] if size in large else ROWS[:1]:
            bench.compare(f"text, {_human(size)}", file, row)


def _packed(bench: Bench, puts: int) -> None:
    """Many small files: into one sealed archive, and into a zone."""
    count, size = PACKED
    source, archive = bench.folder / "many", bench.folder / "archive"
    corpora.write_many(source, count, size)
    what, pack = f"pack {count} files of {_human(size)}", f"{WORK} pack {SEALED} {source}"
    for theirs in (f"zstd -3 -T2 -q -c | {OPENSSL}", f"pigz -6 -c | {OPENSSL}"):
        sides: tuple[list[Taken], list[Taken]] = ([], [])
        for _ in range(bench.rounds):
            sides[0].append(shell(pack))
            sides[1].append(shell(f"tar -c -C {source} . | {theirs} > /dev/null"))
        bench.line("text", Row(what, "", f"tar -c | {theirs}"), count * size, sides)
    row = Row(f"{what} into a zone", "", "", 20, shown=f"python-irodsclient, a put for each ({puts} of them, scaled)")
    with EmbeddedZone(bench.folder / "zone") as zone, iRODSSession(**zone.session_arguments()) as session:
        home = f"/{session.zone}/home/{session.username}"
        each = _wall(lambda: [session.data_objects.put(str(source / f"{n:05}"), f"{home}/{n}") for n in range(puts)])
        shell(f"{pack} {archive}")  # files and folders are in the page cache for both
        whole = _wall(lambda: (shell(f"{pack} {archive}"), session.data_objects.put(str(archive), f"{home}/archive")))
    bench.line("text", row, count * size, ([Taken(whole, whole)], [Taken(each * count / puts, each * count / puts)]))


def _range(bench: Bench) -> None:
    """1 MiB out of the middle of a large sealed object, beside decoding all of it."""
    file = bench.folder / "whole"
    corpora.write_text(file, WHOLE)
    sealed = file.with_suffix(".sealed")
    shell(f"{WORK} encode {SEALED} {file} {sealed}")
    file.unlink()
    pieces = [shell(f"{WORK} piece {sealed} {WHOLE // 2 + number * 3 * MIB}") for number in range(5)]
    all_of_it = [shell(f"{WORK} decode {SEALED} {sealed}") for _ in range(2)]
    row = Row(f"1 MiB out of {_human(WHOLE)}", SEALED, "", 200, shown="decoding all of it with Sluice")
    bench.line("text", row, MIB, (pieces, all_of_it))


def memory_of(steps: str, size: int) -> int:
    """Largest resident memory, in MiB, of a process that streams ``size`` MiB."""
    return int(subprocess.check_output([*WORK.split(), "endless", steps, str(size)]).split()[1])


def shell(command: str, cores: int = ALL_CORES) -> Taken:
    """The time of a command; one of ours prints its own."""
    words = ["sh", "-c", command]
    if cores < ALL_CORES:
        words = ["taskset", "-c", ",".join(map(str, sorted(os.sched_getaffinity(0))[:cores])), *words]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    if done.stdout:
        told = done.stdout.split()
        return Taken(float(told[0]), float(told[1]), int(told[2]))
    return Taken(wall, processor)


def _wall(action) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def _prepared(folder: Path) -> str:
    """Keys for the tools that want files of their own; gives age's public one."""
    keygen = [Path(sys.executable).with_name("crypt4gh-keygen"), "--sk", folder / "sec", "--pk", folder / "pub"]
    subprocess.run([*keygen, "--nocrypt", "-f"], check=True, capture_output=True)
    made = subprocess.run(["age-keygen"], capture_output=True, text=True, check=True).stdout
    (folder / "age").write_text(made)
    return made.split("public key: ")[1].split()[0]


def _verdict(row: Row, ratio: float, possible: float) -> str:
    if row.reach is None:
        return ""
    if ratio >= row.reach:
        return f"{row.reach:g}: yes"
    out_of_reach = 0 < possible < row.reach
    return f"{row.reach:g}: no" + (f", at most {possible:.2f} is possible" if out_of_reach else "")


def _percent(rate: float, bound: float) -> str:
    return f"{rate / bound:.0%}" if bound else ""


def _short(command: str) -> str:
    return re.sub(r" (-in )?{file}", "", command.replace(SECRET, "")).replace("|", "\\|")


def _human(size: int) -> str:
    power, unit = next((p, u) for p, u in ((30, "GiB"), (20, "MiB"), (10, "KiB"), (0, "bytes")) if not size % (1 << p))
    return f"{size >> power} {unit}"


SIZE = 128  # MiB


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.engine", description=__doc__)
    parser.add_argument("--size", type=int, default=SIZE, metavar="MIB", help=f"of each corpus (default: {SIZE})")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts (default: 3)")
    parser.add_argument("--folder", help="where the corpora are written (default: the system's temporary folder)")
    parser.add_argument("--full", action="store_true", help="also files of 1 and 4 GiB, and 10,000 single puts")
    return parser.parse_args()


if __name__ == "__main__":
    main()
