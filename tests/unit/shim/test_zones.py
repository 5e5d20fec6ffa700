"""Which zone a request goes to, and whose queue takes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from python_rules.jobs.errors import JobError
from workers.settings import CelerySettings, ZoneSettings
from workers.zones import Zones


def environment(folder: Path, zone: str) -> str:
    """An irods_environment.json of a zone that is not there."""
    path = folder / f"{zone}.json"
    account = {"irods_user_name": "rods", "irods_zone_name": zone}
    path.write_text(json.dumps({"irods_host": "127.0.0.1", "irods_port": 1, **account}))
    return str(path)


@pytest.fixture
def zones(tmp_path: Path) -> Zones:
    """Zone a, zone b at another location, and a zone c that the settings do not name."""
    others = {"b": environment(tmp_path, "b")}
    zone = ZoneSettings(environment(tmp_path, "a"), others=others)
    return Zones(zone, CelerySettings(str(tmp_path), queue="here", queues={"b": "there"}))


@pytest.mark.parametrize(
    ("user", "source", "target", "zone"),
    [
        ("alice#a", "/a/x", "/a/y", "a"),
        ("alice#a", "/a/x", "/b/y", "a"),
        ("alice#a", "/b/x", "/b/y", "b"),
        ("alice#a", "/b/x", "", "b"),
        ("alice#a", "/b/x", "/a/y", "a"),
        ("bob#b", "/a/x", "/b/y", "b"),
        ("bob#b", "/b/x", "/c/y", "b"),
        ("alice#a", "/c/x", "/c/y", "a"),
    ],
)
def test_a_request_runs_where_its_source_lies_or_at_its_users_home(
    zones: Zones, user: str, source: str, target: str, zone: str
) -> None:
    """One that spans zones runs at home; a zone that nobody named is reached through the own one."""
    assert zones.of(user, {"source": source, "target": target}).name == zone


def test_each_zone_has_its_queue_and_workers_serve_their_own(zones: Zones) -> None:
    """Zone b's requests go to its location; the workers here watch zone a alone."""
    assert {zone.name: zones.queue_of(zone) for zone in zones} == {"a": "here", "b": "there"}
    assert [zone.name for zone in zones.served] == ["a"]


def test_a_zone_under_a_wrong_name_is_a_mistake(tmp_path: Path) -> None:
    """The sentence names both."""
    settings = ZoneSettings(environment(tmp_path, "a"), others={"b": environment(tmp_path, "c")})

    with pytest.raises(JobError, match=r"environment of b is that of c"):
        Zones(settings, CelerySettings(str(tmp_path)))
