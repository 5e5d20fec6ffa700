"""Who may do what with a key. Pure: facts in, verdict out.

A grant names a user or group (``name#zone``), what it may do, and the collection it holds in ('' for everywhere).
The owner of a key may do everything with it. A rodsadmin may manage every key, and use none without a grant: to use
one he grants it to himself, and the audit log says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from python_rules.jobs.errors import JobError, RequestError
from python_rules.jobs.key_words import RIGHTS
from python_rules.jobs.paths import checked, is_within

SEAL, OPEN, MANAGE = "seal", "open", "manage"
Row = dict[str, Any]


@dataclass(frozen=True)
class Who:
    """Somebody who asks: ``name#zone``, the groups as ``name#zone``, and whether he administers the zone."""

    user: str
    groups: frozenset[str] = frozenset()
    admin: bool = False

    @property
    def is_service(self) -> bool:
        """Whether this is the service account at the command line, and no user of the zone."""
        return "#" not in self.user

    @property
    def names(self) -> frozenset[str]:
        """Every name that a grant may be for."""
        return self.groups | {self.user}


def may(row: Row, who: Who, right: str, path: str = "") -> bool:
    """Whether a key's row allows it; ``path`` is of the sealed object ('' asks about the key as such)."""
    if who.user and who.user == row["owner"]:
        return True
    if right == MANAGE and who.admin:
        return True
    return any(_holds(grant, path) for grant in _of(row, who, right))


def require(name: str, row: Row, who: Who, right: str, path: str = "") -> None:
    """Raise JobError ``not_permitted`` that names the key and who may grant it."""
    if may(row, who, right, path):
        return
    elsewhere = ", ".join(sorted(grant["collection"] for grant in _of(row, who, right)))
    where = f" on {path}: the grant holds in {elsewhere}" if elsewhere else ""
    raise JobError(
        "not_permitted",
        f"{who.user} may not {right} with the key {name}{where}",
        field="key",
        remedy=f"ask {_grantors(row)} to grant it: sluice keys grant {name} {who.user} {right}",
    )


def visible(row: Row, who: Who) -> bool:
    """Whether somebody may know that the key exists."""
    return who.admin or who.user == row["owner"] or any(grant["who"] in who.names for grant in row["grants"])


def added(row: Row, grantee: str, rights: tuple[str, ...], collection: str = "") -> None:
    """Add rights to what a user or group has in a collection; raises RequestError if they are none."""
    wanted = set(_checked(grantee, rights))
    place = checked(collection, "collection") if collection else ""
    if place and MANAGE in wanted:
        raise RequestError(
            "bad_value", "a key is managed as a whole", field="collection", remedy="grant manage without a collection"
        )
    for grant in row["grants"]:
        if (grant["who"], grant["collection"]) == (grantee, place):
            grant["may"] = sorted(wanted | set(grant["may"]))
            return
    row["grants"].append({"who": grantee, "may": sorted(wanted), "collection": place})


def removed(row: Row, grantee: str, rights: tuple[str, ...] = tuple(RIGHTS)) -> int:
    """Take rights from a user or group, wherever they hold; how many grants that changed."""
    wanted = set(_checked(grantee, rights))
    found = [grant for grant in row["grants"] if grant["who"] == grantee and wanted & set(grant["may"])]
    for grant in found:
        grant["may"] = sorted(set(grant["may"]) - wanted)
    row["grants"] = [grant for grant in row["grants"] if grant["may"]]
    return len(found)


def _of(row: Row, who: Who, right: str) -> list[Row]:
    return [grant for grant in row["grants"] if grant["who"] in who.names and right in grant["may"]]


def _holds(grant: Row, path: str) -> bool:
    return not grant["collection"] or (bool(path) and is_within(path, grant["collection"]))


def _grantors(row: Row) -> str:
    managers = [row["owner"], *(grant["who"] for grant in row["grants"] if MANAGE in grant["may"])]
    return " or ".join([*filter(None, managers), "an administrator of the zone"])


def _checked(grantee: str, rights: tuple[str, ...]) -> tuple[str, ...]:
    name, sign, zone = grantee.partition("#")
    if not (name and sign and zone) or not grantee.isprintable() or len(grantee) > 250:
        raise RequestError(
            "bad_value",
            "this is not a user or group",
            field="who",
            remedy="give name#zone; everybody in a zone is the group public#<zone>",
        )
    for right in rights or ("",):
        if right not in RIGHTS:
            known = ", ".join(RIGHTS)
            raise RequestError("bad_value", f"unknown right {right!a}", field="rights", remedy=f"known are {known}")
    return rights
