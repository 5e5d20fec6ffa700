"""A dataset's metadata as LEXIS writes them: an AVU for a text, one for each entry of a list, JSON for what is neither.

CustomMetadata are kept as they come; LEXIS checks them against the schemas that come along, which is not done here.
"""

from __future__ import annotations

import json
from typing import Any

from python_rules.jobs.errors import JobError

TEXTS = (
    "identifier",
    "title",
    "publicationYear",
    "resourceType",
    "resourceTypeGeneral",
    "CustomMetadata",
    "scope",
    "format",
)
LISTS = (
    "creator",
    "publisher",
    "owner",
    "contributor",
    "relatedIdentifier",
    "rights",
    "rightsURI",
    "rightsIdentifier",
    "CustomMetadataSchema",
    "AlternateIdentifier",
    "RelatedSoftware",
    "description",
)
EUDAT = ("EUDAT/FIO", "EUDAT/FIXED_CONTENT", "EUDAT/PARENT", "EUDAT/ROR", "PID", "EUDAT/REPLICA")
FLAGS = ("encryption", "compression")
_AS_JSON = ("CustomMetadata", "CustomMetadataSchema", "AlternateIdentifier")
_LONGEST = 2700  # bytes of a value: an iRODS server keeps no more


def check(given: Any) -> None:
    """Raise JobError that names the member whose kind or length is wrong; nothing given is right."""
    if given is None:
        return
    if not isinstance(given, dict):
        raise _wrong("metadata is not an object")
    for name, value in given.items():
        if value is None:
            continue
        if name in TEXTS and name != "CustomMetadata" and not isinstance(value, str):
            raise _wrong(f"Metadata {name} is not a string")
        if name in LISTS and not isinstance(value, list):
            raise _wrong(f"Metadata {name} is not an array")
    pairs = given.get("AlternateIdentifier") or []
    if not all(isinstance(pair, list) and [type(part) for part in pair] == [str, str] for pair in pairs):
        raise _wrong("Metadata AlternateIdentifier should be an array of pairs of strings")
    for name, value in avus(given):
        if len(value.encode("utf-8", "surrogatepass")) > _LONGEST or "\0" in value:
            raise _wrong(f"Metadata {name} holds a value that is longer than {_LONGEST} bytes, or no text")


def avus(given: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and value of each AVU that checked metadata become; members that LEXIS does not know are left out."""
    made = [(name, _text(name, given[name])) for name in TEXTS if given.get(name)]
    made += [(name, _text(name, value)) for name in LISTS for value in given.get(name) or []]
    return [(name, value) for name, value in made if value]


def shown(told: dict[str, list[str]]) -> dict[str, Any]:
    """The metadata of a dataset as LEXIS shows them, out of its AVUs."""
    texts = {name: _read(name, told[name][0]) for name in TEXTS if told.get(name)}
    return texts | {name: [_read(name, value) for value in told.get(name, ())] for name in LISTS}


def _text(name: str, value: Any) -> str:
    return json.dumps(value) if name in _AS_JSON else str(value)


def _read(name: str, value: str) -> Any:
    if name not in _AS_JSON:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value  # somebody else wrote it


def _wrong(text: str) -> JobError:
    return JobError("bad_value", text, field="metadata", remedy="see LEXIS's list of members")
