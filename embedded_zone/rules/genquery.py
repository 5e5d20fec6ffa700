"""The module that policies import as ``genquery``: iterate over query results through ``callback``.

Same names, parameters and results as the module that the Python rule engine plugin installs.
"""

from __future__ import annotations

import itertools
import re
from collections import OrderedDict
from collections.abc import Iterator
from enum import Enum
from typing import Any

__all__ = ["AS_DICT", "AS_LIST", "AS_TUPLE", "Query", "paged_iterator", "row_iterator"]

MAX_SQL_ROWS = 256


def AUTO_CLOSE_QUERIES() -> bool:
    """Whether queries close themselves; always."""
    return True


class Option:
    """Flags of a GenQuery1 request (rodsGenQuery.h)."""

    RETURN_TOTAL_ROW_COUNT = 0x020
    NO_DISTINCT = 0x040
    QUOTA_QUERY = 0x080
    AUTO_CLOSE = 0x100
    UPPER_CASE_WHERE = 0x200


class row_return_type:  # noqa: N801
    """Base of the row shapes; not to be instantiated."""

    def __init__(self) -> None:
        raise NotImplementedError


class AS_DICT(row_return_type):  # noqa: N801
    """Rows as OrderedDict by column."""


class AS_LIST(row_return_type):  # noqa: N801
    """Rows as lists."""


class AS_TUPLE(row_return_type):  # noqa: N801
    """Rows as tuples, or as plain strings when one column is asked for."""


class Parser(Enum):
    """The two query languages."""

    GENQUERY1 = 1
    GENQUERY2 = 2


class GenQuery_Options_Spec_Error(RuntimeError):  # noqa: N801
    """``copy`` got an unknown keyword."""


class GenQuery_Columns_Type_Error(RuntimeError):  # noqa: N801
    """``columns`` is neither text nor a sequence."""


class GenQuery_Row_Return_Type_Error(RuntimeError):  # noqa: N801
    """``output`` is none of the three shapes."""


_PARAMETERS = ["columns", "conditions", "output", "offset", "limit", "case_sensitive", "options", "parser", "order_by"]


class Query:
    """A lazy query: iterate over it, or ask ``first()`` or ``total_rows()``; executed at the first need."""

    def __init__(
        self,
        callback: Any,
        columns: Any,
        conditions: str = "",
        output: type[row_return_type] = AS_TUPLE,
        offset: int = 0,
        limit: int | None = None,
        case_sensitive: bool = True,
        options: int = 0,
        parser: Parser = Parser.GENQUERY1,
        order_by: str = "",
    ) -> None:
        self.callback = callback
        self.columns = _columns(columns)
        if parser not in (Parser.GENQUERY1, Parser.GENQUERY2):
            raise ValueError("Invalid value for [parser]. Expected Parser.GENQUERY1 or Parser.GENQUERY2.")
        if output not in (AS_TUPLE, AS_LIST, AS_DICT):
            raise GenQuery_Row_Return_Type_Error
        self.conditions = self.conditions_for_exec = conditions
        self.output, self.offset, self.limit, self.case_sensitive = output, offset, limit, case_sensitive
        upper = 0 if case_sensitive else Option.UPPER_CASE_WHERE
        self.options = (options & ~Option.UPPER_CASE_WHERE) | upper
        self.parser, self.order_by = parser, order_by
        self.gqi: Any = None
        self.gqo: Any = None
        self.cti: Any = None
        self.gq2_handle: str | None = None
        self._total: int | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """What the query was made with."""
        return {name: getattr(self, name) for name in _PARAMETERS}

    def copy(self, **options: Any) -> Query:
        """The same query with some parameters replaced; raises GenQuery_Options_Spec_Error for unknown ones."""
        wrong = [name for name in options if name not in _PARAMETERS]
        if wrong:
            raise GenQuery_Options_Spec_Error("Incorrect option(s) to Query: " + ", ".join(wrong))
        return Query(self.callback, **{**self.parameters, **options})

    def exec_if_not_yet_execed(self) -> None:
        """Send the query unless that has been done."""
        if self.parser is Parser.GENQUERY2:
            if self.gq2_handle is None:
                self.gq2_handle = self.callback.msi_genquery2_execute("", self._text2())["arguments"][0]
        elif self.gqi is None:
            self._execute1()

    def _text2(self) -> str:
        text = f"select {', '.join(self.columns)}"
        text += f" where {self.conditions}" if self.conditions else ""
        text += f" order by {self.order_by}" if self.order_by else ""
        text += f" offset {self.offset}" if self.offset > 0 else ""
        return text + ("" if self.limit is None else f" limit {self.limit}")

    def _execute1(self) -> None:
        import irods_types

        if self.options & Option.UPPER_CASE_WHERE:
            self.conditions_for_exec = self.conditions.upper()
        made = self.callback.msiMakeGenQuery(
            ", ".join(self.columns), self.conditions_for_exec, irods_types.GenQueryInp()
        )
        self.gqi = made["arguments"][2]
        if self.offset > 0:
            self.gqi.rowOffset = self.offset
        else:
            self.options |= Option.RETURN_TOTAL_ROW_COUNT
        if self.limit is not None and self.limit < MAX_SQL_ROWS - 1:
            self.gqi.maxRows = self.limit
        self.gqi.options |= self.options
        self.gqo = self.callback.msiExecGenQuery(self.gqi, irods_types.GenQueryOut())["arguments"][1]
        self.cti = self.gqo.continueInx
        self._total = None

    def total_rows(self) -> int | None:
        """How many rows match, whatever offset and limit say; None for GenQuery2."""
        if self._total is None and self.parser is Parser.GENQUERY1:
            if self.offset == 0 and self.options & Option.RETURN_TOTAL_ROW_COUNT:
                self.exec_if_not_yet_execed()
                self._total = self.gqo.totalRowCount
            else:
                counting = self.options | Option.RETURN_TOTAL_ROW_COUNT
                again = Query(self.callback, self.columns, self.conditions, limit=0, options=counting)
                self._total = again.total_rows()
        return self._total

    def __iter__(self) -> Iterator[Any]:
        self.exec_if_not_yet_execed()
        rows = self._rows2() if self.parser is Parser.GENQUERY2 else self._rows1()
        try:
            yield from rows
        finally:
            self._close()

    def _rows2(self) -> Iterator[list[str]]:
        while self._next_row2():
            yield [self._column2(index) for index in range(len(self.columns))]

    def _next_row2(self) -> bool:
        from irods_errors import END_OF_RESULTSET

        try:
            self.callback.msi_genquery2_next_row(self.gq2_handle)
        except RuntimeError as error:
            if f":{END_OF_RESULTSET}]" in str(error):
                return False
            raise
        return True

    def _column2(self, index: int) -> str:
        return self.callback.msi_genquery2_column(self.gq2_handle, str(index), "")["arguments"][2]

    def _rows1(self) -> Iterator[Any]:
        count = 0
        while True:
            for index in range(self.gqo.rowCnt):
                if self.limit is not None and count >= self.limit:
                    return
                count += 1
                yield self._shaped([self.gqo.sqlResult[c].row(index) for c in range(len(self.columns))])
            if self.cti <= 0 or (self.limit is not None and count >= self.limit):
                return
            self._fetch()

    def _shaped(self, row: list[str]) -> Any:
        if self.output is AS_LIST:
            return row
        if self.output is AS_DICT:
            return OrderedDict(zip(self.columns, row, strict=True))
        return row[0] if len(self.columns) == 1 else tuple(row)

    def _fetch(self) -> None:
        result = self.callback.msiGetMoreRows(self.gqi, self.gqo, 0)
        self.gqo, self.cti = result["arguments"][1], result["arguments"][2]

    def _close(self) -> None:
        if self.parser is Parser.GENQUERY2:
            self._close2()
            return
        while self.cti is not None and self.cti > 0:
            self.gqi.options |= Option.AUTO_CLOSE  # there is no other working way to close a query
            self._fetch()
        self.gqi = self.gqo = self.cti = None

    def _close2(self) -> None:
        if self.gq2_handle is not None:
            self.callback.msi_genquery2_free(self.gq2_handle)
            self.gq2_handle = None
            self.order_by = ""

    def close(self) -> None:
        """Give the server's statement back."""
        self._close()

    def first(self) -> Any:
        """The first row, or None."""
        result = next(iter(self), None)
        self._close()
        return result

    def __repr__(self) -> str:
        shown = {**self.parameters, "output": self.output.__name__}
        lines = [f"{k}={v if k == 'output' else repr(v)}" for k, v in shown.items()]
        return "Query(\n\t" + ",\n\t".join(lines) + "\n)"

    def __str__(self) -> str:
        parts = ["select " + ", ".join(self.columns)]
        parts += [f"where {self.conditions_for_exec}"] if self.conditions_for_exec else []
        parts += [f"order by {self.order_by}"] if self.order_by else []
        parts += [] if self.limit is None else [f"limit {self.limit}"]
        parts += [f"offset {self.offset}"] if self.offset else []
        return " ".join(parts) + f" [parser={self.parser.name}]"

    def __del__(self) -> None:
        self._close()


def _columns(columns: Any) -> list[str]:
    if isinstance(columns, str):
        return [part.strip() for part in columns.split(",") if re.search(r"\S", part)]
    try:
        return list(columns)
    except TypeError:
        raise GenQuery_Columns_Type_Error("'columns' should be a comma-separated string or sequence") from None


def row_iterator(columns: Any, conditions: str, row_return: type[row_return_type], callback: Any) -> Query:
    """The rows of a query one by one."""
    return Query(callback, columns, conditions, output=row_return)


def row_generator(columns: Any, conditions: str, row_return: type[row_return_type], callback: Any) -> Iterator[Any]:
    """The same as a generator, for ``next()``."""
    return (row for row in row_iterator(columns, conditions, row_return, callback))


class paged_iterator:  # noqa: N801
    """The rows of a query in lists of at most ``N_rows_per_page``."""

    def __init__(
        self,
        columns: Any,
        conditions: str,
        row_return: type[row_return_type],
        callback: Any,
        N_rows_per_page: int = MAX_SQL_ROWS,
    ) -> None:
        self.callback = callback
        self.set_rows_per_page(N_rows_per_page, hard_limit_at_default=True)
        self.generator = row_generator(columns, conditions, row_return, callback)

    def set_rows_per_page(self, rpp: int, hard_limit_at_default: bool = False) -> paged_iterator:
        """Change the page size; returns itself."""
        self.rows_per_page = max(1, int(rpp))
        if hard_limit_at_default:
            self.rows_per_page = min(self.rows_per_page, MAX_SQL_ROWS)
        return self

    def __iter__(self) -> paged_iterator:
        return self

    def __next__(self) -> list[Any]:
        page = list(itertools.islice(self.generator, self.rows_per_page))
        if not page:
            raise StopIteration
        return page

    next = next_arbitrary_size = __next__
