"""Resources as rows of the catalogue: creating, removing, modifying, building trees (``iadmin mkresc`` and so on)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

from embedded_zone.agent import Agent
from embedded_zone.catalog import collections_by_admin, entities, hooks
from embedded_zone.catalog.database import Database
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

EMPTY_HOST = "EMPTY_RESC_HOST"
EMPTY_PATH = "EMPTY_RESC_PATH"
BUNDLE = "bundleResc"
TYPES = ("compound", "deferred", "mockarchive", "nonblocking", "passthru", "random", "replication",
         "unixfilesystem", "univmss")  # fmt: skip

# Must start and end with a word character; may contain dashes, but not two in a row.
_NAME = re.compile(r"(?=.{1,63}$)\w+(-\w+)*")
_MAX_NAME = 64
_MAX_PATH = 1024

_COLUMNS = {
    "comment": "r_comment",
    "info": "resc_info",
    "host": "resc_net",
    "type": "resc_type_name",
    "path": "resc_def_path",
    "status": "resc_status",
    "name": "resc_name",
    "context": "resc_context",
}
_INSERT = """insert into R_RESC_MAIN (resc_id, resc_name, zone_name, resc_type_name, resc_class_name, resc_net,
    resc_def_path, create_ts, modify_ts, modify_ts_millis, resc_children, resc_context, resc_parent)
    values (?, ?, ?, ?, 'cache', ?, ?, ?, ?, ?, '', ?, '')"""


def _refuse(agent: Agent, code: int, message: str, shown_code: int = 0) -> IrodsError:
    """An error whose text the client is told too."""
    agent.r_error.append((shown_code, message))
    return IrodsError(code, message)


def _millis() -> str:
    return f"{time.time_ns() // 1_000_000 % 1000:03d}"


def clean_name(name: str) -> str:
    """A name without surrounding white space; raises CAT_INVALID_RESOURCE_NAME when there is some within."""
    stripped = name.strip()
    if re.search(r"\s", stripped):
        raise IrodsError(codes.CAT_INVALID_RESOURCE_NAME, f"white space in resource name {name!r}")
    return stripped


def split_location(text: str) -> tuple[str, str]:
    """Host and vault path of ``host:path``; both are placeholders when the text is empty."""
    if not text:
        return EMPTY_HOST, EMPTY_PATH
    parts = [part for part in text.split(":") if part]
    if len(parts) != 2:
        return "", text
    if len(parts[0]) >= _MAX_NAME or len(parts[1]) >= _MAX_PATH:
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, "host or vault path is too long")
    return parts[0], parts[1]


def create(agent: Agent, name: str, kind: str, location: str, context: str = "", zone: str = "") -> None:
    """Register a resource; ``location`` is ``host:path``, ``context`` the plugin's settings (``k=v;k=v``)."""
    if any(len(text) >= limit for text, limit in ((name, _MAX_NAME), (kind, _MAX_NAME), (context, _MAX_PATH))):
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, "an argument is too long")
    name = clean_name(name)
    host, path = split_location(location)
    with hooks.framed(agent, "CreateResource", name, kind, "cache", host, path, context, zone):
        _register(agent, name, kind, (host, path), context, zone)


def _register(agent: Agent, name: str, kind: str, location: tuple[str, str], context: str, zone: str) -> None:
    properties = {"resource_property_name": name, "resource_property_type": kind}
    with hooks.database(agent, "reg_resc", properties), agent.db.transaction() as db:
        if not name:
            raise _refuse(agent, codes.CAT_INVALID_RESOURCE_NAME, "resource name is empty")
        if not kind:
            raise _refuse(agent, codes.CAT_INVALID_RESOURCE_TYPE, "resource type is empty")
        if not _NAME.fullmatch(name):
            raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, f"not a resource name: {name!r}")
        if zone not in ("", agent.config.zone_name):
            raise _refuse(agent, codes.CAT_INVALID_ZONE, "Currently, resources must be in the local zone")
        _check_vault(agent, location[1])
        now = db.now()
        row = (db.next_id(), name, agent.config.zone_name, kind, *location, now, now, _millis(), context)
        db.execute(_INSERT, row)


def _check_vault(agent: Agent, path: str) -> None:
    if path == "/":
        message = "root directory cannot be used as vault path."
        raise _refuse(agent, codes.CAT_INVALID_RESOURCE_VAULT_PATH, message)


# --- trees


def add_child(agent: Agent, parent: str, child: str, context: str = "") -> None:
    """Put a resource under another; CHILD_NOT_FOUND, CAT_INVALID_RESOURCE, HIERARCHY_ERROR for a cycle."""
    if max(len(parent), len(child)) >= _MAX_NAME:
        raise IrodsError(codes.CAT_RESOURCE_NAME_LENGTH_EXCEEDED, "resource name is too long")
    parent, child = clean_name(parent), clean_name(child)
    if parent == child:
        text = f"Cannot add resource [{child}] as child to itself."
        raise _refuse(agent, codes.HIERARCHY_ERROR, text, codes.HIERARCHY_ERROR)
    if any(mark in context for mark in ";{}"):
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, "';', '{' and '}' are not allowed in a child's context")
    child_id = _id(agent, child, codes.CHILD_NOT_FOUND)
    parent_id = _id(agent, parent, codes.CAT_INVALID_RESOURCE)
    if child_id in ancestors(agent.db, parent_id):
        text = f"Cannot add ancestor resource [{child}] as child to descendant resource [{parent}]."
        raise _refuse(agent, codes.HIERARCHY_ERROR, text, codes.HIERARCHY_ERROR)
    with hooks.database(agent, "add_child_resc", {"resource_property_name": parent}):
        _set_parent(agent.db, child_id, str(parent_id), context)


def _id(agent: Agent, name: str, missing: int) -> int:
    found: int | None = agent.db.value("select resc_id from R_RESC_MAIN where resc_name = ?", (name,))
    if found is None:
        raise _refuse(agent, missing, f"no resource found for name [{name}]", missing)
    return found


def ancestors(db: Database, resource_id: int) -> Iterator[int]:
    """The resource itself, its parent, and so on to the root of its tree."""
    current: int | None = resource_id
    while current is not None:
        yield current
        parent = db.value("select resc_parent from R_RESC_MAIN where resc_id = ?", (current,))
        current = int(parent) if parent else None


def remove_child(agent: Agent, parent: str, child: str) -> None:
    """Take a resource out from under another; CAT_INVALID_CHILD when it is not there."""
    if len(parent) >= _MAX_NAME or len(child) >= _MAX_PATH:
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, "resource name is too long")
    parent, child = clean_name(parent), clean_name(child)
    with hooks.database(agent, "del_child_resc", {"resource_property_name": parent}):
        parent_id = _id(agent, parent, codes.SYS_RESC_DOES_NOT_EXIST)
        child_id = _id(agent, child, codes.SYS_RESC_DOES_NOT_EXIST)
        actual = agent.db.value("select resc_parent from R_RESC_MAIN where resc_id = ?", (child_id,))
        if str(actual) != str(parent_id):
            raise IrodsError(codes.CAT_INVALID_CHILD, f"{child} is not a child of {parent}")
        _set_parent(agent.db, child_id, "", "")


def _set_parent(db: Database, child_id: int, parent_id: str, context: str) -> None:
    with db.transaction():
        db.execute(
            "update R_RESC_MAIN set resc_parent = ?, resc_parent_context = ?, modify_ts = ?, modify_ts_millis = ?"
            " where resc_id = ?",
            (parent_id, context, db.now(), _millis(), child_id),
        )


# --- removing and modifying


def remove(agent: Agent, name: str, *, dry_run: bool = False) -> None:
    """Forget a resource that holds no data and stands in no tree; a dry run only says whether it could be."""
    if len(name) >= _MAX_NAME:
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, "resource name is too long")
    if dry_run:
        _unregister(agent, name, dry_run=True)
        return
    name = clean_name(name)
    with hooks.framed(agent, "DeleteResource", name):
        _unregister(agent, name, dry_run=False)


def _unregister(agent: Agent, name: str, *, dry_run: bool) -> None:
    with hooks.database(agent, "del_resc", name, int(dry_run)):
        _refuse_bundle(agent, name)
        number = agent.db.value("select resc_id from R_RESC_MAIN where resc_name = ?", (name,))
        if agent.db.value("select 1 from R_DATA_MAIN where resc_id = ? limit 1", (number,)) is not None:
            raise _refuse(agent, codes.CAT_RESOURCE_NOT_EMPTY, f"resource '{name}' contains one or more dataObjects")
        if number is None:
            raise IrodsError(codes.CAT_NO_ROWS_FOUND, f"resource {name} does not exist")
        if _has_relatives(agent.db, number):
            raise _refuse(agent, codes.CHILD_EXISTS, f"resource '{name}' has a parent or child")
        if not dry_run:
            with agent.db.transaction() as db:
                collections_by_admin.forget(agent, number)
                db.execute("delete from R_RESC_MAIN where resc_id = ?", (number,))


def _refuse_bundle(agent: Agent, name: str) -> None:
    if name.startswith(BUNDLE):
        message = f"{BUNDLE} is a built-in resource needed for bundle operations."
        raise _refuse(agent, codes.CAT_PSEUDO_RESC_MODIFY_DISALLOWED, message)


def _has_relatives(db: Database, number: int) -> bool:
    sql = "select 1 from R_RESC_MAIN where resc_parent = ? or (resc_id = ? and coalesce(resc_parent, '') != '')"
    return db.value(sql, (str(number), number)) is not None


def modify(agent: Agent, name: str, option: str, value: str) -> None:
    """Change one property of a resource (``iadmin modresc``); the database part, without the static hooks."""
    with hooks.database(agent, "mod_resc", name, option, value):
        if not name or not option or (not value and option != "comment"):
            raise IrodsError(codes.CAT_INVALID_ARGUMENT, "an argument is empty")
        _refuse_bundle(agent, name)
        number = entities.resource_id(agent.db, name)
        previous = None
        with agent.db.transaction() as db:
            if option in ("freespace", "free_space"):
                _set_free_space(db, number, value)
            elif option in _COLUMNS:
                previous = _set_column(agent, number, option, value)
            else:
                raise IrodsError(codes.CAT_INVALID_ARGUMENT, f"no resource option {option!r}")
        if previous:
            agent.r_error.append((0, f"Previous resource path: {previous}"))


def _set_column(agent: Agent, number: int, option: str, value: str) -> str | None:
    """Store a property; answers the previous vault path when that is what changed."""
    db, previous = agent.db, None
    if option == "path":
        _check_vault(agent, value)
        previous = db.value("select resc_def_path from R_RESC_MAIN where resc_id = ?", (number,))
    sql = f"update R_RESC_MAIN set {_COLUMNS[option]} = ?, modify_ts = ?, modify_ts_millis = ? where resc_id = ?"  # noqa: S608
    db.execute(sql, (value, db.now(), _millis(), number))
    return previous


def _set_free_space(db: Database, number: int, value: str) -> None:
    """A number of bytes sets the free space; with ``+`` or ``-`` in front it changes it."""
    amount = value.lstrip("+-")
    if value[0] in "+-":
        current = int(db.value("select free_space from R_RESC_MAIN where resc_id = ?", (number,)) or 0)
        if not amount.isdigit():
            raise IrodsError(codes.CAT_SQL_ERR, f"not a number: {value}")
        amount = str(current + int(value))
    now = db.now()
    db.execute(
        "update R_RESC_MAIN set free_space = ?, free_space_ts = ?, modify_ts = ?, modify_ts_millis = ?"
        " where resc_id = ?",
        (amount, now, now, _millis(), number),
    )


def move_vault_paths(agent: Agent, name: str, old: str, new: str, user: str = "") -> None:
    """Replace the beginning of the physical paths on a resource (``iadmin modrescdatapaths``)."""
    with hooks.database(agent, "mod_resc_data_paths", name, old, new, user):
        if not name or any(not (path.startswith("/") and path.endswith("/")) for path in (old, new)):
            raise IrodsError(codes.CAT_INVALID_ARGUMENT, "both paths must begin and end with a slash")
        params: list[object] = [old, new, entities.resource_id(agent.db, name), f"{old}%"]
        sql = "update R_DATA_MAIN set data_path = replace(data_path, ?, ?) where resc_id = ? and data_path like ?"
        if user:
            owner, zone = entities.parse_user_name(user)
            sql += " and data_owner_name = ? and data_owner_zone = ?"
            params += [owner, zone or agent.config.zone_name]
        with agent.db.transaction() as db:
            rows = db.execute(sql, params).rowcount
        if rows == 0:
            raise IrodsError(codes.CAT_SUCCESS_BUT_WITH_NO_INFO, "no path begins like that")
        agent.r_error.append((0, f"{rows} rows updated"))
