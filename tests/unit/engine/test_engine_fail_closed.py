"""Every damage over every format, and every end of a pipeline that breaks: nothing passes for the plain data."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from python_rules.engine.blocks import MIB
from python_rules.engine.pipeline import run
from python_rules.jobs.errors import JobError

from . import damage
from .conftest import Format, MemorySink, MemorySource, made
from .test_engine_codecs import sample
from .test_engine_pack import archive, unpacked


@pytest.fixture(scope="module")
def matrix(workers) -> Iterator[damage.Matrix]:
    return damage.Matrix(workers)


@pytest.mark.parametrize("name", damage.NAMES)
def test_every_damage_is_noticed(name: str, matrix: damage.Matrix) -> None:
    """By the format with the offset, or by what was recorded, as docs/fail-closed.md says for this format."""
    verdicts = {(name, kind): matrix.verdict(name, kind) for kind in damage.damages_of(name)}
    assert damage.UNNOTICED not in verdicts.values()
    row = next(line for line in damage.page(verdicts).splitlines() if line.startswith(f"| `{name}` |"))
    assert row in damage.PAGE.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("size", [1000, 9 * MIB])
def test_a_full_disk_under_every_format(chain: Format, size: int) -> None:
    """The sink's error comes through, whatever was in flight."""
    with pytest.raises(OSError, match="no space"):
        run(MemorySource(sample(size)), chain.encoder(), MemorySink(room=10), size=size)


@pytest.mark.parametrize("listed", [999, 1001])
def test_a_source_of_another_size_under_every_format(chain: Format, listed: int) -> None:
    """One that shrinks or grows while it is read is an error that names the offset."""
    with pytest.raises(JobError) as caught:
        run(MemorySource(sample(1000)), chain.encoder(), MemorySink(), size=listed)
    assert (caught.value.code, caught.value.offset) == ("source_changed", min(1000, listed))


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(damage.NAMES),
    contents=st.dictionaries(
        st.from_regex(r"[^/\0.][^/\0]{0,150}", fullmatch=True), st.binary(max_size=3000), max_size=5
    ),
    step=st.integers(1, MIB),
)
def test_packed_through_any_chain(name: str, contents: dict[str, bytes], step: int, workers, key) -> None:
    """Any collection comes back through pack, compress, seal and the way back, fed in any steps."""
    kind = made(name, workers, key)
    assert unpacked(kind.decode(kind.encode(archive(contents)), step)).contents == contents
