"""Running GenQuery2 (``rs_genquery2`` of iRODS): text in, JSON text out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from embedded_zone.catalog.genquery2.columns import COLUMNS
from embedded_zone.catalog.genquery2.parser import parse
from embedded_zone.catalog.genquery2.sql import generate
from embedded_zone.catalog.values import text
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Identity
    from embedded_zone.catalog.database import Database


def execute(
    db: Database, identity: Identity, query: str, *, sql_only: bool = False, column_mappings: bool = False
) -> str:
    """The rows as a JSON list of lists of strings; or the SQL of a PostgreSQL server; or the columns as an object.

    Raises SYS_LIBRARY_ERROR (malformed, or the database refuses), SYS_INVALID_INPUT_PARAM (unknown column).
    """
    if column_mappings:
        return _json({name: {table: column} for name, (table, column) in sorted(COLUMNS.items())})
    select = parse(query)
    if sql_only:
        return generate(select, identity, postgresql=True)[0]
    return _json(rows(db, *generate(select, identity)))


def rows(db: Database, sql: str, values: list[Any]) -> list[list[str]]:
    """Every row of a generated statement as text."""
    try:
        return [[text(value) for value in row] for row in db.tuples(sql, values)]
    except IrodsError as error:
        raise IrodsError(codes.SYS_LIBRARY_ERROR, error.message) from error


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
