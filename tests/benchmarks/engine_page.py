"""The page that ``tests.benchmarks.engine`` writes."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from tests.benchmarks.corpora import CORPORA

MEMORY_LIMIT = 256  # MiB
CORES = len(os.sched_getaffinity(0))
TOOLS = ("zstd --version", "pigz --version", "openssl version", "age --version", "bgzip --version")

_TEMPLATE = """# The engine beside other tools

Made by `python -m tests.benchmarks.engine{words}` on
{machine}.
Both sides in turn on the same file, which is in the page cache; medians of {rounds} rounds, output thrown away. Load of
the machine at the end: {load:.1f}.

Ours reads, computes the SHA-256 of what it reads, encodes, computes the SHA-256 of the result, and writes; the others
do not hash, except where it says so. *MB/s* are of plain data. *Reach* is the ratio that was wanted, and whether it
is there. *Of bound*: our speed as a part of what the processor could give if only codec and hashes cost anything
(below). *Cpu*: the ratio of processor seconds. *Size*: our result's size by theirs. The times of ours are without the
start of Python's interpreter (0.1 s).

| corpus | what | cores | ours MB/s | theirs MB/s | ratio | reach | of bound | cpu | size | theirs |
|---|---|--:|--:|--:|--:|---|--:|--:|--:|---|
{table}

## What sets the bound

Processor seconds for each GB of plain text, each part measured alone. The stored data are hashed as well, so a method
that does not shrink them pays for two full SHA-256, and no pass is faster than one: a hash cannot be split. That is
more than all of `openssl enc`, `age` or Tink take, which is why encryption alone cannot be a multiple of theirs
without giving up the hashes that every object gets.

| what | codec and reading | SHA-256 | stored/plain | sum | bound, 1 core MB/s | bound, {cores} cores MB/s | ours MB/s |
|---|--:|--:|--:|--:|--:|--:|--:|
{parts}

## Memory

Largest resident memory while 4 GiB are streamed, of at most {limit} MiB: {memory}.

## Corpora

{corpora}
"""


def text(words: str, rounds: int, size: int, table: list[str], parts: list[str], memory: list[tuple[str, int]]) -> str:
    """The page; ``words`` are the options it was made with, ``size`` in MiB."""
    return _TEMPLATE.format(
        words=words,
        machine=_machine(),
        rounds=rounds,
        load=os.getloadavg()[0],
        table="\n".join(table),
        parts="\n".join(parts),
        cores=CORES,
        limit=MEMORY_LIMIT,
        memory=", ".join(f"{steps} {used} MiB" for steps, used in memory),
        corpora="\n".join(f"- *{name}*, {size} MiB: {corpus.origin}" for name, corpus in CORPORA.items()),
    )


def _machine() -> str:
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    versions = [_version(tool) for tool in TOOLS if shutil.which(tool.split()[0])]
    known = model.group(1).strip() if model else platform.machine()
    return f"{CORES} cores ({known}), Python {platform.python_version()}, {', '.join(versions)}"


def _version(tool: str) -> str:
    done = subprocess.run(tool.split(), capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d[\w.]*", done.stdout + done.stderr)
    return f"{tool.split()[0]} {found.group(0) if found else ''}"
