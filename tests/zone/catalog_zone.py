"""A small catalogue for the tests of the query languages: two users, collections, data objects, AVUs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from embedded_zone.agent import LOCAL_PRIV_USER_AUTH, LOCAL_USER_AUTH, Identity
from embedded_zone.catalog import access
from embedded_zone.catalog.database import Database
from embedded_zone.catalog.genquery import COLUMNS, Statements, execute
from embedded_zone.config import ZoneConfig
from embedded_zone.errors import IrodsError
from embedded_zone.wire.codes import CAT_NO_ROWS_FOUND

HOME = "/tempZone/home"
Conditions = dict[str, str] | Sequence[tuple[str, str]]


class CatalogZone:
    """A catalogue with helpers that write rows as the other parts of the zone do."""

    def __init__(self, home: Path) -> None:
        self.config = ZoneConfig(home)
        self.db = Database.create(self.config.catalog, self.config)
        self.admin = Identity("rods", "tempZone", self.user_id("rods"), "rodsadmin", LOCAL_PRIV_USER_AUTH)
        self.alice = self.add_user("alice")
        self.resource = self.db.value("select resc_id from R_RESC_MAIN where resc_name = 'demoResc'")

    def user_id(self, name: str) -> int:
        return access.user_id(self.db, name, "tempZone") or 0

    def add_user(self, name: str) -> Identity:
        number, now = self.db.next_id(), self.db.now()
        row = (number, name, "rodsuser", "tempZone", "", "", now, now)
        self.db.execute("insert into R_USER_MAIN values (?,?,?,?,?,?,?,?)", row)
        for group in (number, self.user_id("public")):
            self.db.execute("insert into R_USER_GROUP values (?,?,?,?)", (group, number, now, now))
        return Identity(name, "tempZone", number, "rodsuser", LOCAL_USER_AUTH)

    def add_collection(self, path: str, owner: Identity | None = None) -> int:
        owner, number, now = owner or self.admin, self.db.next_id(), self.db.now()
        parent = path.rpartition("/")[0]
        row = (number, parent, path, owner.name, "tempZone", 0, "", "", "", "", "", "", now, now)
        self.db.execute("insert into R_COLL_MAIN values (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", row)
        self.grant(number, owner)
        return number

    def add_data(
        self, path: str, size: int = 0, owner: Identity | None = None, replica: int = 0, number: int = 0
    ) -> int:
        collection, _, name = path.rpartition("/")
        owner, number, now = owner or self.admin, number or self.db.next_id(), self.db.now()
        row = (
            number,
            access.collection_id(self.db, collection),
            name,
            replica,
            size,
            self.resource,
            owner.name,
            now,
            now,
        )
        self.db.execute(
            """insert into R_DATA_MAIN (data_id, coll_id, data_name, data_repl_num, data_size, resc_id, data_owner_name,
            create_ts, modify_ts, data_version, data_type_name, resc_name, data_path, data_owner_zone, data_is_dirty)
            values (?,?,?,?,?,?,?,?,?,'0','generic','demoResc','/vault','tempZone',1)""",
            row,
        )
        if replica == 0:
            self.grant(number, owner)
        return number

    def grant(self, number: int, user: Identity, level: int = access.OWN) -> None:
        row = (number, user.user_id, level, self.db.now(), self.db.now())
        self.db.execute("insert into R_OBJT_ACCESS values (?,?,?,?,?)", row)

    def annotate(self, number: int, attribute: str, value: str, unit: str = "") -> None:
        meta, now = self.db.next_id(), self.db.now()
        self.db.execute(
            "insert into R_META_MAIN values (?,?,?,?,?,?,?,?)", (meta, "", attribute, value, unit, "", now, now)
        )
        self.db.execute("insert into R_OBJT_METAMAP values (?,?,?,?)", (number, meta, now, now))

    def query(self, *columns: str | tuple[str, int], where: Conditions = (), **options: Any) -> list[tuple[str, ...]]:
        """The rows of one page, as the administrator if no ``identity`` is given."""
        result = self.page(*columns, where=where, **options)
        return list(zip(*(column["value"] for column in result["SqlResult_PI"]), strict=True))

    def rows_or_none(self, *columns: str | tuple[str, int], where: Conditions = ()) -> list[tuple[str, ...]]:
        """As ``query``; no rows are an empty list."""
        try:
            return self.query(*columns, where=where)
        except IrodsError as error:
            if error.code != CAT_NO_ROWS_FOUND:
                raise
            return []

    def page(
        self,
        *columns: str | tuple[str, int],
        where: Conditions = (),
        identity: Identity | None = None,
        ticket: str = "",
        statements: Statements | None = None,
        **fields: Any,
    ) -> dict[str, Any]:
        """The whole answer to one request; ``fields`` are those of GenQueryInp_PI."""
        pairs = [(column, 1) if isinstance(column, str) else column for column in columns]
        conditions = where.items() if isinstance(where, dict) else where
        request = {
            "maxRows": 500,
            "continueInx": 0,
            "partialStartIndex": 0,
            "options": 0,
            "KeyValPair_PI": {},
            "InxIvalPair_PI": [(COLUMNS[name], value) for name, value in pairs],
            "InxValPair_PI": [(COLUMNS[name], text) for name, text in conditions],
        } | fields
        return execute(self.db, identity or self.admin, request, ticket=ticket, statements=statements)
