"""aes256-gcm: Tink's streaming AEAD AES256_GCM_HKDF_1MB, with empty associated data.

Layout (developers.google.com/tink/streaming-aead/aes_gcm_hkdf_streaming): a header of 40 bytes (its length as one
byte, a salt of 32, a nonce prefix of 7), then segments of 1 MiB of ciphertext, the first one shorter by the header.
Each segment is AES-256-GCM under HKDF-SHA256(key, salt) with the nonce prefix | number | 1 for the last, else 0:
segments cannot be moved, dropped, repeated or taken from another object, and the end cannot be cut off.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from python_rules.engine.blocks import MIB, Block, Cutter, Room, Rooms
from python_rules.engine.keys.key import Key, ObjectKey
from python_rules.engine.parallel import InOrder, Workers
from python_rules.jobs.errors import JobError

KEY_SIZE = 32
SALT_SIZE = 32
PREFIX_SIZE = 7
HEADER_SIZE = 1 + SALT_SIZE + PREFIX_SIZE
TAG_SIZE = 16
SEGMENT = MIB
MAGIC = bytes([HEADER_SIZE])
SEGMENT_LIMIT = 1 << 32  # the number in the nonce has 32 bits
_TAIL = struct.Struct(">IB")


class Sealer:
    """Plain data in, sealed data out; every object has a salt, and so a key, of its own."""

    def __init__(self, workers: Workers, key: Key) -> None:
        salt, self._prefix = os.urandom(SALT_SIZE), os.urandom(PREFIX_SIZE)
        self._header = bytes([HEADER_SIZE]) + salt + self._prefix
        self._cipher = derived(key, salt)
        self._segments = InOrder(workers, _sealed)
        self._cutter = Cutter(SEGMENT - HEADER_SIZE - TAG_SIZE)
        self._rooms = Rooms(SEGMENT)
        self._number = 0

    def feed(self, block: Block) -> Iterator[Block]:
        """As Codec.feed: four segments at a time."""
        for piece in self._cutter.feed(block):
            yield from self._begun()
            yield from filled(self._segments.add(*self._task(piece, False)))

    def finish(self) -> Iterator[Block]:
        """As Codec.finish."""
        yield from self._begun()
        yield from filled(self._segments.last(*self._task(self._cutter.rest(), True)))

    def _begun(self) -> Iterator[Block]:
        if not self._number:
            self._cutter.size = SEGMENT - TAG_SIZE
            yield self._header

    def _task(self, piece: Block, last: bool) -> tuple[object, ...]:
        """What ``_sealed`` is to do with the next piece, and where the result goes."""
        number, self._number = self._number, self._number + 1
        room = self._rooms.take(len(piece) + TAG_SIZE, last)
        return self._cipher, nonce(self._prefix, number, last), piece, room


class Opener:
    """Sealed data in, plain data out; a segment comes out only after its tag was checked."""

    def __init__(self, workers: Workers, key: Key) -> None:
        self._key = key
        self._header = b""
        self._prefix = b""
        self._segments = InOrder(workers, _opened)
        self._rooms = Rooms(SEGMENT)
        self._cutter = Cutter(SEGMENT - HEADER_SIZE)
        self._number = 0

    def feed(self, block: Block) -> Iterator[Block]:
        """As Codec.feed."""
        view = memoryview(block)
        missing = HEADER_SIZE - len(self._header)
        if missing:
            self._header += bytes(view[:missing])
            view = view[missing:]
            self._read_header()
        for piece in self._cutter.feed(view):
            self._cutter.size = SEGMENT
            yield from filled(self._segments.add(*self._task(piece, False)))

    def finish(self) -> Iterator[Block]:
        """As Codec.finish."""
        if len(self._header) < HEADER_SIZE:
            raise corrupt("the sealed data ends inside its header", len(self._header))
        yield from filled(self._segments.last(*self._task(self._cutter.rest(), True)))

    def _read_header(self) -> None:
        if self._header and self._header[0] != HEADER_SIZE:
            raise corrupt("this is not sealed data", 0)
        if len(self._header) == HEADER_SIZE:
            self._aead = derived(self._key, self._header[1 : 1 + SALT_SIZE])
            self._prefix = self._header[1 + SALT_SIZE :]

    def _task(self, piece: Block, last: bool) -> tuple[object, ...]:
        """What ``_opened`` is to do with the next segment, and where its plain data go."""
        number, self._number = self._number, self._number + 1
        room = self._rooms.take(max(0, len(piece) - TAG_SIZE), last)
        return self._aead, self._prefix, number, last, piece, room


def _sealed(cipher: AESGCM, once: bytes, piece: Block, room: Room) -> memoryview | None:
    """Seal a piece into its place."""
    cipher.encrypt_into(once, piece, None, room.view)
    return room.full


def _opened(aead: AESGCM, prefix: bytes, number: int, last: bool, piece: Block, room: Room) -> memoryview | None:
    """Open a segment into its place."""
    try:
        aead.decrypt_into(nonce(prefix, number, last), piece, None, room.view)
    except (InvalidTag, ValueError):
        opened(aead, prefix, number, last, piece)  # says what is wrong
        raise
    return room.full


def filled(results: Iterator[memoryview | None]) -> Iterator[Block]:
    """The buffers that are complete."""
    return (found for found in results if found is not None)


def derived(key: Key, salt: bytes) -> AESGCM:
    """The cipher of one object."""
    return AESGCM(key.secret if isinstance(key, ObjectKey) else object_key(key, salt))


def object_key(key: Key, salt: bytes) -> bytes:
    """The key of the one object whose header has this salt."""
    return HKDF(SHA256(), KEY_SIZE, salt, b"").derive(key.secret)


def fits(key: Key, start: bytes) -> bool:
    """Whether a key opens data that begin so; ``start`` has the whole first segment."""
    if len(start) < HEADER_SIZE + TAG_SIZE:
        return False
    aead, prefix = derived(key, start[1 : 1 + SALT_SIZE]), start[1 + SALT_SIZE : HEADER_SIZE]
    return any(_opens(aead, nonce(prefix, 0, last), start[HEADER_SIZE:SEGMENT]) for last in (False, True))


def nonce(prefix: bytes, number: int, last: bool) -> bytes:
    """The nonce of a segment; raises JobError past 2**32 segments (4 PiB)."""
    if number >= SEGMENT_LIMIT:
        raise JobError("engine_failed", "the object is too large to be sealed (4 PiB)", remedy="split it")
    return prefix + _TAIL.pack(number, last)


def segment_offset(number: int) -> int:
    """Where a segment begins in the sealed data, in bytes."""
    return number * SEGMENT or HEADER_SIZE


def opened(aead: AESGCM, prefix: bytes, number: int, last: bool, piece: Block) -> bytes:
    """The plain data of one segment; raises JobError ``corrupt_ciphertext`` with the segment's offset."""
    try:
        return aead.decrypt(nonce(prefix, number, last), piece, None)
    except InvalidTag:
        pass
    # Told apart only for the message: the data ends at a segment's edge, so this one was not the last.
    offset = segment_offset(number)
    if last and _opens(aead, nonce(prefix, number, False), piece):
        raise corrupt("the sealed data has lost its end", offset + len(piece))
    if not last and _opens(aead, nonce(prefix, number, True), piece):
        raise corrupt("something follows the end of the sealed data", offset + len(piece))
    raise corrupt("a sealed segment is damaged or cut off, or the key is not the right one", offset)


def corrupt(text: str, offset: int) -> JobError:
    """The error about sealed data that is not as it was made; ``offset`` in bytes of the sealed data."""
    return JobError(
        "corrupt_ciphertext",
        f"{text}, at byte {offset}",
        remedy="restore the object from a good replica or a copy; check that it was sealed under this key",
        offset=offset,
    )


def _opens(aead: AESGCM, number_used_once: bytes, piece: Block) -> bool:
    try:
        aead.decrypt(number_used_once, piece, None)
    except InvalidTag:
        return False
    return True
