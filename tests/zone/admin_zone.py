"""A catalogue with agents on it, without a server: what the tests of the administrative calls share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from embedded_zone import agent as agents
from embedded_zone.agent import Agent, Identity
from embedded_zone.catalog.database import Database
from embedded_zone.config import ZoneConfig
from embedded_zone.errors import IrodsError

FLAGS = {"rodsadmin": agents.LOCAL_PRIV_USER_AUTH}


class RecordingRules:
    """Stands for the rule host: writes down what fires; ``answers`` maps a hook to its code."""

    def __init__(self) -> None:
        self.fired: list[tuple[Any, ...]] = []
        self.answers: dict[str, int] = {}

    @property
    def names(self) -> list[str]:
        return [entry[0] for entry in self.fired]

    def has(self, name: str) -> bool:
        return True

    def set_data_object(self, doi: Any, doinp: Any) -> None:
        return None

    def fire(self, name: str, *args: Any) -> int:
        self.fired.append((name, *args))
        return self.answers.get(name, 0)

    @contextmanager
    def around(self, op: str, make_args: Callable[[str], list[Any]]) -> Iterator[None]:
        self._dynamic(f"pep_{op}_pre", make_args("pre"))
        try:
            yield
        except IrodsError:
            self._dynamic(f"pep_{op}_except", make_args("except"))
            raise
        self._dynamic(f"pep_{op}_post", make_args("post"))

    def _dynamic(self, name: str, args: list[Any]) -> None:
        if self.fire(name, *args) < 0:
            raise IrodsError(self.answers[name])


class Zone:
    """A catalogue file and agents of its users, all in this process."""

    def __init__(self, home: Path) -> None:
        self.config = ZoneConfig(home)
        self.db = Database.create(self.config.catalog, self.config, "rods")
        self.rods = self.agent("rods")

    def agent(self, name: str, zone: str = "tempZone") -> Agent:
        """An agent that serves this user, with a connection and hooks of its own."""
        row = self.db.one("select * from R_USER_MAIN where user_name = ? and zone_name = ?", (name, zone))
        assert row is not None
        kind = row["user_type_name"]
        client = Identity(name, zone, row["user_id"], kind, FLAGS.get(kind, agents.LOCAL_USER_AUTH))
        made = Agent(self.config, Database.open(self.config.catalog), logging.getLogger("zone"), client, client)
        made.rules = RecordingRules()  # type: ignore[assignment]
        return made

    def add_user(self, name: str, kind: str = "rodsuser") -> Agent:
        """A user with home collection, made by the rows alone."""
        db, now = self.db, self.db.now()
        with db.transaction():
            number = db.next_id()
            db.execute(
                "insert into R_USER_MAIN values (?,?,?,?,?,?,?,?)", (number, name, kind, "tempZone", "", "", now, now)
            )
            db.execute("insert into R_USER_GROUP values (?,?,?,?)", (number, number, now, now))
        self.add_collection(f"/tempZone/home/{name}", name)
        return self.agent(name)

    def add_collection(self, path: str, owner: str = "rods") -> int:
        """A collection that only its owner can use."""
        db, now = self.db, self.db.now()
        row = (path.rpartition("/")[0], path, owner, "tempZone", 0, "", "", "", "", "", "", now, now)
        with db.transaction():
            number = db.next_id()
            db.execute("insert into R_COLL_MAIN values (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", (number, *row))
            self.grant(number, owner)
        return number

    def add_object(self, path: str, owner: str = "rods") -> int:
        """A data object row with one good replica on demoResc; no file."""
        db, now = self.db, self.db.now()
        parent, _, name = path.rpartition("/")
        with db.transaction():
            number = db.next_id()
            db.execute(
                """insert into R_DATA_MAIN (data_id, coll_id, data_name, data_repl_num, data_version, data_type_name,
                data_size, resc_name, resc_id, data_path, data_owner_name, data_owner_zone, data_is_dirty,
                create_ts, modify_ts)
                values (?, (select coll_id from R_COLL_MAIN where coll_name = ?), ?, 0, '', 'generic', 0, 'demoResc',
                (select resc_id from R_RESC_MAIN where resc_name = 'demoResc'), ?, ?, 'tempZone', '1', ?, ?)""",
                (number, parent, name, f"/vault{path}", owner, now, now),
            )
            self.grant(number, owner)
        return number

    def grant(self, object_id: int, user: str, level: int = 1200) -> None:
        """Give a user or group a level on an object."""
        now = self.db.now()
        user_id = self.db.value("select user_id from R_USER_MAIN where user_name = ?", (user,))
        self.db.execute("insert into R_OBJT_ACCESS values (?,?,?,?,?)", (object_id, user_id, level, now, now))

    def levels(self, object_id: int) -> dict[str, int]:
        """Who holds which level on an object."""
        rows = self.db.all(
            """select user_name, access_type_id from R_OBJT_ACCESS A join R_USER_MAIN U on A.user_id = U.user_id
            where object_id = ?""",
            (object_id,),
        )
        return {row[0]: row[1] for row in rows}

    def avus(self, object_id: int) -> list[tuple[str, str, str]]:
        """The triples of an object, sorted."""
        rows = self.db.all(
            """select meta_attr_name, meta_attr_value, meta_attr_unit from R_META_MAIN M
            join R_OBJT_METAMAP O on M.meta_id = O.meta_id where object_id = ? order by 1, 2, 3""",
            (object_id,),
        )
        return [tuple(row) for row in rows]


def code_of(call: Callable[..., Any], *args: Any, **keywords: Any) -> int:
    """The code with which a call fails, 0 if it succeeds."""
    try:
        call(*args, **keywords)
    except IrodsError as error:
        return error.code
    return 0
