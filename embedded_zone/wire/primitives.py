"""What the two body protocols share: the error, the limits, and the five primitives each of them offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol as Interface

from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

ENCODING = "utf-8"
ERRORS = "surrogateescape"  # names and AVUs may hold any bytes
NULL_POINTER = b"%@#ANULLSTR$%\0"  # what NATIVE_PROT sends for a null pointer


class PackError(IrodsError):
    """A structure cannot be packed, or the bytes received are not that structure."""

    def __init__(self, message: str, code: int = codes.SYS_PACK_INSTRUCT_FORMAT_ERR) -> None:
        super().__init__(code, message)


def too_long(name: str, length: int, limit: int) -> PackError:
    """A string that does not fit its field: USER_PACKSTRUCT_INPUT_ERR, as a real peer answers."""
    return PackError(f"{name}: {length} bytes, at most {limit - 1}", codes.USER_PACKSTRUCT_INPUT_ERR)


def text_bytes(value: object) -> bytes:
    """A string as it travels: UTF-8, escaped bytes restored, cut at the first NUL as C would."""
    data = value if isinstance(value, bytes) else ("" if value is None else str(value)).encode(ENCODING, ERRORS)
    return data.partition(b"\0")[0]


class Writer(Interface):
    """Collects a packed message; ``limit`` counts the NUL, 0 is none."""

    def open(self, name: str) -> None: ...
    def close(self, name: str) -> None: ...
    def integers(self, name: str, values: Sequence[int], size: int) -> None: ...
    def texts(self, name: str, values: Sequence[object], limit: int) -> None: ...
    def raw(self, name: str, value: bytes, *, encoded: bool) -> None: ...
    def null(self) -> None: ...
    def take(self) -> bytes: ...


class Reader(Interface):
    """Takes a packed message apart in order; a reader that finds an element missing answers None."""

    def enter(self, name: str) -> bool: ...
    def leave(self, name: str) -> None: ...
    def integers(self, name: str, count: int, size: int) -> list[int] | None: ...
    def texts(self, name: str, count: int, limit: int) -> list[str] | None: ...
    def raw(self, name: str, size: int, *, encoded: bool) -> bytes | None: ...
    def null(self) -> bool: ...
