"""Write the account that the zone is asked with into memory, from the container's secret, and become the program."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from irods import password_obfuscation

PASSWORD = Path("/run/secrets/zone")
ACCOUNT = Path("/tmp/irods")  # noqa: S108 - a tmpfs of this container alone
UID = 0  # what the file is scrambled for, whoever runs this


def main(command: list[str]) -> None:
    """Does not come back."""
    write_account(ACCOUNT, PASSWORD.read_text().strip())
    os.execvp(command[0], command)  # noqa: S606


def write_account(folder: Path, password: str) -> None:
    """irods_environment.json and .irodsA."""
    folder.mkdir(mode=0o700, exist_ok=True)
    environment = {
        "irods_host": os.environ["IRODS_HOST"],
        "irods_port": 1247,
        "irods_user_name": os.environ["IRODS_USER"],
        "irods_zone_name": os.environ["IRODS_ZONE"],
        "irods_authentication_uid": UID,
    }
    (folder / "irods_environment.json").write_text(json.dumps(environment))
    (folder / ".irodsA").write_text(password_obfuscation.encode(password, UID))


if __name__ == "__main__":
    main(sys.argv[1:])
