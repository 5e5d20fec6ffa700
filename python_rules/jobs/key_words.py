"""The words of keys, the same for ``sluice keys`` (over REST) and ``sluice-keys`` (the service account's own).

One table: what a command is called, takes, does at a desk, and tells. Standard library only.
"""

from __future__ import annotations

import argparse
import json
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Protocol, Tuple

Answer = Dict[str, Any]
Options = argparse.Namespace
RIGHTS = {
    "seal": "seal objects under it",
    "open": "open what is sealed under it",
    "manage": "grant, revoke, rotate, disable, enable, destroy",
}


class Desk(Protocol):
    """Where a key's life is asked for; each method answers the key as it is then (``list``: all of them)."""

    def list(self) -> Answer: ...
    def show(self, name: str) -> Answer: ...
    def create(self, name: str, owner: str = "") -> Answer: ...
    def grant(self, name: str, grantee: str, rights: Tuple[str, ...], collection: str = "") -> Answer: ...
    def revoke(self, name: str, grantee: str, rights: Tuple[str, ...] = ()) -> Answer: ...
    def rotate(self, name: str) -> Answer: ...
    def disable(self, name: str, version: Optional[int] = None) -> Answer: ...
    def enable(self, name: str, version: Optional[int] = None) -> Answer: ...
    def destroy(self, name: str, version: Optional[int] = None, days: Optional[float] = None) -> Answer: ...
    def recover(self, name: str, version: Optional[int] = None) -> Answer: ...


class Command(NamedTuple):
    """A command: what it does at a desk, what it then tells, what its help says, which arguments it takes."""

    do: Callable[[Any, Options], Answer]
    told: Callable[[Options, Answer], str]
    about: str
    takes: Tuple[str, ...] = ()


def table(keys: List[Answer]) -> str:
    """The versions of keys as a table."""
    rows = [("KEY", "STATUS", "CREATED", "OWNER", "")]
    for key in keys:
        for version in key["versions"]:
            note = "primary" if version["primary"] else ""
            note += f" until {version['destroy_at']}" if version["destroy_at"] else ""
            name = f"{key['name']}:{version['number']}"
            rows.append((name, version["status"], version["created"], key["owner"], note.strip()))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def as_json(answer: Answer) -> str:
    """An answer as JSON."""
    return json.dumps(answer, indent=1)


def _granted(options: Options, _: Answer) -> str:
    where = f" in {options.collection}" if options.collection else ""
    return f"{options.who} may {', '.join(options.rights)} with {options.name}{where}"


def _condemned(options: Options, key: Answer) -> str:
    end = max(version["destroy_at"] for version in key["versions"])
    return f"{options.name} does nothing from now on and is destroyed at {end}; until then: recover {options.name}"


ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "name": {"metavar": "NAME", "help": "1 to 64 letters, digits, '.', '_', '-'"},
    "who": {"metavar": "WHO", "help": "user or group as name#zone; everybody in a zone is public#<zone>"},
    "rights": {"nargs": "*", "metavar": "RIGHT", "help": ", ".join(RIGHTS)},
    "--owner": {"default": "", "metavar": "USER", "help": "name#zone of who may then do everything with it"},
    "--version": {"type": int, "metavar": "N", "help": "this version only (default: all)"},
    "--collection": {"default": "", "metavar": "PATH", "help": "the rights hold in this collection only"},
}
LIFE: Dict[str, Command] = {
    "create": Command(
        lambda desk, o: desk.create(o.name, o.owner),
        lambda o, _: f"{o.name}:1 created; nobody may use it but its owner, until granted",
        "make a key with its first version; administrators only",
        ("name", "--owner"),
    ),
    "list": Command(
        lambda desk, o: desk.list(),
        lambda o, answer: table(answer["keys"]),
        "show the keys that you may use or manage, and their versions",
    ),
    "show": Command(
        lambda desk, o: desk.show(o.name),
        lambda o, key: as_json(key),
        "show one key with its grants",
        ("name",),
    ),
    "grant": Command(
        lambda desk, o: desk.grant(o.name, o.who, tuple(o.rights), o.collection),
        _granted,
        "let a user or group seal, open or manage",
        ("name", "who", "rights", "--collection"),
    ),
    "revoke": Command(
        lambda desk, o: desk.revoke(o.name, o.who, tuple(o.rights) or tuple(RIGHTS)),
        lambda o, _: f"{', '.join(o.rights or RIGHTS)} taken from {o.who}",
        "take rights back (default: all)",
        ("name", "who", "rights"),
    ),
    "rotate": Command(
        lambda desk, o: desk.rotate(o.name),
        lambda o, key: f"{o.name}:{key['versions'][-1]['number']} seals from now on; older versions still open",
        "make a version that seals from now on; the old ones still open",
        ("name",),
    ),
    "disable": Command(
        lambda desk, o: desk.disable(o.name, o.version),
        lambda o, _: f"{o.name} disabled",
        "refuse to seal and open",
        ("name", "--version"),
    ),
    "enable": Command(
        lambda desk, o: desk.enable(o.name, o.version),
        lambda o, _: f"{o.name} enabled",
        "allow it again",
        ("name", "--version"),
    ),
    "destroy": Command(
        lambda desk, o: desk.destroy(o.name, o.version),
        _condemned,
        "have it destroyed after the zone's delay; until then 'recover' brings it back",
        ("name", "--version"),
    ),
    "recover": Command(
        lambda desk, o: desk.recover(o.name, o.version),
        lambda o, _: f"{o.name} is back",
        "take the order to destroy it back",
        ("name", "--version"),
    ),
}


def add_to(commands: Any, words: Dict[str, Any], arguments: Dict[str, Dict[str, Any]]) -> None:
    """Give an argparse parser these sub-commands; each row has ``about`` and ``takes``."""
    for name, row in words.items():
        made = commands.add_parser(name, help=row.about, description=row.about)
        for argument in row.takes:
            made.add_argument(argument, **arguments[argument])
