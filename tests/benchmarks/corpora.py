"""What the engine is measured on: files that anybody can make again."""

from __future__ import annotations

import os
import random
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

MIB = 1 << 20


class Corpus(NamedTuple):
    """How a file of so many bytes is written, and where its data come from."""

    write: Callable[[Path, int], None]
    origin: str


def text(size: int) -> bytes:
    """Python's own standard library, in the order of its file names; from the start again where it is too short."""
    found, total = [], 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if "site-packages" not in path.parts:
            found.append(path.read_bytes())
            total += len(found[-1])
            if total >= size:
                break
    once = b"".join(found)
    return (once * (size // len(once) + 1))[:size]


def write_text(file: Path, size: int) -> None:
    """Real text."""
    block = text(min(size, 256 * MIB))
    with file.open("wb") as out:
        while out.tell() < size:
            out.write(block[: size - out.tell()])


def _write_fastq(file: Path, size: int) -> None:
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
    with file.open("wb") as out:
        for _ in range(size // MIB):
            out.write(os.urandom(MIB))


def _write_zeros(file: Path, size: int) -> None:
    with file.open("wb") as out:
        out.truncate(size)


CORPORA = {
    "text": Corpus(write_text, "the Python files of this interpreter's standard library, one after the other"),
    "fastq": Corpus(_write_fastq, "reads of 150 bases with qualities as a sequencer writes them, made from a seed"),
    "packed": Corpus(_write_packed, "random bytes, which cannot be made smaller, as data that are compressed already"),
    "zeros": Corpus(_write_zeros, "zeros"),
}


def write_many(folder: Path, count: int, size: int) -> None:
    """So many files of so many bytes each, of text."""
    folder.mkdir()
    content = text(count * size)
    for number in range(count):
        (folder / f"{number:05}").write_bytes(content[number * size :][:size])
