"""Finding what an administrative call names: data objects, collections, resources, users; with the right to it.

A function here raises IrodsError: CAT_UNKNOWN_FILE, CAT_UNKNOWN_COLLECTION, CAT_INVALID_RESOURCE or
CAT_INVALID_USER when the thing is not there, CAT_NO_ACCESS_PERMISSION when the client may not touch it.
Being a rodsadmin alone grants nothing on data, as in iRODS: the caller has to ask for ``admin`` mode.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from embedded_zone.agent import Agent
from embedded_zone.catalog import access
from embedded_zone.catalog.database import Database
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

ADMIN_KEYWORD = "irodsAdmin"  # ADMIN_KW

NAME_LENGTH = 64  # NAME_LEN with its terminating NUL
RESERVED_NAMES = frozenset({".", ".."})

_USER_NAME = re.compile(r"((?:[A-Za-z0-9_]|[-.@])+)(?:#([^#]*))?")


def is_privileged(agent: Agent) -> bool:
    """Whether the client may use admin powers: a rodsadmin of this zone, or elevated by the server itself."""
    return agent.is_admin or bool(agent.scratch.get("elevated"))


def require_admin(agent: Agent, code: int = codes.CAT_INSUFFICIENT_PRIVILEGE_LEVEL) -> None:
    """Raise IrodsError(code) unless the client is privileged."""
    if not is_privileged(agent):
        raise IrodsError(code, "rodsadmin privileges are needed")


def admin_mode(agent: Agent, keywords: dict[str, str] | None) -> bool:
    """Whether the call asks for admin mode; raises IrodsError if it does without being privileged."""
    wanted = ADMIN_KEYWORD in (keywords or {})
    if wanted:
        require_admin(agent)
    return wanted


def split_path(path: str) -> tuple[str, str]:
    """Parent collection and last component of a logical path."""
    parent, _, name = path.rpartition("/")
    return parent or "/", name


def _checked(agent: Agent, found: int | None, missing: int, path: str, level: int, admin: bool) -> int:
    if found is None:
        raise IrodsError(missing, f"{path} does not exist")
    if not admin and not access.may(agent.db, agent.client, found, level):
        raise IrodsError(codes.CAT_NO_ACCESS_PERMISSION, f"no permission on {path}")
    return found


def data_object(agent: Agent, path: str, level: int, *, admin: bool = False) -> int:
    """The data_id of a path on which the client has ``level``."""
    return _checked(agent, access.data_id(agent.db, path), codes.CAT_UNKNOWN_FILE, path, level, admin)


def collection(agent: Agent, path: str, level: int, *, admin: bool = False) -> int:
    """The coll_id of a path on which the client has ``level``; a missing one is explained in RError."""
    found = access.collection_id(agent.db, path)
    if found is None:
        agent.r_error.append((0, f"collection '{path}' is unknown"))
    return _checked(agent, found, codes.CAT_UNKNOWN_COLLECTION, path, level, admin)


def resource_id(db: Database, name: str) -> int:
    """The resc_id of a resource."""
    found = db.value("select resc_id from R_RESC_MAIN where resc_name = ?", (name,))
    if found is None:
        raise IrodsError(codes.CAT_INVALID_RESOURCE, f"resource {name} is unknown")
    return int(found)


def parse_user_name(text: str) -> tuple[str, str]:
    """Name and zone ('' when not given) of ``name`` or ``name#zone``; raises USER_INVALID_USERNAME_FORMAT."""
    match = _USER_NAME.fullmatch(text)
    name, zone = (match[1], match[2] or "") if match else ("", "")
    if not name or name in RESERVED_NAMES or max(len(name), len(zone)) >= NAME_LENGTH:
        raise IrodsError(codes.USER_INVALID_USERNAME_FORMAT, f"not a user name: {text!r}")
    return name, zone


def find_user(agent: Agent, name: str, zone: str = "") -> int | None:
    """The user_id of a user or group; an empty zone is this one."""
    return access.user_id(agent.db, name, zone or agent.config.zone_name)


def user_id(agent: Agent, name: str, zone: str = "", missing: int = codes.CAT_INVALID_USER) -> int:
    """As ``find_user``; raises IrodsError(missing)."""
    found = find_user(agent, name, zone)
    if found is None:
        raise IrodsError(missing, f"user {name}#{zone or agent.config.zone_name} is unknown")
    return found


def _admin_only_resource(agent: Agent, name: str, level: int, *, admin: bool = False) -> int:
    require_admin(agent)
    return resource_id(agent.db, name)


def _admin_only_user(agent: Agent, name: str, level: int, *, admin: bool = False) -> int:
    require_admin(agent)
    return user_id(agent, *parse_user_name(name))


# The type options of API 706, lower and upper case alike (convertTypeOption).
ENTITY_TYPES: dict[str, Callable[..., int]] = {
    "-d": data_object,
    "-c": collection,
    "-r": _admin_only_resource,
    "-u": _admin_only_user,
}


def entity(agent: Agent, type_option: str, name: str, level: int, *, admin: bool) -> int:
    """The id of what a ``-d``, ``-C``, ``-R`` or ``-u`` option names; raises CAT_INVALID_ARGUMENT for others."""
    find = ENTITY_TYPES.get(type_option.lower())
    if find is None or not name:
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, f"not an entity: {type_option} {name}")
    return find(agent, name, level, admin=admin)
