"""What an agent's process looks like to a rule: nearly empty environment, as observed on a real server (facts 3.2)."""

from __future__ import annotations

import os
import sys

from embedded_zone.config import ZoneConfig

_KEPT = ("USER", "LOGNAME", "LANG", "PATH")
_LOADED_BY = os.getpid()


def is_agent() -> bool:
    """Whether this process was forked after the rule host was loaded: agents are, tests and tools are not."""
    return os.getpid() != _LOADED_BY


def prepare(config: ZoneConfig) -> None:
    """Set environment, umask and argv of an agent.

    HOME is the zone's home, where a child finds the service account's ``.irods``. Children inherit spOption, so
    that python-irodsclient in them connects with the option ``irodsServer``: policies use it against recursion.
    """
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    os.environ.clear()
    os.environ.update(kept, HOME=str(config.home), spOption="irodsServer", reCacheSalt=f"{_LOADED_BY}_{config.zone_name}")
    os.umask(0o022)
    sys.argv = [""]
