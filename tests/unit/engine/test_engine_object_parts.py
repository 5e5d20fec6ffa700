"""What object stores and databases rest on and needs no server: part sizes, keys as trees, types, the spool."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from python_rules.engine.systems.keys import Listed, tree
from python_rules.engine.systems.parts import Sizes
from python_rules.engine.systems.place import FOLDER
from python_rules.engine.systems.postgres_csv import Records, header
from python_rules.engine.systems.postgres_types import known_type
from python_rules.engine.systems.sealed_spool import SealedSpool

MIB = 1 << 20


@pytest.mark.parametrize("size", [0, 1, 8 * MIB, 80_000 * MIB, 80_001 * MIB, 5 << 40])
def test_no_file_of_known_size_has_more_parts_than_the_store_takes(size: int) -> None:
    """The parts are alike, but for the last."""
    sizes = Sizes(8 * MIB, 10_000, size)
    assert sizes.first * 10_000 >= size
    count = -(-size // sizes.first)
    assert sum(sizes(number) for number in range(1, count + 1)) == size


@pytest.mark.parametrize("most", [1_000, 10_000])
def test_a_file_of_unknown_size_may_grow_to_terabytes(most: int) -> None:
    """Parts double after every tenth of them, and the first are small."""
    sizes = Sizes(8 * MIB, most, None)
    assert [sizes(1), sizes(most // 10), sizes(most // 10 + 1)] == [8 * MIB, 8 * MIB, 16 * MIB]
    assert sum(sizes(number) for number in range(1, most + 1)) > most * 800 * MIB


def test_keys_become_a_tree() -> None:
    """Folders once and before what they hold, also those that only keys imply; names of ours are left out."""
    keys = [".sluice-uploads/x", "a", "a-b/c", "a/", "a/.sluice-1", "a/b/c", "a/b/d", "e/"]
    found = list(tree([Listed(key, 1, 2.0, "") for key in keys], ""))
    shown = [item.path + "/" * (item.kind == FOLDER) for item in found]
    assert shown == ["a", "a-b/", "a-b/c", "a/", "a/b/", "a/b/c", "a/b/d", "e/"]
    below = tree([Listed(key, 1, 2.0, "") for key in keys[3:7]], "a")
    assert [item.path for item in below] == ["a/b", "a/b/c", "a/b/d"]


@pytest.mark.parametrize(
    "name",
    ["integer", "numeric(10,2)", "numeric(3,-1)", "timestamp(3) with time zone", "text[]", "character varying(5)[]"],
)
def test_types_of_postgresql_are_known(name: str) -> None:
    """As it writes them itself."""
    assert known_type(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "int4", "integer; drop table x", "integer)", "public.mood", "text default 1", "numeric(1,2,3)", "Integer"],
)
def test_anything_else_is_no_type(name: str) -> None:
    """It would become SQL."""
    assert known_type(name) == ""


def test_a_header_says_only_types_that_are_taken_back() -> None:
    """An enumeration's column has its plain name."""
    assert header([("a,b", "integer"), ("c", "public.mood")], typed=True) == b'"a,b::integer",c\n'


def test_records_are_counted_wherever_the_stream_is_cut() -> None:
    """Line breaks within quotes are none; the last record needs no line break."""
    content = b'1,"a\nb"\n2,"say ""x""\n"\n\n3,\n4'
    for cut in range(len(content) + 1):
        records = Records()
        records.count(content[:cut])
        records.count(content[cut:])
        assert records.total == 5


def test_the_spool_gives_any_range_back_and_shows_nothing(tmp_path: Path) -> None:
    """Random ranges of what was appended in odd pieces; the file on the disk has no name and no plaintext."""
    content = os.urandom(50_000) + b"plaintext" * 100
    spool = SealedSpool(str(tmp_path))
    for start in range(0, len(content), 777):
        spool.append(content[start : start + 777])
    chosen = random.Random(8)
    for _ in range(200):
        start, size = chosen.randrange(len(content) + 10), chosen.randrange(2_000)
        spool.seek(start)
        assert spool.read(size) == content[start : start + size]
    spool.seek(-9, os.SEEK_END)
    assert spool.read() == b"plaintext"
    assert list(tmp_path.iterdir()) == []
    spool._file.seek(0)
    assert b"plaintext" not in spool._file.read()
    spool.close()
