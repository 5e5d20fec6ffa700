"""tus-js-client from npm: the client that portals use, against our side of the protocol."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

from tests.peers.npm import install

SOURCE = Path(__file__).parent / "tus"
INSTALLED = Path(sys.prefix) / "tus"


def upload(endpoint: str, user: str, password: str, file: Path, metadata: dict[str, str], **options: Any) -> str:
    """Upload a file; the upload's address. Options as in ``upload.mjs``."""
    install(SOURCE, INSTALLED)
    login = "Basic " + b64encode(f"{user}:{password}".encode()).decode()
    given = {"endpoint": endpoint, "authorization": login, "file": str(file), "metadata": metadata, **options}
    command = ["node", str(SOURCE / "upload.mjs"), str(INSTALLED), json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()
