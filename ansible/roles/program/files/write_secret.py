"""The .irodsA of a service account; the password comes on standard input.

    write_secret.py look|make FILE GROUP

It is scrambled for the Unix user 0, as ``irods_authentication_uid`` in the environment file says: the scrambling is
no protection, the file's mode is. Every scrambling differs, so ``look`` compares what is inside.
"""

from __future__ import annotations

import os
import shutil
import sys

from irods import password_obfuscation

UID = 0


def main(arguments: list[str]) -> int:
    """``look`` ends with 0 if the file holds the password; ``make`` writes it."""
    verb, path, group = arguments
    password = sys.stdin.readline().rstrip("\n")
    if verb == "look":
        return 0 if _inside(path) == password else 1
    beside = f"{path}.new"
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(password_obfuscation.encode(password, UID))
    shutil.chown(beside, "root", group)
    os.chmod(beside, 0o640)
    os.replace(beside, path)
    return 0


def _inside(path: str) -> str | None:
    try:
        with open(path, encoding="ascii") as file:
            return password_obfuscation.decode(file.read(), UID)
    except (OSError, ValueError, LookupError):
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
