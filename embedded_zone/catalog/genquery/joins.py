"""How the tables of a query hang together: the search of iRODS's ``tScan`` over the links of ``schema``.

The result is the one path that iRODS finds, not the shortest: depth first from the starting table, forward links
before backward ones, in the order of the table of links.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache

from embedded_zone.catalog.genquery.schema import CYCLERS, LINKS
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes


@dataclass(frozen=True)
class Joins:
    """What connects the wanted tables: further tables in the order found, and the conditions that join them."""

    tables: tuple[str, ...]
    conditions: tuple[str, ...]


@lru_cache(maxsize=1024)
def connect(wanted: frozenset[str], start: str) -> Joins:
    """Join all wanted tables, from ``start``; raises CAT_FAILED_TO_LINK_TABLES."""
    search = _Search(set(wanted))
    found = search.scan(start, -1)
    if not found or search.missing:
        raise IrodsError(codes.CAT_FAILED_TO_LINK_TABLES, f"nothing joins {', '.join(sorted(wanted))}")
    return Joins(tuple(search.tables), tuple(search.conditions))


_FORWARD: dict[str, list[int]] = defaultdict(list)
_BACKWARD: dict[str, list[int]] = defaultdict(list)
for _number, (_left, _right, _) in enumerate(LINKS):
    _FORWARD[_left].append(_number)
    _BACKWARD[_right].append(_number)


@dataclass
class _Search:
    missing: set[str]
    seen: set[str] = field(default_factory=set)
    tables: dict[str, None] = field(default_factory=dict)
    conditions: list[str] = field(default_factory=list)

    def scan(self, table: str, came_by: int) -> bool:
        """Whether the tree below ``table`` holds a wanted table; its links are then part of the join."""
        keep = table in self.missing
        if keep:
            self.missing.discard(table)
            if not self.missing:
                return True
        elif table in self.seen:
            return False
        self.seen.add(table)
        if table in CYCLERS:
            return keep
        return self._follow(table, came_by, keep)

    def _follow(self, table: str, came_by: int, keep: bool) -> bool:
        ways = [(n, LINKS[n][1]) for n in _FORWARD[table]] + [(n, LINKS[n][0]) for n in _BACKWARD[table]]
        for number, neighbour in ways:
            if number == came_by or not self.scan(neighbour, number):
                continue
            keep = True
            self._use(number)
            if not self.missing:
                break
        return keep

    def _use(self, number: int) -> None:
        left, right, condition = LINKS[number]
        self.conditions.append(condition)
        self.tables.setdefault(right)
        self.tables.setdefault(left)
