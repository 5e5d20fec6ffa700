"""From a GenQuery2 to SQL (``genquery2_sql.cpp`` of iRODS 5.0.2).

There are two texts of the same query: what SQLite runs, in which every value is a bound parameter, and what a real
server on PostgreSQL would run, for clients that ask to see it (``sql_only``). One difference to 5.0.2 is wanted: the
user's conditions stand in brackets before the access check, so that an ``or`` does not get around it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from embedded_zone.agent import LOCAL_PRIV_USER_AUTH, Identity
from embedded_zone.catalog.access import READ_OBJECT
from embedded_zone.catalog.column_types import INTEGER_COLUMNS, check_integers
from embedded_zone.catalog.genquery2 import dialect
from embedded_zone.catalog.genquery2.columns import COLUMNS
from embedded_zone.catalog.genquery2.parser import Column, Comparison, Expression, Function, Select
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

DEFAULT_ROWS = 256
_OF_NUMBERS = ("sum", "avg")

# Tables that can be joined directly: (one, other) -> condition on their aliases.
_EDGES: dict[tuple[str, str], str] = {
    ("R_COLL_MAIN", "R_DATA_MAIN"): "{}.coll_id = {}.coll_id",
    ("R_DATA_MAIN", "R_RESC_MAIN"): "{}.resc_id = {}.resc_id",
    ("R_USER_MAIN", "R_USER_AUTH"): "{}.user_id = {}.user_id",
    ("R_USER_MAIN", "R_USER_GROUP"): "{}.user_id = {}.group_user_id",
}

# The beginning of a metadata column's name -> alias of its table, letter of the map's alias, owner and its id.
_METADATA = {
    "META_D": ("mmd", "ommd", "R_DATA_MAIN", "data_id"),
    "META_C": ("mmc", "ommc", "R_COLL_MAIN", "coll_id"),
    "META_R": ("mmr", "ommr", "R_RESC_MAIN", "resc_id"),
    "META_U": ("mmu", "ommu", "R_USER_MAIN", "user_id"),
}
_METADATA_JOIN = (
    " {how} join R_OBJT_METAMAP {map} on {owner}.{id} = {map}.object_id"
    " {how} join R_META_MAIN {meta} on {map}.meta_id = {meta}.meta_id"
)

# Owner of permissions -> letter in the aliases of the joined tables, its id.
_PERMISSIONS = {"R_DATA_MAIN": ("d", "data_id"), "R_COLL_MAIN": ("c", "coll_id")}
_PERMISSION_ALIASES = {"PERM_NAME": "p{}t", "USER_NAME": "p{}u", "USER_ZONE": "p{}u"}
_PERMISSION_JOIN = (
    " {how} join R_OBJT_ACCESS p{x}oa on {owner}.{id} = p{x}oa.object_id"
    " {how} join R_TOKN_MAIN p{x}t on p{x}oa.access_type_id = p{x}t.token_id"
    " {how} join R_USER_GROUP p{x}ug on p{x}oa.user_id = p{x}ug.group_user_id"
    " {how} join R_USER_MAIN p{x}u on p{x}ug.user_id = p{x}u.user_id"
)
_PERMISSION_CHECK = (
    "p{x}u.user_name = ? and p{x}u.zone_name = {zone} and p{x}u.user_type_name != 'rodsgroup'"
    " and p{x}oa.access_type_id >= {level}"
)

_HIERARCHIES = (
    "with recursive cte_drh as (select resc_id, resc_name hier, case when resc_parent = '' then 0 else"
    " cast(resc_parent as bigint) end parent_id from R_RESC_MAIN where resc_id > 0 union all select cte_drh.resc_id,"
    " cast({concat} as varchar(250)), case when U.resc_parent = '' then 0 else cast(U.resc_parent as bigint) end"
    " parent_id from cte_drh inner join R_RESC_MAIN U on U.resc_id = cte_drh.parent_id) "
)


def generate(select: Select, identity: Identity, *, postgresql: bool = False) -> tuple[str, list[Any]]:
    """The statement and its bound values for SQLite, or the text that PostgreSQL would get.

    Raises SYS_INVALID_INPUT_PARAM for an unknown column or tables that cannot be joined, SYS_LIBRARY_ERROR for an
    unknown function or type.
    """
    return _Generator(select, identity, postgresql).statement()


@dataclass
class _Generator:
    select: Select
    identity: Identity
    postgresql: bool
    aliases: dict[str, str] = field(default_factory=dict)  # of the tables, in the order of their use
    used: dict[str, str] = field(default_factory=dict)  # column name -> its SQL where it was used first
    metadata: set[str] = field(default_factory=set)
    hierarchy: bool = False
    values: list[Any] = field(default_factory=list)

    def statement(self) -> tuple[str, list[Any]]:
        columns = ", ".join(self._term(column, in_select=True) for column in self.select.columns)
        conditions = self._conditions()
        if not self.aliases:
            raise _invalid("no table is used")
        first = next(iter(self.aliases))
        sql = self._with() + f"select {'distinct ' if self.select.distinct else ''}{columns}"
        sql += f" from {first} {self.aliases[first]}{self._joins()}"
        # SQLite finds a better way if the tables that restrict most stand first.
        further = (self._permission_joins(), self._metadata_joins())
        sql += "".join(further if self.postgresql else reversed(further))
        if self.hierarchy:
            sql += f" inner join cte_drh on cte_drh.resc_id = {self.aliases['R_RESC_MAIN']}.resc_id"
        sql += self._where(conditions) + self._group_by() + self._order_by() + self._range()
        return sql, self.values

    # --- columns and functions

    def _term(self, term: Expression, *, in_select: bool = False) -> str:
        if isinstance(term, Column):
            return self._column(term)
        if isinstance(term, Function):
            return self._function(term, in_select)
        return self._literal(term)

    def _literal(self, value: str) -> str:
        if self.postgresql:
            return f"'{value}'"
        self.values.append(value)
        return "?"

    def _column(self, column: Column) -> str:
        if column.name not in COLUMNS:
            raise _invalid(f"unknown column: {column.name}")
        table, name = COLUMNS[column.name]
        sql = f"{self._alias(column.name, table)}.{name}"
        if column.type_name:
            shown = f"cast({sql} as {column.type_name})"
            sql = shown if self.postgresql else dialect.cast(sql, column.type_name)
        self.used.setdefault(column.name, sql)
        return sql

    def _function(self, function: Function, in_select: bool) -> str:
        arguments = [self._term(argument, in_select=in_select) for argument in function.arguments]
        if function.name.lower() in _OF_NUMBERS and any(_is_text(argument) for argument in function.arguments):
            raise IrodsError(codes.SYS_LIBRARY_ERROR, f"{function.name} of a text column")
        if function.distinct and not in_select:
            raise _invalid("DISTINCT within a function is for the select clause")
        if self.postgresql:
            return f"{function.name}({'distinct ' if function.distinct else ''}{', '.join(arguments)})"
        return dialect.call(function.name, arguments, function.distinct)

    def _alias(self, name: str, table: str) -> str:
        """The alias of a column's table; registers what has to be joined for it."""
        if name[:6] in _METADATA:
            alias, _, owner, _ = _METADATA[name[:6]]
            self.metadata.add(name[:6])
            self._use(owner)
            return alias
        if name == "DATA_RESC_HIER":
            self.hierarchy = True
            self._use("R_RESC_MAIN")
            return "cte_drh"
        kind, _, tail = name.partition("_ACCESS_")
        if tail and name != "DATA_ACCESS_TIME":
            owner = f"R_{kind}_MAIN"
            self._use(owner)
            return _PERMISSION_ALIASES.get(tail, "p{}oa").format(_PERMISSIONS[owner][0])
        return self._use(table)

    def _use(self, table: str) -> str:
        return self.aliases.setdefault(table, f"t{len(self.aliases)}")

    # --- clauses

    def _conditions(self) -> str:
        words = [self._comparison(c) if isinstance(c, Comparison) else c for c in self.select.conditions]
        return " ".join(words).replace("( ", "(").replace(" )", ")")

    def _comparison(self, comparison: Comparison) -> str:
        left = self._term(comparison.left)
        if isinstance(comparison.left, Column):
            _check_types(comparison.left, comparison)
        self.values += comparison.values
        number = isinstance(comparison.left, Function) and dialect.is_number(comparison.left.name)
        mark = "cast(? as numeric)" if number and not self.postgresql else "?"
        operator = comparison.operator
        if operator.endswith("in"):
            return f"{left} {operator} ({', '.join([mark] * len(comparison.values))})"
        if operator.endswith("between"):
            return f"{left} {operator} {mark} and {mark}"
        if operator.endswith("like"):
            return f"{left} {operator} ?" + ("" if self.postgresql else r" escape '\'")
        return f"{left} {operator} {mark}" if comparison.values else f"{left} {operator}"

    def _with(self) -> str:
        if not self.hierarchy:
            return ""
        concat = "concat(concat(U.resc_name, ';'), cte_drh.hier)" if self.postgresql else "U.resc_name || ';' || hier"
        return _HIERARCHIES.format(concat=concat)

    def _joins(self) -> str:
        """Join each table to the one joined last, as often over the list as there are tables."""
        processed, *remaining = self.aliases
        sql = ""
        last = processed
        for _ in range(len(remaining)):
            here = last
            for table in list(remaining):
                condition = self._edge(here, table)
                if condition:
                    sql += f" inner join {table} {self.aliases[table]} on {condition}"
                    remaining.remove(table)
                    last = table
        if remaining:
            raise _invalid(f"{', '.join(remaining)} cannot be joined")
        return sql

    def _edge(self, one: str, other: str) -> str:
        for pair in ((one, other), (other, one)):
            if pair in _EDGES:
                return _EDGES[pair].format(*(self.aliases[table] for table in pair))
        return ""

    def _permission_joins(self) -> str:
        """Always there, whether a column of them is used or not; so an object shows once for each permission on it."""
        # 'cross' is an inner join of which SQLite keeps the order: first find the objects, then who may read them.
        how = "left" if self._is_admin else "inner" if self.postgresql else "cross"
        return "".join(
            _PERMISSION_JOIN.format(how=how, x=letter, owner=self.aliases[owner], id=number)
            for owner, (letter, number) in _PERMISSIONS.items()
            if owner in self.aliases
        )

    def _metadata_joins(self) -> str:
        needed = set() if self.postgresql else self._needed_metadata()
        return "".join(
            _METADATA_JOIN.format(
                how="inner" if beginning in needed else "left",
                map=map_alias,
                meta=meta,
                owner=self.aliases[owner],
                id=number,
            )
            for beginning, (meta, map_alias, owner, number) in _METADATA.items()
            if beginning in self.metadata
        )

    def _needed_metadata(self) -> set[str]:
        """The kinds of metadata of which every row has one, because a condition fails without: no outer join needed."""
        conditions = self.select.conditions
        if "or" in conditions or "not" in conditions:
            return set()
        comparisons = [c for c in conditions if isinstance(c, Comparison) and c.operator != "is null"]
        return {c.left.name[:6] for c in comparisons if isinstance(c.left, Column)}

    def _where(self, conditions: str) -> str:
        checks = [] if self._is_admin else self._checks()
        if checks and "or" in self.select.conditions:
            conditions = f"({conditions})"
        clauses = [conditions, *checks] if conditions else checks
        return f" where {' and '.join(clauses)}" if clauses else ""

    def _checks(self) -> list[str]:
        checks = []
        for owner, (letter, _) in _PERMISSIONS.items():
            if owner in self.aliases:
                zone = f"'{self.identity.zone}'" if self.postgresql else "?"
                checks.append(_PERMISSION_CHECK.format(x=letter, zone=zone, level=READ_OBJECT))
                self.values += [self.identity.name, self.identity.zone]
        return checks

    def _group_by(self) -> str:
        for name in self.select.group_by:
            if name not in self.used:
                raise _invalid(f"{name} is grouped by but not used")
        return " group by " + ", ".join(self.used[n] for n in self.select.group_by) if self.select.group_by else ""

    def _order_by(self) -> str:
        known = set(self.aliases)
        terms = [f"{self._term(term, in_select=True)} {order}" for term, order in self.select.order_by]
        if set(self.aliases) != known:
            raise _invalid("ordered by a column of a table that is not used")
        return " order by " + ", ".join(terms) if terms else ""

    def _range(self) -> str:
        rows, offset = self.select.limit or str(DEFAULT_ROWS), self.select.offset
        sql = f" fetch first {rows} rows only" if self.postgresql else f" limit {rows}"
        return sql + (f" offset {offset}" if offset else "")

    @property
    def _is_admin(self) -> bool:
        return self.identity.auth_flag >= LOCAL_PRIV_USER_AUTH


def _is_text(argument: Expression) -> bool:
    return isinstance(argument, Column) and not argument.type_name and COLUMNS[argument.name] not in INTEGER_COLUMNS


def _check_types(column: Column, comparison: Comparison) -> None:
    """PostgreSQL compares an integer column with integers only."""
    if column.type_name or COLUMNS[column.name] not in INTEGER_COLUMNS:
        return
    try:
        check_integers(["like"] if comparison.operator.endswith("like") else list(comparison.values))
    except IrodsError as error:
        raise IrodsError(codes.SYS_LIBRARY_ERROR, error.message) from error


def _invalid(text: str) -> IrodsError:
    return IrodsError(codes.SYS_INVALID_INPUT_PARAM, f"GenQuery2: {text}")
