"""An answer of a rule for people to read: a line for each value, indented under what it belongs to."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterator, List, Optional

from python_rules import names
from python_rules.dialect import Rule

TEXT = "text"  # what ``*show`` of a rule file asks for; everything else is the JSON as it is


def readable(answer: Dict[str, Any]) -> str:
    """The lines of ``{"ok": …}``, or of ``{"error": …}`` with its remedy; what is empty or unknown is left out."""
    if "error" in answer:
        told = answer["error"]
        first = f"refused: {told['text']} ({told['code']})"
        return "\n".join(
            [first, *(f"  {name}: {told[name]}" for name in ("field", "object", "remedy") if told.get(name))]
        )
    return "\n".join(_lines(answer.get("ok"), "")) or "nothing"


def _lines(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _named(str(name), one, indent)
    elif isinstance(value, list):
        for one in value:
            yield from _item(one, indent)
    elif not _is_empty(value):
        yield indent + _told(value)


def _named(name: str, value: Any, indent: str) -> Iterator[str]:
    if _is_empty(value):
        return
    if isinstance(value, (dict, list)):
        yield f"{indent}{name}:"
        yield from _lines(value, indent + "  ")
    else:
        yield f"{indent}{name}: {_told(value)}"


def _item(value: Any, indent: str) -> Iterator[str]:
    """One of a list: in a line if nothing in it needs lines of its own."""
    if isinstance(value, dict) and not any(isinstance(one, (dict, list)) for one in value.values()):
        yield indent + ", ".join(f"{name} {_told(one)}" for name, one in value.items() if not _is_empty(one))
    else:
        yield from _lines(value, indent)


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, (str, dict, list)) and not value)


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return str(value)


def _show(rule_args: List[Any], callback: Any, rei: Any) -> Optional[int]:
    """sluice_show(*show, *response, *text): an answer as ``text``, or unchanged (``json``)."""
    if len(rule_args) != 3:
        return None
    show, response = str(rule_args[0]), str(rule_args[1])
    try:
        rule_args[-1] = readable(json.loads(response)) if show == TEXT else response
    except (ValueError, KeyError, TypeError, AttributeError):
        rule_args[-1] = response  # no answer of ours
    return None


RULES: Dict[str, Rule] = {names.SHOW: _show}
