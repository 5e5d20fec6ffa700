"""Access control lists: who holds which level on data objects, collections and resources (APIs 707 and 20005).

Only an owner changes the list of an object; a rodsadmin may too when the level is prefixed with ``admin:``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from embedded_zone.agent import Agent
from embedded_zone.catalog import access, entities, hooks
from embedded_zone.catalog.database import Database
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

ADMIN_PREFIX = "admin:"  # MOD_ADMIN_MODE_PREFIX
RESOURCE_PREFIX = "resource:"  # MOD_RESC_PREFIX

INHERITANCE = {"inherit": "1", "noinherit": "0"}
# What a resource's list may say (it is kept and shown, but nothing enforces it).
RESOURCE_LEVELS = {
    "null": access.NULL,
    "read": access.READ_OBJECT,
    "write": access.MODIFY_OBJECT,
    "own": access.OWN,
}
_OBJECTS_OF_SUBTREE = """
    select data_id as id from R_DATA_MAIN where coll_id in
       (select coll_id from R_COLL_MAIN where coll_name = ? or coll_name like ? escape '\\')
    union select coll_id from R_COLL_MAIN where coll_name = ? or coll_name like ? escape '\\'
"""
_REVOKE_BELOW = "delete from R_OBJT_ACCESS where user_id = ? and object_id in (" + _OBJECTS_OF_SUBTREE + ")"  # noqa: S608
_GRANT_BELOW = "insert into R_OBJT_ACCESS select id, ?, ?, ?, ? from (" + _OBJECTS_OF_SUBTREE + ")"  # noqa: S608
_INHERIT = {
    False: "update R_COLL_MAIN set coll_inheritance = ?, modify_ts = ? where coll_name = ?",
    True: "update R_COLL_MAIN set coll_inheritance = ?, modify_ts = ? where coll_name = ?"
    " or coll_name like ? escape '\\'",
}


@dataclass(frozen=True)
class Change:
    """One request: ``level`` (prefixes allowed) for a user or group on a path; '' is the local zone."""

    level: str
    user: str
    zone: str
    path: str
    recursive: bool = False

    @property
    def arguments(self) -> tuple[int, str, str, str, str]:
        """The arguments of the hooks, in their order."""
        return int(self.recursive), self.level, self.user, self.zone, self.path


def modify(agent: Agent, change: Change) -> None:
    """Apply a change as API 707 does; raises IrodsError with the codes of chlModAccessControl."""
    with hooks.database(agent, "mod_access_control", *change.arguments) as outcome:
        if change.level.startswith(RESOURCE_PREFIX):
            _modify_resource(agent, change, change.level.removeprefix(RESOURCE_PREFIX))
            return
        outcome.odd = not change.recursive or change.level.removeprefix(ADMIN_PREFIX) in INHERITANCE
        _modify_path(agent, change)


def _modify_path(agent: Agent, change: Change) -> None:
    admin = change.level.startswith(ADMIN_PREFIX)
    if admin and not entities.is_privileged(agent):
        agent.r_error.append((0, "You must be the admin to use the -M admin mode"))
        raise IrodsError(codes.CAT_NO_ACCESS_PERMISSION, "admin mode without being one")
    name = change.level.removeprefix(ADMIN_PREFIX)
    if name in INHERITANCE:
        _modify_inheritance(agent, change, INHERITANCE[name], admin)
        return
    level = _level(agent, name, access.LEVELS, f"access level '{name}' is invalid")
    object_id, is_collection = _owned(agent, change.path, admin)
    user_id = entities.user_id(agent, change.user, change.zone)
    if change.recursive and not is_collection:
        text = f"Input path is not a collection and recursion was requested: {change.path}"
        agent.r_error.append((0, text))
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, text)
    with agent.db.transaction():
        if change.recursive:
            _set_on_subtree(agent.db, change.path, user_id, level)
        else:
            set_level(agent.db, object_id, user_id, level)


def _level(agent: Agent, name: str, known: dict[str, int], complaint: str) -> int:
    level = known.get(name)
    if level is None:
        agent.r_error.append((0, complaint))
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, complaint)
    return level


def _owned(agent: Agent, path: str, admin: bool) -> tuple[int, bool]:
    """The id of a path that the client owns, and whether it is a collection."""
    collection_id = access.collection_id(agent.db, path)
    data_id = None if collection_id is not None else access.data_id(agent.db, path)
    object_id = collection_id if collection_id is not None else data_id
    if object_id is None:
        agent.r_error.append((0, f"Input path is not a collection and not a dataObj: {path}"))
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, "unknown collection or file")
    if not admin and not access.may(agent.db, agent.client, object_id, access.OWN):
        raise IrodsError(codes.CAT_NO_ACCESS_PERMISSION, f"no permission to modify {path}")
    return object_id, collection_id is not None


def _modify_inheritance(agent: Agent, change: Change, value: str, admin: bool) -> None:
    collection_id = access.collection_id(agent.db, change.path)
    owned = collection_id is not None and (admin or access.may(agent.db, agent.client, collection_id, access.OWN))
    if not owned:
        text = "either the collection does not exist or you do not have sufficient access"
        agent.r_error.append((0, text))
        raise IrodsError(codes.CAT_NO_ACCESS_PERMISSION, text)
    params = subtree(change.path) if change.recursive else (change.path,)
    with agent.db.transaction() as db:
        db.execute(_INHERIT[change.recursive], (value, db.now(), *params))


def subtree(path: str) -> tuple[str, str]:
    """The parameters that select a collection and all below it (``= ? or like ? escape '\\'``)."""
    return path, re.sub(r"([%_\\])", r"\\\1", path) + "/%"


def set_level(db: Database, object_id: int, user_id: int, level: int) -> None:
    """Give a user this level on one object instead of any other; ``access.NULL`` takes it away."""
    db.execute("delete from R_OBJT_ACCESS where user_id = ? and object_id = ?", (user_id, object_id))
    if level != access.NULL:
        now = db.now()
        db.execute("insert into R_OBJT_ACCESS values (?, ?, ?, ?, ?)", (object_id, user_id, level, now, now))


def _set_on_subtree(db: Database, path: str, user_id: int, level: int) -> None:
    below = subtree(path) * 2
    db.execute(_REVOKE_BELOW, (user_id, *below))
    if level != access.NULL:
        now = db.now()
        db.execute(_GRANT_BELOW, (user_id, level, now, now, *below))


def _modify_resource(agent: Agent, change: Change, name: str) -> None:
    level = _level(agent, name, RESOURCE_LEVELS, f"access level '{name}' is invalid for a resource")
    resource_id = agent.db.value("select resc_id from R_RESC_MAIN where resc_name = ?", (change.path,))
    if resource_id is None:
        raise IrodsError(codes.CAT_UNKNOWN_RESOURCE, f"resource {change.path} is unknown")
    if not agent.is_admin and not access.may(agent.db, agent.client, resource_id, access.OWN):
        raise IrodsError(codes.CAT_NO_ACCESS_PERMISSION, f"no permission on resource {change.path}")
    user_id = entities.user_id(agent, change.user, change.zone)
    with agent.db.transaction():
        set_level(agent.db, resource_id, user_id, level)
