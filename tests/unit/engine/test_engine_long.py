"""Constant memory: 16 GiB in one object, 100,000 small objects, and 100,000 members of one archive."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.benchmarks.engine import memory_of
from tests.benchmarks.engine_page import MEMORY_LIMIT

pytestmark = pytest.mark.long

OBJECTS = """
from python_rules.engine.codec import Chain
from python_rules.engine.codec.table import COMPRESSIONS
from python_rules.engine.keys import Key
from python_rules.engine.parallel import Workers
from python_rules.engine.pipeline import run
from python_rules.engine.seal.table import ENCRYPTIONS
from tests.benchmarks.engine_work import resident
from tests.unit.engine.conftest import MemorySink, MemorySource

key = Key("k", 1, bytes(32))
with Workers(2) as workers:
    for number in range(100_000):
        data = b"%d " % number * 100
        chain = Chain(COMPRESSIONS["zstd"].encoder(workers, 3), ENCRYPTIONS["aes256-gcm"].sealer(workers, key))
        assert run(MemorySource(data), chain, MemorySink(), size=len(data)).read_size == len(data)
print(resident())
"""
MEMBERS = """
import io, os
from python_rules.engine.codec.table import COMPRESSIONS
from python_rules.engine.pack import Member
from python_rules.engine.pack.packing import Packing
from python_rules.engine.parallel import Workers
from python_rules.engine.pipeline import run
from tests.benchmarks.engine_work import resident

class Null:
    def write(self, block):
        pass

content = os.urandom(10_000)
members = (Member(f"collection {n // 1000}/{n:06}", size=len(content)) for n in range(100_000))
with Workers(2) as workers:
    source = Packing(members, lambda member: io.BytesIO(content))
    assert run(source, COMPRESSIONS["zstd"].encoder(workers, 1), Null()).read_size > 1e9
print(resident())
"""


@pytest.mark.parametrize("steps", ["aes256-gcm", "zstd:1+aes256-gcm", "gzip:1", "crypt4gh"])
def test_16_gib_in_one_object(steps: str) -> None:
    """Resident memory stays under 256 MiB."""
    assert memory_of(steps, 16 * 1024) <= MEMORY_LIMIT


@pytest.mark.parametrize("program", [OBJECTS, MEMBERS], ids=["objects", "members"])
def test_100_000_small_ones(program: str) -> None:
    """So it does for any number of objects, and for a collection of them packed into one."""
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    assert int(done.stdout) <= MEMORY_LIMIT
