"""One version of a named key."""

from __future__ import annotations

from typing import NoReturn

from python_rules.jobs.errors import JobError


class Secret(bytearray):
    """Secret bytes; they show themselves to no repr, pickle or copy, and are zeroed when nobody holds them.

    Zeroed with the buffer and not with the key that has it: a cipher that still holds the buffer must never see zeros.
    """

    __slots__ = ()

    def __del__(self) -> None:
        wipe(self)

    def __repr__(self) -> str:
        return "Secret()"

    __str__ = __repr__

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a key is not copied or pickled")


class Key:
    """The secret of one key version; it shows itself to no repr, no pickle and no copy."""

    __slots__ = ("_secret", "name", "version")

    def __init__(self, name: str, version: int, secret: bytes | bytearray) -> None:
        self.name = name
        self.version = version
        self._secret = Secret(secret)

    @property
    def secret(self) -> Secret:
        """The bytes of the key: for ciphers only; a copy of them is not zeroed."""
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


class Passphrase(Key):
    """What ``openssl enc -pass`` is given, of any length; it is a key to nothing else.

    ``iterations`` is openssl's ``-iter``, which its files do not tell; 0 stands for the method's own number.
    """

    __slots__ = ("iterations",)

    def __init__(self, name: str, version: int, secret: bytes | bytearray, iterations: int = 0) -> None:
        super().__init__(name, version, secret)
        self.iterations = iterations

    @property
    def secret(self) -> NoReturn:
        """Raises JobError ``bad_value``: no cipher takes a passphrase for a key."""
        remedy = "encrypt with openssl-ctr or openssl-cbc, or name a key of 32 bytes"
        raise JobError("bad_value", f"the key {self.name} is a passphrase of openssl", field="key", remedy=remedy)

    @property
    def phrase(self) -> Secret:
        """The passphrase; a copy of it is not zeroed."""
        return self._secret


class ObjectKey(Key):
    """The key of one object alone, as it was shared; it stands where the named key would, and derives nothing."""

    __slots__ = ()


def wipe(secret: bytearray) -> None:
    """Zero the bytes in place."""
    secret[:] = bytes(len(secret))
