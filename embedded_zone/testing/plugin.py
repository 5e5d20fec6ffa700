"""pytest plug-in: zones, federated zones, traces and faults as fixtures.

    def test_my_policy(zone, zone_trace):
        with iRODSSession(**zone.session_arguments()) as session:
            session.data_objects.put("file", "/tempZone/home/rods/file")
        assert "pep_api_data_obj_open_post" in zone_trace.hooks()

A fixture ``zone_rules`` (a path of a core.py or of a directory with one) says which rules all zones get; without it
option ``--zone-rules`` does, else they have none. Zones live as long as the test session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embedded_zone.server.embedding import EmbeddedZone
from embedded_zone.testing.faults import FaultyProxy
from embedded_zone.testing.federated import FederatedZones
from embedded_zone.testing.rule_files import link_rules
from embedded_zone.testing.traces import Trace


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("embedded-zone")
    group.addoption("--zone-rules", type=Path, help="core.py, or a directory with one, for the fixtures' zones")


@pytest.fixture(scope="session")
def zone_rules(request: pytest.FixtureRequest) -> Path | None:
    """The rules of the zones; override it in a conftest.py."""
    path: Path | None = request.config.getoption("--zone-rules")
    return path


@pytest.fixture(scope="session")
def zone(tmp_path_factory: pytest.TempPathFactory, zone_rules: Path | None) -> Iterator[EmbeddedZone]:
    """A running zone, traced, with a password of its own."""
    running = EmbeddedZone(tmp_path_factory.mktemp("zone") / "home", trace=True)
    link_rules(zone_rules, running.config.etc)
    with running:
        yield running


@pytest.fixture(scope="session")
def federated_zones(tmp_path_factory: pytest.TempPathFactory, zone_rules: Path | None) -> Iterator[FederatedZones]:
    """Two running zones, traced, that federate with each other."""
    zones = FederatedZones(tmp_path_factory.mktemp("zones"), trace=True)
    for one in (zones.local, zones.remote):
        link_rules(zone_rules, one.config.etc)
    with zones:
        yield zones


@pytest.fixture
def zone_trace(zone: EmbeddedZone) -> Trace:
    """The hooks and APIs that this test caused in ``zone``."""
    return Trace([zone])


@pytest.fixture
def federated_trace(federated_zones: FederatedZones) -> Trace:
    """The hooks and APIs that this test caused in ``federated_zones``."""
    return Trace([federated_zones.local, federated_zones.remote])


@pytest.fixture
def faults() -> Iterator[Callable[[EmbeddedZone], FaultyProxy]]:
    """A function that puts a faulty proxy before a zone; ``.port`` is where to connect instead."""
    made: list[FaultyProxy] = []

    def before(zone: EmbeddedZone) -> FaultyProxy:
        made.append(FaultyProxy(zone.config.host, zone.port))
        return made[-1]

    yield before
    for proxy in made:
        proxy.close()
