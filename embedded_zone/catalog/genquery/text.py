"""GenQuery1 as text: ``select COLL_NAME, count(DATA_ID) where COLL_NAME like '/z/%' and DATA_SIZE > '0'``.

The grammar is that of iRODS 5 (``lib/genquery1/dsl``). The result is a GenQueryInp_PI for ``execute``. Within a
literal ``''`` is a quote and ``\\xHH`` a byte.
"""

from __future__ import annotations

from typing import Any

from embedded_zone.catalog.genquery.columns import COLUMNS
from embedded_zone.catalog.genquery.request import ORDER_BY, ORDER_BY_DESC, SELECT_FUNCTIONS
from embedded_zone.catalog.lexing import TokenReader
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

MAX_SQL_ROWS = 256

_FUNCTIONS: dict[str, int] = {
    **{name: number for number, name in SELECT_FUNCTIONS.items()},
    "order": ORDER_BY,
    "order_asc": ORDER_BY,
    "order_desc": ORDER_BY_DESC,
}
_KEYWORDS = frozenset({"select", "where", "like", "in", "between", "and", "not", "begin_of", "parent_of"})
_SIGNS = {sign: sign for sign in ("=", "!=", "<", "<=", ">", ">=")} | {"<>": "!="}


def parse(text: str, max_rows: int = MAX_SQL_ROWS) -> dict[str, Any]:
    """Read a query; raises INPUT_ARG_NOT_WELL_FORMED_ERR, NO_COLUMN_NAME_FOUND, INVALID_GENQUERY_AGGREGATE_FUNCTION."""
    columns, conditions = _Parser(text).query()
    return {
        "maxRows": max_rows,
        "continueInx": 0,
        "partialStartIndex": 0,
        "options": 0,
        "KeyValPair_PI": {},
        "InxIvalPair_PI": columns,
        "InxValPair_PI": conditions,
    }


def _column(name: str) -> int:
    if name not in COLUMNS:
        raise IrodsError(codes.NO_COLUMN_NAME_FOUND, f"column [{name}] not supported")
    return COLUMNS[name]


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = TokenReader(text, _KEYWORDS, codes.INPUT_ARG_NOT_WELL_FORMED_ERR)

    def query(self) -> tuple[list[tuple[int, int]], list[tuple[int, str]]]:
        tokens = self._tokens
        tokens.expect("keyword", "select")
        columns = [self._projection()]
        while tokens.accept("sign", ","):
            columns.append(self._projection())
        conditions: list[tuple[int, str]] = []
        if tokens.accept("keyword", "where"):
            conditions.append(self._condition())
            while tokens.accept("keyword", "and"):
                conditions.append(self._condition())
        tokens.expect("end", "")
        return columns, conditions

    def _projection(self) -> tuple[int, int]:
        name = self._tokens.take("word")
        if not self._tokens.accept("sign", "("):
            return _column(name), 1
        column = _column(self._tokens.take("word"))
        self._tokens.expect("sign", ")")
        if name.lower() not in _FUNCTIONS:
            raise IrodsError(codes.INVALID_GENQUERY_AGGREGATE_FUNCTION, f"aggregate function [{name}] not supported")
        return column, _FUNCTIONS[name.lower()]

    def _condition(self) -> tuple[int, str]:
        column = _column(self._tokens.take("word"))
        text = self._expression()
        while self._tokens.next in (("sign", "||"), ("sign", "&&")):
            text += f" {self._tokens.advance()} {self._expression()}"
        return column, text

    def _expression(self) -> str:
        tokens = self._tokens
        kind, word = tokens.next
        if kind == "sign" and word in _SIGNS:
            return f"{_SIGNS[tokens.advance()]} {self._literal()}"
        if tokens.keywords("not", "like"):
            return f"not like {self._literal()}"
        if tokens.keywords("between"):
            return f"between {self._literal()} {self._literal()}"
        if tokens.keywords("in"):
            return self._list()
        if kind == "keyword" and word in ("like", "begin_of", "parent_of"):
            return f"{tokens.advance()} {self._literal()}"
        raise tokens.unexpected()

    def _list(self) -> str:
        bracket = self._tokens.accept("sign", "(")
        literals = [self._literal()]
        while self._tokens.accept("sign", ","):
            literals.append(self._literal())
        if not bracket:
            return f"in {', '.join(literals)}"
        self._tokens.expect("sign", ")")
        return f"in ({', '.join(literals)})"

    def _literal(self) -> str:
        return f"'{self._tokens.take('literal')}'"
