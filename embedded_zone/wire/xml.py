"""XML_PROT: ``<name>value</name>``, as iRODS writes it, which is not quite XML.

Control characters are legal in values and travel as they are, so this is a tag scanner and not an XML parser.
Elements come in the order of the pack instruction; a missing one is skipped (python-irodsclient leaves some out).
"""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Sequence

from embedded_zone.wire.primitives import ENCODING, ERRORS, PackError, text_bytes, too_long

_INTEGER = re.compile(r"\s*([+-]?\d+)")
# & first when writing and last when reading, or entities would be made or eaten twice.
_ENTITIES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&apos;"))


def escape(text: str) -> str:
    """Replace the five characters that iRODS encodes since 4.2.9."""
    for plain, entity in _ENTITIES:
        text = text.replace(plain, entity)
    return text


def unescape(text: str) -> str:
    """Undo ``escape``."""
    if "&" in text:
        for plain, entity in reversed(_ENTITIES):
            text = text.replace(entity, plain)
    return text


class XmlWriter:
    """See ``primitives.Writer``."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def open(self, name: str) -> None:
        self._parts.append(f"<{name}>\n")

    def close(self, name: str) -> None:
        self._parts.append(f"</{name}>\n")

    def integers(self, name: str, values: Sequence[int], size: int) -> None:
        self._parts.extend(f"<{name}>{value:d}</{name}>\n" for value in values)

    def texts(self, name: str, values: Sequence[object], limit: int) -> None:
        for value in values:
            text = (
                "" if value is None else value if isinstance(value, str) else text_bytes(value).decode(ENCODING, ERRORS)
            )
            if "\0" in text:
                text = text.partition("\0")[0]
            # A character is one to four bytes: only strings near the limit need to be counted exactly.
            if limit and len(text) * 4 >= limit and len(text_bytes(text)) >= limit:
                raise too_long(name, len(text_bytes(text)), limit)
            self._parts.append(f"<{name}>{escape(text)}</{name}>\n")

    def raw(self, name: str, value: bytes, *, encoded: bool) -> None:
        text = b64encode(value).decode("ascii") if encoded else value.decode(ENCODING, ERRORS)
        self._parts.append(f"<{name}>{text}</{name}>\n")

    def null(self) -> None:
        pass

    def take(self) -> bytes:
        return "".join(self._parts).encode(ENCODING, ERRORS)


class XmlReader:
    """See ``primitives.Reader``."""

    def __init__(self, data: bytes) -> None:
        self._text = bytes(data).decode(ENCODING, ERRORS)
        self._at = 0

    def enter(self, name: str) -> bool:
        start = self._start(name)
        if start < 0:
            return False
        self._at = start
        return True

    def leave(self, name: str) -> None:
        self._at = self._end(name, self._at) + len(name) + 3

    def integers(self, name: str, count: int, size: int) -> list[int] | None:
        values = self._elements(name, count)
        return None if values is None else [_integer(value) for value in values]

    def texts(self, name: str, count: int, limit: int) -> list[str] | None:
        values = self._elements(name, count)
        if values is None:
            return None
        texts = [unescape(value).partition("\0")[0] for value in values]
        for text in texts:
            if limit and len(text) * 4 >= limit and len(text_bytes(text)) >= limit:
                raise too_long(name, len(text_bytes(text)), limit)
        return texts

    def raw(self, name: str, size: int, *, encoded: bool) -> bytes | None:
        values = self._elements(name, 1)
        if values is None:
            return None
        data = values[0].encode(ENCODING, ERRORS)
        if encoded:
            try:
                data = a2b_base64(data)
            except ValueError as error:
                raise PackError(f"{name}: not base64: {error}") from None
        return data if len(data) <= size else data[:size]

    def null(self) -> bool:
        return False

    def _start(self, name: str) -> int:
        """Where the content of the next element begins, if that is ``name``; else -1."""
        tag = self._text.find("<", self._at)
        begins = tag >= 0 and self._text.startswith(f"{name}>", tag + 1)
        return tag + len(name) + 2 if begins else -1

    def _end(self, name: str, start: int) -> int:
        end = self._text.find(f"</{name}>", start)
        if end < 0:
            raise PackError(f"no end tag for {name}")
        return end

    def _elements(self, name: str, count: int) -> list[str] | None:
        """The contents of ``count`` elements; None if there is not even one, an error if there are fewer."""
        found: list[str] = []
        while len(found) < count:
            start = self._start(name)
            if start < 0:
                break
            end = self._end(name, start)
            found.append(self._text[start:end])
            self._at = end + len(name) + 3
        if found and len(found) < count:
            raise PackError(f"{name}: {count} elements expected, {len(found)} found")
        return found or None


def _integer(text: str) -> int:
    match = _INTEGER.match(text)
    return int(match[1]) if match and len(match[1]) < 24 else 0
