"""The engine's command line; a server's rules start it, people use ``sluice`` and ``sluice-keys``."""

from __future__ import annotations

import argparse
import ctypes
import json
import logging
import os
import signal
import sys

from python_rules import config
from python_rules.engine.keys.memory import harden
from python_rules.jobs.errors import JobError

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(arguments: list[str] | None = None) -> int:
    """Do one thing and return the exit status."""
    given = _parser().parse_args(arguments)
    harden()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(process)d %(name)s %(levelname)s %(message)s")
    logging.getLogger("sluice").setLevel(logging.INFO)
    try:
        return int(given.do(given))
    except JobError as error:
        print(f"sluice engine: {error.text}", file=sys.stderr)
        return 2


def _run(given: argparse.Namespace) -> int:
    _end_with(given.parent)
    from python_rules.engine.run import run

    status = run(_settings(given), given.job, given.user)
    logging.shutdown()
    os._exit(status)  # threads of a stopped attempt may be in the middle of a block; nobody waits for them


def _ledger(given: argparse.Namespace) -> int:
    _end_with(given.parent)
    from python_rules.engine.requests import answer

    print(json.dumps(answer(_settings(given), sys.stdin.read())))
    return 0


def _settings(given: argparse.Namespace) -> config.Config:
    settings = config.load(given.config)
    if settings["engine.log_level"]:
        logging.getLogger().setLevel(settings["engine.log_level"])
        logging.getLogger("sluice").setLevel(settings["engine.log_level"])
    return settings


def _end_with(parent: int) -> None:
    """Have the kernel kill this process when its parent, the server's agent, ends; 0: nobody's child."""
    if not parent:
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise JobError("engine_failed", "the agent that started this engine has ended")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m python_rules.engine", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="run|ledger")
    run = verbs.add_parser("run", help="run one job to its end")
    run.add_argument("job", help="the job's id")
    run.add_argument("--user", required=True, help="name#zone of the user whose job it must be")
    run.set_defaults(do=_run)
    ledger = verbs.add_parser("ledger", help="read one request (JSON) from standard input and answer it")
    ledger.set_defaults(do=_ledger)
    for verb in (run, ledger):
        verb.add_argument("--config", required=True, help="path of sluice.json")
        verb.add_argument("--parent", type=int, default=0, help="pid of the agent with which to end")
    return parser


if __name__ == "__main__":
    sys.exit(main())
