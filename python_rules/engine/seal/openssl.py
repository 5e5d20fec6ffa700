"""openssl: what stock ``openssl enc -aes-256-<mode> -pbkdf2 -iter <n>`` makes, with and without ``-a``.

Here to read, and to migrate, what LEXIS's workers wrote. The format is NOT AUTHENTICATED: a changed or missing byte
gives other plain data and no error (CBC notices some cuts by its padding), and the wrong passphrase gives noise. Only
the size and the hash that Sluice records beside an object tell; so whoever can choose should take aes256-gcm.

Layout: ``Salted__``, 8 bytes of salt, the ciphertext; key and IV are PBKDF2-HMAC-SHA256(passphrase, salt, n). With
``-a`` all of it is base64 in lines of 64 characters. The passphrase is what was imported as one, with its own n, or
the 32 bytes of any other key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR
from cryptography.hazmat.primitives.padding import PKCS7

from python_rules.engine.blocks import Block
from python_rules.engine.keys.key import Key, Passphrase
from python_rules.engine.parallel import Workers
from python_rules.engine.seal.tink import corrupt

MAGIC = b"Salted__"
ARMOURED = base64.b64encode(MAGIC)[:10]  # how the magic begins with -a
SALT_SIZE, KEY_SIZE, IV_SIZE = 8, 32, 16
HEADER_SIZE = len(MAGIC) + SALT_SIZE
_BLOCK_BITS = 128
_BLANKS = b" \r\n"
_LINE = 48  # bytes that make a line of base64


class Variant(NamedTuple):
    """The options of openssl that its files do not tell."""

    padded: bool  # -aes-256-cbc, else -aes-256-ctr
    iterations: int
    armoured: bool = False  # -a; a reader sees that by itself


LEXIS = Variant(False, 1000)  # the values of LEXIS's published configuration
LARGEST_ITERATIONS = (1 << 31) - 1
STOCK = Variant(True, 10_000)  # what ``openssl enc -aes-256-cbc -pbkdf2`` does when nothing else is said
VARIANTS = {"openssl-ctr": LEXIS, "openssl-cbc": STOCK}


class Sealer:
    """Plain data in, openssl's format out."""

    def __init__(self, variant: Variant, _workers: Workers, key: Key) -> None:
        salt = os.urandom(SALT_SIZE)
        self._header = MAGIC + salt
        self._cipher = _cipher(variant, key, salt).encryptor()
        self._pad = PKCS7(_BLOCK_BITS).padder() if variant.padded else None
        self._armour = _Armour() if variant.armoured else None

    def feed(self, block: Block) -> Iterator[Block]:
        """As Codec.feed."""
        sealed = self._begun() + self._cipher.update(self._pad.update(bytes(block)) if self._pad else block)
        yield self._armour.lines(sealed) if self._armour else sealed

    def finish(self) -> Iterator[Block]:
        """As Codec.finish."""
        last = self._begun() + (self._cipher.update(self._pad.finalize()) if self._pad else b"")
        last += self._cipher.finalize()
        yield self._armour.lines(last) + self._armour.rest() if self._armour else last

    def _begun(self) -> bytes:
        made, self._header = self._header, b""
        return made


class _Armour:
    """base64 in openssl's lines of 64 characters."""

    def __init__(self) -> None:
        self._left = b""

    def lines(self, data: bytes) -> bytes:
        """The lines that are full."""
        data = self._left + data
        end = len(data) // _LINE * _LINE
        self._left = data[end:]
        return b"".join(map(_line, (data[start : start + _LINE] for start in range(0, end, _LINE))))

    def rest(self) -> bytes:
        """The last line, if one is left."""
        return _line(self._left) if self._left else b""


def _line(data: bytes) -> bytes:
    return base64.b64encode(data) + b"\n"


class Opener:
    """openssl's format in, with or without ``-a``; plain data out, or noise if anything was changed."""

    def __init__(self, variant: Variant, _workers: Workers, key: Key) -> None:
        self._variant = variant
        self._key = key
        self._header = b""
        self._unarmoured: Callable[[Block], bytes] | None = None
        self._cipher: CipherContext | None = None
        self._unpad = PKCS7(_BLOCK_BITS).unpadder() if variant.padded else None
        self._begin = b""
        self._size = 0
        self._left = b""

    def feed(self, block: Block) -> Iterator[Block]:
        """As Codec.feed."""
        data: Block = block
        self._size += len(block)
        if self._unarmoured is None:
            self._begin += bytes(block)
            if len(self._begin) < len(ARMOURED):
                return
            data, self._begin = self._begin, b""
            self._unarmoured = self._base64 if data.startswith(ARMOURED) else bytes
        yield from self._decrypted(self._unarmoured(data))

    def finish(self) -> Iterator[Block]:
        """As Codec.finish."""
        if self._cipher is None or self._left:
            raise corrupt("the openssl data end too soon", self._size)
        try:
            rest = self._cipher.finalize()
            yield self._unpad.update(rest) + self._unpad.finalize() if self._unpad else rest
        except ValueError:
            raise corrupt("the openssl data are damaged or cut off, or the key is another", self._size) from None

    def _decrypted(self, data: bytes) -> Iterator[Block]:
        if self._cipher is None:
            self._header += data
            if len(self._header) < HEADER_SIZE:
                return
            if not self._header.startswith(MAGIC):
                raise corrupt("these are not data of openssl enc", 0)
            salt, data = self._header[len(MAGIC) : HEADER_SIZE], self._header[HEADER_SIZE:]
            self._cipher = _cipher(self._variant, self._key, salt).decryptor()
        plain = self._cipher.update(data)
        yield self._unpad.update(plain) if self._unpad else plain

    def _base64(self, block: Block) -> bytes:
        text = self._left + bytes(block).translate(None, _BLANKS)
        end = len(text) // 4 * 4
        self._left = text[end:]
        try:
            return base64.b64decode(text[:end], validate=True)
        except binascii.Error:
            raise corrupt("the base64 text of the openssl data is damaged", self._size - len(block)) from None


def _cipher(variant: Variant, key: Key, salt: bytes) -> Cipher[CBC | CTR]:
    given, rounds = (key.phrase, key.iterations) if isinstance(key, Passphrase) else (key.secret, 0)
    made = hashlib.pbkdf2_hmac("sha256", given, salt, rounds or variant.iterations, KEY_SIZE + IV_SIZE)
    iv = made[KEY_SIZE:]
    return Cipher(AES256(made[:KEY_SIZE]), CBC(iv) if variant.padded else CTR(iv))


lexis_sealer, lexis_opener = partial(Sealer, LEXIS), partial(Opener, LEXIS)
stock_sealer, stock_opener = partial(Sealer, STOCK), partial(Opener, STOCK)
