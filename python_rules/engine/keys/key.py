"""One version of a named key."""

from __future__ import annotations

from typing import NoReturn


class Key:
    """The secret of one key version; it shows itself to no repr, no pickle and no copy."""

    __slots__ = ("_secret", "name", "version")

    def __init__(self, name: str, version: int, secret: bytes) -> None:
        self.name = name
        self.version = version
        self._secret = secret

    @property
    def secret(self) -> bytes:
        """The bytes of the key: for ciphers only."""
        return self._secret

    @property
    def reference(self) -> str:
        """What an object's AVU says about it: ``name:version``."""
        return f"{self.name}:{self.version}"

    def __repr__(self) -> str:
        return "Key()"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not copied or pickled")

    __getstate__ = __copy__ = __reduce__

    def __deepcopy__(self, memory: object) -> NoReturn:
        self.__reduce__()
