"""The compose file, the alert rules and the dashboard, as far as they can be checked without running them."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from irods import password_obfuscation
from prometheus_client import REGISTRY

import workers.metrics
from tests.ansible.deployment import ANSIBLE, TREE
from workers import settings

COMPOSE = ANSIBLE / "compose"


def metrics() -> set[str]:
    """Every series that Prometheus may ask for."""
    assert workers.metrics  # importing it registers the metrics
    found: set[str] = set()
    for family in REGISTRY.collect():
        kind = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
        found |= {family.name + end for end in kind.get(family.type, ())}
    return found


def test_rules_and_dashboard_ask_for_metrics_that_exist() -> None:
    rules = yaml.safe_load((ANSIBLE / "monitoring/sluice.rules.yml").read_text())
    dashboard = json.loads((ANSIBLE / "monitoring/sluice.dashboard.json").read_text())
    asked = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    asked += [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]

    assert {name for text in asked for name in re.findall(r"sluice_[a-z_]+", text)} <= metrics()


def test_every_alarm_is_on_the_operators_page() -> None:
    rules = yaml.safe_load((ANSIBLE / "monitoring/sluice.rules.yml").read_text())
    page = (TREE / "docs/operating.md").read_text()
    assert [rule["alert"] for group in rules["groups"] for rule in group["rules"] if rule["alert"] not in page] == []


@pytest.mark.long
def test_the_alarms_fire_on_what_they_are_for() -> None:
    """Prometheus's own checks of the rules, and of what each rule does with given series."""
    for words in (["check", "rules", "sluice.rules.yml"], ["test", "rules", "sluice.rules.test.yml"]):
        _succeeds(["promtool", *words], cwd=ANSIBLE / "monitoring")


def test_the_compose_file_keeps_to_the_specification() -> None:
    validator = str(Path(sys.executable).with_name("check-jsonschema"))
    _succeeds([validator, "--builtin-schema", "vendor.compose-spec", str(COMPOSE / "compose.yml")])


def test_the_compose_file_is_consistent() -> None:
    """What services name is defined, what images take is there, and the one published port is TLS."""
    content = yaml.safe_load((COMPOSE / "compose.yml").read_text())
    services = content["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        for part in ("secrets", "configs"):
            used = {item["source"] if isinstance(item, dict) else item for item in service.get(part, [])}
            assert used <= set(content[part]), name
        assert {item.split(":")[0] for item in service.get("volumes", [])} <= set(content["volumes"]), name
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"proxy": ["443:443"]}
    for dockerfile in {service["build"]["dockerfile"] for service in services.values() if "build" in service}:
        for line in re.findall(r"^COPY (.*) \S+$", (TREE / dockerfile).read_text(), re.M):
            assert all((TREE / source).exists() for source in line.split()), line


def test_what_the_containers_are_given_is_what_they_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """prepare.py's secrets and settings: the shim loads them, the account's password opens, a second run keeps them."""
    prepare = runpy.run_path(str(COMPOSE / "prepare.py"))["main"]
    folder = tmp_path / "secrets"
    assert prepare(["localhost"], folder) == 0
    written = {path.name: path.read_text() for path in folder.iterdir()}
    assert prepare(["localhost"], folder) == 0
    assert {path.name: path.read_text() for path in folder.iterdir()} == written
    assert {
        Path(secret["file"]).name
        for secret in yaml.safe_load((COMPOSE / "compose.yml").read_text())["secrets"].values()
    } <= set(written)
    assert settings.load(folder / "shim.json").celery.broker == f"amqp://sluice:{written['messages']}@broker//"

    for name in ("IRODS_HOST", "IRODS_USER", "IRODS_ZONE"):
        monkeypatch.setenv(name, name.lower())
    runpy.run_path(str(COMPOSE / "service/start.py"))["write_account"](tmp_path / "irods", written["zone"])
    assert password_obfuscation.decode((tmp_path / "irods/.irodsA").read_text(), 0) == written["zone"]


def test_the_zone_in_a_container_has_the_python_engine_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IRODS_ZONE", "IRODS_USER", "CATALOGUE_HOST"):
        monkeypatch.setenv(name, name.lower())
    template = {"plugin_configuration": {"rule_engines": [{"instance_name": "native"}]}}
    given = runpy.run_path(str(COMPOSE / "zone/start.py"))["unattended"](template, str.upper)
    engines = [engine["instance_name"] for engine in given["server_config"]["plugin_configuration"]["rule_engines"]]
    assert engines == ["irods_rule_engine_plugin-python-instance", "native"]
    assert given["server_config"]["plugin_configuration"]["database"]["password"] == "CATALOGUE"


def _succeeds(command: list[str], cwd: Path | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
