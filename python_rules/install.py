"""``sluice-install``: put the rule base into a server's configuration folder, or take it out again.

Run it with the interpreter of Sluice's virtual environment, as the user that owns ``/etc/irods``, on every server
of the zone. It links the package there, adds one guarded import to the site's ``core.py``, and writes
``sluice.json`` with a keyring's place where there is none; it changes nothing else and may be run again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from python_rules import config
from python_rules.jobs.errors import JobError

BEGIN = "# --- Sluice: begin; written by sluice-install"
END = "# --- Sluice: end"
BLOCK = f"""{BEGIN}
try:
    from python_rules.core import *
except Exception:  # a broken Sluice must not stop the zone from accepting connections
    def pep_database_reg_rule_exec_pre(rule_args, callback, rei):
        return -13000  # without Sluice's guard any user could queue Python, so nothing may be queued
{END}
"""


def install(etc: Path, zone: str, environment: Path, python: str, private: Path) -> None:
    """Link the package, import it in core.py and write sluice.json; what is there already stays."""
    link = etc / "python_rules"
    package = Path(__file__).resolve().parent
    if link.is_symlink():
        link.unlink()
    if link.exists():
        raise JobError("configuration", f"{link} exists and is not a link", remedy="move it away first")
    link.symlink_to(package)
    _write_settings(etc / config.FILE_NAME, zone, environment, python, private)
    core = etc / "core.py"
    _replace(core, _without_block(core) + BLOCK)


def uninstall(etc: Path) -> None:
    """Take the import and the link away; settings, keys and the ledger stay."""
    core = etc / "core.py"
    _replace(core, _without_block(core))
    link = etc / "python_rules"
    if link.is_symlink():
        link.unlink()


def _write_settings(path: Path, zone: str, environment: Path, python: str, private: Path) -> None:
    if path.exists():
        config.load(str(path))
        return
    settings = {
        "zone": {"name": zone, "environment": str(environment)},
        "engine": {"python": python, "log": str(private / "engine.log")},
        "keys": {"keyring": str(private / "keyring.json"), "master_key": str(private / "master.key")},
    }
    private.mkdir(parents=True, exist_ok=True, mode=0o700)
    _replace(path, json.dumps(settings, indent=4) + "\n")


def _without_block(core: Path) -> str:
    text = core.read_text(encoding="utf-8") if core.exists() else ""
    before, begin, rest = text.partition(BEGIN)
    if not begin:
        return text if not text or text.endswith("\n") else text + "\n"
    return before + rest.partition(END + "\n")[2]


def _replace(path: Path, text: str) -> None:
    """Write beside, then rename: a connection that comes meanwhile loads the old file or the new one, whole."""
    beside = path.with_name(path.name + ".sluice-new")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="sluice-install", description=__doc__)
    parser.add_argument("--etc", type=Path, default=Path("/etc/irods"), help="the server's configuration folder")
    parser.add_argument("--zone", help="the name of the zone")
    parser.add_argument(
        "--environment",
        type=Path,
        default=Path(config.SETTINGS["zone.environment"].default),
        help="irods_environment.json of the service account",
    )
    parser.add_argument(
        "--private", type=Path, default=Path("/var/lib/irods/sluice"), help="folder for keyring, master key and log"
    )
    parser.add_argument("--uninstall", action="store_true", help="take the rule base out again")
    given = parser.parse_args()
    if not given.uninstall and not given.zone:
        parser.error("--zone is needed")
    try:
        if given.uninstall:
            uninstall(given.etc)
        else:
            install(given.etc, given.zone, given.environment, sys.executable, given.private)
    except (JobError, OSError) as error:
        print(f"sluice-install: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
