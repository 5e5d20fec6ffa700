"""The state of replicas: locks, what a close makes of them, and the tokens of concurrent writers.

    at rest    0 stale   1 good
    opened     2 intermediate: being written        4 write-locked: a sibling of one being written

Opening for writing takes a replica from rest to 2 and its siblings to 4, and writes what they were into
``data_status``; closing decides what all of them become. Each step is one short transaction, so that other
agent processes see either all of it or nothing. Sources: ``logical_locking.cpp``, ``replica_access_table.cpp``.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from embedded_zone.errors import IrodsError
from embedded_zone.objects import hooks, lookup
from embedded_zone.objects.model import AT_REST, COLUMNS, INTERMEDIATE, LOCKED, STALE, WRITE_LOCKED, Replica
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent

RESTORE = -1  # as a status: what the replica was before it was locked

_TOKENS = """create table if not exists zone_replica_token (
    token text not null, data_id integer not null, data_repl_num integer not null, pid integer not null)"""


def check_unlocked(found: Sequence[Replica], hierarchy: str = "", token_fits: bool = False) -> None:
    """Raise unless the object (or the replica in ``hierarchy``) may be opened or changed now.

    LOCKED_DATA_OBJECT_ACCESS if any replica is being written or locked; for one replica
    INTERMEDIATE_REPLICA_ACCESS if it is being written by others and ``token_fits`` is false.
    """
    chosen = [r for r in found if r.hierarchy == hierarchy] if hierarchy else []
    if chosen:
        if chosen[0].status == INTERMEDIATE and not token_fits:
            raise IrodsError(codes.INTERMEDIATE_REPLICA_ACCESS, "the replica is being written")
        if chosen[0].status in LOCKED:
            raise IrodsError(codes.LOCKED_DATA_OBJECT_ACCESS, "another replica is being written")
        return
    if any(r.status in (INTERMEDIATE, *LOCKED) for r in found):
        raise IrodsError(codes.LOCKED_DATA_OBJECT_ACCESS, "the data object is being written")


def _original(status_string: str) -> int | None:
    try:
        return int(json.loads(status_string)["original_status"])
    except (ValueError, KeyError, TypeError):
        return None


def original_status(agent: Agent, replica: Replica) -> int:
    """What the replica was before it was opened; stale if that is not known."""
    sql = "select data_status from R_DATA_MAIN where data_id = ? and data_repl_num = ?"
    original = _original(agent.db.value(sql, (replica.data_id, replica.number)) or "")
    return STALE if original is None else original


def _publish(agent: Agent, replica: Replica, changes: dict[int, dict[str, Any]]) -> None:
    """Write changed columns of an object's replicas (by number) in one transaction, with the finalize hooks."""
    before = lookup.replicas_of_id(agent, replica.data_id, replica.logical_path)
    text = json.dumps({"replicas": [_difference(r, changes.get(r.number, {})) for r in before]})
    with hooks.database(agent, "data_object_finalize", text), agent.db.transaction():
        _write(agent, replica.data_id, changes)


def _difference(replica: Replica, columns: dict[str, Any]) -> dict[str, dict[str, str]]:
    before = replica.as_json()
    return {"before": before, "after": {**before, **{k: str(v) for k, v in columns.items()}}}


def lock(agent: Agent, replica: Replica) -> None:
    """Open a replica for writing: it becomes intermediate and its siblings write-locked.

    Raises LOCKED_DATA_OBJECT_ACCESS if another agent was faster. A replica that is not registered yet
    (number -1) locks all the others.
    """
    with agent.db.transaction():
        current = lookup.replicas_of_id(agent, replica.data_id, replica.logical_path)
        check_unlocked(current)
        for sibling in current:
            status = INTERMEDIATE if sibling.number == replica.number else WRITE_LOCKED
            original = json.dumps({"original_status": str(sibling.status)}, separators=(",", ":"))
            _set_status(agent, sibling, status, original)
    replica.status = INTERMEDIATE
    text = json.dumps({"replicas": [_difference(r, {}) for r in current]})
    try:
        with hooks.database(agent, "data_object_finalize", text):
            pass
    except IrodsError:
        unlock(agent, replica, RESTORE, RESTORE, quiet=True)
        raise


def _set_status(agent: Agent, replica: Replica, status: int, status_string: str) -> None:
    sql = "update R_DATA_MAIN set data_is_dirty = ?, data_status = ? where data_id = ? and data_repl_num = ?"
    agent.db.execute(sql, (status, status_string, replica.data_id, replica.number))


def publish_truncation(agent: Agent, replica: Replica) -> None:
    """Show at once that a replica was opened with O_TRUNC: no size, no checksum."""
    replica.size, replica.checksum = 0, ""
    _publish(agent, replica, {replica.number: {"data_size": 0, "data_checksum": ""}})


def unlock(agent: Agent, replica: Replica, status: int, siblings: int, *, quiet: bool = False) -> None:
    """Close a replica: write its size, checksum and times, its new status, and that of its siblings.

    ``status`` and ``siblings`` may be RESTORE. ``quiet`` fires no hooks (an open that did not come about).
    """
    current = lookup.replicas_of_id(agent, replica.data_id, replica.logical_path)
    changes = {r.number: _settled(r, siblings) for r in current if r.number != replica.number}
    mine = next((r for r in current if r.number == replica.number), None)
    if mine is not None:
        replica.status = _settled(mine, status)["data_is_dirty"]
        replica.status_string = ""
        changes[replica.number] = _written(replica)
    if quiet:
        with agent.db.transaction():
            _write(agent, replica.data_id, changes)
    else:
        _publish(agent, replica, changes)


def _write(agent: Agent, data_id: int, changes: dict[int, dict[str, Any]]) -> None:
    for number, columns in changes.items():
        names = ", ".join(f"{column} = ?" for column in columns)
        sql = f"update R_DATA_MAIN set {names} where data_id = ? and data_repl_num = ?"  # noqa: S608
        agent.db.execute(sql, (*columns.values(), data_id, number))


def _settled(replica: Replica, status: int) -> dict[str, Any]:
    """The columns of a replica that leaves its lock."""
    if status != RESTORE:
        return {"data_is_dirty": status, "data_status": ""}
    original = _original(replica.status_string)
    if original is None:
        original = replica.status if replica.status in AT_REST else STALE
    return {"data_is_dirty": original, "data_status": ""}


def _written(replica: Replica) -> dict[str, Any]:
    names = ("status", "status_string", "size", "checksum", "modified")
    return {COLUMNS[name]: getattr(replica, name) for name in names}


# --- tokens: several descriptors, in several processes, may write one replica at the same time ---


def _ensure_table(agent: Agent) -> None:
    if not agent.scratch.get("token_table"):
        if agent.db.one("select 1 from sqlite_master where name = 'zone_replica_token'") is None:
            agent.db.execute(_TOKENS)
        agent.scratch["token_table"] = True


def token_is_valid(agent: Agent, token: str, replica: Replica) -> bool:
    """Whether a client's token belongs to the replica that is being written."""
    if not token:
        return False
    _ensure_table(agent)
    sql = "select 1 from zone_replica_token where token = ? and data_id = ? and data_repl_num = ?"
    return agent.db.one(sql, (token, replica.data_id, replica.number)) is not None


def hold_token(agent: Agent, replica: Replica, token: str = "") -> str:
    """Enter this process for a token, a new one if none is given; answers the token."""
    _ensure_table(agent)
    token = token or secrets.token_hex(16)
    row = (token, replica.data_id, replica.number, os.getpid())
    agent.db.execute("insert into zone_replica_token values (?,?,?,?)", row)
    return token


def release_token(agent: Agent, token: str) -> None:
    """Take one entry of this process off a token."""
    sql = """delete from zone_replica_token where rowid in
        (select rowid from zone_replica_token where token = ? and pid = ? limit 1)"""
    agent.db.execute(sql, (token, os.getpid()))


def others_hold_token(agent: Agent, token: str) -> bool:
    """Whether any descriptor, in any process, is still entered for the token."""
    return agent.db.one("select 1 from zone_replica_token where token = ?", (token,)) is not None
