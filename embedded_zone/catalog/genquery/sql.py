"""From a GenQuery1 request to one SQL statement (``generateSQL`` of iRODS)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from embedded_zone.agent import LOCAL_PRIV_USER_AUTH, Identity
from embedded_zone.catalog.access import READ_OBJECT
from embedded_zone.catalog.column_types import INTEGER_COLUMNS
from embedded_zone.catalog.genquery import columns as c
from embedded_zone.catalog.genquery.conditions import condition_sql
from embedded_zone.catalog.genquery.joins import connect
from embedded_zone.catalog.genquery.request import (
    FUNCTION_MASK,
    NO_DISTINCT,
    ORDER_BY,
    ORDER_BY_DESC,
    SELECT_FUNCTIONS,
    UPPER_CASE_WHERE,
    Request,
)
from embedded_zone.catalog.genquery.schema import BASE_TABLE, COLUMN_PLACE, CYCLERS
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

MAX_SQL_LENGTH = 16000  # bytes of a real server's buffer for each of the SELECT, FROM, WHERE parts

# Rows come in this order whatever else was asked for, where these columns are selected.
_IMPLICIT_ORDER = (c.COLL_NAME, c.DATA_NAME, c.DATA_REPL_NUM)

_OF_NUMBERS = ("sum", "avg")

# Several conditions on an attribute name mean several AVUs of one object; only these two kinds can do that.
_MULTI_AVU = {
    c.META_DATA_ATTR_NAME: ("data", "R_DATA_MAIN.data_id"),
    c.META_COLL_ATTR_NAME: ("coll", "R_COLL_MAIN.coll_id"),
}
_SINGLE_AVU = (c.META_USER_ATTR_NAME, c.META_RESC_ATTR_NAME, c.META_RESC_GROUP_ATTR_NAME)

_READABLE = """exists (select 1 from R_OBJT_ACCESS OA where OA.object_id = {0} and OA.access_type_id >= {1} and
    OA.user_id in (select UG.group_user_id from R_USER_GROUP UG where UG.user_id = ?))"""
_TICKET_COLLECTION = """R_COLL_MAIN.coll_id in (select object_id from R_TICKET_MAIN where ticket_string = ?)
    or R_COLL_MAIN.coll_name like (select coll_name || '%' from R_COLL_MAIN where coll_id in
    (select object_id from R_TICKET_MAIN where ticket_string = ?))"""
_TICKET_DATA = "R_DATA_MAIN.data_id in (select object_id from R_TICKET_MAIN where ticket_string = ?)"


@dataclass
class _Parts:
    """The pieces of the statement while it grows."""

    select: list[str] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)  # selected columns without a function: what to group by
    tables: dict[str, None] = field(default_factory=dict)  # of FROM, in order
    used: set[str] = field(default_factory=set)  # tables of selected and of tested columns
    where: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    start: str = ""

    def mentions(self, table: str) -> bool:
        return table in self.tables or any(table in text for text in self.where)


def generate(request: Request, identity: Identity, ticket: str = "") -> tuple[str, list[Any]]:
    """The statement and its bound values, restricted to what ``identity`` may see.

    Raises CAT_UNKNOWN_TABLE (a column that no table holds), CAT_FAILED_TO_LINK_TABLES, CAT_INVALID_ARGUMENT,
    USER_STRLEN_TOOLONG.
    """
    parts = _Parts()
    for column, value in request.columns:
        _add_column(parts, column, SELECT_FUNCTIONS.get(value & FUNCTION_MASK, ""))
    for column, text in request.conditions:
        _add_condition(parts, column, text, request.has(UPPER_CASE_WHERE))
    joins = connect(frozenset(parts.used), parts.start)
    parts.where += joins.conditions
    for table in joins.tables:
        parts.tables.setdefault(table)
    from_tables = [_from(table) for table in parts.tables]
    from_tables += _separate_avus(parts, request)
    _restrict(parts, identity, ticket)
    return _assemble(request, parts, from_tables), parts.values


def _place(column: int) -> tuple[str, str]:
    place = COLUMN_PLACE.get(column)
    if place is None or place[0] not in BASE_TABLE:
        raise IrodsError(codes.CAT_UNKNOWN_TABLE, f"no table holds column {column}")
    return place


def _from(table: str) -> str:
    base = BASE_TABLE[table]
    return table if base == table else f"{base} {table}"


def _add_column(parts: _Parts, column: int, function: str) -> None:
    table, name = _place(column)
    sql = f"{table}.{name}"
    if function in _OF_NUMBERS and (BASE_TABLE[table], name) not in INTEGER_COLUMNS:
        raise IrodsError(codes.CAT_SQL_ERR, f"{function} of a text column")
    parts.select.append(f"{function}({sql})" if function else sql)
    if not function:
        parts.plain.append(sql)
    parts.tables.setdefault(table)
    parts.used.add(table)
    if table not in CYCLERS or not parts.start:
        parts.start = table


def _add_condition(parts: _Parts, column: int, text: str, upper: bool) -> None:
    table, name = _place(column)
    integer = (BASE_TABLE[table], name) in INTEGER_COLUMNS
    sql, values = condition_sql(f"{table}.{name}", text, upper=upper, integer=integer)
    parts.where.append(sql)
    parts.values += values
    parts.used.add(table)
    if table not in CYCLERS or not parts.start:
        parts.start = table


def _separate_avus(parts: _Parts, request: Request) -> list[str]:
    """Give the second and later attribute conditions tables of their own; answers what FROM needs for them."""
    asked = [column for column, _ in request.conditions]
    if any(asked.count(column) > 1 for column in _SINGLE_AVU):
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, "one condition on an attribute name is possible here")
    tables = []
    for column, (kind, object_id) in _MULTI_AVU.items():
        count = asked.count(column)
        if count < 2:
            continue
        for name in ("meta_attr_name", "meta_attr_value"):
            parts.where = _number_uses(
                parts.where, f"r_{kind}_meta_main.{name}", f"r_{kind}_meta_mn{{:02}}.{name}", count
            )
        for n in range(2, count + 1):
            tables.append(f"R_OBJT_METAMAP r_{kind}_metamap{n}, R_META_MAIN r_{kind}_meta_mn{n:02}")
            parts.where.append(f"r_{kind}_metamap{n}.meta_id = r_{kind}_meta_mn{n:02}.meta_id")
            parts.where.append(f"{object_id} = r_{kind}_metamap{n}.object_id")
    return tables


def _number_uses(where: list[str], old: str, new: str, count: int) -> list[str]:
    """Rename the 2nd to ``count``-th use of a column; iRODS counts uses in the text, compound conditions included."""
    seen = 0

    def rename(match: re.Match[str]) -> str:
        nonlocal seen
        seen += 1
        return new.format(seen) if 2 <= seen <= count else match[0]

    return [re.sub(re.escape(old), rename, text) for text in where]


def _restrict(parts: _Parts, identity: Identity, ticket: str) -> None:
    """Let a user who is no administrator of this zone see only what he may read (strict ACLs)."""
    if identity.auth_flag == LOCAL_PRIV_USER_AUTH:
        return
    if any("R_TICKET_MAIN.ticket_string" in sql for sql in parts.select):
        parts.where.append("R_TICKET_MAIN.user_id = ?")
        parts.values.append(identity.user_id)
    data, collection = parts.mentions("R_DATA_MAIN"), parts.mentions("R_COLL_MAIN")
    if ticket:
        _restrict_to_ticket(parts, ticket, data, collection)
        return
    for wanted, column in ((data, "R_DATA_MAIN.data_id"), (collection, "R_COLL_MAIN.coll_id")):
        if wanted:
            parts.where.append(_READABLE.format(column, READ_OBJECT))
            parts.values.append(identity.user_id)


def _restrict_to_ticket(parts: _Parts, ticket: str, data: bool, collection: bool) -> None:
    if data:
        parts.where.append(f"({_TICKET_DATA} or {_TICKET_COLLECTION})")
        parts.values += [ticket] * 3
    elif collection:
        parts.where.append(f"({_TICKET_COLLECTION})")
        parts.values += [ticket] * 2


def _assemble(request: Request, parts: _Parts, from_tables: list[str]) -> str:
    where = " AND ".join(parts.where)
    if len(where) >= MAX_SQL_LENGTH:
        raise IrodsError(codes.USER_STRLEN_TOOLONG, "the conditions are too long")
    sql = "select " if request.has(NO_DISTINCT) else "select distinct "
    sql += ", ".join(parts.select) + " from " + ", ".join(from_tables)
    if where:
        sql += f" where {where}"
    if parts.plain and len(parts.plain) < len(parts.select):
        sql += " group by " + ", ".join(parts.plain)
    order = _order(request)
    if order:
        sql += " order by " + ", ".join(order)
    if request.row_offset > 0:
        sql += " limit -1 offset ?"
        parts.values.append(request.row_offset)
    return sql


def _order(request: Request) -> list[str]:
    """What the user asked for, then the implicit order."""
    order = []
    for column, value in request.columns:
        if value & (ORDER_BY | ORDER_BY_DESC):
            order.append(".".join(_place(column)) + (" DESC" if value & ORDER_BY_DESC else ""))
    for column in _IMPLICIT_ORDER:
        for selected, value in request.columns:
            if selected == column and value & FUNCTION_MASK not in SELECT_FUNCTIONS:
                order.append(".".join(_place(column)))
    return order
