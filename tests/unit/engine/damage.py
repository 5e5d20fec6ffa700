"""Every way in which data are damaged, tried on every format: what notices it. ``python -m tests.unit.engine.damage``
writes the table into docs/fail-closed.md."""

from __future__ import annotations

import itertools
import os
import random
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from python_rules.engine.blocks import MIB
from python_rules.engine.codec import gzip, zstd
from python_rules.engine.codec.table import COMPRESSIONS
from python_rules.engine.files import FileSink
from python_rules.engine.keys import Key
from python_rules.engine.parallel import Workers
from python_rules.engine.pipeline import Passed, run
from python_rules.engine.seal import crypt4gh
from python_rules.engine.seal.table import ENCRYPTIONS
from python_rules.jobs.errors import JobError

from .conftest import Format, MemorySink, MemorySource, made

PAGE = Path(__file__).parents[3] / "docs" / "fail-closed.md"
NAMES = [*COMPRESSIONS, *ENCRYPTIONS, *(f"{c}+{e}" for c in COMPRESSIONS for e in ENCRYPTIONS)]
FORMAT, RECORD, PASS, UNNOTICED = "format", "record", "pass", "UNNOTICED"
PLAIN = random.Random(5).randbytes(3 * MIB + 12_345)
OTHER = random.Random(6).randbytes(3 * MIB + 12_345)
Variants = Iterator[bytes]


def edges(name: str, data: bytes) -> list[int]:
    """Where frames, members or segments begin, after the first; for formats without any, every MiB."""
    outer = name.rpartition("+")[2]
    return {"zstd": _zstd, "gzip": _gzip, "bgzf": _bgzf, "crypt4gh": _crypt4gh}.get(outer, _every_mib)(data)


def _every_mib(data: bytes) -> list[int]:
    return list(range(MIB, len(data), MIB))


def _zstd(data: bytes) -> list[int]:
    count = zstd.FOOTER.unpack(data[-zstd.FOOTER.size :])[0]
    begin = len(data) - zstd.FOOTER.size - count * zstd.CHECKED_ENTRY.size
    found = [0]
    for number in range(count):
        found.append(found[-1] + zstd.CHECKED_ENTRY.unpack_from(data, begin + number * zstd.CHECKED_ENTRY.size)[0])
    return found[1:]


def _members(data: bytes, size_of: Callable[[int], int]) -> list[int]:
    found = [0]
    while found[-1] < len(data):
        found.append(found[-1] + size_of(found[-1]))
    return found[1:-1]


def _gzip(data: bytes) -> list[int]:
    return _members(data, lambda at: gzip.SIZE.unpack_from(data, at + len(gzip.HEAD))[0])


def _bgzf(data: bytes) -> list[int]:
    return _members(data, lambda at: struct.unpack_from("<H", data, at + 16)[0] + 1)


def _crypt4gh(data: bytes) -> list[int]:
    return list(range(crypt4gh.header_size(data) or 0, len(data), crypt4gh.STORED))[1:]


def flipped(_: str, data: bytes, __: bytes) -> Variants:
    """Random bits."""
    chosen = random.Random(1)
    for _number in range(8):
        damaged = bytearray(data)
        damaged[chosen.randrange(64, len(data))] ^= 1 << chosen.randrange(8)
        yield bytes(damaged)


def cut_anywhere(_: str, data: bytes, __: bytes) -> Variants:
    """Truncated at random places and at the last byte."""
    chosen = random.Random(2)
    yield from (data[:end] for end in [len(data) - 1, *(chosen.randrange(1, len(data)) | 1 for _number in range(6))])


def cut_at_edges(name: str, data: bytes, _: bytes) -> Variants:
    """Truncated at the edges of segments."""
    found = edges(name, data)
    yield from (data[:end] for end in [*found[:4], *found[-2:]])


def _pieces(name: str, data: bytes) -> list[bytes]:
    found = [0, *edges(name, data), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(found)]


def swapped(name: str, data: bytes, _: bytes) -> Variants:
    """Two segments of the same size exchanged."""
    pieces = _pieces(name, data)
    yield b"".join([pieces[0], pieces[2], pieces[1], *pieces[3:]])


def repeated(name: str, data: bytes, _: bytes) -> Variants:
    """A segment twice."""
    pieces = _pieces(name, data)
    yield b"".join([*pieces[:2], *pieces[1:]])


def removed(name: str, data: bytes, _: bytes) -> Variants:
    """A segment missing, in the middle or at the start."""
    pieces = _pieces(name, data)
    yield b"".join([pieces[0], *pieces[2:]])
    yield b"".join(pieces[1:])


def other_header(_: str, data: bytes, other: bytes) -> Variants:
    """The first bytes of another object sealed under the same key: a header of each size that a format has."""
    yield from (other[:size] + data[size:] for size in (8, 16, 40, 124))


def other_segment(name: str, data: bytes, other: bytes) -> Variants:
    """A segment of another object in the place of one."""
    pieces, others = _pieces(name, data), _pieces(name, other)
    yield b"".join([pieces[0], others[1], *pieces[2:]])


def trailing(_: str, data: bytes, __: bytes) -> Variants:
    """Something behind the end."""
    yield from (data + more for more in (b"\0", b"more", bytes(MIB), data))


def empty(_: str, __: bytes, ___: bytes) -> Variants:
    """Nothing at all."""
    yield b""


DAMAGES: dict[str, Callable[[str, bytes, bytes], Variants]] = {
    "a bit flipped": flipped,
    "cut off": cut_anywhere,
    "cut off at a segment's edge": cut_at_edges,
    "segments swapped": swapped,
    "a segment repeated": repeated,
    "a segment removed": removed,
    "another object's header": other_header,
    "another object's segment": other_segment,
    "something behind the end": trailing,
    "empty": empty,
}
WRONG_KEY, BOMB = "another key", "more data than recorded"
# What goes wrong at the ends of a pass, while it writes a format and while it reads it.
ENDS = ("the source shrinks", "the source grows", "a full disk", "a broken pipe")


class Matrix:
    """The formats under one key, and what notices a damage."""

    def __init__(self, workers: Workers) -> None:
        key, other_key = Key("k", 1, os.urandom(32)), Key("other", 1, os.urandom(32))
        self._formats = {name: made(name, workers, key) for name in NAMES}
        self._wrong = {name: made(name, workers, other_key) for name in NAMES}
        self._recorded: dict[str, tuple[bytes, Passed]] = {}

    def verdict(self, name: str, damage: str) -> str:
        """What notices the damage in the worst case: the format, the record of size and hash, or nobody."""
        data, recorded = self._encoded(name)
        if damage in ENDS:
            return PASS if all(self._ends_noticed(name, damage, data)) else UNNOTICED
        kind = self._wrong[name] if damage == WRONG_KEY else self._formats[name]
        # A limit could cut in before the format's own check, or not, by the threads' luck: only a bomb meets one.
        limit = recorded.read_size if damage == BOMB else None
        found = [self._noticed(kind, each, recorded, limit) for each in self._variants(name, damage, data)]
        if name == "openssl-cbc" and damage != "empty" and UNNOTICED not in found:
            return RECORD  # its padding tells of 255 in 256, which is luck and no promise
        return next((worst for worst in (UNNOTICED, RECORD) if worst in found), FORMAT)

    def _ends_noticed(self, name: str, damage: str, data: bytes) -> Iterator[bool]:
        """Whether both directions say so with the offset."""
        kind = self._formats[name]
        for codec, source in ((kind.encoder, PLAIN), (kind.decoder, data)):
            listed = len(source) + {"the source shrinks": 1, "the source grows": -1}.get(damage, 0)
            with _output(damage) as sink:
                try:
                    run(MemorySource(source), codec(), sink, size=listed)
                    yield False
                except JobError as error:
                    wanted = "source_changed" if listed != len(source) else "engine_failed"
                    yield error.code == wanted and error.offset is not None

    def _variants(self, name: str, damage: str, data: bytes) -> Variants:
        if damage == WRONG_KEY:
            return iter([data])
        kind = self._formats[name]
        if damage == BOMB:
            return iter([kind.encode(bytes(64 * MIB))])
        return DAMAGES[damage](name, data, kind.encode(OTHER))

    def _encoded(self, name: str) -> tuple[bytes, Passed]:
        if name not in self._recorded:
            sink = MemorySink()
            passed = run(MemorySource(PLAIN), self._formats[name].encoder(), sink)
            self._recorded[name] = bytes(sink.data), passed
        return self._recorded[name]

    def _noticed(self, kind: Format, damaged: bytes, recorded: Passed, limit: int | None) -> str:
        sink = MemorySink()
        try:
            passed = run(MemorySource(damaged), kind.decoder(), sink, limit=limit)
        except JobError as error:
            if error.code == "verification_failed":
                return RECORD if len(sink.data) <= recorded.read_size else UNNOTICED
            return FORMAT if error.offset is not None and error.code.startswith("corrupt_") else UNNOTICED
        same = (passed.written_size, passed.written_sha256) == (recorded.read_size, recorded.read_sha256)
        # Unchanged plain data are no damage; otherwise what was recorded must tell them apart.
        return FORMAT if same and sink.data == PLAIN else UNNOTICED if same else RECORD


@contextmanager
def _output(damage: str) -> Iterator[FileSink]:
    """A sink over a full disk, over a pipe that nobody reads any more, or one that takes all."""
    if damage == "a broken pipe":
        reading, writing = os.pipe()
        os.close(reading)
    else:
        writing = os.open("/dev/full" if damage == "a full disk" else os.devnull, os.O_WRONLY)
    with open(writing, "wb", 0) as file:
        yield FileSink(file, damage)


def damages_of(name: str) -> list[str]:
    """The damages that a format can have."""
    sealed = bool(set(name.split("+")) & set(ENCRYPTIONS))
    return [*DAMAGES, BOMB, *([WRONG_KEY] if sealed else []), *ENDS]


def page(verdicts: dict[tuple[str, str], str]) -> str:
    """The table."""
    columns = [*DAMAGES, BOMB, WRONG_KEY, *ENDS]
    lines = [
        "# What notices damage",
        "",
        "Made by `python -m tests.unit.engine.damage`, from data of 3 MiB; a test holds it true. **format**: the",
        "decoder refuses it with the offset. *record*: the recorded size and SHA-256 tell, before a result gets its",
        "name. *pass*: the pass itself says so, with the offset, whether it writes the format or reads it.",
        "",
        "That every bit of a small file was flipped, that it was cut at every byte, and what a tar with damage does,",
        "are tests of their own.",
        "",
        "| | " + " | ".join(columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for name in NAMES:
        cells = [_cell(verdicts.get((name, damage))) for damage in columns]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(verdict: str | None) -> str:
    return {None: "", FORMAT: "**format**", RECORD: "*record*", PASS: "*pass*"}.get(verdict, str(verdict))


def main() -> None:
    """Write the page."""
    with Workers(2) as workers:
        matrix = Matrix(workers)
        verdicts = {(name, damage): matrix.verdict(name, damage) for name in NAMES for damage in damages_of(name)}
    PAGE.write_text(page(verdicts), encoding="utf-8")
    sys.stdout.write(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
