"""Options as people type them for a rule file: JSON, or ``name=value;name=value``."""

from __future__ import annotations

import json
from typing import Any, Dict

from python_rules.jobs.errors import RequestError


def parsed(text: str) -> Dict[str, Any]:
    """The options in a text; raises RequestError if it begins as JSON and is none."""
    if not text.strip():
        return {}
    if text.lstrip().startswith("{"):
        values = _json(text)
        if not isinstance(values, dict):
            raise RequestError("malformed_json", "options is not a JSON object", field="options", remedy="see rules/")
        return values
    pairs = [pair.partition("=") for pair in text.split(";") if pair.strip()]
    return {name.strip(): value.strip() for name, _, value in pairs}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
