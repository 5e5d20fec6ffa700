"""What a new catalogue holds: zone, administrator, groups, home and trash collections, resources, tokens.

Source: database_connect.setup_database_values, icatSysInserts.sql and database_upgrade.py of iRODS 5.0.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedded_zone.catalog.stored_queries import STORED_QUERIES
from embedded_zone.catalog.tokens import TOKENS

if TYPE_CHECKING:
    from embedded_zone.catalog.database import Database
    from embedded_zone.config import ZoneConfig

OWN = 1200
PASSWORD_NEVER_EXPIRES = "9999-12-31-23.59.00"  # noqa: S105 a date
_RELEASE_TIME = "01170000000"

_RESOURCE = """insert into R_RESC_MAIN (resc_id, resc_name, zone_name, resc_type_name, resc_class_name, resc_net,
    resc_def_path, free_space, free_space_ts, resc_info, r_comment, resc_status, create_ts, modify_ts, resc_children,
    resc_context, resc_parent) values (?,?,?,'unixfilesystem',?,?,?,'','','','','',?,?,'','','')"""

_GRID_CONFIGURATION = (
    ("database", "schema_version", "12"),
    ("delay_server", "successor", ""),
    ("authentication", "password_extend_lifetime", "1"),
    ("authentication", "password_min_time", "121"),
    ("authentication", "password_max_time", "1209600"),
    ("access_time", "queue_name_prefix", "irods_access_time_queue_"),
    ("access_time", "queue_size", "20000"),
    ("access_time", "batch_size", "20000"),
    ("access_time", "resolution_in_seconds", "86400"),
)


def populate(db: Database, config: ZoneConfig, admin_password: str) -> None:
    """Fill an empty catalogue; the caller holds the transaction."""
    _tokens(db)
    _settings(db, config)
    _zone(db, config)
    public, admin = _users(db, config, admin_password)
    _collections(db, config, public, admin)
    _resources(db, config)


def _tokens(db: Database) -> None:
    for namespace, tokens in TOKENS.items():
        for number, name, *values in tokens:
            value, value2, value3 = (*values, "", "", "")[:3]
            row = (namespace, number, name, value, value2, value3, "", _RELEASE_TIME, _RELEASE_TIME)
            db.execute("insert into R_TOKN_MAIN values (?,?,?,?,?,?,?,?,?)", row)


def _settings(db: Database, config: ZoneConfig) -> None:
    for row in (*_GRID_CONFIGURATION, ("delay_server", "leader", config.host)):
        db.execute("insert into R_GRID_CONFIGURATION values (?,?,?)", row)
    for alias, sql in STORED_QUERIES.items():
        db.execute(
            "insert into R_SPECIFIC_QUERY (alias, sqlStr, create_ts) values (?,?,?)", (alias, sql, "01388534400")
        )


def _zone(db: Database, config: ZoneConfig) -> None:
    now = db.now()
    row = (db.next_id(), config.zone_name, "local", "", "", now, now)
    db.execute("insert into R_ZONE_MAIN values (?,?,?,?,?,?,?)", row)


def _users(db: Database, config: ZoneConfig, admin_password: str) -> tuple[int, int]:
    """Group ``public`` and the administrator; answers their numbers.

    The password is stored plain, as iRODS reads it too: the file is the service account's alone, and the
    scrambling that iRODS uses there has a key known to everyone.
    """
    now = db.now()
    public, admin = db.next_id(), db.next_id()
    for number, name, kind in ((public, "public", "rodsgroup"), (admin, config.zone_user, "rodsadmin")):
        row = (number, name, kind, config.zone_name, "", "", now, now)
        db.execute("insert into R_USER_MAIN values (?,?,?,?,?,?,?,?)", row)
    for group, member in ((admin, admin), (public, admin), (public, public)):
        db.execute("insert into R_USER_GROUP values (?,?,?,?)", (group, member, now, now))
    row_password = (admin, admin_password, PASSWORD_NEVER_EXPIRES, now, now)
    db.execute("insert into R_USER_PASSWORD values (?,?,?,?,?)", row_password)
    return public, admin


def _collections(db: Database, config: ZoneConfig, public: int, admin: int) -> None:
    zone, user, now = config.zone_name, config.zone_user, db.now()
    of_admin = ("/", f"/{zone}", f"/{zone}/home", f"/{zone}/trash", f"/{zone}/trash/home")
    of_public = (f"/{zone}/home/public", f"/{zone}/trash/home/public")
    own_homes = (f"/{zone}/home/{user}", f"/{zone}/trash/home/{user}")
    for path in (*of_admin, *of_public, *own_homes):
        parent = path.rpartition("/")[0] or "/"
        number = db.next_id()
        row = (number, parent, path, user, zone, 0, "", "", "", "", "", "", now, now)
        db.execute("insert into R_COLL_MAIN values (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", row)
        owner = public if path in of_public else admin
        db.execute("insert into R_OBJT_ACCESS values (?,?,?,?,?)", (number, owner, OWN, now, now))


def _resources(db: Database, config: ZoneConfig) -> None:
    now = db.now()
    vault = str((config.vault / config.default_resource_name).absolute())
    for name, kind, host, path in (
        ("bundleResc", "bundle", "localhost", "/bundle"),
        (config.default_resource_name, "cache", config.host, vault),
    ):
        db.execute(_RESOURCE, (db.next_id(), name, config.zone_name, kind, host, path, now, now))
