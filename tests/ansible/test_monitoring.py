"""The compose file, the alert rules and the dashboard, as far as they can be checked without running them."""

from __future__ import annotations

import json
import re

import yaml
from prometheus_client import REGISTRY

import workers.metrics
from tests.ansible.deployment import ANSIBLE, TREE


def _metrics() -> set[str]:
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

    assert {name for text in asked for name in re.findall(r"sluice_[a-z_]+", text)} <= _metrics()


def test_every_alarm_is_on_the_operators_page() -> None:
    rules = yaml.safe_load((ANSIBLE / "monitoring/sluice.rules.yml").read_text())
    page = (TREE / "docs/operating.md").read_text()
    assert [rule["alert"] for group in rules["groups"] for rule in group["rules"] if rule["alert"] not in page] == []


def test_the_compose_file_is_consistent() -> None:
    """What services name is defined, and every published port is TLS."""
    content = yaml.safe_load((ANSIBLE / "compose/compose.yml").read_text())
    services = content["services"]
    for name, service in services.items():
        assert "image" in service, name
        assert set(service.get("depends_on", {})) <= set(services), name
        for part in ("secrets", "configs"):
            used = {item["source"] if isinstance(item, dict) else item for item in service.get(part, [])}
            assert used <= set(content[part]), name
        mounted = {item.split(":")[0] for item in service.get("volumes", [])}
        assert {place for place in mounted if place[0] not in "./"} <= set(content["volumes"]), name
    assert {name: service["ports"] for name, service in services.items() if "ports" in service} == {
        "proxy": ["443:443"]
    }
