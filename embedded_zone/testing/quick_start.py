"""``python -m embedded_zone --rules core.py``: a zone for as long as this command runs."""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from embedded_zone.server.embedding import EmbeddedZone
from embedded_zone.server.home import config_path
from embedded_zone.testing.rule_files import link_rules


def parser() -> argparse.ArgumentParser:
    """The options of a zone without a command."""
    made = argparse.ArgumentParser(
        prog="embedded-zone",
        description="Start a zone, print the environment file to use, and stop with Ctrl-C or SIGTERM.",
        epilog="For a zone that stays: embedded-zone init HOME, embedded-zone start HOME (embedded-zone init --help).",
    )
    made.add_argument("--rules", type=Path, help="a core.py, or a directory with one; edits reach the next connection")
    made.add_argument("--home", type=Path, help="where to keep the zone (a temporary directory, removed at the end)")
    made.add_argument("--password", help="the administrator's password (a new one, which is printed)")
    made.add_argument("--zone-name", default="tempZone", help="name of the zone (tempZone)")
    made.add_argument("--port", type=int, default=0, help="TCP port (a free one)")
    made.add_argument("--trace", action="store_true", help="write every hook to HOME/log/trace.jsonl")
    return made


def run(arguments: list[str]) -> int:
    """Start, print, wait for a signal, stop; 1 if the zone ended by itself. Raises ConfigError, ZoneNotStarted."""
    options = parser().parse_args(arguments)
    with ExitStack() as stack:
        home = options.home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="embedded-zone-")), "home")
        generated = not options.password and not config_path(home.absolute()).exists()
        zone = EmbeddedZone(
            home, options.password or "", zone_name=options.zone_name, zone_port=options.port, trace=options.trace
        )
        link_rules(options.rules, zone.config.etc)
        # From here on a signal is a message; before, it ends this process, and with it the zone.
        wakeup, ending = os.pipe()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: os.write(ending, b"."))
        stack.enter_context(zone)
        _tell(zone, generated=generated)
        told, _, _ = select.select([wakeup, os.pidfd_open(zone.pid)], [], [])
    return 0 if wakeup in told else 1


def _tell(zone: EmbeddedZone, *, generated: bool) -> None:
    """What a shell can evaluate, and nothing else."""
    print(f"export IRODS_ENVIRONMENT_FILE={zone.environment_file}")
    print(f"export IRODS_AUTHENTICATION_FILE={zone.environment_file.with_name('.irodsA')}")
    if generated:
        print(f"# administrator {zone.config.zone_user}, password {zone.password}")
    sys.stdout.flush()
