"""Options as people type them for a rule file."""

from __future__ import annotations

from typing import Any

import pytest

from python_rules.jobs import options
from python_rules.jobs.errors import RequestError


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("key=demo", {"key": "demo"}),
        (" key = demo ; compression=gzip; ", {"key": "demo", "compression": "gzip"}),
        ("include=a b.csv,c=d", {"include": "a b.csv,c=d"}),
        ('{"key": "demo", "objects": ["a b=c"]}', {"key": "demo", "objects": ["a b=c"]}),
    ],
)
def test_what_people_type(text: str, values: dict[str, Any]) -> None:
    """Spaces around names and values do not count; JSON may hold anything."""
    assert options.parsed(text) == values


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("key=demo compression=gzip", "bad_value", "between the options key and compression"),
        ("key=demo,\tlevel = 3", "bad_value", "between the options key and level"),
        ("{key=demo}", "malformed_json", "not a JSON object"),
        ("[" + "x" * (options.IRULE_CUT - 1), "cut_json", "irule cuts parameters"),
    ],
)
def test_what_is_refused(text: str, code: str, told: str) -> None:
    """A forgotten ';' is named, instead of a value that is none."""
    with pytest.raises(RequestError) as refused:
        options.parsed(text)

    assert refused.value.code == code
    assert told in refused.value.text
    assert refused.value.remedy
