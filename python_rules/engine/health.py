"""The self-check: whether this installation can do its work, part by part."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any

from irods.session import iRODSSession

from python_rules.config import Config
from python_rules.engine import anchoring, delayed, space
from python_rules.engine.keys import Keyring, Log
from python_rules.engine.ledger import Ledger
from python_rules.jobs import beat, states
from python_rules.jobs.errors import JobError
from python_rules.policy import guard

_OLDEST_SERVER = (4, 3)
_PROBE = b"self-check"  # what the provider is asked to wrap and unwrap is bound to this
_LIBRARIES = ("sluice", "python-irodsclient", "cryptography", "zstandard", "isal")


def of(config: Config, service: iRODSSession) -> dict[str, Any]:
    """Every part's state; ``healthy`` if none of them has a problem, which then says what is wrong."""
    parts = {name: _checked(check, config, service) for name, check in CHECKS.items()}
    return {"healthy": not any(part.get("problem") for part in parts.values()), "parts": parts}


def _checked(check: Callable[[Config, iRODSSession], dict[str, Any]], *given: Any) -> dict[str, Any]:
    try:
        return check(*given)
    except (JobError, OSError, LookupError, ValueError) as error:
        return {"problem": str(error)[:300]}


def _versions(config: Config, service: iRODSSession) -> dict[str, Any]:
    found = {name: metadata.version(name) for name in _LIBRARIES}
    server = ".".join(map(str, service.server_version))
    python = {"python": platform.python_version(), "interpreter": config["engine.python"], "environment": sys.prefix}
    told = {**python, "irods": server, **found}
    if service.server_version < _OLDEST_SERVER:
        return {**told, "problem": f"iRODS {server} is older than {'.'.join(map(str, _OLDEST_SERVER))}"}
    return told


def _guard(config: Config, service: iRODSSession) -> dict[str, Any]:
    told = {name: config[f"{section}.{name}"] for section, name in (("guard", "delayed_rules"), ("hooks", "arrivals"))}
    if told["delayed_rules"] == "off":
        return {**told, "problem": "any user may run Python as the service account: guard.delayed_rules is off"}
    return told


def _ledger(config: Config, service: iRODSSession) -> dict[str, Any]:
    book = Ledger(service, config.ledger)
    active = book.in_states(states.ACTIVE)
    there = service.collections.exists(config.ledger)
    told = {"collection": config.ledger, "active_jobs": len(active), "paused": book.paused() or None}
    return told if there else {**told, "problem": "there is no ledger collection yet: no job was ever submitted"}


def _patrol(config: Config, service: iRODSSession) -> dict[str, Any]:
    last = beat.read(Ledger(service, config.ledger).told(beat.ATTRIBUTE))
    rows = [row for row in delayed.rows(service) if row.text == guard.PATROL_TEXT and row.frequency]
    told: dict[str, Any] = {"seconds_ago": round(time.time() - last.at, 1) if last else None, "rows": len(rows)}
    if last:
        told["last_round"] = last.done
    if beat.is_alive(last, time.time()):
        return told
    return {**told, "problem": "the patrol is dead; sluice_patrol_start starts it"}


def _keyring(config: Config, service: iRODSSession) -> dict[str, Any]:
    keyring = Keyring.of(config)
    told = {"keys": len(keyring.list()), "file": keyring.path, "provider": keyring.provider.name}
    probe = os.urandom(32)
    if keyring.provider.unwrap(keyring.provider.wrap(probe, _PROBE), _PROBE) != probe:
        return {**told, "problem": "the provider does not give back what it wrapped"}
    return told


def _audit(config: Config, service: iRODSSession) -> dict[str, Any]:
    log = Log.of(config)
    mark = anchoring.check(config, Ledger(service, config.ledger))
    return {"file": log.path, "entries": log.head().number, "in_the_catalogue": mark.head.number if mark else None}


def _resources(config: Config, service: iRODSSession) -> dict[str, Any]:
    found = space.resources(service)
    down = [one["name"] for one in found if not one["is_up"]]
    told: dict[str, Any] = {"resources": found}
    return {**told, "problem": f"down: {', '.join(down)}"} if down else told


def _files(config: Config, service: iRODSSession) -> dict[str, Any]:
    told: dict[str, Any] = {"settings": config.path, "log": config["engine.log"]}
    log = config["engine.log"]
    if log and not os.access(os.path.dirname(log) or ".", os.W_OK):
        told["problem"] = f"engine.log: {log} cannot be written"
    return told


CHECKS: dict[str, Callable[[Config, iRODSSession], dict[str, Any]]] = {
    "versions": _versions,
    "ledger": _ledger,
    "patrol": _patrol,
    "keyring": _keyring,
    "audit": _audit,
    "resources": _resources,
    "files": _files,
    "guard": _guard,
}
