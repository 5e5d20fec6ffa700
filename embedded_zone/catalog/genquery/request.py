"""A GenQueryInp_PI as the engine reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Values of selectInp: the low bits are a function, the high ones an order.
SELECT_FUNCTIONS: dict[int, str] = {2: "min", 3: "max", 4: "sum", 5: "avg", 6: "count"}
FUNCTION_MASK = 0xF
ORDER_BY = 0x400
ORDER_BY_DESC = 0x800

# Options.
RETURN_TOTAL_ROW_COUNT = 0x20
NO_DISTINCT = 0x40
QUOTA_QUERY = 0x80
AUTO_CLOSE = 0x100
UPPER_CASE_WHERE = 0x200


@dataclass(frozen=True)
class Request:
    """One query: columns with their options, conditions, paging.

    ``max_rows`` ≤ 0 with a ``continue_index`` closes that statement.
    """

    columns: tuple[tuple[int, int], ...]
    conditions: tuple[tuple[int, str], ...]
    keywords: Mapping[str, str]
    options: int = 0
    max_rows: int = 256
    continue_index: int = 0
    row_offset: int = 0

    @classmethod
    def from_wire(cls, message: Mapping[str, Any]) -> Request:
        """Read the unpacked structure; missing fields are zero or empty."""
        return cls(
            columns=tuple((int(column), int(value)) for column, value in message.get("InxIvalPair_PI") or ()),
            conditions=tuple((int(column), str(text)) for column, text in message.get("InxValPair_PI") or ()),
            keywords=message.get("KeyValPair_PI") or {},
            options=message.get("options") or 0,
            max_rows=message.get("maxRows") or 0,
            continue_index=message.get("continueInx") or 0,
            row_offset=message.get("partialStartIndex") or 0,
        )

    def has(self, option: int) -> bool:
        return bool(self.options & option)
