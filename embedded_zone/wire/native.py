"""NATIVE_PROT: big-endian integers, NUL-terminated strings, raw bytes, and a marker for null pointers."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from embedded_zone.wire.primitives import ENCODING, ERRORS, NULL_POINTER, PackError, text_bytes, too_long

_FORMATS = {2: "h", 4: "i", 8: "q"}


class NativeWriter:
    """See ``primitives.Writer``."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def open(self, name: str) -> None:
        pass

    def close(self, name: str) -> None:
        pass

    def integers(self, name: str, values: Sequence[int], size: int) -> None:
        try:
            self._parts.append(struct.pack(f">{len(values)}{_FORMATS[size]}", *values))
        except struct.error as error:
            raise PackError(f"{name}: {error}") from None

    def texts(self, name: str, values: Sequence[object], limit: int) -> None:
        for value in values:
            data = text_bytes(value)
            if limit and len(data) >= limit:
                raise too_long(name, len(data), limit)
            self._parts.append(data + b"\0")

    def raw(self, name: str, value: bytes, *, encoded: bool) -> None:
        self._parts.append(value)

    def null(self) -> None:
        self._parts.append(NULL_POINTER)

    def take(self) -> bytes:
        return b"".join(self._parts)


class NativeReader:
    """See ``primitives.Reader``; nothing is ever missing here, a short message is an error."""

    def __init__(self, data: bytes) -> None:
        self._data = bytes(data)
        self._at = 0

    def enter(self, name: str) -> bool:
        return True

    def leave(self, name: str) -> None:
        pass

    def integers(self, name: str, count: int, size: int) -> list[int] | None:
        data = self._slice(name, count * size)
        return list(struct.unpack(f">{count}{_FORMATS[size]}", data))

    def texts(self, name: str, count: int, limit: int) -> list[str] | None:
        if count > len(self._data) - self._at:
            raise PackError(f"{name}: {count} strings do not fit the message")
        return [self._text(name, limit) for _ in range(count)]

    def raw(self, name: str, size: int, *, encoded: bool) -> bytes | None:
        return self._slice(name, size)

    def null(self) -> bool:
        found = self._data.startswith(NULL_POINTER, self._at)
        if found:
            self._at += len(NULL_POINTER)
        return found

    def _text(self, name: str, limit: int) -> str:
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise PackError(f"{name}: string without end")
        if limit and end - self._at >= limit:
            raise too_long(name, end - self._at, limit)
        data, self._at = self._data[self._at : end], end + 1
        return data.decode(ENCODING, ERRORS)

    def _slice(self, name: str, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise PackError(f"{name}: {size} bytes expected, {len(self._data) - self._at} left")
        data, self._at = self._data[self._at : end], end
        return data
