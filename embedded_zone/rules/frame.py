"""One rule execution: who runs it (``rei``), its labelled parameters and where its output goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from embedded_zone.rules.output import Output
from embedded_zone.rules.parameters import RULE_EXEC_OUT, Parameters


@dataclass
class Frame:
    """What stays the same through nested calls of one execution."""

    rei: Any
    parameters: Parameters = field(default_factory=dict)
    interactive: bool = True  # whether a client waits for the output
    instance_name: str = ""  # sticky, as rei.pluginInstanceName is on a real server

    def output(self) -> Output:
        """The ``ruleExecOut`` of this execution, made at the first write."""
        found = self.parameters.get(RULE_EXEC_OUT)
        if not isinstance(found, Output):
            found = self.parameters[RULE_EXEC_OUT] = Output()
        return found
