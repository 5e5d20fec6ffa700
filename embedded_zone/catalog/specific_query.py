"""Specific queries (API 722): SQL that an administrator has stored in the catalogue, run by name or by its own text.

The SQL is the administrator's and runs on SQLite: what only PostgreSQL understands fails with CAT_SQL_ERR.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from embedded_zone.catalog.genquery.engine import Statement, Statements, next_page, result_page
from embedded_zone.catalog.genquery.request import Request
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.catalog.database import Database

MAX_ARGUMENTS = 10
MIN_SQL_LENGTH = 5
_DELETIONS = ("delete from R_SPECIFIC_QUERY where sqlStr = ?", "delete from R_SPECIFIC_QUERY where alias = ?")


def execute(db: Database, message: Mapping[str, Any], statements: Statements | None = None) -> dict[str, Any]:
    """Answer a specificQueryInp_PI with a GenQueryOut_PI.

    Raises CAT_UNKNOWN_SPECIFIC_QUERY, CAT_NO_ROWS_FOUND, CAT_SQL_ERR (also for a wrong number of arguments).
    """
    statements = Statements() if statements is None else statements
    request = Request((), (), {}, max_rows=message.get("maxRows") or 0)
    number = message.get("continueInx") or 0
    if number and request.max_rows <= 0:
        statements.close(number)
        return result_page((), [], 0)
    if number:
        return next_page(db, request, statements.get(number), statements, number)
    statement = _start(db, message)
    return next_page(db, request, statement, statements, statements.add(statement))


def add(db: Database, sql: str, alias: str = "") -> None:
    """Store a query (API 701 ``add specificQuery``); CAT_INVALID_ARGUMENT if it is too short or the alias is taken."""
    if len(sql) < MIN_SQL_LENGTH:
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, "the SQL is too short")
    with db.transaction():
        if alias and db.one("select 1 from R_SPECIFIC_QUERY where alias = ?", (alias,)):
            raise IrodsError(codes.CAT_INVALID_ARGUMENT, "Alias is not unique")
        row = (sql, alias or None, db.now())
        db.execute("insert into R_SPECIFIC_QUERY (sqlStr, alias, create_ts) values (?,?,?)", row)


def remove(db: Database, sql_or_alias: str) -> None:
    """Forget a query (API 701 ``rm specificQuery``); CAT_SUCCESS_BUT_WITH_NO_INFO if there is none."""
    with db.transaction():
        for sql in _DELETIONS:
            if db.execute(sql, (sql_or_alias,)).rowcount:
                return
    raise IrodsError(codes.CAT_SUCCESS_BUT_WITH_NO_INFO, "there is no such query")


def _start(db: Database, message: Mapping[str, Any]) -> Statement:
    asked = message.get("sql")
    if asked is None:
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, "no query is named")
    sql = db.value(
        "select sqlStr from R_SPECIFIC_QUERY where sqlStr = ? or alias = ? order by sqlStr != ?", (asked,) * 3
    )
    if sql is None:
        raise IrodsError(codes.CAT_UNKNOWN_SPECIFIC_QUERY, "the SQL is not pre-defined")
    rows = deque(db.tuples(sql, _arguments(message)))
    return Statement([0] * len(rows[0]) if rows else [], rows)


def _arguments(message: Mapping[str, Any]) -> list[str]:
    """The arguments up to the first empty one, as iRODS counts them."""
    values: list[str] = []
    for n in range(1, MAX_ARGUMENTS + 1):
        value = message.get(f"arg{n}")
        if not value:
            break
        values.append(value)
    return values
