"""Rows of the delay queue that a dead delay server left locked: no zone frees them by itself."""

from __future__ import annotations

import json
import time
from pathlib import Path

from irods.session import iRODSSession

from python_rules.config import Config
from python_rules.engine import delayed, processes
from python_rules.engine.ledger import Ledger


def unlock(config: Config, service: iRODSSession, book: Ledger) -> int:
    """Unlock them, our own or everybody's as ``patrol.unlock`` says: a row may belong to a rule that has ended
    long ago, so others' may run twice."""
    rows = delayed.rows(service, everybodys=config["patrol.unlock"] == "all")
    hosts = _this_machine(config)
    dead = [row.id for row in rows if row.lock_is_dead(hosts, time.time())]
    delayed.unlock(service, dead)
    return len(dead)


def _this_machine(config: Config) -> set[str]:
    """The names by which a delay server of this machine may call it."""
    environment = json.loads(Path(config["zone.environment"]).read_text(encoding="utf-8"))
    return {processes.here(), "localhost", "127.0.0.1", str(environment.get("irods_host", ""))}
