"""OpenSSH's own client as the way to a host: what it is called with, and what its complaints mean.

Its ciphers run at full speed in a process of their own, the site's algorithms hold, and the host's key is checked by
the code that everybody trusts with it. No shell is started here; there a fixed command at most.
"""

from __future__ import annotations

import subprocess

from python_rules.engine.systems.system import System
from python_rules.jobs.errors import JobError

_PORT = 22
_COMPLAINTS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("Host key verification failed", "host key is known", "HOST IDENTIFICATION HAS CHANGED"),
        "system_refused",
        "its host key is not the one in known_hosts",
    ),
    (
        ("Permission denied (", "Too many authentication failures"),
        "system_refused",
        "it does not accept the account's key",
    ),
    (("Unable to negotiate", "no matching"), "system_refused", "it shares no algorithm with us"),
    (("Could not resolve", "Name or service not known"), "system_unavailable", "its name cannot be resolved"),
    (("timed out", "Timeout"), "system_unavailable", "it did not answer in time"),
    (("Connection refused", "No route to host"), "system_unavailable", "it does not take connections"),
)


def command(system: System, *remote: str, control: str = "", shares: bool = False) -> list[str]:
    """The argument list of ``ssh``; ``remote`` is a fixed command, or ('-s', subsystem). ``control`` is the socket by
    which a connection that ``shares`` itself is used by others."""
    host, port = system.address(_PORT)
    alive = max(1, round(system.timeout / 3))
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": _quoted(system, "known_hosts"),
        "GlobalKnownHostsFile": "/dev/null",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "PreferredAuthentications": "publickey",
        "ConnectTimeout": str(max(1, round(system.timeout))),
        "ServerAliveInterval": str(alive),
        "ServerAliveCountMax": "3",
        "ControlPath": f'"{control}"' if control else "none",
        "ControlMaster": "yes" if shares else "no",
        "LogLevel": "ERROR",
        "RequestTTY": "no",
        "ClearAllForwardings": "yes",
        "ForwardAgent": "no",
    }
    listed = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    subsystem = remote[:1] == ("-s",)
    account = ["-l", str(system.settings["user"]), "-p", str(port), "-i", system.private_file("key_file")]
    return ["ssh", "-F", "none", *listed, *account, *remote[:1] * subsystem, "--", host, *remote[subsystem:]]


def meaning(system: System, complaint: str, otherwise: str) -> JobError:
    """The JobError for what ``ssh`` wrote when it ended."""
    for words, code, text in _COMPLAINTS:
        if any(word in complaint for word in words):
            return system.error(code, text)
    last = complaint.strip().rpartition("\n")[2][:200]
    return system.error("system_unavailable", f"{otherwise}{': ' + last if last else ''}")


def answer(system: System, remote: str, given: bytes, seconds: float, control: str = "") -> str | None:
    """What a fixed command there says to ``given`` on its standard input; None if it may not, or cannot, be run."""
    try:
        called = command(system, remote, control=control)
        done = subprocess.run(called, input=given, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def _quoted(system: System, key: str) -> str:
    """A path as ssh's options take it."""
    path = str(system.settings[key])
    if '"' in path or "\n" in path:
        raise system.configuration(key, "must not hold quotes")
    return f'"{path}"'
