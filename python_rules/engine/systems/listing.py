"""What a user is told of the systems: which he may use, and whether one of them works."""

from __future__ import annotations

from typing import Any

from irods.session import iRODSSession

from python_rules.config import Config
from python_rules.engine import identity
from python_rules.engine.systems import table
from python_rules.engine.systems.system import System
from python_rules.jobs.errors import JobError


def answer(config: Config, service: iRODSSession, user: str, admin: bool, check: str = "") -> dict[str, Any]:
    """The systems that a user may use (an administrator: all), or the check of one."""
    who = identity.of(service, user, admin)
    if check:
        chosen = table.system(config, check, who, "check")
        return {"name": check, "type": chosen.settings["type"], **_checked(chosen)}
    return {"systems": [_told(one) for one in table.usable(config, who)]}


def _told(one: System) -> dict[str, Any]:
    read_only = one.settings["read_only"] or table.only_read(one)
    return {
        "name": one.name,
        "type": one.settings["type"],
        "description": one.settings["description"],
        "read_only": bool(read_only),
    }


def _checked(chosen: System) -> dict[str, Any]:
    try:
        place = table.opened(chosen)
        try:
            return {"works": True, "told": place.check(), "error": None}
        finally:
            place.close()
    except JobError as error:
        return {"works": False, "told": error.text, "error": error.public()}
