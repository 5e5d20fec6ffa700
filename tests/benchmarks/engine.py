"""How fast the engine is beside the tools that users have now: ``python -m tests.benchmarks.engine``.

Both sides work on the same file in the same run, in turn, so that a busy machine slows both; medians and ratios are
printed. Times are wall-clock seconds with the processor seconds of all children beside them.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

MIB = 1 << 20
OPENSSL = "openssl enc -aes-256-ctr -K " + "0f" * 32 + " -iv " + "01" * 16
MEMORY_LIMIT = 256  # MiB


class Row(NamedTuple):
    """One comparison: our steps and direction, the other side as a shell command over {file}, the ratio to reach."""

    what: str
    ours: str
    theirs: str
    reach: float | None
    decodes: bool = False


class Taken(NamedTuple):
    """Seconds of one run, and the processor seconds behind them."""

    wall: float
    processor: float


ROWS = (
    Row("compress+encrypt, zstd-3", "zstd:3+aes256-gcm", "pigz -6 -c {file} | " + OPENSSL, 4.5),
    Row("compress+encrypt, zstd-3", "zstd:3+aes256-gcm", "zstd -3 -T2 -q -c {file}", 0.95),
    Row("compress, zstd-3", "zstd:3", "zstd -3 -T2 -q -c {file}", None),
    Row("compress, gzip", "gzip:1", "pigz -1 -c {file}", 3.0),
    Row("encrypt", "aes256-gcm", OPENSSL + " -in {file}", 1.5),
    Row("encrypt", "aes256-gcm", "{python} -m tests.benchmarks.engine --tink {file}", 20.0),
    # The roofline of every row: SHA-256 of what is read and of what is written, which others do not compute.
    Row("both hashes alone", "hashes", OPENSSL + " -in {file}", None),
    Row("encrypt, no hashes", "bare:aes256-gcm", OPENSSL + " -in {file}", None),
    Row("encrypt, no hashes", "bare:aes256-gcm", "{python} -m tests.benchmarks.engine --tink {file}", None),
    Row("compress+encrypt, no hashes", "bare:zstd:3+aes256-gcm", "zstd -3 -T2 -q -c {file}", None),
    Row("decrypt+decompress, zstd", "zstd:3+aes256-gcm", "pigz -6 -c {file} | " + OPENSSL, None, True),
    Row("decompress, zstd", "zstd:3", "zstd -3 -q -c {file}", None, True),
    Row("decompress, gzip", "gzip:1", "pigz -1 -c {file}", None, True),
)
# How the other side reads what its command in ROWS has written.
READERS = {
    "pigz -6 -c {file} | " + OPENSSL: OPENSSL + " -d -in {file} | pigz -d -c",
    "zstd -3 -q -c {file}": "zstd -d -q -c {file}",
    "pigz -1 -c {file}": "pigz -d -c {file}",
}


def main() -> None:
    """Print the table."""
    options = _options()
    if options.ours:
        return _ours(options.ours, options.file, options.out, options.decode)
    if options.tink:
        return _tink(options.tink)
    if options.endless:
        return _endless(options.endless, options.steps)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        _compare(Path(folder), options.size * MIB, options.rounds)
    return None


def _compare(folder: Path, size: int, rounds: int) -> None:
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {size / 1e6:.0f} MB, {rounds} rounds, medians\n")
    print(
        f"{'corpus':8} {'what':26} {'ours':>15} {'theirs':>15}  {'ratio':>6} {'per cpu s':>9} {'reach':>5}  theirs is"
    )
    for corpus, make in CORPORA.items():
        file = folder / corpus
        make(file, size)
        for row in ROWS:
            if corpus == "text" or "zstd-3" in row.what or row.what.startswith("encrypt"):
                _measure(corpus, row, file, rounds)
        file.unlink()
    for steps in ("zstd:3+aes256-gcm", "gzip:1", "aes256-gcm"):
        used = _memory(steps, 4096)
        print(f"memory   {steps}, 4 GiB streamed: {used} MiB resident (limit {MEMORY_LIMIT})")


def _measure(corpus: str, row: Row, file: Path, rounds: int) -> None:
    inputs = {True: file, False: file}
    theirs = row.theirs
    if row.decodes:
        inputs = {True: file.with_suffix(".ours"), False: file.with_suffix(".theirs")}
        _shell(_command(row, file) + f" --out {inputs[True]}")
        _shell(f"{_filled(row.theirs, file)} > {inputs[False]}")
        theirs = READERS[row.theirs]
    ours, others = [], []
    for _ in range(rounds):
        ours.append(_shell(_command(row, inputs[True]) + (" --decode" if row.decodes else "")))
        others.append(_shell(f"{_filled(theirs, inputs[False])} > /dev/null"))
    _show(corpus, row, file.stat().st_size, ours, others)


def _show(corpus: str, row: Row, size: int, ours: list[Taken], others: list[Taken]) -> None:
    mine, other = (statistics.median(taken.wall for taken in side) for side in (ours, others))
    processor = statistics.median(o.processor / m.processor for m, o in zip(ours, others, strict=True))
    reach = f"{row.reach:5.2f}" if row.reach else "    -"
    shown = (READERS[row.theirs] if row.decodes else row.theirs).replace(" {file}", "").replace("{python} ", "")
    print(
        f"{corpus:8} {row.what:26} {size / mine / 1e6:9.0f} MB/s {size / other / 1e6:9.0f} MB/s "
        f"{other / mine:6.2f}x {processor:8.2f}x {reach}  {_short(shown)}",
        flush=True,
    )


def _command(row: Row, file: Path) -> str:
    return f"{sys.executable} -m tests.benchmarks.engine --ours {row.ours} --file {file}"


def _filled(command: str, file: Path) -> str:
    return command.format(file=file, python=sys.executable)


def _short(command: str) -> str:
    return command.replace(" -K " + "0f" * 32 + " -iv " + "01" * 16, "").replace(" -m tests.benchmarks.engine", "")


def _shell(command: str) -> Taken:
    """The time of a command; one of ours prints its own, so that nobody is charged for Python's start."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    out = subprocess.run(["sh", "-c", command], check=True, stdout=subprocess.PIPE).stdout
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    if out:
        wall, processor = map(float, out.split())
    return Taken(wall, processor)


def _ours(steps: str, path: str, out: str, decode: bool) -> None:
    """In a child process: pass a file through the pipeline, print the seconds."""
    from python_rules.engine.codec import Chain
    from python_rules.engine.parallel import Workers
    from python_rules.engine.pipeline import coded, read_blocks, run
    from python_rules.engine.watch import UNWATCHED

    with Workers() as workers, open(path, "rb", 0) as source, open(out or os.devnull, "wb", 0) as sink:
        bare, steps = steps.startswith("bare:"), steps.removeprefix("bare:")
        chain = Chain() if steps == "hashes" else _chain(steps, workers, decode)
        used, begun = time.process_time(), time.perf_counter()
        if bare:
            for piece in coded(chain, read_blocks(_File(source), None, UNWATCHED)):
                sink.write(piece)
        else:
            run(_File(source), chain, _File(sink), size=None if decode else os.path.getsize(path))
        if not out:
            print(time.perf_counter() - begun, time.process_time() - used)


def _chain(steps: str, workers, decode: bool):
    from python_rules.engine.codec import Chain
    from python_rules.engine.codec.table import COMPRESSIONS
    from python_rules.engine.keys import Key
    from python_rules.engine.seal.table import ENCRYPTIONS

    key = Key("benchmark", 1, bytes(range(32)))
    codecs = []
    for name, _, level in (step.partition(":") for step in steps.split("+")):
        if name in COMPRESSIONS:
            row = COMPRESSIONS[name]
            codecs.append(row.reader.decoder(workers) if decode else row.encoder(workers, int(level)))
        else:
            sealing = ENCRYPTIONS[name]
            codecs.append((sealing.opener if decode else sealing.sealer)(workers, key))
    return Chain(*(reversed(codecs) if decode else codecs))


class _File:
    """A file as a pipeline's source or sink."""

    def __init__(self, file) -> None:
        self.readinto = file.readinto
        self.write = file.write

    def interrupt(self) -> None:
        return


def _tink(path: str) -> None:
    """In a child process: what Tink's own Python does with a file."""
    from tink import new_keyset_handle, streaming_aead

    streaming_aead.register()
    handle = new_keyset_handle(streaming_aead.streaming_aead_key_templates.AES256_GCM_HKDF_1MB)
    primitive = handle.primitive(streaming_aead.StreamingAead)
    with open(path, "rb") as source, open(os.devnull, "wb") as sink, primitive.new_encrypting_stream(sink, b"") as out:
        shutil.copyfileobj(source, out, MIB)


def _memory(steps: str, size: int) -> int:
    """Largest resident memory, in MiB, of a child that streams ``size`` MiB."""
    command = [sys.executable, "-m", "tests.benchmarks.engine", "--endless", str(size), "--steps", steps]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def _endless(size: int, steps: str) -> None:
    from python_rules.engine.parallel import Workers
    from python_rules.engine.pipeline import run

    block = _text(4 * MIB)

    class Repeated:
        left = size // 4

        def readinto(self, buffer: bytearray) -> int:
            if not self.left:
                return 0
            self.left -= 1
            buffer[:] = block
            return len(block)

        def interrupt(self) -> None:
            return

    with Workers() as workers, open(os.devnull, "wb") as sink:
        passed = run(Repeated(), _chain(steps, workers, False), _File(sink))
    if passed.read_size != size * MIB:
        raise SystemExit(f"only {passed.read_size} bytes went through")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def _text(size: int) -> bytes:
    """Python's own standard library, in the order of its file names."""
    found, total = [], 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if "site-packages" not in path.parts:
            found.append(path.read_bytes())
            total += len(found[-1])
            if total >= size:
                break
    return b"".join(found)[:size]


def _write_text(file: Path, size: int) -> None:
    text = _text(size)
    with file.open("wb") as out:
        while out.tell() < size:
            out.write(text[: size - out.tell()])


def _write_fastq(file: Path, size: int) -> None:
    """Reads of 150 bases with qualities, as a sequencer writes them; made here, from a seed."""
    chosen = random.Random(1)
    genome = bytes(chosen.choices(b"ACGT", k=4 * MIB))
    qualities = [bytes(chosen.choices(b"FFFFFFFF:,#", k=150)) for _ in range(5000)]
    with file.open("wb") as out:
        number = 0
        while out.tell() < size:
            at = chosen.randrange(len(genome) - 150)
            read = genome[at : at + 150]
            out.write(b"@RUN1:%d:%d\n%b\n+\n%b\n" % (number % 8, number, read, chosen.choice(qualities)))
            number += 1
        out.truncate(size)


def _write_packed(file: Path, size: int) -> None:
    """Data that cannot be made smaller, as already compressed data are."""
    with file.open("wb") as out:
        for _ in range(size // MIB):
            out.write(os.urandom(MIB))


def _write_zeros(file: Path, size: int) -> None:
    with file.open("wb") as out:
        out.truncate(size)


CORPORA: dict[str, Callable[[Path, int], None]] = {
    "text": _write_text,
    "fastq": _write_fastq,
    "packed": _write_packed,
    "zeros": _write_zeros,
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256, metavar="MIB", help="of each corpus (default: 256)")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts (default: 3)")
    parser.add_argument("--folder", help="where the corpora are written (default: the system's temporary folder)")
    for hidden in ("--ours", "--file", "--out", "--tink", "--steps"):
        parser.add_argument(hidden, default="", help=argparse.SUPPRESS)
    parser.add_argument("--endless", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--decode", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
