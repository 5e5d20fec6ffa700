"""crypt4gh: GA4GH's file encryption standard, version 1.0 (samtools.github.io/hts-specs/crypt4gh.pdf).

A header holds the data key, sealed once for each reader's X25519 public key; the body is segments of 64 KiB of
ChaCha20-Poly1305, each with a nonce of its own. A named key of the keyring is used as an X25519 private key.

The format has no end mark and does not number its segments: data cut at the edge of a segment, or segments that
were exchanged, can only be noticed by the size and the hash that Sluice records beside the object.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from python_rules.engine.blocks import Block, Cutter, Room, Rooms, Window
from python_rules.engine.keys.key import Key
from python_rules.engine.parallel import InOrder, Workers
from python_rules.engine.seal.tink import corrupt, filled

MAGIC = b"crypt4gh"
VERSION = 1
HEAD = struct.Struct("<8sII")  # magic, version, number of packets
PACKET = struct.Struct("<II")  # length with these 8 bytes, method
CHACHA20_POLY1305 = 0
DATA_KEY = struct.pack("<II", 0, CHACHA20_POLY1305)  # packet type 'data encryption parameters', their method
PUBLIC_KEY_SIZE = 32
NONCE_SIZE = 12
TAG_SIZE = 16
SEGMENT = 65536
OVERHEAD = NONCE_SIZE + TAG_SIZE
STORED = SEGMENT + OVERHEAD
BATCH = 16  # segments for one task: one alone would be mostly overhead
LARGEST_HEADER = 1 << 20  # some 9,000 readers


class Sealer:
    """Plain data in, crypt4gh out, for the owner of the named key."""

    def __init__(self, workers: Workers, key: Key) -> None:
        data_key = os.urandom(32)
        self._header = header(data_key, [public_key(key)])
        self._cutter = Cutter(BATCH * SEGMENT)
        self._batches = InOrder(workers, _sealed)
        self._rooms = Rooms(BATCH * STORED)
        self._cipher = ChaCha20Poly1305(data_key)

    def feed(self, block: Block) -> Iterator[Block]:
        """As Codec.feed."""
        yield from self._begun()
        for piece in self._cutter.feed(block):
            yield from filled(self._batches.add(*self._task(piece, False)))

    def finish(self) -> Iterator[Block]:
        """As Codec.finish."""
        yield from self._begun()
        yield from filled(self._batches.last(*self._task(self._cutter.rest(), True)))

    def _task(self, piece: Block, last: bool) -> tuple[object, ...]:
        """What ``_sealed`` is to do with the next piece, and where the result goes."""
        segments = -(-len(piece) // SEGMENT)
        return self._cipher, piece, self._rooms.take(len(piece) + segments * OVERHEAD, last)

    def _begun(self) -> Iterator[Block]:
        made, self._header = self._header, b""
        if made:
            yield made


class Opener:
    """crypt4gh in, plain data out; a segment comes out only after its tag was checked."""

    def __init__(self, workers: Workers, key: Key) -> None:
        self._key = key
        self._window = Window()
        self._cutter = Cutter(BATCH * STORED)
        self._batches = InOrder(workers, _opened)
        self._rooms = Rooms(BATCH * SEGMENT)
        self._cipher: ChaCha20Poly1305 | None = None
        self._offset = 0  # of the next batch

    def feed(self, block: Block) -> Iterator[Block]:
        """As Codec.feed."""
        if self._cipher is None:
            self._window.feed(block)
            size = header_size(self._window.peek(LARGEST_HEADER))
            if size is None:
                return
            self._cipher = ChaCha20Poly1305(data_key(self._window.take(size), self._key))
            self._offset = size
            block = self._window.take(len(self._window))
        for piece in self._cutter.feed(block):
            yield from filled(self._batches.add(*self._task(self._cipher, piece, False)))

    def finish(self) -> Iterator[Block]:
        """As Codec.finish."""
        if self._cipher is None:
            raise corrupt("the crypt4gh data end inside their header", len(self._window))
        yield from filled(self._batches.last(*self._task(self._cipher, self._cutter.rest(), True)))

    def _task(self, cipher: ChaCha20Poly1305, piece: Block, last: bool) -> tuple[object, ...]:
        """What ``_opened`` is to do with the next segments, and where their plain data go."""
        offset, self._offset = self._offset, self._offset + len(piece)
        segments = -(-len(piece) // STORED)
        return cipher, piece, offset, self._rooms.take(max(0, len(piece) - segments * OVERHEAD), last)


def public_key(key: Key) -> bytes:
    """The public half of a named key, which others seal for."""
    return X25519PrivateKey.from_private_bytes(key.secret).public_key().public_bytes_raw()


def header(secret: bytes, readers: Sequence[bytes]) -> bytes:
    """A header that gives the data key to the owners of these public keys."""
    packets = [_packet(secret, reader) for reader in readers]
    return HEAD.pack(MAGIC, VERSION, len(packets)) + b"".join(packets)


def rewritten(start: bytes, key: Key, readers: Sequence[bytes]) -> tuple[int, bytes]:
    """The size of the header that the data begin with, and one for other readers to put in its place."""
    size = header_size(start)
    if size is None:
        raise corrupt("the crypt4gh data end inside their header", len(start))
    return size, header(data_key(start[:size], key), readers)


def header_size(start: bytes) -> int | None:
    """Bytes of the header that the data begin with; None if it is not all there yet."""
    if not start.startswith(MAGIC[: len(start)]):
        raise corrupt("these are not crypt4gh data", 0)
    if len(start) < HEAD.size:
        return None
    _, version, count = HEAD.unpack_from(start)
    if version != VERSION:
        raise corrupt("these crypt4gh data have another version than 1", len(MAGIC))
    at = HEAD.size
    for _ in range(count):
        if at + PACKET.size > len(start):
            return None
        length = PACKET.unpack_from(start, at)[0]
        if length < PACKET.size or at + length > LARGEST_HEADER:
            raise corrupt("the crypt4gh header is damaged", at)
        at += length
    return at if at <= len(start) else None


def fits(key: Key, start: bytes) -> bool:
    """Whether one of the packets in the header that the data begin with is for this key."""
    size = header_size(start)
    return size is not None and bool(_packets(start[:size], key))


def data_key(whole: bytes, key: Key) -> bytes:
    """The data key out of a whole header; raises JobError if no packet of it is for this key."""
    found = _packets(whole, key)
    if len(found) != 1 or not found[0].startswith(DATA_KEY) or len(found[0]) != len(DATA_KEY) + 32:
        # Several keys or an edit list are allowed by the standard; no writer that we know of makes them.
        raise corrupt("the crypt4gh header is damaged, or not for this key", HEAD.size)
    return found[0][len(DATA_KEY) :]


def _packets(whole: bytes, key: Key) -> list[bytes]:
    """What those packets of a whole header hold that are for this key."""
    found: list[bytes] = []
    at = HEAD.size
    while at < len(whole):
        length, method = PACKET.unpack_from(whole, at)
        if method == CHACHA20_POLY1305:
            found += _unpacked(whole[at + PACKET.size : at + length], key)
        at += length
    return found


def _packet(secret: bytes, reader: bytes) -> bytes:
    writer = X25519PrivateKey.generate()
    mine = writer.public_key().public_bytes_raw()
    shared = _shared(writer, reader, reader, mine)
    nonce = os.urandom(NONCE_SIZE)
    body = mine + nonce + ChaCha20Poly1305(shared).encrypt(nonce, DATA_KEY + secret, None)
    return PACKET.pack(PACKET.size + len(body), CHACHA20_POLY1305) + body


def _unpacked(body: bytes, key: Key) -> list[bytes]:
    """What a packet holds, if it is for this key."""
    writer, nonce = body[:PUBLIC_KEY_SIZE], body[PUBLIC_KEY_SIZE : PUBLIC_KEY_SIZE + NONCE_SIZE]
    try:
        shared = _shared(X25519PrivateKey.from_private_bytes(key.secret), writer, public_key(key), writer)
        return [ChaCha20Poly1305(shared).decrypt(nonce, body[PUBLIC_KEY_SIZE + NONCE_SIZE :], None)]
    except (InvalidTag, ValueError):
        return []


def _shared(mine: X25519PrivateKey, other: bytes, reader: bytes, writer: bytes) -> bytes:
    """The key of a packet (libsodium's crypto_kx): what both sides make of their keys, and who is who."""
    exchanged = mine.exchange(X25519PublicKey.from_public_bytes(other))
    return blake2b(exchanged + reader + writer, digest_size=64).digest()[:32]


def _sealed(cipher: ChaCha20Poly1305, piece: Block, room: Room) -> memoryview | None:
    """Seal segments into their place."""
    view, stored = memoryview(piece), room.view
    nonces = os.urandom(NONCE_SIZE * BATCH)
    for number, start in enumerate(range(0, len(view), SEGMENT)):
        nonce = nonces[number * NONCE_SIZE : (number + 1) * NONCE_SIZE]
        segment = stored[number * STORED : (number + 1) * STORED]
        segment[:NONCE_SIZE] = nonce
        cipher.encrypt_into(nonce, view[start : start + SEGMENT], None, segment[NONCE_SIZE:])
    return room.full


def _opened(cipher: ChaCha20Poly1305, piece: Block, offset: int, room: Room) -> memoryview | None:
    """Open segments into their place."""
    view, plain = memoryview(piece), room.view
    for number, start in enumerate(range(0, len(view), STORED)):
        segment = view[start : start + STORED]
        into = plain[number * SEGMENT : (number + 1) * SEGMENT]
        try:
            cipher.decrypt_into(segment[:NONCE_SIZE], segment[NONCE_SIZE:], None, into)
        except (InvalidTag, ValueError):
            raise corrupt("a crypt4gh segment is damaged or cut off", offset + start) from None
    return room.full
