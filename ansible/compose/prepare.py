#!/usr/bin/env python3
"""Write secrets/ for compose.yml, once: passwords, the settings that hold some of them, and a certificate.

    prepare.py NAME...      the names that clients will use, for the certificate

What is there stays. The folder is closed (0700); the files in it must be readable for the users within the containers.
"""

from __future__ import annotations

import json
import runpy
import secrets
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SELF_SIGNED = HERE.parent / "roles" / "proxy" / "files" / "self_signed.py"
PASSWORDS = ("catalogue", "database", "messages", "zone", "zone_key", "negotiation_key")


def main(names: list[str], folder: Path = HERE / "secrets") -> int:
    """Fill the folder."""
    if not names:
        print(__doc__, file=sys.stderr)
        return 2
    folder.mkdir(exist_ok=True, mode=0o700)
    for name in PASSWORDS:
        _write(folder / name, secrets.token_hex(16))  # iRODS wants exactly 32 characters of a negotiation key
    database, messages = ((folder / name).read_text() for name in ("database", "messages"))
    _write(folder / "broker.conf", f"default_user = sluice\ndefault_pass = {messages}\n")
    _write(folder / "shim.json", json.dumps(_settings(database, messages), indent=4) + "\n")
    if not (folder / "tls.crt").exists():
        runpy.run_path(str(SELF_SIGNED))["make"](folder, names)
        (folder / "tls.key").chmod(0o644)
    return 0


def _settings(database: str, messages: str) -> dict[str, dict[str, object]]:
    return {
        "zone": {"environment": "/tmp/irods/irods_environment.json"},  # noqa: S108 - service/start.py writes it, in memory
        "celery": {
            "data": "/var/lib/sluice/celery",
            "broker": f"amqp://sluice:{messages}@broker//",
            "results": f"db+postgresql+psycopg://sluice:{database}@database/sluice",
        },
        "http": {"address": "0.0.0.0"},  # noqa: S104 - of its container; the proxy alone is published
    }


def _write(path: Path, text: str) -> None:
    if not path.exists():
        path.write_text(text)
        path.chmod(0o644)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
