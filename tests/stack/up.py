"""``make up``: the same set as the demo's, kept running for trying things by hand."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from tests.stack.site import ADMIN
from tests.stack.stack import Stack, running

HOME = Path(".up")


def main() -> int:
    """Start, tell how to use it, and wait for Ctrl-C."""
    try:
        with running(HOME) as stack:
            print(_told(stack), flush=True)
            signal.pause()
    except KeyboardInterrupt:
        print("stopped; 'make up' continues where this ended")
    return 0


def _told(stack: Stack) -> str:
    user, site = stack.user, stack.site
    return f"""
Sluice is up; Ctrl-C ends it. Everything lies in {HOME}/ and is kept.

  shim         {stack.services.url}        OpenAPI: {stack.services.url}/openapi.json
  zone         {site.zone} at {site.host}:{site.port}
  user         {user.name} / {user.password}    key: {site.key}
  admin        {ADMIN} / {site.server.password}    environment: {site.environment}

Try
  export SLUICE_URL={stack.services.url} SLUICE_USER={user.name} SLUICE_PASSWORD={user.password}
  .venv/bin/sluice methods
  .venv/bin/sluice submit compress_encrypt {user.home}/data {user.home}/sealed --key {site.key} --watch
  curl -su "$SLUICE_USER:$SLUICE_PASSWORD" $SLUICE_URL/api/v1/jobs

python-irodsclient
  iRODSSession(host="{site.host}", port={site.port}, user="{user.name}", password="{user.password}", zone="{site.zone}")
"""


if __name__ == "__main__":
    sys.exit(main())
