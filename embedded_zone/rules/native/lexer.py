"""Tokens of the iRODS rule language.

A ``*`` or ``$`` directly before a letter begins a variable, elsewhere it is an operator, as in the real lexer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from embedded_zone.errors import IrodsError
from embedded_zone.wire.codes import RE_PARSER_ERROR

# parser.hpp: MAX_TOKEN_TEXT_LEN; a longer string literal is a syntax error on a real server too.
MAX_TOKEN_TEXT = 1023

_SKIP = re.compile(r"(?:\s+|#[^\n]*)*")
_TOKEN = re.compile(
    r"(?P<local>\*[A-Za-z_]\w*)|(?P<session>\$[A-Za-z_]\w*)|(?P<double>\d+\.\d+)|(?P<int>\d+)"
    r"|(?P<text>[A-Za-z_]\w*)"
    r"|(?P<op>:::|\+\+|\^\^|==|!=|<>|<=|>=|=>|&&|\|\||%%|[-+*/%^.=<>!|:;,(){}\[\]@$\\~&?])"
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
_PLAIN_ESCAPES = "\\\"'`$*"


@dataclass(frozen=True)
class Token:
    """``kind`` is local, session, double, int, text, op, string or end; a string's parts are (text, is_variable)."""

    kind: str
    text: str
    start: int
    end: int
    parts: tuple[tuple[str, bool], ...] = ()


def syntax_error(text: str, position: int, what: str = "syntax error") -> IrodsError:
    """RE_PARSER_ERROR that names the line."""
    line = text.count("\n", 0, position) + 1
    return IrodsError(RE_PARSER_ERROR, f"{what} at line {line}: {text[position : position + 40]!r}")


def token_at(text: str, position: int) -> Token:
    """The token at or after ``position``; raises IrodsError RE_PARSER_ERROR."""
    start = skip(text, position)
    if start >= len(text):
        return Token("end", "", start, start)
    if text[start] in "\"'":
        return _string(text, start, text[start])
    if text[start] == "`":
        return _raw_string(text, start) if text.startswith("``", start) else _string(text, start, "`")
    match = _TOKEN.match(text, start)
    if match is None:
        raise syntax_error(text, start)
    return Token(str(match.lastgroup), match.group(), start, match.end())


def skip(text: str, position: int) -> int:
    """Where the next token begins, after white space and comments."""
    match = _SKIP.match(text, position)
    return match.end() if match else position


def _raw_string(text: str, start: int) -> Token:
    end = text.find("``", start + 2)
    if end < 0:
        raise syntax_error(text, start, "unterminated string")
    return _checked(text, Token("string", text[start + 2 : end], start, end + 2, ((text[start + 2 : end], False),)))


def _string(text: str, start: int, quote: str) -> Token:
    parts: list[tuple[str, bool]] = []
    plain = ""
    index = start + 1
    while index < len(text) and text[index] != quote:
        step, value, variable = _character(text, index)
        index += step
        if variable:
            parts += [(plain, False), (value, True)]
            plain = ""
        else:
            plain += value
    if index >= len(text):
        raise syntax_error(text, start, "unterminated string")
    token = Token("string", "".join(p for p, _ in parts) + plain, start, index + 1, (*parts, (plain, False)))
    return _checked(text, token)


_NAME = re.compile(r"[*$][A-Za-z_]\w*")


def _character(text: str, index: int) -> tuple[int, str, bool]:
    """Length in the source, value, and whether it is a variable."""
    if text[index] == "\\" and index + 1 < len(text):
        follower = text[index + 1]
        if follower in _ESCAPES:
            return 2, _ESCAPES[follower], False
        return (2, follower, False) if follower in _PLAIN_ESCAPES else (1, "\\", False)
    match = _NAME.match(text, index)
    return (len(match.group()), match.group(), True) if match else (1, text[index], False)


def _checked(text: str, token: Token) -> Token:
    if len(token.text.encode("utf-8", "surrogateescape")) > MAX_TOKEN_TEXT:
        raise syntax_error(text, token.start, "string literal too long")
    return token
