"""Every method and chain: round trips, damage, stock tools."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import lzma
import random
import subprocess
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from python_rules.engine.blocks import MIB, Cutter
from python_rules.engine.codec.table import COMPRESSIONS, READERS, recognised
from python_rules.engine.seal.table import ENCRYPTIONS
from python_rules.jobs import methods
from python_rules.jobs.errors import JobError

from .conftest import CHAINS, Format, made, through

SIZES = [0, 1, 1000, MIB - 57, MIB - 56, MIB - 55, MIB - 17, MIB - 16, MIB - 1, MIB, MIB + 1, 5 * MIB + 3]

# What other programs make of data, for each format that is read.
FOREIGN = {
    "gzip": lambda data: gzip.compress(data, 6),
    "zstd": lambda data: tool("zstd -c", data),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lz4": lambda data: tool("lz4 -c", data),
}

# Where a format lets the 300 bytes of the truncation test end: recorded sizes and checksums must tell.
MAY_END = {("zstd", -29), ("crypt4gh", -328)}


def sample(size: int) -> bytes:
    """Text that compresses a little, never the same at two places."""
    made = random.Random(size)
    return b"".join(b"%d words and more;" % made.getrandbits(60) for _ in range(size // 20 + 1))[:size]


@pytest.mark.parametrize("size", SIZES)
def test_round_trip(chain: Format, size: int) -> None:
    """What was encoded comes back, at every size around the edges of frames, members and segments."""
    data = sample(size)
    assert chain.decode(chain.encode(data)) == data


def test_byte_by_byte(chain: Format) -> None:
    """A decoder takes its input in any pieces."""
    data = sample(3000)
    assert chain.decode(chain.encode(data), step=1) == data


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(CHAINS), data=st.binary(max_size=4000), copies=st.integers(0, 600), step=st.integers(1, MIB)
)
def test_any_data(name: str, data: bytes, copies: int, step: int, workers, key) -> None:
    """Any data come back through any chain, fed in any steps."""
    kind = made(name, workers, key)
    encoded = through(kind.encoder(), data * copies, step)
    assert kind.decode(encoded, step) == data * copies


def test_every_truncation_is_an_error(chain: Format) -> None:
    """A small file cut anywhere is refused with the offset, except where the format has no mark."""
    encoded = chain.encode(sample(300))
    for end in range(len(encoded)):
        if (chain.name, end - len(encoded)) in MAY_END:
            continue
        with pytest.raises(JobError, match="at byte") as caught:
            chain.decode(encoded[:end])
        assert caught.value.offset is not None
        assert caught.value.code.startswith("corrupt_")


def test_no_bit_flip_gives_other_data(chain: Format) -> None:
    """Each flipped bit is an error; in compression formats a few bits mean nothing and may pass, data unchanged."""
    data = sample(150)
    encoded = chain.encode(data)
    passed = 0
    for bit in range(len(encoded) * 8):
        damaged = bytearray(encoded)
        damaged[bit // 8] ^= 1 << (bit % 8)
        decoded = outcome(chain, bytes(damaged))
        assert decoded in (None, data)
        passed += decoded is not None
    assert passed <= (8 if chain.name in COMPRESSIONS else 0)


def test_random_flips_in_a_large_file(chain: Format) -> None:
    """A flipped bit anywhere in many segments is an error."""
    encoded = chain.encode(sample(3 * MIB))
    chosen = random.Random(7)
    for _ in range(12):
        damaged = bytearray(encoded)
        damaged[chosen.randrange(len(encoded))] ^= 1 << chosen.randrange(8)
        with pytest.raises(JobError, match="at byte"):
            chain.decode(bytes(damaged))


@pytest.mark.parametrize("rest", [b"\0", b"trailing", bytes(64), b"\x28\xb5", b"\x1f\x8b"])
def test_trailing_bytes_are_an_error(chain: Format, rest: bytes) -> None:
    """Nothing may follow the end."""
    with pytest.raises(JobError, match="at byte"):
        chain.decode(chain.encode(sample(100)) + rest)


def test_an_empty_file_is_an_error(chain: Format) -> None:
    """No format of ours is empty, even for empty data."""
    with pytest.raises(JobError, match=r"ends? "):
        chain.decode(b"")


@pytest.mark.parametrize("method", FOREIGN)
def test_a_bomb_comes_out_in_small_pieces(method: str, workers) -> None:
    """However much a stream expands, a decoder never gives more than 8 MiB at a time."""
    plain = bytes(64 * MIB)
    decoder = READERS[method].decoder(workers)
    sizes = [len(piece) for piece in itertools.chain(decoder.feed(FOREIGN[method](plain)), decoder.finish())]
    assert sum(sizes) == len(plain)
    assert max(sizes) <= 8 * MIB


@pytest.mark.parametrize("command", ["zstd -t", "zstd -dc"])
def test_stock_zstd_reads_ours(command: str, workers) -> None:
    """zstd accepts the frames and passes over the seek table."""
    data = sample(3 * MIB + 5)
    encoded = through(COMPRESSIONS["zstd"].encoder(workers, 3), data)
    assert tool(command, encoded) in (data, b"")


def test_another_implementation_seeks_in_ours(workers) -> None:
    """pyzstd's reader of the seekable format takes a range by our table, checksums included."""
    pyzstd = pytest.importorskip("pyzstd")
    data = sample(5 * MIB + 3)
    encoded = through(COMPRESSIONS["zstd"].encoder(workers, 3), data)
    with pyzstd.SeekableZstdFile(io.BytesIO(encoded)) as file:
        file.seek(3 * MIB + 17)
        assert file.read(2 * MIB) == data[3 * MIB + 17 :][: 2 * MIB]


def test_we_seek_in_another_implementations(workers) -> None:
    """A table without checksums, as pyzstd writes it, is read too, and refused when it does not fit."""
    pyzstd = pytest.importorskip("pyzstd")
    data, out = sample(3 * MIB), io.BytesIO()
    with pyzstd.SeekableZstdFile(out, "w", max_frame_content_size=MIB) as file:
        file.write(data)
    foreign = out.getvalue()
    assert through(READERS["zstd"].decoder(workers), foreign) == data
    with pytest.raises(JobError, match="seek table"):
        through(READERS["zstd"].decoder(workers), foreign[:-20] + b"\1" + foreign[-19:])


def test_tabix_indexes_our_bgzf(workers, tmp_path: Path) -> None:
    """htslib's tabix makes its index of our blocks, and finds rows by it."""
    rows = b"".join(b"chr1\t%d\t%d\tname%d\n" % (i * 100, i * 100 + 50, i) for i in range(100_000))
    (tmp_path / "a.bed.gz").write_bytes(through(COMPRESSIONS["bgzf"].encoder(workers, 1), rows))
    tool(f"tabix -p bed {tmp_path / 'a.bed.gz'}", b"")
    found = tool(f"tabix {tmp_path / 'a.bed.gz'} chr1:5000001-5000040", b"")
    assert found == b"chr1\t5000000\t5000050\tname50000\n"


@pytest.mark.parametrize("command", ["gzip -t", "gzip -dc", "zcat"])
def test_stock_gzip_reads_ours(command: str, workers) -> None:
    """gzip accepts the members and their extra field."""
    data = sample(3 * MIB + 5)
    encoded = through(COMPRESSIONS["gzip"].encoder(workers, 1), data)
    assert tool(command, encoded) in (data, b"")


@pytest.mark.parametrize("command", ["gzip -t", "bgzip -dc"])
def test_stock_tools_read_our_bgzf(command: str, workers) -> None:
    """htslib's own bgzip and gzip accept the blocks and the closing one."""
    data = sample(3 * MIB + 5) + random.Random(1).randbytes(MIB)
    encoded = through(COMPRESSIONS["bgzf"].encoder(workers, 1), data)
    assert tool(command, encoded) in (data, b"")
    assert recognised(encoded) == "bgzf"


def test_we_read_stock_bgzip(workers) -> None:
    """Blocks of htslib's own bgzip are read; without the closing block the end is missing."""
    data = sample(3 * MIB + 5)
    foreign = tool("bgzip -c", data)
    assert through(READERS["bgzf"].decoder(workers), foreign, 999) == data
    with pytest.raises(JobError, match="without its last block"):
        through(READERS["bgzf"].decoder(workers), foreign[:-28])


@pytest.mark.parametrize("size", [0, 1, 100, 3 * MIB + 5, 9 * MIB])
@pytest.mark.parametrize(
    ("method", "command"),
    [
        ("zstd", "zstd -3 -c"),
        ("zstd", "zstd -12 --no-check -c"),
        ("zstd", "zstd -1 -T2 --no-content-size -c"),
        ("gzip", "gzip -6 -c"),
        ("gzip", "gzip -1 -n -c"),
    ],
)
def test_we_read_stock_tools(method: str, command: str, size: int, workers) -> None:
    """Single frames and members of any size, with and without checksum and content size."""
    data = sample(size)
    foreign = tool(command, data)
    assert through(COMPRESSIONS[method].reader.decoder(workers), foreign) == data
    assert through(COMPRESSIONS[method].reader.decoder(workers), foreign + foreign) == data + data
    assert recognised(foreign) == method


@pytest.mark.parametrize("method", FOREIGN)
def test_damage_in_foreign_streams(method: str, workers) -> None:
    """Streams of other programs are read, alone and after each other, and refused when they are cut or changed."""
    data = sample(100_000)
    foreign = FOREIGN[method](data)
    assert recognised(foreign) == method
    assert through(READERS[method].decoder(workers), foreign + foreign, 1000) == data + data
    damaged = bytearray(foreign)
    damaged[len(damaged) // 2] ^= 4
    for wrong in (foreign[:-1], foreign[: len(foreign) // 2], bytes(damaged), foreign + b"x", b""):
        with pytest.raises(JobError, match="at byte"):
            through(READERS[method].decoder(workers), wrong)


def test_a_zlib_gzip_with_a_header_field_is_read(workers) -> None:
    """A name, a comment and a header checksum, as RFC 1952 allows, are passed over."""
    body = zlib.compressobj(6, zlib.DEFLATED, -15)
    deflated = body.compress(b"text") + body.flush()
    trailer = zlib.crc32(b"text").to_bytes(4, "little") + (4).to_bytes(4, "little")
    head = b"\x1f\x8b\x08\x18" + bytes(5) + b"\xff" + b"name\0" + b"comment\0"
    assert through(COMPRESSIONS["gzip"].reader.decoder(workers), head + deflated + trailer) == b"text"


def test_the_tables_name_the_same_methods() -> None:
    """A method is a row in jobs/methods.py and a row in the engine: neither alone."""
    assert set(COMPRESSIONS) | {methods.AUTO, methods.NONE} == set(methods.COMPRESSIONS)
    assert {name: row.reader.suffix for name, row in COMPRESSIONS.items()} == {
        name: row.suffix for name, row in methods.COMPRESSIONS.items() if name not in (methods.AUTO, methods.NONE)
    }
    assert set(ENCRYPTIONS) == set(methods.ENCRYPTIONS)


@pytest.mark.parametrize("method", COMPRESSIONS)
def test_every_level_works(method: str, workers) -> None:
    """Each level that a request may name compresses."""
    data = sample(200_000)
    low, _, high = methods.COMPRESSIONS[method].levels or (0, 0, 0)
    for level in range(low, high + 1):
        encoded = through(COMPRESSIONS[method].encoder(workers, level), data)
        assert through(COMPRESSIONS[method].reader.decoder(workers), encoded) == data


@pytest.mark.parametrize("steps", [1, 3, 7, 10, 11, 100])
def test_cutter(steps: int) -> None:
    """Pieces have exactly the size asked for, whatever the blocks were; the last one is held back."""
    data = bytes(range(100))
    cutter = Cutter(10)
    pieces = [bytes(p) for i in range(0, 100, steps) for p in cutter.feed(data[i : i + steps])]
    assert [len(piece) for piece in pieces] == [10] * 9
    assert b"".join(pieces) + bytes(cutter.rest()) == data


def outcome(chain: Format, encoded: bytes) -> bytes | None:
    """What is decoded; None for an error, which must name an offset in the data."""
    try:
        return chain.decode(encoded)
    except JobError as error:
        if error.offset is None or error.offset > len(encoded):
            raise
        return None


def tool(command: str, data: bytes) -> bytes:
    """What a stock tool makes of its standard input."""
    return subprocess.run(command.split(), input=data, stdout=subprocess.PIPE, check=True).stdout
