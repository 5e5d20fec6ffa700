"""An agent in this process with a catalogue of its own, for tests of the rule host."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embedded_zone.agent import Agent, Identity
from embedded_zone.api import load_all
from embedded_zone.catalog.database import Database
from embedded_zone.config import NATIVE_ENGINE, PYTHON_ENGINE, ZoneConfig
from embedded_zone.rules.host import RuleHost

MakeAgent = Callable[..., Agent]


@pytest.fixture
def make_agent(tmp_path: Path) -> Iterator[MakeAgent]:
    """A function that makes an agent: ``make_agent(core='…', core_re='…', flag=3, engines=(…))``."""
    databases: list[Database] = []

    def make(
        core: str = "", core_re: str = "", flag: int = 5, engines: tuple[str, ...] = (PYTHON_ENGINE, NATIVE_ENGINE)
    ) -> Agent:
        load_all()
        config = ZoneConfig(tmp_path, rule_engines=engines)
        config.etc.mkdir(exist_ok=True)
        (config.etc / "core.py").write_text(core, encoding="utf-8")
        if core_re:
            (config.etc / "core.re").write_text(core_re, encoding="utf-8")
        if not config.catalog.exists():
            Database.create(config.catalog, config).close()
        databases.append(Database.open(config.catalog))
        user = (
            Identity("rods", "tempZone", 10003, "rodsadmin", 5)
            if flag == 5
            else Identity("alice", "tempZone", 0, "rodsuser", flag)
        )
        agent = Agent(config, databases[-1], logging.getLogger("test.rules"), user, user, option="test")
        agent.rules = RuleHost(agent)
        return agent

    yield make
    for database in databases:
        database.close()
