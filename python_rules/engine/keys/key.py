"""One version of a named key."""

from __future__ import annotations

from typing import NoReturn


class Key:
    """The secret of one key version; it shows itself to no repr, no pickle and no copy, and is zeroed when let go."""

    __slots__ = ("_secret", "name", "version")

    def __init__(self, name: str, version: int, secret: bytes | bytearray) -> None:
        self._secret = bytearray(secret)
        self.name = name
        self.version = version

    @property
    def secret(self) -> bytearray:
        """The bytes of the key: for ciphers only; a copy of them is not zeroed."""
        return self._secret

    @property
    def reference(self) -> str:
        """What an object's AVU says about it: ``name:version``."""
        return f"{self.name}:{self.version}"

    def wipe(self) -> None:
        """Zero the secret now; the key is of no use after that."""
        wipe(self._secret)

    def __del__(self) -> None:
        if hasattr(self, "_secret"):
            wipe(self._secret)

    def __repr__(self) -> str:
        return "Key()"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not copied or pickled")

    __getstate__ = __copy__ = __reduce__

    def __deepcopy__(self, memory: object) -> NoReturn:
        self.__reduce__()


def wipe(secret: bytearray) -> None:
    """Zero the bytes in place."""
    secret[:] = bytes(len(secret))
