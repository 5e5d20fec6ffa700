"""The module that policies import as ``irods_errors``: every iRODS error name as an int, and the two states."""

from __future__ import annotations

import sys
from types import ModuleType

from embedded_zone.wire import codes

RULE_ENGINE_CONTINUE = 5000000
RULE_ENGINE_SKIP_OPERATION = 5001000


def install() -> None:
    """Make ``import irods_errors`` work in this process."""
    module = ModuleType("irods_errors", "iRODS error numbers by name")
    names = {name: value for name, value in vars(codes).items() if name.isupper() and isinstance(value, int)}
    states = {"RULE_ENGINE_CONTINUE": RULE_ENGINE_CONTINUE, "RULE_ENGINE_SKIP_OPERATION": RULE_ENGINE_SKIP_OPERATION}
    module.__dict__.update({**names, **states})
    sys.modules["irods_errors"] = module
