"""Every file of rules/, run by an ordinary user; by the real irule as well, where it is installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from irods.password_obfuscation import encode

from python_rules.config import NATIVE_INSTANCE
from tests.e2e.jobs import Bench, bench
from tests.stack import rulecall
from tests.stack.rulecall import RULES

TEXT = b"Every user has irule.\n" * 500
ODD = 'it\'s 100% "odd" $name'  # a name that needs quoting everywhere

# file: its values, with the zone's words in braces; all are run in this order, {job} is the job of compress.r
FILES: dict[str, dict[str, str]] = {
    "methods.r": {},
    "systems.r": {},
    "plan.r": {"operation": "compress", "source": "{place}/in", "target": "", "options": "level=5"},
    "compress.r": {"source": "{place}/{odd}", "target": "{place}/c", "options": "compression=zstd;level=1"},
    "status.r": {"job": "{job}"},
    "list.r": {"filter": "limit=5"},
    "retry.r": {"job": "{job}"},
    "cancel.r": {"job": "{job}"},
    "decompress.r": {"source": "{place}/made.zst", "target": "{place}/d", "options": ""},
    "encrypt.r": {"source": "{place}/in", "target": "{place}/e", "options": '{{"key": "{key}"}}'},
    "decrypt.r": {"source": "{place}/in", "target": "{place}/f", "options": ""},
    "compress_encrypt.r": {"source": "{place}/in", "target": "{place}/g", "options": "key={key}"},
    "decrypt_decompress.r": {"source": "{place}/in", "target": "{place}/h", "options": ""},
    "rekey.r": {"source": "{place}/in", "target": "", "options": "key={key}"},
    "duplicate.r": {"source": "{place}/in", "target": "{place}/i", "options": "existing=skip"},
    "stage.r": {"source": "{place}/in", "target": "{place}/j", "options": "existing=skip"},
    "replicate.r": {"source": "{place}/in", "replica": "demoResc", "options": ""},
    "verify.r": {"source": "{place}/in", "options": "priority=9"},
    "size.r": {"source": "{place}", "options": ""},
    "delete.r": {"source": "{place}/old", "options": "original=remove"},
    "policy_set.r": {"collection": "{place}", "policy": "operation=none"},
    "policy_show.r": {"path": "{place}/{odd}"},
    "pause.r": {"reason": "a test"},
    "resume.r": {},
    "selfcheck.r": {},
    "patrol_start.r": {},
}
OF_ADMINISTRATORS = {"pause.r", "resume.r", "selfcheck.r", "patrol_start.r"}
# a job that has succeeded is neither to be retried nor to be cancelled
REFUSED = {"retry.r": "illegal_transition", "cancel.r": "illegal_transition"}


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("files")) as made:
        yield made


@pytest.fixture(scope="module")
def words(zone: Bench) -> dict[str, str]:
    """What the values of FILES stand for: data, and a job that has ended."""
    place = zone.place()
    for name in ("in", "old", ODD):
        zone.write(f"{place}/{name}", TEXT)
    job = zone.submit(operation="compress", source=f"{place}/in", target=f"{place}/made.zst")
    zone.ended(job)
    return {"place": place, "odd": ODD, "key": zone.site.key, "job": job}


@pytest.fixture(scope="module")
def environment(zone: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An irods_environment.json of the user, for irule."""
    home = tmp_path_factory.mktemp("environment")
    user = zone.user
    content = {"irods_host": user.host, "irods_port": user.port, "irods_user_name": user.name}
    content |= {"irods_zone_name": user.zone, "irods_client_server_policy": "CS_NEG_REFUSE"}
    (home / ".irodsA").write_text(encode(user.password))
    (home / ".irodsA").chmod(0o600)
    content["irods_authentication_file"] = str(home / ".irodsA")
    (home / "irods_environment.json").write_text(json.dumps(content))
    return home / "irods_environment.json"


def by_python(zone: Bench, environment: Path, file: str, values: dict[str, str]) -> dict[str, Any]:
    """python-irodsclient reads the file; values are written as the rule language's strings."""
    with zone.user.session() as session:
        return rulecall.call_file(session, file, **values)


def by_irule(zone: Bench, environment: Path, file: str, values: dict[str, str]) -> dict[str, Any]:
    """irule -s: values are taken as they are."""
    given = [f"*{name}={value}" for name, value in values.items()]
    command = ["irule", "-r", NATIVE_INSTANCE, "-s", "-F", str(RULES / file), *given]
    done = subprocess.run(
        command, env={**os.environ, "IRODS_ENVIRONMENT_FILE": str(environment)}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


WAYS = [by_python, *([pytest.param(by_irule, marks=pytest.mark.long)] if shutil.which("irule") else [])]


def test_no_file_is_left_out() -> None:
    """A file without a row here was never run."""
    assert {path.name for path in RULES.glob("*.r")} == set(FILES)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("way", WAYS)
def test_an_ordinary_user_runs_it(zone: Bench, words: dict[str, str], environment: Path, way: Any, file: str) -> None:
    """The answer is a job, a plan, a list, or the reason why not; names with quotes and percent signs are exact."""
    mark = uuid.uuid4().hex[:4] if file in ("compress.r", "decompress.r") else ""
    values = {name: value.format(**words) for name, value in FILES[file].items()}
    if file == "delete.r":
        values["source"] = zone.write(f"{words['place']}/old-{uuid.uuid4().hex[:4]}", TEXT)
    elif values.get("target"):
        values["target"] += f"-{way.__name__}{mark}"

    answer = way(zone, environment, file, values)

    if file in OF_ADMINISTRATORS:
        assert answer["error"]["code"] == "not_permitted"
    elif file in REFUSED:
        assert answer["error"]["code"] == REFUSED[file]
    else:
        assert "ok" in answer, answer
        told = {**answer["ok"]} if isinstance(answer["ok"], dict) else {}
        assert told.get("source", values.get("source", "")) == values.get("source", told.get("source", ""))
        if told.get("state") == "queued" and file not in ("decrypt.r", "decrypt_decompress.r"):
            assert zone.ended(told["id"])["state"] == "succeeded", told


def test_people_can_read_it(zone: Bench, words: dict[str, str]) -> None:
    """With show=text a job, a list and a refusal are lines of words."""
    with zone.user.session() as session:
        job = rulecall.printed(session, "status.r", job=words["job"], show="text").splitlines()
        listed = rulecall.printed(session, "list.r", filter="", show="text").splitlines()
        refused = rulecall.printed(session, "compress.r", source=f"{words['place']}/none", show="text").splitlines()

    assert {f"id: {words['job']}", "state: succeeded", "progress:", "  objects_done: 1"} <= set(job)
    assert f"id {words['job']}, state succeeded" in listed
    assert refused[0].endswith("(source_not_found)")
    assert refused[1:] == ["  field: source", f"  remedy: {refused[2].partition(': ')[2]}"]


def test_a_value_that_irule_cut_is_explained(zone: Bench) -> None:
    """Exactly as long as irule leaves a value: the error says so, and what to do instead."""
    place = zone.place()
    with zone.user.session() as session:
        cut = rulecall.call(session, "sluice_request", "compress", f"{place}/in", "", "level=3;key=" + "k" * 1072)
        split = rulecall.call(session, "sluice_submit", f'{{"operation": "compress", "source": "{place}/100')

    assert (cut["error"]["code"], split["error"]["code"]) == ("cut_json", "cut_json")
    assert "1084" in cut["error"]["text"]
    assert "'%'" in split["error"]["text"]
