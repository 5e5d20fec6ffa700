"""shim.json: every mistake is told by key and file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from python_rules.jobs.errors import JobError
from workers import settings

DOCUMENT = Path(__file__).parents[3] / "docs" / "shim.md"
MARKS = ("<!-- settings -->", "<!-- end of settings -->")
MINIMAL = {"zone": {"environment": "/e.json"}, "celery": {"data": "/d"}}


def test_a_minimal_file_gives_the_documented_defaults() -> None:
    """What is left out is what the schema says."""
    made = settings.from_json(MINIMAL)

    assert (made.zone.ledger, made.celery.queue, made.http.wait_seconds) == ("", "sluice", 15.0)
    assert made.results_url == "db+sqlite:////d/results.sqlite"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"zones": {}}, "zones"),
        ({"zone": {"environment": "/e.json", "colour": 1}}, "zone.colour"),
        ({"zone": {}}, "zone.environment"),
        ({"zone": []}, "zone"),
        ({"http": {"port": "80"}}, "http.port"),
        ({"http": {"port": True}}, "http.port"),
        ({"http": {"port": 1.5}}, "http.port"),
        ({"http": {"threads": -1}}, "http.threads"),
        ({"http": {"wait_seconds": None}}, "http.wait_seconds"),
        ({"lexis": {"systems": {"a": 1}}}, "lexis.systems"),
    ],
)
def test_a_mistake_is_named_with_its_file(change: dict[str, Any], named: str) -> None:
    """The text names the key and the file, and the code is configuration."""
    with pytest.raises(JobError) as caught:
        settings.from_json({**MINIMAL, **change}, "/etc/sluice/shim.json")

    assert caught.value.code == "configuration"
    assert named in caught.value.text
    assert "/etc/sluice/shim.json" in caught.value.text


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"'])
def test_a_file_that_is_no_object_is_refused(tmp_path: Path, text: str) -> None:
    """Half a file, or a list, is told apart from a missing key."""
    path = tmp_path / "shim.json"
    path.write_text(text)

    with pytest.raises(JobError, match=r"shim\.json"):
        settings.load(str(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The path stands in the text."""
    with pytest.raises(JobError, match=r"nowhere\.json cannot be read"):
        settings.load(str(tmp_path / "nowhere.json"))


def test_a_whole_number_will_do_for_seconds() -> None:
    """JSON makes no difference between 5 and 5.0."""
    assert settings.from_json({**MINIMAL, "http": {"wait_seconds": 5}}).http.wait_seconds == 5.0


def test_the_schema_agrees_with_the_check() -> None:
    """What the check takes the schema takes, and a wrong key neither."""
    schema = settings.schema()
    jsonschema.Draft202012Validator.check_schema(schema)

    jsonschema.validate(MINIMAL, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**MINIMAL, "zones": {}}, schema)
    json.dumps(schema)


def test_the_documentation_lists_the_settings_as_they_are() -> None:
    """docs/shim.md between its marks; to renew it: python -m tests.unit.shim.test_settings."""
    assert settings.as_markdown().strip() in DOCUMENT.read_text(encoding="utf-8")


def renew() -> None:
    """Write the list of settings into the document."""
    before, rest = DOCUMENT.read_text(encoding="utf-8").split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    text = f"{before}{MARKS[0]}\n{settings.as_markdown()}{MARKS[1]}{after}"
    DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    renew()
