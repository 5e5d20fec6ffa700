"""Servers that come from npm."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def install(source: Path, installed: Path) -> None:
    """The packages that the lock file in ``source`` names, in a folder that lasts; nothing of them is run."""
    lock = source / "package-lock.json"
    if (installed / lock.name).exists() and (installed / lock.name).read_bytes() == lock.read_bytes():
        return
    installed.mkdir(exist_ok=True)
    shutil.copy(source / "package.json", installed)
    shutil.copy(lock, installed / "new-lock")
    (installed / "new-lock").rename(installed / "package-lock.json")
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        subprocess.run(command, cwd=installed, check=True, capture_output=True, text=True)
    except BaseException:
        (installed / "package-lock.json").unlink()
        raise
