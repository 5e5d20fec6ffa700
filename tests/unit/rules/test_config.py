"""sluice.json and its check."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from python_rules import config
from python_rules.jobs.errors import JobError

SMALLEST = {
    "zone": {"name": "tempZone"},
    "engine": {"python": "/opt/sluice/venv/bin/python"},
    "keys": {"keyring": "/etc/irods/keyring.json", "master_key": "/etc/irods/master.key"},
}


def written(folder: Path, content: Any) -> str:
    path = folder / "sluice.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_defaults_fill_what_is_not_said(tmp_path: Path) -> None:
    """The smallest file gives a whole configuration, the ledger's place included."""
    settings = config.load(written(tmp_path, SMALLEST))

    assert settings.ledger == "/tempZone/sluice"
    assert settings["engine.connections"] == 4


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"engine": {"pyhton": "x"}}, "engine.pyhton"),
        ({"engine": {"python": 3}}, "engine.python"),
        ({"engine": {"python": "x", "threads": True}}, "engine.threads"),
        ({"keys": {}}, "keys.keyring"),
        ({"zone": "tempZone"}, "sections"),
    ],
)
def test_a_wrong_file_is_refused_by_key_and_file(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    """The error names the key and the file."""
    path = written(tmp_path, {**SMALLEST, **change})

    with pytest.raises(JobError) as caught:
        config.load(path)

    assert caught.value.code == "configuration"
    assert named in caught.value.text
    assert path in caught.value.text


def test_the_published_schema_says_the_same(tmp_path: Path) -> None:
    """The JSON schema accepts and refuses what the loader does."""
    jsonschema.validate(SMALLEST, config.schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**SMALLEST, "engine": {"pyhton": "x"}}, config.schema())
