"""Every format beside the tools that others read and write it with. ``python -m tests.unit.engine.peers`` writes the
table into docs/peers/formats.md; a test holds it true."""

from __future__ import annotations

import gzip
import io
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import pyzstd
from crypt4gh import lib as crypt4gh_lib
from tink import cleartext_keyset_handle, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2

from python_rules.engine.blocks import MIB
from python_rules.engine.codec.table import COMPRESSIONS, READERS
from python_rules.engine.keys import Key
from python_rules.engine.parallel import Workers
from python_rules.engine.seal import crypt4gh, openssl, tink
from python_rules.engine.seal.table import ENCRYPTIONS

from .conftest import through
from .test_engine_pack import archive, unpacked

PAGE = Path(__file__).parents[3] / "docs" / "peers" / "formats.md"
KEY = Key("k", 1, os.urandom(32))
PASSPHRASE = Key("lexis", 1, b"a project's passphrase")
YES, NO = "yes", "NO"

Transform = Callable[[bytes], bytes]


class Peer(NamedTuple):
    """One way in which others use a format: what reads ours, and what writes what we read."""

    format: str
    tool: str
    reads: Transform | None = None
    writes: Transform | None = None
    variant: openssl.Variant | None = None  # of openssl, if it is not the method's own


def command(line: str) -> Transform:
    """A stock tool as a filter; it must say nothing on its error output."""

    def run(data: bytes) -> bytes:
        environment = {**os.environ, "SECRET": PASSPHRASE.secret.decode()}
        done = subprocess.run(line.split(), input=data, capture_output=True, env=environment, check=False)
        if done.returncode or done.stderr:
            raise AssertionError(f"{line}: {done.returncode}, {done.stderr!r}")
        return done.stdout

    return run


def shell(reads: str = "", writes: str = "") -> tuple[Transform | None, Transform | None]:
    """Both directions of a stock tool."""
    return command(reads) if reads else None, command(writes) if writes else None


class Kept(io.BytesIO):
    """Bytes that can be read after a writer closed them."""

    def close(self) -> None:
        return


def _pyzstd_read(data: bytes) -> bytes:
    """By the seek table, from the end to the start."""
    with pyzstd.SeekableZstdFile(io.BytesIO(data)) as file:
        size = file.seek(0, io.SEEK_END)
        halves = []
        for begin, end in ((size // 2, size), (0, size // 2)):
            file.seek(begin)
            halves.insert(0, file.read(end - begin))
        return b"".join(halves)


def _pyzstd_write(data: bytes) -> bytes:
    out = io.BytesIO()
    with pyzstd.SeekableZstdFile(out, "w", max_frame_content_size=MIB) as file:
        file.write(data)
    return out.getvalue()


def _tinks() -> streaming_aead.StreamingAead:
    """Tink's own primitive over the same key."""
    streaming_aead.register()
    params = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
        ciphertext_segment_size=MIB, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256
    )
    made = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(version=0, params=params, key_value=bytes(KEY.secret))
    data = tink_pb2.KeyData(
        type_url="type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey",
        value=made.SerializeToString(),
        key_material_type=tink_pb2.KeyData.SYMMETRIC,
    )
    entry = tink_pb2.Keyset.Key(key_data=data, status=tink_pb2.ENABLED, key_id=1, output_prefix_type=tink_pb2.RAW)
    keyset = tink_pb2.Keyset(primary_key_id=1, key=[entry])
    return cleartext_keyset_handle.from_keyset(keyset).primitive(streaming_aead.StreamingAead)


def _tink_read(data: bytes) -> bytes:
    with _tinks().new_decrypting_stream(io.BytesIO(data), b"") as stream:
        return bytes(stream.read())


def _tink_write(data: bytes) -> bytes:
    out = Kept()
    with _tinks().new_encrypting_stream(out, b"") as stream:
        stream.write(data)
    return out.getvalue()


def _crypt4gh_read(data: bytes) -> bytes:
    out = io.BytesIO()
    crypt4gh_lib.decrypt([(0, KEY.secret, None)], io.BytesIO(data), out)
    return out.getvalue()


def _crypt4gh_write(data: bytes) -> bytes:
    """For two readers, of which we are the second."""
    out, writer, other = io.BytesIO(), os.urandom(32), Key("other", 1, os.urandom(32))
    readers = [(0, writer, crypt4gh.public_key(reader)) for reader in (other, KEY)]
    crypt4gh_lib.encrypt(readers, io.BytesIO(data), out)
    return out.getvalue()


def _tarfile_read(data: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        member = tar.extractfile("file")
        return member.read() if member else b""


def _tarfile_write(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("file")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _openssl(name: str, options: str) -> Peer:
    """openssl with these options; ours is told the same."""
    tool = f"openssl enc -{name.replace('openssl', 'aes-256')} -pbkdf2{options}"
    rounds = re.search(r"-iter (\d+)", options)
    variant = openssl.VARIANTS[name]._replace(armoured="-a" in options.split())
    variant = variant._replace(iterations=int(rounds.group(1)) if rounds else variant.iterations)
    both = shell(f"{tool} -d -pass env:SECRET", f"{tool} -pass env:SECRET")
    return Peer(name, f"`{tool}`", *both, variant)


PEERS = (
    Peer("zstd", "`zstd -d`, `zstd -3`", *shell("zstd -dc", "zstd -3 -c")),
    Peer("zstd", "`zstd -12 --no-check`", *shell(writes="zstd -12 --no-check -c")),
    Peer("zstd", "`zstd -1 -T2 --no-content-size`", *shell(writes="zstd -1 -T2 --no-content-size -c")),
    Peer("zstd", "`pzstd`", *shell("pzstd -q -d -c", "pzstd -q -c")),
    Peer("zstd", "pyzstd's seekable reader and writer", _pyzstd_read, _pyzstd_write),
    Peer("gzip", "`gzip -d`, `gzip -6`", *shell("gzip -dc", "gzip -6 -c")),
    Peer("gzip", "`zcat`, `gzip -1 -n`", *shell("zcat", "gzip -1 -n -c")),
    Peer("gzip", "`pigz -d`, `pigz -6`", *shell("pigz -dc", "pigz -6 -c")),
    Peer("gzip", "Python's gzip", gzip.decompress, gzip.compress),
    Peer("bgzf", "`bgzip -d`, `bgzip`", *shell("bgzip -dc", "bgzip -c")),
    Peer("bgzf", "`gzip -d`", *shell("gzip -dc")),
    Peer("bzip2", "`bzip2`", *shell(writes="bzip2 -c")),
    Peer("xz", "`xz`", *shell(writes="xz -1 -c")),
    Peer("lz4", "`lz4`", *shell(writes="lz4 -q -c")),
    Peer("aes256-gcm", "Google's Tink (Python)", _tink_read, _tink_write),
    Peer("crypt4gh", "crypt4gh, the reference implementation", _crypt4gh_read, _crypt4gh_write),
    _openssl("openssl-ctr", " -iter 1000"),
    _openssl("openssl-ctr", " -iter 1000 -a"),
    _openssl("openssl-ctr", " -iter 5432"),
    _openssl("openssl-cbc", ""),
    _openssl("openssl-cbc", " -a"),
    _openssl("openssl-cbc", " -iter 777 -a"),
    Peer("tar", "GNU `tar`", command("tar -xO"), None),
    Peer("tar", "Python's tarfile", _tarfile_read, _tarfile_write),
)
_FIRST, _EACH = MIB - tink.HEADER_SIZE - tink.TAG_SIZE, MIB - tink.TAG_SIZE
_FRAMES = (0, 1, MIB - 1, MIB, MIB + 1, 5 * MIB + 7)
# Bytes of plain data: nothing, one, around the edges of what a format is made of, and many of them.
SIZES = {
    "aes256-gcm": (0, 1, *(edge + d for edge in (_FIRST, _FIRST + _EACH) for d in (-1, 0, 1)), 5 * MIB + 7),
    "crypt4gh": (0, 1, *(crypt4gh.SEGMENT + d for d in (-1, 0, 1)), 40 * crypt4gh.SEGMENT + 5),
    "openssl-ctr": (0, 1, 15, 16, 17, 47, 48, 100_000),
    "openssl-cbc": (0, 1, 15, 16, 17, 47, 48, 100_000),
    "bgzf": (0, 1, 0xFEFF, 0xFF00, 0xFF01, 3 * MIB + 5),
    **dict.fromkeys(("bzip2", "xz", "lz4"), (0, 1, 100_000, MIB + 1)),
    "tar": (0, 1, 511, 512, 513, 3 * MIB + 5),
}


def sizes(name: str) -> tuple[int, ...]:
    """The sizes that a format is tried at."""
    return SIZES.get(name, _FRAMES)


def ours(peer: Peer, workers: Workers) -> tuple[Transform | None, Transform]:
    """How we write a format (None if we do not), and how we read it."""
    name = peer.format
    if name == "tar":
        return (lambda data: archive({"file": data})), (lambda data: unpacked(data).contents["file"])
    if variant := peer.variant:
        return (
            lambda data: through(openssl.Sealer(variant, workers, PASSPHRASE), data, 1000),
            lambda data: through(openssl.Opener(variant, workers, PASSPHRASE), data, 37),
        )
    if name in ENCRYPTIONS:
        return (
            lambda data: through(ENCRYPTIONS[name].sealer(workers, KEY), data),
            lambda data: through(ENCRYPTIONS[name].opener(workers, KEY), data, 5000),
        )
    read = READERS[name].decoder
    write = COMPRESSIONS[name].encoder if name in COMPRESSIONS else None
    return (
        (lambda data: through(write(workers, 1), data)) if write else None,
        lambda data: through(read(workers), data, 70_000),
    )


def verdicts(peer: Peer, workers: Workers, samples: Iterable[bytes]) -> tuple[str, str]:
    """Whether the peer reads ours, and we what it writes, at every size; '' for what it does not do."""
    write, read = ours(peer, workers)
    ways = [(write, peer.reads) if write else (None, None), (peer.writes, read)]
    kept = list(samples)
    return tuple(
        "" if None in way else YES if all(way[1](way[0](data)) == data for data in kept) else NO for way in ways
    )


def row(peer: Peer, found: tuple[str, str]) -> str:
    """The peer's line of the table."""
    tried = ", ".join(f"{size:,}" for size in sizes(peer.format))
    return f"| `{peer.format}` | {peer.tool} | {found[0]} | {found[1]} | {tried} |"


def page(rows: Iterable[str]) -> str:
    """All of the page."""
    lines = (
        "# Formats beside other tools",
        "",
        "Made by `python -m tests.unit.engine.peers`; a test holds every line true. At each size random data or text",
        "went through both programs, and came back the same. Empty: the tool, or Sluice, does not do that.",
        "`tabix` indexes our bgzf, and pyzstd's reader takes ranges of our zstd by its seek table: tests of their own.",
        "",
        "| format | tool | reads ours | we read its | at sizes of plain data (bytes) |",
        "|---|---|---|---|---|",
    )
    return "\n".join((*lines, *rows)) + "\n"


def samples(name: str) -> Iterable[bytes]:
    """The data that a format is tried with."""
    for number, size in enumerate(sizes(name)):
        yield os.urandom(size) if number % 2 else b"some words of text;" * (size // 19) + bytes(size % 19)


def main() -> None:
    """Write the page."""
    with Workers(2) as workers:
        rows = [row(peer, verdicts(peer, workers, samples(peer.format))) for peer in PEERS]
    PAGE.write_text(page(rows), encoding="utf-8")
    sys.stdout.write(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
