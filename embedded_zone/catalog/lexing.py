"""The tokens that both query languages share: literals, words, numbers, signs; and a reader over them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from embedded_zone.errors import IrodsError

Token = tuple[str, str]  # kind (literal, word, keyword, number, sign, end) and value

_TOKEN = re.compile(
    r"""[ \t\n]*(?:
        '(?P<literal>(?:[^']|'')*)'
      | (?P<word>[A-Za-z][A-Za-z0-9_]*)
      | (?P<number>-?[0-9]+)
      | (?P<sign><=|>=|!=|<>|\|\||&&|[=<>,()])
      | (?P<end>$)
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(rb"''|\\x([0-9A-Fa-f]{2})")


def _tokens(text: str, keywords: frozenset[str], error_code: int) -> Iterator[Token]:
    position = 0
    while True:
        match = _TOKEN.match(text, position)
        if match is None:
            raise IrodsError(error_code, f"malformed query at position {position + 1}")
        position = match.end()
        kind = str(match.lastgroup)
        value = match[kind]
        if kind == "literal":
            yield kind, _unescape(value)
        elif kind == "word" and value.lower() in keywords:
            yield "keyword", value.lower()
        else:
            yield kind, value
        if kind == "end":
            return


def _unescape(value: str) -> str:
    r"""``''`` is a quote, ``\xHH`` a byte."""
    raw = value.encode("utf-8", "surrogateescape")
    raw = _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()) if match[1] else b"'", raw)
    return raw.decode("utf-8", "surrogateescape")


class TokenReader:
    """One token of look-ahead; whatever does not fit raises IrodsError ``error_code``."""

    def __init__(self, text: str, keywords: frozenset[str], error_code: int) -> None:
        self._error_code = error_code
        self._rest = _tokens(text, keywords, error_code)
        self.next = next(self._rest)

    def advance(self) -> str:
        """Go on by one token; answers the value of the one passed."""
        value = self.next[1]
        if self.next[0] != "end":
            self.next = next(self._rest)
        return value

    def accept(self, kind: str, value: str) -> bool:
        """Pass the token if it is this one."""
        if self.next != (kind, value):
            return False
        self.advance()
        return True

    def keywords(self, *words: str) -> bool:
        """Pass a keyword, which then must be followed by the others."""
        if not self.accept("keyword", words[0]):
            return False
        for word in words[1:]:
            self.expect("keyword", word)
        return True

    def expect(self, kind: str, value: str) -> None:
        """Pass this token; anything else is an error."""
        if not self.accept(kind, value):
            raise self.unexpected()

    def take(self, kind: str) -> str:
        """Pass a token of a kind and answer its value."""
        if self.next[0] != kind:
            raise self.unexpected()
        return self.advance()

    def unexpected(self) -> IrodsError:
        return IrodsError(self._error_code, f"malformed query: unexpected {self.next[1]!r}")
