"""How the server's interpreter starts the engine: a child process in Sluice's own virtual environment.

Crashes, memory and library versions of the engine stay out of the server's agent. The child asks the kernel to
be killed when its agent ends (PR_SET_PDEATHSIG), because on a real server children outlive a killed agent.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Dict, List, Optional

from python_rules import config
from python_rules.jobs.errors import JobError
from python_rules.names import ENGINE_OPTION

LONGEST_ANSWER_SECONDS = 60

_config: Optional[config.Config] = None


def settings() -> config.Config:
    """The settings beside the server's core.py, read once in each agent; raises JobError ``configuration``."""
    global _config
    if _config is None:
        core = sys.modules.get("core")
        _config = config.load(config.beside(getattr(core, "__file__", None) or "/etc/irods/core.py"))
    return _config


def ask(action: str, seconds: float = LONGEST_ANSWER_SECONDS, **values: Any) -> Any:
    """Have the engine do something to the ledger as the service account; its answer, or the JobError it tells."""
    request = json.dumps({"action": action, **values})
    try:
        done = subprocess.run(
            _command("ledger"),
            input=request.encode(),
            capture_output=True,
            env=_environment(),
            timeout=seconds,
            check=False,
            start_new_session=True,  # Linux shares the cores out by sessions: not with the agents of busy jobs
        )
    except OSError as error:
        raise _not_started(error) from None
    except subprocess.TimeoutExpired:
        raise JobError("zone_error", f"the zone did not answer within {seconds} s") from None
    return _understood(done)


def run(job_id: str, user: str) -> int:
    """Run a job of ``user`` to its end; the engine's exit status (negative: the signal that ended it)."""
    log = settings()["engine.log"]
    try:
        with open(log, "ab") if log else open(os.devnull, "wb") as output:
            return subprocess.call(
                [*_command("run"), "--user", user, job_id],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output if log else None,
                env=_environment(),
                start_new_session=True,
            )
    except OSError as error:
        raise _not_started(error) from None


def _command(verb: str) -> List[str]:
    # -I: neither the user's site directory nor PYTHON* variables nor the working directory have a say
    python = settings()["engine.python"]
    return [python, "-I", "-m", "python_rules.engine", verb, "--config", settings().path, "--parent", str(os.getpid())]


def _environment() -> Dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "USER", "LOGNAME") if name in os.environ}
    # spOption is what python-irodsclient calls itself by: hooks know the engine's own writes by it
    return {**kept, "LANG": "C.UTF-8", "spOption": ENGINE_OPTION}


def _understood(done: subprocess.CompletedProcess[bytes]) -> Any:
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise JobError(
            "engine_failed",
            f"the engine ended with status {done.returncode}: {last[:200]}",
            remedy="the administrator finds the reason in the server's log",
        ) from None
    if "error" in answer:
        raise JobError.from_public(answer["error"])
    return answer["ok"]


def _not_started(error: OSError) -> JobError:
    return JobError(
        "configuration",
        f"the engine cannot be started: {error.strerror}",
        remedy=f"engine.python in {settings().path} must be the interpreter of Sluice's virtual environment",
    )
