"""Which zone a query is about."""

from __future__ import annotations

from typing import Any

from embedded_zone.catalog.genquery import columns as c

ZONE_KEYWORD = "zone"
_NOT_THE_ROOT = "<>'/'"  # a condition that clients add to any listing; it says nothing about the zone
_ZONE_COLUMNS = (c.COLL_NAME, c.COLL_PARENT_NAME, c.ZONE_NAME)


def of_keyword(request: dict[str, Any]) -> str:
    """The zone that the keyword names, '' without it."""
    keyword = (request.get("KeyValPair_PI") or {}).get(ZONE_KEYWORD)
    return _zone_of(keyword) if keyword else ""


def of_query(request: dict[str, Any]) -> str:
    """The zone of a GenQuery1, '' if nothing tells: the keyword, or the first path among the conditions."""
    named = of_keyword(request)
    if named:
        return named
    for column, text in request.get("InxValPair_PI") or ():
        if column in _ZONE_COLUMNS and text != _NOT_THE_ROOT:
            return _zone_of(text[text.find("/") :] if "/" in text else text)
    return ""


def _zone_of(path: str) -> str:
    name = path[1:].partition("/")[0] if path.startswith("/") else path
    return name.removesuffix("'")
