"""Command line: make, run and inspect a zone. ``python -m embedded_zone --help``.

``python -m embedded_zone --rules core.py`` starts one at once (``testing.quick_start``).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from embedded_zone.config import ConfigError, ZoneConfig

# Options of init and start that change the configuration: option -> key of ZoneConfig, type, help.
_SETTINGS = (
    ("--zone-name", "zone_name", str, "name of the zone (tempZone)"),
    ("--port", "zone_port", int, "TCP port; 0 takes a free one and keeps it over restarts (0)"),
    ("--host", "host", str, "address to listen on (127.0.0.1)"),
    ("--user", "zone_user", str, "name of the administrator (rods)"),
    ("--resource", "default_resource_name", str, "name of the first storage resource (demoResc)"),
    ("--report-version", "report_version", str, "version told to clients, e.g. rods4.3.4 (rods5.0.2)"),
)


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(
        prog="embedded-zone",
        description="An iRODS zone on this machine: one directory holds its catalogue, data, rules and log.",
        epilog="Without a command, e.g. embedded-zone --rules core.py: a temporary zone until Ctrl-C (--rules --help).",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made = _command(commands, "init", "make a zone in HOME")
    for option, key, kind, text in _SETTINGS:
        made.add_argument(option, dest=key, type=kind, help=text)
    made.add_argument("--password", default="", help="the administrator's password (a generated one, which is printed)")
    _command(commands, "start", "start the zone in the background, wait until it accepts connections")
    run = _command(commands, "run", "run the zone in the foreground until Ctrl-C or SIGTERM")
    run.add_argument("--ready", type=int, default=-1, help=argparse.SUPPRESS)
    run.add_argument("--lifeline", type=int, default=-1, help=argparse.SUPPRESS)
    _command(commands, "stop", "stop a running zone and wait for it")
    _command(commands, "status", "say whether the zone runs, and where; exit code 3 if it does not")
    logs = _command(commands, "logs", "print the log")
    logs.add_argument("--raw", action="store_true", help="JSON lines as they are")
    page = commands.add_parser("genpage", help="print the page of supported APIs (Markdown)")
    page.add_argument("home", nargs="?", type=Path, help=argparse.SUPPRESS)
    return top


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    command.add_argument("home", type=Path, metavar="HOME", help="the zone's directory")
    return command


def _init(options: argparse.Namespace) -> int:
    from embedded_zone.client import service_password
    from embedded_zone.server.home import init_home

    given = {key: getattr(options, key) for _, key, _, _ in _SETTINGS if getattr(options, key) is not None}
    config = init_home(options.home, options.password, **given)
    print(f"zone {config.zone_name} made in {config.home}; start it with: embedded-zone start {config.home}")
    if not options.password:
        print(f"administrator {config.zone_user}, password {service_password(config)}")
    return 0


def _run(options: argparse.Namespace) -> int:
    from embedded_zone.server.home import running_pid
    from embedded_zone.server.supervisor import start

    config = ZoneConfig.load(options.home.absolute())
    if running_pid(config):
        raise ConfigError(f"the zone of {config.home} already runs as process {running_pid(config)}")
    start(options.home, options.ready, options.lifeline)
    return 0


def _start(options: argparse.Namespace) -> int:
    from embedded_zone.server.embedding import read_port, spawn
    from embedded_zone.server.home import running_pid

    config = ZoneConfig.load(options.home.absolute())
    if running_pid(config):
        raise ConfigError(f"the zone of {config.home} already runs as process {running_pid(config)}")
    ready, ready_end = os.pipe()
    spawn(
        config,
        [sys.executable, "-m", "embedded_zone", "run", str(config.home), "--ready", str(ready_end)],
        (ready_end,),
    )
    os.close(ready_end)
    print(f"zone {config.zone_name} accepts connections on {config.host}:{read_port(config, ready)}")
    return 0


def _stop(options: argparse.Namespace) -> int:
    from embedded_zone.server.home import running_pid

    config = ZoneConfig.load(options.home.absolute())
    pid = running_pid(config)
    if not pid:
        print(f"the zone of {config.home} does not run")
        return 0
    # A descriptor of the process, so that waiting needs no polling and cannot meet a reused number.
    watch = os.pidfd_open(pid)
    signal.pidfd_send_signal(watch, signal.SIGTERM)
    import select

    if not select.select([watch], [], [], 60)[0]:
        print(f"process {pid} does not end", file=sys.stderr)
        return 1
    print(f"zone {config.zone_name} stopped")
    return 0


def _status(options: argparse.Namespace) -> int:
    from embedded_zone.server.home import last_port, running_pid

    config = ZoneConfig.load(options.home.absolute())
    pid = running_pid(config)
    if not pid:
        print(f"zone {config.zone_name} does not run")
        return 3
    print(f"zone {config.zone_name} runs as process {pid} on {config.host}:{last_port(config)}")
    return 0


def _logs(options: argparse.Namespace) -> int:
    path = ZoneConfig.load(options.home.absolute()).log / "zone.jsonl"
    if not path.exists():
        return 0
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        print(line if options.raw else _readable(json.loads(line)))
    return 0


def _readable(entry: dict[str, object]) -> str:
    user = entry.get("request_client_user", "-")
    head = f"{entry['server_timestamp']} {entry['server_type']}[{entry['server_pid']}] {entry['log_level']} {user}"
    trace = f"\n{entry['traceback']}" if "traceback" in entry else ""
    return f"{head}: {entry['log_message']}{trace}"


def _genpage(_options: argparse.Namespace) -> int:
    from embedded_zone.server.page import supported_page

    print(supported_page(), end="")
    return 0


_COMMANDS = {
    "init": _init,
    "run": _run,
    "start": _start,
    "stop": _stop,
    "status": _status,
    "logs": _logs,
    "genpage": _genpage,
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code is 0, 1 for an error that the text explains, 3 for a zone that does not run."""
    from embedded_zone.server.embedding import ZoneNotStarted
    from embedded_zone.testing import quick_start

    given = sys.argv[1:] if arguments is None else arguments
    try:
        # Options without a command: a zone for as long as this process lives.
        if given and given[0].startswith("--") and given[0] != "--help":
            return quick_start.run(given)
        options = parser().parse_args(given)
        return _COMMANDS[options.command](options)
    except (ConfigError, OSError, ZoneNotStarted) as error:
        print(f"embedded-zone: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
