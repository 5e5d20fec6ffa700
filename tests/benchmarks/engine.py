"""How fast the engine is beside the tools that users have now: ``python -m tests.benchmarks.engine``.

Both sides work on the same file in the same run, in turn, so that a busy machine slows both; medians and ratios are
printed, and written into docs/benchmarks/engine.md. Times are wall-clock seconds; the ratio of the processor seconds of
all children stands beside that of the times.
"""

from __future__ import annotations

import argparse
import hashlib
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


PIGZ_OPENSSL = "pigz -6 -c {file} | " + OPENSSL
C4GH = "{bin}/crypt4gh encrypt --sk {keys}/sec --recipient_pk {keys}/pub < {file}"
ROWS = (
    Row("compress+encrypt, zstd-3", "zstd:3+aes256-gcm", PIGZ_OPENSSL, 4.5),
    Row("compress+encrypt, zstd-3", "zstd:3+aes256-gcm", "zstd -3 -T2 -q -c {file}", 0.95),
    Row("compress, zstd-3", "zstd:3", "zstd -3 -T2 -q -c {file}", None),
    Row("compress, gzip", "gzip:1", "pigz -1 -c {file}", 3.0),
    Row("encrypt", "aes256-gcm", OPENSSL + " -in {file}", 1.5),
    Row("encrypt", "aes256-gcm", "{python} -m tests.benchmarks.engine --tink {file}", 20.0),
    Row("encrypt, crypt4gh", "crypt4gh", C4GH, 3.0),
    Row("encrypt", "aes256-gcm", "age -r {age} {file}", 2.0),
    # Rooflines: what each part takes alone. SHA-256 of what is read and of what is written others do not compute.
    Row("roofline: memory copy", "copy", OPENSSL + " -in {file}", None),
    Row("roofline: one SHA-256", "sha256", OPENSSL + " -in {file}", None),
    Row("roofline: both hashes", "hashes", OPENSSL + " -in {file}", None),
    Row("roofline: codec alone", "bare:aes256-gcm", OPENSSL + " -in {file}", None),
    Row("roofline: codec alone", "bare:aes256-gcm", "{python} -m tests.benchmarks.engine --tink {file}", None),
    Row("roofline: codec alone", "bare:gzip:1", "pigz -1 -c {file}", None),
    Row("roofline: codecs alone", "bare:zstd:3+aes256-gcm", "zstd -3 -T2 -q -c {file}", None),
    Row("decrypt+decompress, zstd", "zstd:3+aes256-gcm", PIGZ_OPENSSL, None, True),
    Row("decompress, zstd", "zstd:3", "zstd -3 -q -c {file}", None, True),
    Row("decompress, gzip", "gzip:1", "pigz -1 -c {file}", None, True),
)
SIZES = (4 << 10, 256 << 10, 4 << 20, 64 << 20)  # of the rows by size; larger ones are --size
PACKED = (10_000, 10 << 10)  # files, and bytes of each
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "engine.md"
# How the other side reads what its command in ROWS has written.
READERS = {
    PIGZ_OPENSSL: OPENSSL + " -d -in {file} | pigz -d -c",
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
    if options.pack:
        return _pack(options.pack)
    if options.endless:
        return _endless(options.endless, options.steps)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        _compare(Path(folder), options.size * MIB, options.rounds)
    return None


def _compare(folder: Path, size: int, rounds: int) -> None:
    load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start"
    table = [_HEADER, "|---|---|--:|--:|--:|--:|--:|---|"]
    _prepare_peers(folder)
    for corpus, make in CORPORA.items():
        file = folder / corpus
        make(file, size)
        for row in ROWS:
            if corpus == "text" or "zstd-3" in row.what or row.what.startswith("encrypt"):
                table += _measured(corpus, row, file, rounds)
        file.unlink()
    for each in SIZES:
        file = folder / "text"
        _write_text(file, each)
        table += _measured(f"text {each >> 10} KiB", ROWS[0], file, rounds)
    table += _packed(folder, rounds)
    memory = [f"{steps}: {_memory(steps, 4096)} MiB" for steps in ("zstd:3+aes256-gcm", "gzip:1", "aes256-gcm")]
    text = _PAGE.format(load=load, size=size / 1e6, rounds=rounds, table="\n".join(table), memory="; ".join(memory))
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text, encoding="utf-8")
    print(text)


_HEADER = "| corpus | what | ours MB/s | theirs MB/s | ratio | per cpu s | reach | theirs |"
_PAGE = """# The engine beside other tools

Made by `make bench`. {load}, {size:.0f} MB, medians of {rounds} rounds; both sides in turn on the same file. MB are of
plain data a second; *ratio* is of times, *per cpu s* of processor seconds. Ours reads, hashes, encodes, hashes and
writes; others do not hash. What is over *reach* is reached.

{table}

Resident memory while 4 GiB are streamed, of at most {limit} MiB: {{memory}}.

Corpora: *text* is the Python files of this interpreter's standard library; *fastq* reads of 150 bases made here from a
seed, as a sequencer writes them; *packed* random bytes; *zeros* zeros.
""".replace("{limit}", str(MEMORY_LIMIT)).replace("{{memory}}", "{memory}")


def _prepare_peers(folder: Path) -> None:
    """Keys for the tools that want files of their own."""
    if (tool := Path(sys.executable).with_name("crypt4gh-keygen")).exists():
        command = [tool, "--sk", folder / "sec", "--pk", folder / "pub", "--nocrypt", "-f"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _FILLED.update(keys=str(folder), bin=str(Path(sys.executable).parent))
    if shutil.which("age-keygen"):
        made = subprocess.run(["age-keygen"], capture_output=True, text=True, check=True).stdout
        _FILLED["age"] = made.split("public key: ")[1].split()[0]


_FILLED = {"python": sys.executable}


def _measured(corpus: str, row: Row, file: Path, rounds: int) -> list[str]:
    """The row's line; none where the other side is not installed."""
    needed = row.theirs.split()[0].format(bin=_FILLED["bin"], python=sys.executable)
    if not shutil.which(needed):
        return [f"| {corpus} | {row.what} | | | | | {row.reach or ''} | {needed}: not installed |"]
    return [_measure(corpus, row, file, rounds)]


def _packed(folder: Path, rounds: int) -> list[str]:
    """Many small files into one sealed archive, beside tar, pigz and openssl."""
    count, size = PACKED
    source, content = folder / "many", _text(count * size)
    source.mkdir()
    for number in range(count):
        (source / f"{number:05}").write_bytes(content[number * size :][:size])
    ours, others = [], []
    for _ in range(rounds):
        ours.append(_shell(f"{sys.executable} -m tests.benchmarks.engine --pack {source}"))
        others.append(_shell(f"tar -c -C {source} . | pigz -6 -c | {OPENSSL} > /dev/null"))
    row = Row(f"pack {count} files of {size >> 10} KiB", "", "tar | pigz -6 -c | openssl enc", None)
    return [_line("text", row, count * size, ours, others)]


def _measure(corpus: str, row: Row, file: Path, rounds: int) -> str:
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
    return _line(corpus, row, file.stat().st_size, ours, others)


def _line(corpus: str, row: Row, size: int, ours: list[Taken], others: list[Taken]) -> str:
    mine, other = (statistics.median(taken.wall for taken in side) for side in (ours, others))
    processor = statistics.median(o.processor / m.processor for m, o in zip(ours, others, strict=True) if m.processor)
    reach = f"{row.reach:.2f}" if row.reach else ""
    shown = READERS[row.theirs] if row.decodes else row.theirs
    for word in (" {file}", "{python} ", "{bin}/", " --sk {keys}/sec --recipient_pk {keys}/pub <", " -r {age}"):
        shown = shown.replace(word, "")
    line = (
        f"| {corpus} | {row.what} | {size / mine / 1e6:.0f} | {size / other / 1e6:.0f} | {other / mine:.2f} "
        f"| {processor:.2f} | {reach} | `{_short(shown)}` |".replace(" | openssl", " \\| openssl").replace(
            " | pigz", " \\| pigz"
        )
    )
    print(line, file=sys.stderr, flush=True)
    return line


def _command(row: Row, file: Path) -> str:
    return f"{sys.executable} -m tests.benchmarks.engine --ours {row.ours} --file {file}"


def _filled(command: str, file: Path) -> str:
    return command.format(file=file, **_FILLED)


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
        if steps in _ALONE:
            return _alone(steps, source)
        chain = Chain() if steps == "hashes" else _chain(steps, workers, decode)
        used, begun = time.process_time(), time.perf_counter()
        if bare:
            for piece in coded(chain, read_blocks(_File(source), None, UNWATCHED)):
                sink.write(piece)
        else:
            run(_File(source), chain, _File(sink), size=None if decode else os.path.getsize(path))
        if not out:
            print(time.perf_counter() - begun, time.process_time() - used)
    return None


_ALONE = {"copy": bytes, "sha256": lambda block: hashlib.sha256(block).digest()}


def _alone(what: str, source) -> None:
    """Read a file and do one thing with each block, in one thread."""
    used, begun, buffer = time.process_time(), time.perf_counter(), bytearray(4 * MIB)
    while count := source.readinto(buffer):
        _ALONE[what](memoryview(buffer)[:count])
    print(time.perf_counter() - begun, time.process_time() - used)


def _pack(folder: str) -> None:
    """In a child process: a folder into one sealed archive, thrown away."""
    from python_rules.engine.pack import local
    from python_rules.engine.pack.packing import Packing
    from python_rules.engine.parallel import Workers
    from python_rules.engine.pipeline import run

    with Workers() as workers, open(os.devnull, "wb", 0) as sink:
        used, begun = time.process_time(), time.perf_counter()
        run(Packing(local.members(folder), local.opened), _chain("zstd:3+aes256-gcm", workers, False), _File(sink))
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
    for hidden in ("--ours", "--file", "--out", "--tink", "--steps", "--pack"):
        parser.add_argument(hidden, default="", help=argparse.SUPPRESS)
    parser.add_argument("--endless", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--decode", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
