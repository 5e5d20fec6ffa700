"""Remote zones and the local zone's name (``iadmin mkzone``, ``modzone``, ``rmzone``, ``modzonecollacl``)."""

from __future__ import annotations

import re

from embedded_zone.agent import Agent
from embedded_zone.catalog import acls, collections_by_admin, hooks
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

_NAME = re.compile(r"[A-Za-z0-9_.]+")
_PARTS = {"comment": "r_comment", "conn": "zone_conn_string", "name": "zone_name"}


def create(agent: Agent, name: str, kind: str, connection: str = "", comment: str = "") -> None:
    """Make a remote zone known, with its root collection."""
    with hooks.database(agent, "reg_zone", name, kind, connection, comment), agent.db.transaction() as db:
        if not kind.startswith("remote"):
            _explain(agent, "Currently, only zones of type 'remote' are allowed")
            raise IrodsError(codes.CAT_INVALID_ARGUMENT, f"no zone of type {kind!r}")
        _require_name(name)
        _require_connection(agent, connection)
        row = (db.next_id(), name, "remote", connection, comment, db.now(), db.now())
        db.execute("insert into R_ZONE_MAIN values (?, ?, ?, ?, ?, ?, ?)", row)
    if kind == "remote":
        collections_by_admin.create(agent, f"/{name}", agent.proxy.name)
        hooks.commit(agent)


def _explain(agent: Agent, text: str, code: int = 0) -> None:
    agent.r_error.append((code, text))


def _require_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, "Zone name contains invalid characters")


def _require_connection(agent: Agent, text: str) -> None:
    """A connection string is empty or ``host:port``."""
    host, _, port = text.partition(":")
    if not text or (host and port.isdigit() and 0 < int(port) <= 65535):
        return
    code = codes.CAT_INVALID_ARGUMENT if host else codes.CAT_HOSTNAME_INVALID
    message = f"failed to validate zone connection info [{text}]"
    _explain(agent, message, code)
    raise IrodsError(code, message)


def _zone_type(agent: Agent, name: str) -> str:
    found: str | None = agent.db.value("select zone_type_name from R_ZONE_MAIN where zone_name = ?", (name,))
    if found is None:
        raise IrodsError(codes.CAT_INVALID_ZONE, f"zone {name} is unknown")
    return found


def modify(agent: Agent, name: str, option: str, value: str) -> None:
    """Change a zone's comment, conn or name; a new name renames its root collection too."""
    with hooks.database(agent, "mod_zone", name, option, value):
        if not name or not option or not value:
            raise IrodsError(codes.CAT_INVALID_ARGUMENT, "an argument is empty")
        _zone_type(agent, name)
        if option not in _PARTS:
            raise IrodsError(codes.CAT_INVALID_ARGUMENT, f"no zone option {option!r}")
        if option == "conn":
            _require_connection(agent, value)
        if option == "name":
            _check_rename(agent, name, value)
        sql = f"update R_ZONE_MAIN set {_PARTS[option]} = ?, modify_ts = ? where zone_name = ?"  # noqa: S608
        with agent.db.transaction() as db:
            db.execute(sql, (value, db.now(), name))
    if option == "name":
        _rename_root(agent, name, value)


def _check_rename(agent: Agent, name: str, value: str) -> None:
    if name == agent.config.zone_name:
        _explain(agent, "It is not valid to rename the local zone via chlModZone; iadmin should use acRenameLocalZone")
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, "cannot rename the local zone")
    _require_name(value)


def _rename_root(agent: Agent, name: str, value: str) -> None:
    with hooks.database(agent, "rename_coll", f"/{name}", value), agent.db.transaction() as db:
        db.execute(
            "update R_COLL_MAIN set coll_name = ?, modify_ts = ? where coll_name = ?",
            (f"/{value}", db.now(), f"/{name}"),
        )
    hooks.commit(agent)


def remove(agent: Agent, name: str) -> None:
    """Forget a remote zone and its empty root collection."""
    with hooks.database(agent, "del_zone", name):
        if _zone_type(agent, name) != "remote":
            _explain(agent, "It is not permitted to remove the local zone")
            raise IrodsError(codes.CAT_INVALID_ARGUMENT, "cannot remove the local zone")
        with agent.db.transaction() as db:
            db.execute("delete from R_ZONE_MAIN where zone_name = ?", (name,))
    collections_by_admin.remove(agent, f"/{name}")
    hooks.commit(agent)


def modify_root_acl(agent: Agent, level: str, user: str, path: str) -> None:
    """Give a user or group a level on a zone's root collection, which the client owns (``modzonecollacl``)."""
    with hooks.database(agent, "mod_zone_coll_acl", level, user, path):
        if not path.startswith("/") or "/" in path[1:]:
            raise IrodsError(codes.CAT_INVALID_ARGUMENT, f"{path} is not a zone's collection")
        acls.modify(agent, acls.Change(level, user, agent.client.zone, path))
