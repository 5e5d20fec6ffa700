"""A rule host that writes down every hook that a server would fire, whether a rule base defines it or not."""

from __future__ import annotations

import json
import os
from typing import Any

from embedded_zone.agent import Agent, Identity
from embedded_zone.rules.errors import RULE_ENGINE_CONTINUE
from embedded_zone.rules.frame import Frame
from embedded_zone.rules.host import RuleHost

FILE_NAME = "trace.jsonl"
# Its mere existence locks everybody out (see ``RuleHost.around_api``), so it is not pretended to be there.
_NEVER = ("pep_database_check_auth_pre", "pep_database_check_auth_post")


def is_hook(name: str) -> bool:
    """Whether a server calls this name by itself: ``pep_…`` and ``ac…``."""
    return name.startswith(("pep_", "ac")) and name not in _NEVER


class TracingHost(RuleHost):
    """Hooks are always there: the defined ones run, all are recorded, one JSON line each."""

    def __init__(self, agent: Agent) -> None:
        super().__init__(agent)
        path = agent.config.log / FILE_NAME
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _has(self, name: str) -> bool:
        return super()._has(name) or is_hook(name)

    def execute(self, name: str, values: list[Any], frame: Frame, *, direct: bool = False) -> int:
        if is_hook(name):
            self._record(name, values)
            if not super()._has(name):
                return RULE_ENGINE_CONTINUE
        return super().execute(name, values, frame, direct=direct)

    def _record(self, name: str, values: list[Any]) -> None:
        line = {
            "agent": os.getpid(),
            "zone": self.agent.config.zone_name,
            "option": self.agent.option,
            "client": _flagged(self.agent.client),
            "proxy": _flagged(self.agent.proxy),
            "api": self.agent.api_number,
            "hook": name,
            "types": [type(value).__name__ for value in values],
        }
        # One write: agents share the file, and the line is there before the client has its answer.
        os.write(self._file, json.dumps(line).encode() + b"\n")


def _flagged(user: Identity) -> str:
    return f"{user.qualified}/{user.auth_flag}"
