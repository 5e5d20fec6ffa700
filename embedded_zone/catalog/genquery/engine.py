"""Running GenQuery1: statements, pages, results (``chlGenQuery`` and ``rsGenQuery`` of iRODS)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from embedded_zone.catalog import access
from embedded_zone.catalog.genquery import columns as c
from embedded_zone.catalog.genquery.hierarchy import hierarchies, leaf_condition
from embedded_zone.catalog.genquery.quota import quota_sql
from embedded_zone.catalog.genquery.request import AUTO_CLOSE, QUOTA_QUERY, RETURN_TOTAL_ROW_COUNT, Request
from embedded_zone.catalog.genquery.sql import generate
from embedded_zone.catalog.values import text
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Identity
    from embedded_zone.catalog.database import Database

MAX_STATEMENTS = 50
MINIMUM_COLUMN_SIZE = 50
MAXIMUM_COLUMN_SIZE = 2700  # bytes of a value; a real server's buffer has room for no more

ADMIN_KEYWORD = "irodsAdmin"
ZONE_KEYWORD = "zone"
DISABLE_STRICT_ACL_KEYWORD = "disable_strict_acls"
_PERMISSION_KEYWORDS = ("userNameClient", "rodsZoneClient", "accessPermission")


@dataclass
class Statement:
    """A query whose rows are not all sent yet."""

    columns: Sequence[int]
    rows: deque[tuple[Any, ...]]
    hierarchy_column: int = -1


class Statements:
    """The open statements of one connection; ``continueInx`` on the wire is a number of this table.

    All rows are read at once: an open cursor would keep this process on an old state of the catalogue, and
    PostgreSQL's driver does the same.
    """

    def __init__(self) -> None:
        self._open: dict[int, Statement] = {}

    def add(self, statement: Statement) -> int:
        """Keep a statement under the lowest free number; raises CAT_STATEMENT_TABLE_FULL."""
        for number in range(1, MAX_STATEMENTS + 1):
            if number not in self._open:
                self._open[number] = statement
                return number
        raise IrodsError(codes.CAT_STATEMENT_TABLE_FULL, "too many statements are open")

    def get(self, number: int) -> Statement:
        """The statement ``number``; raises CAT_NO_ROWS_FOUND if it is not open."""
        if number not in self._open:
            raise IrodsError(codes.CAT_NO_ROWS_FOUND, f"statement {number} is not open")
        return self._open[number]

    def close(self, number: int) -> None:
        """Forget a statement; an unknown number is not an error."""
        self._open.pop(number, None)


def execute(
    db: Database,
    identity: Identity,
    message: Mapping[str, Any],
    *,
    ticket: str = "",
    statements: Statements | None = None,
) -> dict[str, Any]:
    """Answer a GenQueryInp_PI with a GenQueryOut_PI; both as plain dicts.

    ``statements`` holds what a later call with ``continueInx`` goes on with; without it there is one page.
    Raises CAT_NO_ROWS_FOUND when there is nothing (more), CAT_UNKNOWN_TABLE, CAT_INVALID_ARGUMENT, CAT_SQL_ERR …
    """
    request = Request.from_wire(message)
    statements = Statements() if statements is None else statements
    if request.continue_index == 0:
        return _first_page(db, identity, request, ticket, statements)
    if request.max_rows <= 0:
        statements.close(request.continue_index)
        return result_page((), [], 0)
    statement = statements.get(request.continue_index)
    return next_page(db, request, statement, statements, request.continue_index)


def result_page(
    columns: Sequence[int], rows: Sequence[Sequence[str]], continue_index: int, total: int = 0
) -> dict[str, Any]:
    """A GenQueryOut_PI of text rows; every column has the size of the longest value, as iRODS sends it."""
    size = max((len(value.encode(errors="surrogateescape")) for row in rows for value in row), default=0) + 1
    values = list(zip(*rows, strict=True)) if rows else []
    return {
        "rowCnt": len(rows),
        "attriCnt": len(columns) if rows else 0,
        "continueInx": continue_index,
        "totalRowCount": total,
        "SqlResult_PI": [
            {"attriInx": column, "reslen": max(size, MINIMUM_COLUMN_SIZE), "value": list(of_column)}
            for column, of_column in zip(columns, values, strict=bool(rows))
        ],
    }


def _first_page(
    db: Database, identity: Identity, request: Request, ticket: str, statements: Statements
) -> dict[str, Any]:
    if request.has(QUOTA_QUERY):
        statement = Statement(c.QUOTA_COLUMNS, deque(db.tuples(*quota_sql(request.conditions, identity.zone))))
    else:
        statement = _start(db, identity, request, ticket)
    total = len(statement.rows) + request.row_offset if request.has(RETURN_TOTAL_ROW_COUNT) else 0
    if not statement.rows:
        raise IrodsError(codes.CAT_NO_ROWS_FOUND)
    if request.keywords:
        _check_keywords(db, request, statement)
    number = statements.add(statement)
    result = next_page(db, request, statement, statements, number)
    result["totalRowCount"] = total
    return result


def _start(db: Database, identity: Identity, request: Request, ticket: str) -> Statement:
    asked = [column for column, _ in request.columns]
    hierarchy = len(asked) - 1 - asked[::-1].index(c.RESC_HIERARCHY) if c.RESC_HIERARCHY in asked else -1
    sql, values = generate(_translate(db, request), identity, ticket)
    return Statement(asked, deque(db.tuples(sql, values)), hierarchy)


_UNLIMITED = (0, c.RULE_EXEC_CONTEXT)  # columns of any size; 0 stands for one of a specific query

# Selected in place of a column that the tables do not hold.
_SUBSTITUTES = {c.RESC_HIERARCHY: c.RESC_ID, c.RESC_GROUP_NAME: c.RESC_NAME}


def _translate(db: Database, request: Request) -> Request:
    """Replace the computed columns by what they are computed from."""
    conditions = [
        (c.RESC_ID, leaf_condition(db, value)) if column == c.RESC_HIERARCHY else (column, value)
        for column, value in request.conditions
    ]
    columns = [(_SUBSTITUTES.get(column, column), value) for column, value in request.columns]
    return replace(request, columns=tuple(columns), conditions=tuple(conditions))


def next_page(
    db: Database, request: Request, statement: Statement, statements: Statements, number: int
) -> dict[str, Any]:
    """The next ``max_rows`` rows. A full page leaves the statement open, even if nothing is left in it."""
    count = max(request.max_rows, 0)
    rows = [statement.rows.popleft() for _ in range(min(count, len(statement.rows)))]
    full = len(rows) == count
    if not full or request.has(AUTO_CLOSE):
        statements.close(number)
    if not rows and count:
        raise IrodsError(codes.CAT_NO_ROWS_FOUND)
    open_number = -1 if full and request.has(AUTO_CLOSE) else number if full else 0
    result = result_page(statement.columns, _texts(db, statement, rows), open_number)
    _check_sizes(result)
    return result


def _texts(db: Database, statement: Statement, rows: list[tuple[Any, ...]]) -> list[list[str]]:
    texts = [[value if type(value) is str else text(value) for value in row] for row in rows]
    if statement.hierarchy_column >= 0:
        paths = hierarchies(db)
        for row in texts:
            row[statement.hierarchy_column] = paths.get(row[statement.hierarchy_column], "")
    return texts


def _check_sizes(result: dict[str, Any]) -> None:
    """A value of more bytes than its column has characters makes its row unreadable: CAT_GET_ROW_ERR."""
    for column in result["SqlResult_PI"]:
        if column["reslen"] <= MAXIMUM_COLUMN_SIZE + 1 or column["attriInx"] in _UNLIMITED:
            continue
        if any(len(value.encode()) > MAXIMUM_COLUMN_SIZE for value in column["value"]):
            raise IrodsError(codes.CAT_GET_ROW_ERR, "a value is longer than its column")


def _check_keywords(db: Database, request: Request, statement: Statement) -> None:
    """``checkCondInputAccess``: keywords may ask that a named user has a named permission on each object found."""
    keywords = request.keywords
    if ADMIN_KEYWORD in keywords or set(keywords) == {ZONE_KEYWORD}:
        return
    if not all(keyword in keywords for keyword in _PERMISSION_KEYWORDS):
        if DISABLE_STRICT_ACL_KEYWORD in keywords:
            return
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, "unknown keywords in a query")
    asked = list(statement.columns)
    position = next((asked.index(n) for n in (c.DATA_ID, c.DATA_COLL_ID, c.COLL_ID) if n in asked), -1)
    if position < 0:
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, "neither a data id nor a collection id is selected")
    name, zone, permission = (keywords[keyword] for keyword in _PERMISSION_KEYWORDS)
    user = access.user_id(db, name, zone or db.zone_name()) or 0
    level = access.level_number(permission)
    for row in statement.rows:
        if level is None or access.access_level(db, user, row[position]) < level:
            raise IrodsError(codes.CAT_NO_ACCESS_PERMISSION, f"{name} lacks {permission}")
