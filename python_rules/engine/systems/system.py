"""One configured system as one user may use it: its settings, base, secrets, and the errors it is told of with."""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from python_rules.jobs.errors import JobError
from python_rules.jobs.paths import HIDDEN_PREFIX, is_hidden

_LONGEST_SECRET = 64 * 1024  # bytes


@dataclass(frozen=True)
class System:
    """A row of ``systems`` in sluice.json, opened by a job's user (``name#zone``)."""

    name: str
    settings: Mapping[str, Any] = field(repr=False)
    user: str = ""

    @property
    def base(self) -> str:
        """The base with the user's name and zone filled in, without a slash at its end."""
        name, _, zone = self.user.partition("#")
        base = str(self.settings["base"])
        if base != (filled := base.replace("{user}", name).replace("{zone}", zone)):
            if not name or "/" in name + zone or {name, zone} & {".", ".."}:
                raise self.error("not_permitted", f"{self.user!a} cannot be part of a path")
            return filled.rstrip("/")
        return base.rstrip("/")

    @property
    def timeout(self) -> float:
        """Seconds of silence after which a peer is taken for stalled."""
        return float(self.settings["timeout_seconds"])

    def address(self, default_port: int) -> tuple[str, int]:
        """Host and port of an ``address``; an IPv6 host in brackets."""
        text = str(self.settings["address"])
        host, colon, port = text.rpartition(":")
        if not colon or text.endswith("]"):
            return text.strip("[]"), default_port
        if not (port.isascii() and port.isdigit() and host):
            raise self.configuration("address", "is not host or host:port")
        return host.strip("[]"), int(port)

    def secret(self, key: str) -> str:
        """The content of a file of credentials, which nobody else may read; '' if the key is empty."""
        path = self.private_file(key)
        if not path:
            return ""
        with open(path, encoding="utf-8") as file:
            return file.read(_LONGEST_SECRET).strip()

    def private_file(self, key: str) -> str:
        """The path of such a file, checked; raises JobError ``configuration``."""
        path = str(self.settings[key])
        if not path:
            return ""
        try:
            status = os.stat(path)
        except OSError as error:
            raise self.configuration(key, f"cannot be read: {error.strerror}") from None
        if not stat.S_ISREG(status.st_mode) or stat.S_IMODE(status.st_mode) & 0o077:
            raise self.configuration(key, f"must be a file of mode 0600, not {stat.S_IMODE(status.st_mode):04o}")
        return path

    def configuration(self, key: str, what: str) -> JobError:
        """The error about a setting that only an administrator can correct."""
        text = f"systems.{self.name}.{key} {what}"
        return JobError("configuration", text, remedy="an administrator must correct sluice.json")

    def error(self, code: str, text: str, path: str = "", remedy: str = "", field: str | None = None) -> JobError:
        """An error that names the system, and what it is about as ``name:path``."""
        about = f"{self.name}:{path}" if path else None
        told = remedy or REMEDIES.get(code, "")
        return JobError(code, f"{about or self.name}: {text}", remedy=told, object_path=about, field=field)

    def missing(self, path: str) -> JobError:
        """The error about a path that is not there."""
        return self.error("source_not_found", "it does not exist, or may not be read", path, field="source")


# What to do about an error of a system, where the place of its origin does not know better.
REMEDIES = {
    "source_not_found": "check the path, and that the system's account may read it",
    "not_permitted": "ask the system's owner for access",
    "system_unavailable": "the job is tried again by itself; see the system with: sluice systems NAME",
    "system_refused": "an administrator must renew the credentials or the known host key",
    "system_error": "see the system with: sluice systems NAME",
    "no_space": "make room there, and retry the job",
    "bad_path": "rename it, or leave it out with exclude",
    "verification_failed": "retry the job; if it stays so, the storage there is damaged",
}


def checked_path(system: System, path: str) -> str:
    """The path if it is one below the base ('' for the base); raises JobError ``bad_path``."""
    if path == "":
        return path
    parts = path.split("/")
    if {"", ".", ".."} & set(parts) or "\0" in path:
        raise system.error("bad_path", f"{ascii(path)[:80]} is no path below the base", remedy="write it without '..'")
    if is_hidden("/" + path):
        raise system.error("bad_path", f"{ascii(path)[:80]} has a name that Sluice uses itself")
    return path


def hidden_name(resume: str) -> str:
    """The name of an unpublished sibling."""
    return HIDDEN_PREFIX + (resume or uuid.uuid4().hex)


def earlier(resume: str) -> list[str]:
    """The tokens under which earlier attempts may have left something, the latest first."""
    content, _, attempt = resume.rpartition(".")
    return [f"{content}.{number}" for number in range(int(attempt) - 1, 0, -1)] if content else []
