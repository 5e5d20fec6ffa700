"""``sluice-keys``: make, list, rotate, disable and enable the named keys of a zone."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from python_rules import config
from python_rules.engine.keys.keyring import DISABLED, ENABLED, Keyring
from python_rules.engine.keys.provider import create_master_key
from python_rules.jobs.errors import JobError

DEFAULT_CONFIG = "/etc/irods/sluice.json"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 if it was done, 1 with a message on the error output if not."""
    options = _parser().parse_args(arguments)
    try:
        settings = config.load(options.config)
        print(COMMANDS[options.command].run(settings, options))
    except JobError as error:
        print(f"sluice-keys: {error.text}" + (f"; {error.remedy}" if error.remedy else ""), file=sys.stderr)
        return 1
    return 0


def _init(settings: config.Config, _options: argparse.Namespace) -> str:
    create_master_key(settings["keys.master_key"])
    return f"{settings['keys.master_key']} made; back it up where the keyring is not"


def _create(settings: config.Config, options: argparse.Namespace) -> str:
    return f"{options.name}:{Keyring.of(settings).create(options.name)} created"


def _rotate(settings: config.Config, options: argparse.Namespace) -> str:
    return f"{options.name}:{Keyring.of(settings).rotate(options.name)} seals from now on; older versions still open"


def _disable(settings: config.Config, options: argparse.Namespace) -> str:
    Keyring.of(settings).set_status(options.name, DISABLED, options.version)
    return f"{options.name} disabled"


def _enable(settings: config.Config, options: argparse.Namespace) -> str:
    Keyring.of(settings).set_status(options.name, ENABLED, options.version)
    return f"{options.name} enabled"


def _list(settings: config.Config, _options: argparse.Namespace) -> str:
    rows = [("KEY", "STATUS", "CREATED", "")]
    for name, versions in Keyring.of(settings).list().items():
        rows += [(f"{name}:{v.number}", v.status, v.created, "primary" if v.primary else "") for v in versions]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


class Command:
    """A command: what it does, and which arguments it takes."""

    def __init__(self, run: Callable[[config.Config, argparse.Namespace], str], about: str, *takes: str) -> None:
        self.run = run
        self.about = about
        self.takes = takes


COMMANDS = {
    "init": Command(_init, "make the master key file that the settings name (once for each zone)"),
    "create": Command(_create, "make a key with its first version", "name"),
    "list": Command(_list, "show all keys and their versions; shows no secret and needs no master key"),
    "rotate": Command(_rotate, "add a version that seals from now on; older ones still open", "name"),
    "disable": Command(_disable, "refuse to seal and to open with a key, or with one version of it", "name", "version"),
    "enable": Command(_enable, "allow it again", "name", "version"),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sluice-keys",
        description="The named keys that objects are sealed under. Secrets are wrapped by the master key; no command "
        "shows one.",
        epilog="Example: sluice-keys --config sluice.json create project-42",
    )
    parser.add_argument("--config", default=DEFAULT_CONFIG, metavar="FILE", help="sluice.json (default: %(default)s)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        made = commands.add_parser(name, help=command.about, description=command.about)
        if "name" in command.takes:
            made.add_argument("name", metavar="NAME", help="1 to 64 letters, digits, '.', '_', '-'")
        if "version" in command.takes:
            made.add_argument("--version", type=int, metavar="N", help="this version only (default: all)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
