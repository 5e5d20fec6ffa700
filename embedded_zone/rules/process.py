"""What an agent's process looks like to a rule (facts 3.2); its nearly empty environment is the supervisor's doing."""

from __future__ import annotations

import os
import sys

_LOADED_BY = os.getpid()


def prepare() -> None:
    """Set umask and argv in an agent: a process forked after the rule host was loaded (tests and tools are not)."""
    if os.getpid() != _LOADED_BY:
        os.umask(0o022)
        sys.argv = [""]
