"""Resource hierarchies: strings such as ``root;mid;leaf`` for what the catalogue stores as the leaf's number."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.catalog.database import Database

NO_RESOURCE = "='0'"


def hierarchies(db: Database) -> dict[str, str]:
    """The hierarchy string of every resource: number (as text) to names from the root down."""
    rows = db.all("select resc_id, resc_name, resc_parent from R_RESC_MAIN")
    place = {str(number): (name, str(parent or "")) for number, name, parent in rows}
    return {number: _path(number, place) for number in place}


def leaf_hierarchies(db: Database) -> dict[str, str]:
    """As ``hierarchies``, without the resources that have children."""
    parents = {str(row[0]) for row in db.all("select distinct resc_parent from R_RESC_MAIN")}
    return {number: path for number, path in hierarchies(db).items() if number not in parents}


def leaf_condition(db: Database, text: str) -> str:
    """A condition on the hierarchy string as one on the leaf's number.

    Only ``=``, ``!=``, ``like`` and ``not like`` exist, joined by ``||``; anything else is CAT_INVALID_ARGUMENT.
    """
    leaves = leaf_hierarchies(db)
    return " || ".join(_single(leaves, part) for part in text.split("||"))


def _path(number: str, place: dict[str, tuple[str, str]]) -> str:
    names: list[str] = []
    while number in place and len(names) <= len(place):
        name, number = place[number]
        names.insert(0, name)
    return ";".join(names)


_OPERATORS = {"=": True, "like": True, "!=": False, "not like": False}


def _single(leaves: dict[str, str], text: str) -> str:
    first, last = text.find("'"), text.rfind("'")
    if first == last:
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, f"invalid condition: {text!r}")
    operator = " ".join(text[:first].lower().split())
    if operator not in _OPERATORS:
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, f"invalid condition: {text!r}")
    value = text[first + 1 : last]
    wildcard = ".*" if "like" in operator else "%"
    pattern = re.compile(wildcard.join(re.escape(piece) for piece in value.split("%")), re.DOTALL)
    wanted = _OPERATORS[operator]
    numbers = [f"'{number}'" for number, path in leaves.items() if bool(pattern.fullmatch(path)) is wanted]
    return f"IN ({','.join(numbers)})" if numbers else NO_RESOURCE
