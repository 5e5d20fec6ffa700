"""What ``tests.benchmarks.engine`` measures, each in a process of its own: ``python -m tests.benchmarks.engine_work``.

Prints seconds, processor seconds and bytes of the result; imports and the interpreter's start are not in them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from python_rules.engine.codec import Chain, Codec
from python_rules.engine.codec.table import COMPRESSIONS
from python_rules.engine.files import FileSource
from python_rules.engine.keys import Key
from python_rules.engine.pack import local
from python_rules.engine.pack.packing import Packing
from python_rules.engine.parallel import Workers
from python_rules.engine.pipeline import coded, read_blocks, run
from python_rules.engine.ranges import open_sealed
from python_rules.engine.seal.table import ENCRYPTIONS
from python_rules.engine.watch import UNWATCHED
from tests.benchmarks import corpora

MIB = 1 << 20
KEY = Key("benchmark", 1, bytes(range(32)))


class Null:
    """A pipeline's sink: /dev/null, or a file; counts."""

    def __init__(self, path: str = os.devnull) -> None:
        self._file = open(path, "wb", 0)  # noqa: SIM115  (as long as the process)
        self.size = 0

    def write(self, block: bytes) -> None:
        self.size += self._file.write(block)


class File:
    """A file as a pipeline's source."""

    def __init__(self, file: BinaryIO) -> None:
        self.readinto = file.readinto

    def interrupt(self) -> None:
        return


class Endless:
    """A pipeline's source of so many MiB of text, which are made here and nowhere on a disk."""

    def __init__(self, size: int) -> None:
        self._block = corpora.text(4 * MIB)
        self._left = size // 4

    def readinto(self, buffer: bytearray) -> int:
        if not self._left:
            return 0
        self._left -= 1
        buffer[:] = self._block
        return len(self._block)

    def interrupt(self) -> None:
        return


@contextmanager
def timed(sink: Null) -> Iterator[None]:
    """Prints what the block took."""
    used, begun = time.process_time(), time.perf_counter()
    yield
    print(time.perf_counter() - begun, time.process_time() - used, sink.size)


def chain(steps: str, workers: Workers, decodes: bool = False) -> Chain:
    """The codec of 'zstd:3+aes256-gcm', or what reads it."""
    codecs: list[Codec] = []
    for name, _, level in (step.partition(":") for step in steps.split("+")):
        if name in COMPRESSIONS:
            row = COMPRESSIONS[name]
            codecs.append(row.reader.decoder(workers) if decodes else row.encoder(workers, int(level)))
        else:
            sealing = ENCRYPTIONS[name]
            codecs.append((sealing.opener if decodes else sealing.sealer)(workers, KEY))
    return Chain(*(reversed(codecs) if decodes else codecs))


def encode(steps: str, path: str, out: str = os.devnull) -> None:
    """A file through the pipeline: read, hash, encode, hash, write."""
    sink = Null(out)
    with Workers() as workers, open(path, "rb", 0) as file, timed(sink):
        run(File(file), chain(steps, workers), sink, size=os.path.getsize(path))


def decode(steps: str, path: str) -> None:
    """The same backwards."""
    sink = Null()
    with Workers() as workers, open(path, "rb", 0) as file, timed(sink):
        run(File(file), chain(steps, workers, True), sink)


def bare(steps: str, path: str) -> None:
    """Read and encode, without pipeline and hashes."""
    sink = Null()
    with Workers() as workers, open(path, "rb", 0) as file, timed(sink):
        for piece in coded(chain(steps, workers), read_blocks(File(file), None, UNWATCHED)):
            sink.write(piece)


def bare_decode(steps: str, path: str) -> None:
    """Read and decode, without pipeline and hashes."""
    sink = Null()
    with Workers() as workers, open(path, "rb", 0) as file, timed(sink):
        for piece in coded(chain(steps, workers, True), read_blocks(File(file), None, UNWATCHED)):
            sink.write(piece)


def read(path: str) -> None:
    """Read a file, in one thread."""
    _each_block(path, lambda block: None)


def sha256(path: str) -> None:
    """Read a file and hash it, in one thread."""
    _each_block(path, hashlib.sha256().update)


def copy(path: str) -> None:
    """Read a file and copy each block in memory, in one thread."""
    room = bytearray(4 * MIB)

    def copied(block: memoryview) -> None:
        room[: len(block)] = block

    _each_block(path, copied)


def _each_block(path: str, act: Callable[[memoryview], None]) -> None:
    buffer = bytearray(4 * MIB)
    with open(path, "rb", 0) as file, timed(Null()):
        while count := file.readinto(buffer):
            act(memoryview(buffer)[:count])


def pack(steps: str, folder: str, out: str = os.devnull) -> None:
    """A folder into one archive."""
    sink = Null(out)
    with Workers() as workers, timed(sink):
        run(Packing(local.members(folder), local.opened), chain(steps, workers), sink)


def piece(path: str, offset: str) -> None:
    """1 MiB out of a sealed file, with opening it."""
    sink = Null()
    with timed(sink):
        sink.write(open_sealed(FileSource(path), KEY).read(int(offset), MIB))


def endless(steps: str, size: str) -> None:
    """Stream so many MiB; prints seconds, the largest resident memory in MiB, and the bytes of the result."""
    sink, begun = Null(), time.perf_counter()
    with Workers() as workers:
        passed = run(Endless(int(size)), chain(steps, workers), sink)
    if passed.read_size != int(size) * MIB:
        raise SystemExit(f"only {passed.read_size} bytes went through")
    print(time.perf_counter() - begun, resident(), sink.size)


def resident() -> int:
    """The largest resident memory of this process so far, in MiB; getrusage would count the parent's too."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) // 1024


def tink(path: str, out: str = os.devnull) -> None:
    """What Tink's own Python does with a file, as its examples do it; leaves the keyset beside the result."""
    from tink import json_proto_keyset_format, new_keyset_handle, secret_key_access, streaming_aead

    streaming_aead.register()
    handle = new_keyset_handle(streaming_aead.streaming_aead_key_templates.AES256_GCM_HKDF_1MB)
    primitive = handle.primitive(streaming_aead.StreamingAead)
    with open(path, "rb") as source, timed(Null()), primitive.new_encrypting_stream(open(out, "wb"), b"") as sealed:
        shutil.copyfileobj(source, sealed, MIB)
    if out != os.devnull:
        Path(out + ".keyset").write_text(json_proto_keyset_format.serialize(handle, secret_key_access.TOKEN))


def tink_decode(path: str) -> None:
    """The same backwards."""
    from tink import json_proto_keyset_format, secret_key_access, streaming_aead

    streaming_aead.register()
    handle = json_proto_keyset_format.parse(Path(path + ".keyset").read_text(), secret_key_access.TOKEN)
    primitive = handle.primitive(streaming_aead.StreamingAead)
    sink = Null()
    with timed(sink), primitive.new_decrypting_stream(open(path, "rb"), b"") as plain:
        while block := plain.read(MIB):
            sink.write(block)


WORK = (encode, decode, bare, bare_decode, read, sha256, copy, pack, piece, endless, tink, tink_decode)

if __name__ == "__main__":
    {work.__name__: work for work in WORK}[sys.argv[1]](*sys.argv[2:])
