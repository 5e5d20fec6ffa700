"""A temporary file whose content is on the disk only encrypted, for formats that cannot be read from front to back.

The key is this process's and goes with it; the file has no name. AES-256-CTR: any range can be read, and each offset is
written once.
"""

from __future__ import annotations

import io
import os
import tempfile

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR

_BLOCK = 16  # bytes of AES


class SealedSpool(io.RawIOBase):
    """Write all of it, then read what is wanted."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._file = tempfile.TemporaryFile(dir=folder or None)  # noqa: SIM115  (closed with us)
        self._key = AES256(os.urandom(32))
        self._sealing = Cipher(self._key, CTR(bytes(_BLOCK))).encryptor()
        self.size = 0
        self._at = 0

    def append(self, block: bytes | bytearray | memoryview) -> None:
        """Add bytes at the end; raises OSError when the disk is full."""
        self._file.write(self._sealing.update(block))
        self.size += len(block)

    def readable(self) -> bool:
        """As io.IOBase.readable."""
        return True

    def seekable(self) -> bool:
        """As io.IOBase.seekable."""
        return True

    def tell(self) -> int:
        """As io.IOBase.tell."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As io.IOBase.seek."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        """As io.RawIOBase.read."""
        skip = self._at % _BLOCK
        self._file.seek(self._at - skip)
        wanted = max(0, self.size - self._at if size < 0 else min(size, self.size - self._at))
        opening = Cipher(self._key, CTR((self._at // _BLOCK).to_bytes(_BLOCK, "big"))).decryptor()
        found = opening.update(self._file.read(skip + wanted))[skip:]
        self._at += len(found)
        return found

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """As io.RawIOBase.readinto."""
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def close(self) -> None:
        """The file is gone with it."""
        self._file.close()
        super().close()
