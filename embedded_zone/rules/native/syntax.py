"""Syntax tree of the iRODS rule language."""

from __future__ import annotations

from dataclasses import dataclass


class Node:
    """Base of all terms."""


@dataclass(frozen=True)
class Constant(Node):
    """A number or truth value."""

    value: object


@dataclass(frozen=True)
class Text(Node):
    """A string; variables inside it are parts of their own."""

    parts: tuple[str | Node, ...]


@dataclass(frozen=True)
class Variable(Node):
    """``*name`` (local or parameter); the star is part of ``name``."""

    name: str


@dataclass(frozen=True)
class SessionVariable(Node):
    """``$name``."""

    name: str


@dataclass(frozen=True)
class Member(Node):
    """``*pairs.key`` or ``*pairs."key"``; ``key`` is a term, a bare word having become a constant."""

    base: Node
    key: Node


@dataclass(frozen=True)
class Call(Node):
    """An application: function, operator, microservice or rule."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Assign(Node):
    """``target = value``; the target is a variable, a member or a tuple."""

    target: Node
    value: Node


@dataclass(frozen=True)
class Sequence(Node):
    """``(a, b)``."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class Step:
    """One statement and what undoes it (``:::``)."""

    action: Node
    recovery: Node | None


@dataclass(frozen=True)
class Block(Node):
    """Statements between braces."""

    steps: tuple[Step, ...]


@dataclass(frozen=True)
class If(Node):
    """``if (condition) { … } else …``; ``otherwise`` may be another If."""

    condition: Node
    then: Node
    otherwise: Node | None


@dataclass(frozen=True)
class While(Node):
    """``while (condition) { … }``."""

    condition: Node
    body: Node


@dataclass(frozen=True)
class For(Node):
    """``for (init; condition; step) { … }``."""

    init: Node
    condition: Node
    step: Node
    body: Node


@dataclass(frozen=True)
class ForEach(Node):
    """``foreach (*item in items) { … }``; without ``in`` the variable itself holds the items."""

    variable: str
    items: Node | None
    body: Node


@dataclass(frozen=True)
class Delay(Node):
    """``delay(hints) { text }``: the text is kept unread for the delay server."""

    hints: Node
    text: str


@dataclass(frozen=True)
class Remote(Node):
    """``remote(host, hints) { text }``."""

    host: Node
    hints: Node
    text: str


@dataclass(frozen=True)
class Let(Node):
    """``let target = value in body``."""

    target: Node
    value: Node
    body: Node


@dataclass(frozen=True)
class Match(Node):
    """``match value with | pattern => term …``."""

    value: Node
    cases: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True)
class Condition:
    """One condition of a query: column and alternatives ``(operator, value…)`` joined by ``junction``."""

    column: str
    junction: str
    tests: tuple[tuple[str, tuple[Node, ...]], ...]


@dataclass(frozen=True)
class Query(Node):
    """``select A, B where C = 'x' and …`` as a term."""

    columns: tuple[str, ...]
    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Rule:
    """One definition; several of one name are tried in order until one succeeds."""

    name: str
    parameters: tuple[Node, ...]
    condition: Node
    body: Node
    is_function: bool = False
