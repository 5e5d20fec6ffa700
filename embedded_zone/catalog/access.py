"""Who may do what to which object: users, groups, access levels (R_OBJT_ACCESS)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedded_zone.agent import Identity
    from embedded_zone.catalog.database import Database

NULL = 1000
EXECUTE = 1010
READ_METADATA = 1040
READ_OBJECT = 1050
CREATE_METADATA = 1070
MODIFY_METADATA = 1080
DELETE_METADATA = 1090
CREATE_OBJECT = 1110
MODIFY_OBJECT = 1120
DELETE_OBJECT = 1130
OWN = 1200

LEVEL_NAMES: dict[int, str] = {
    NULL: "null",
    EXECUTE: "execute",
    1020: "read annotation",
    1030: "read system metadata",
    READ_METADATA: "read_metadata",
    READ_OBJECT: "read_object",
    1060: "write annotation",
    CREATE_METADATA: "create_metadata",
    MODIFY_METADATA: "modify_metadata",
    DELETE_METADATA: "delete_metadata",
    1100: "administer object",
    CREATE_OBJECT: "create_object",
    MODIFY_OBJECT: "modify_object",
    DELETE_OBJECT: "delete_object",
    1140: "create token",
    1150: "delete token",
    1160: "curate",
    OWN: "own",
}

# Every spelling that clients use: the catalogue's, the one with spaces of iRODS 4.2, the short ones of ichmod.
LEVELS: dict[str, int] = (
    {name: level for level, name in LEVEL_NAMES.items()}
    | {name.replace("_", " "): level for level, name in LEVEL_NAMES.items()}
    | {"read": READ_OBJECT, "write": MODIFY_OBJECT, "none": NULL}
)

_LEVEL_SQL = """select max(access_type_id) from R_OBJT_ACCESS where object_id = ? and
    (user_id = ? or user_id in (select group_user_id from R_USER_GROUP where user_id = ?))"""


def user_group_ids(db: Database, user_id: int) -> set[int]:
    """The ids of all groups of a user, and the user's own id."""
    rows = db.all("select group_user_id from R_USER_GROUP where user_id = ?", (user_id,))
    return {user_id, *(row[0] for row in rows)}


def access_level(db: Database, user_id: int, object_id: int) -> int:
    """The highest level that the user holds on a data object or collection, alone or through a group; else NULL."""
    level: int | None = db.value(_LEVEL_SQL, (object_id, user_id, user_id))
    return level or NULL


def may(db: Database, identity: Identity, object_id: int, level: int) -> bool:
    """Whether the identity holds at least ``level``; a rodsadmin gets nothing for free here (APIs with an admin
    keyword decide that themselves)."""
    return access_level(db, identity.user_id, object_id) >= level


def level_number(name: str) -> int | None:
    """The number of an access level in any spelling, or None."""
    return LEVELS.get(name)


def collection_id(db: Database, path: str) -> int | None:
    """The number of a collection, or None."""
    number: int | None = db.value("select coll_id from R_COLL_MAIN where coll_name = ?", (path,))
    return number


def data_id(db: Database, path: str) -> int | None:
    """The number of a data object, or None."""
    collection, _, name = path.rpartition("/")
    sql = """select data_id from R_DATA_MAIN where data_name = ? and
        coll_id = (select coll_id from R_COLL_MAIN where coll_name = ?) limit 1"""
    number: int | None = db.value(sql, (name, collection or "/"))
    return number


def user_id(db: Database, name: str, zone: str) -> int | None:
    """The number of a user or group, or None."""
    sql = "select user_id from R_USER_MAIN where user_name = ? and zone_name = ?"
    number: int | None = db.value(sql, (name, zone))
    return number
