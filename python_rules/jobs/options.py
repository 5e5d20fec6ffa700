"""Options as people type them for a rule file: JSON, or ``name=value;name=value``."""

from __future__ import annotations

import json
import re
from typing import Any, Dict

from python_rules.jobs.errors import RequestError

# irule cuts a parameter silently after so many bytes (seen on 5.0.2).
IRULE_CUT = 1084
_NEXT = re.compile(r"\s(\w+)\s*=")  # in a value: what was meant to be the next option


def parsed(text: str) -> Dict[str, Any]:
    """The options in a text; raises RequestError if it begins as JSON and is none, or lacks a ';'."""
    if len(text.encode("utf-8", "surrogatepass")) == IRULE_CUT:
        raise RequestError(
            "cut_json",
            f"options ends after {IRULE_CUT} bytes: irule cuts parameters there",
            field="options",
            remedy="send the request by REST or python-irodsclient",
        )
    if not text.strip():
        return {}
    if text.lstrip().startswith("{"):
        values = _json(text)
        if not isinstance(values, dict):
            raise RequestError("malformed_json", "options is not a JSON object", field="options", remedy="see rules/")
        return values
    pairs = [pair.partition("=") for pair in text.split(";") if pair.strip()]
    values = {name.strip(): value.strip() for name, _, value in pairs}
    for name, value in values.items():
        if found := _NEXT.search(value):
            raise RequestError(
                "bad_value",
                f"there is no ';' between the options {name} and {found[1]}",
                field="options",
                remedy="give name=value;name=value, or JSON, in which a value may hold anything",
            )
    return values


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
