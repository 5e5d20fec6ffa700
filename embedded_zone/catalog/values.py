"""How the catalogue's values look as text: as PostgreSQL prints them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

SIGNIFICANT_DIGITS = 16  # PostgreSQL's minimum for the quotient of an average


def text(value: Any) -> str:
    """A value as the client gets it: NULL is empty, an average has PostgreSQL's number of decimals."""
    if value is None:
        return ""
    if isinstance(value, float):
        return _decimal(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value)


def _decimal(value: float) -> str:
    groups = (len(str(int(abs(value)))) - 1) // 4  # PostgreSQL counts digits in groups of four
    return f"{Decimal(value):.{max(SIGNIFICANT_DIGITS - 4 * groups, 0)}f}"
