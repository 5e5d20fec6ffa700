"""The grammar of GenQuery2 (``server/genquery2/dsl`` of iRODS 5.0.2).

Conditions stay a flat list of comparisons and the words between them: SQL has the same precedence, so that nothing
needs a tree.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from embedded_zone.catalog.lexing import TokenReader
from embedded_zone.wire import codes

# fmt: off
_KEYWORDS = frozenset({
    "select", "where", "like", "in", "between", "distinct", "order", "by", "asc", "desc", "offset", "limit",
    "fetch", "first", "rows", "only", "case", "when", "else", "end", "group", "having", "exists", "is", "null",
    "not", "and", "or", "cast", "as",
})
# fmt: on
_COMPARISONS = {sign: sign for sign in ("=", "!=", "<", "<=", ">", ">=")} | {"<>": "!="}


@dataclass(frozen=True)
class Column:
    """A column, perhaps cast to a type such as ``varchar(10)``."""

    name: str
    type_name: str = ""


@dataclass(frozen=True)
class Function:
    """A call; an argument that is a string is a literal."""

    name: str
    arguments: tuple[Expression, ...]
    distinct: bool = False


Expression = Column | Function | str


@dataclass(frozen=True)
class Comparison:
    """``left operator values``; the operator may begin with ``not``."""

    left: Column | Function
    operator: str
    values: tuple[str, ...] = ()


@dataclass
class Select:
    """One query."""

    columns: list[Column | Function] = field(default_factory=list)
    distinct: bool = False
    conditions: list[Comparison | str] = field(default_factory=list)  # str: and, or, not, ( and )
    group_by: list[str] = field(default_factory=list)
    order_by: list[tuple[Column | Function, str]] = field(default_factory=list)  # with asc or desc
    offset: str = ""
    limit: str = ""


def parse(text: str) -> Select:
    """Read a query; raises SYS_LIBRARY_ERROR if it is malformed."""
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = TokenReader(text, _KEYWORDS, codes.SYS_LIBRARY_ERROR)
        self._select = Select()

    def query(self) -> Select:
        tokens, select = self._tokens, self._select
        tokens.expect("keyword", "select")
        select.distinct = tokens.keywords("distinct")
        select.columns.append(self._term())
        while tokens.accept("sign", ","):
            select.columns.append(self._term())
        if tokens.keywords("where"):
            self._conditions()
        if tokens.keywords("group", "by"):
            self._group_by()
        self._order_and_range()
        tokens.expect("end", "")
        return select

    def _group_by(self) -> None:
        self._select.group_by.append(self._tokens.take("word"))
        while self._tokens.accept("sign", ","):
            self._select.group_by.append(self._tokens.take("word"))

    def _order_and_range(self) -> None:
        """Both may be missing, and either may be first."""
        ranged = self._range()
        if self._tokens.keywords("order", "by"):
            self._sort_expression()
            while self._tokens.accept("sign", ","):
                self._sort_expression()
            if not ranged:
                self._range()

    def _sort_expression(self) -> None:
        term = self._term()
        descending = self._tokens.keywords("desc")
        if not descending:
            self._tokens.keywords("asc")
        self._select.order_by.append((term, "desc" if descending else "asc"))

    def _range(self) -> bool:
        if self._offset():
            self._limit()
            return True
        if self._limit():
            self._offset()
            return True
        return False

    def _offset(self) -> bool:
        found = self._tokens.keywords("offset")
        if found:
            self._select.offset = self._count()
        return found

    def _limit(self) -> bool:
        if self._tokens.keywords("limit"):
            self._select.limit = self._count()
            return True
        if self._tokens.keywords("fetch", "first"):
            self._select.limit = self._count()
            return self._tokens.keywords("rows", "only")
        return False

    def _count(self) -> str:
        if self._tokens.next[1].startswith("-"):
            raise self._tokens.unexpected()
        return self._tokens.take("number")

    def _term(self) -> Column | Function:
        """A column, a cast column or a function."""
        if self._tokens.keywords("cast"):
            return self._cast()
        name = self._tokens.take("word")
        if not self._tokens.accept("sign", "("):
            return Column(name)
        distinct = self._tokens.keywords("distinct")
        arguments: list[Expression] = []
        if self._tokens.next != ("sign", ")"):
            arguments.append(self._argument())
            while self._tokens.accept("sign", ","):
                arguments.append(self._argument())
        self._tokens.expect("sign", ")")
        return Function(name, tuple(arguments), distinct)

    def _argument(self) -> Expression:
        if self._tokens.next[0] in ("literal", "number"):
            return self._tokens.advance()
        return self._term()

    def _cast(self) -> Column:
        self._tokens.expect("sign", "(")
        name = self._tokens.take("word")
        self._tokens.expect("keyword", "as")
        type_name = self._tokens.take("word")
        if self._tokens.accept("sign", "("):
            type_name += f"({self._count()})"
            self._tokens.expect("sign", ")")
        self._tokens.expect("sign", ")")
        return Column(name, type_name)

    def _conditions(self) -> None:
        self._condition()
        while self._tokens.next in (("keyword", "and"), ("keyword", "or")):
            self._select.conditions.append(self._tokens.advance())
            self._condition()

    def _condition(self) -> None:
        conditions = self._select.conditions
        while self._tokens.keywords("not"):
            conditions.append("not")
        if self._tokens.accept("sign", "("):
            conditions.append("(")
            self._conditions()
            self._tokens.expect("sign", ")")
            conditions.append(")")
            return
        left = self._term()
        operator, values = self._comparison()
        conditions.append(Comparison(left, operator, values))

    def _comparison(self) -> tuple[str, tuple[str, ...]]:
        tokens = self._tokens
        kind, word = tokens.next
        if kind == "sign" and word in _COMPARISONS:
            return _COMPARISONS[tokens.advance()], (tokens.take("literal"),)
        if tokens.keywords("is"):
            negated = tokens.keywords("not")
            tokens.expect("keyword", "null")
            return "is not null" if negated else "is null", ()
        prefix = "not " if tokens.keywords("not") else ""
        if tokens.keywords("like"):
            return prefix + "like", (tokens.take("literal"),)
        if tokens.keywords("between"):
            low = tokens.take("literal")
            tokens.expect("keyword", "and")
            return prefix + "between", (low, tokens.take("literal"))
        tokens.expect("keyword", "in")
        return prefix + "in", self._list()

    def _list(self) -> tuple[str, ...]:
        self._tokens.expect("sign", "(")
        values = [self._tokens.take("literal")]
        while self._tokens.accept("sign", ","):
            values.append(self._tokens.take("literal"))
        self._tokens.expect("sign", ")")
        return tuple(values)
