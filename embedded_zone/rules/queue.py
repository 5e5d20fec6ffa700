"""The delay queue: rows of R_RULE_EXEC, with the database hooks that a real server fires for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from embedded_zone.agent import Agent
from embedded_zone.errors import IrodsError
from embedded_zone.rules.hints import Hints, checked_priority
from embedded_zone.rules.native.session import KNOWN_NAMES
from embedded_zone.structures.types import irods_type
from embedded_zone.wire.codes import (
    CAT_INVALID_ARGUMENT,
    CAT_NO_ROWS_FOUND,
    CAT_SQL_ERR,
    RE_UNSUPPORTED_SESSION_VAR,
    USER_ACCESS_DENIED,
)

_SESSION_VARIABLE = re.compile(r"\$\b(?:" + "|".join(sorted(KNOWN_NAMES)) + r")\b")
# Keyword of API 708 -> column (db_mod_rule_exec_op).
MODIFIABLE = {
    "ruleName": "rule_name",
    "reiFilePath": "rei_file_path",
    "userName": "user_name",
    "exeAddress": "exe_address",
    "exeTime": "exe_time",
    "exeFrequency": "exe_frequency",
    "priority": "priority",
    "estimateExeTime": "estimated_exe_time",
    "notificationAddr": "notification_addr",
    "lastExeTime": "last_exe_time",
    "exeStatus": "exe_status",
    "rule_execution_context": "exe_context",
    "lock_host": "lock_host",
    "lock_host_pid": "lock_host_pid",
    "lock_ts": "lock_ts",
}
MAX_TEXT = 2700
COLUMNS = (
    "rule_exec_id", "rule_name", "rei_file_path", "user_name", "exe_address", "exe_time", "exe_frequency", "priority",
    "last_exe_time", "exe_status", "estimated_exe_time", "notification_addr", "exe_context",
)  # fmt: skip


def check_text(text: str) -> None:
    """Refuse rule text with a session variable of the native engine in it, even in a comment (-1209000)."""
    if _SESSION_VARIABLE.search(text):
        raise IrodsError(
            RE_UNSUPPORTED_SESSION_VAR, "Rules cannot contain session variables. Use dynamic PEPs instead."
        )


def register(agent: Agent, text: str, hints: Hints, context: str, user: str) -> int:
    """Insert a row; its id. The hook pep_database_reg_rule_exec sees the RuleExecSubmitInp.

    Raises RE_UNSUPPORTED_SESSION_VAR and CAT_SQL_ERR (text longer than 2,700 characters).
    """
    check_text(text)
    keywords = {"instance_name": hints.instance_name} if hints.instance_name else {}
    keywords["rule_execution_context"] = context
    submission = {
        "ruleName": text,
        "reiFilePath": "EMPTY_REI_PATH",
        "userName": user,
        "exeTime": hints.exe_time,
        "exeFrequency": hints.frequency,
        "priority": hints.priority,
        "condInput": keywords,
    }
    with agent.rules.around("database_reg_rule_exec", lambda _: [irods_type("RuleExecSubmitInp", submission)]):
        return _insert(agent, submission, context)


def _insert(agent: Agent, submission: Mapping[str, Any], context: str) -> int:
    if len(submission["ruleName"]) > MAX_TEXT:
        raise IrodsError(CAT_SQL_ERR, f"rule text longer than {MAX_TEXT} characters")
    values = [submission[k] for k in ("ruleName", "reiFilePath", "userName", "exeTime", "exeFrequency", "priority")]
    with agent.db.transaction():
        number, now = agent.db.next_id(), agent.db.now()
        agent.db.execute(
            "insert into R_RULE_EXEC (rule_exec_id, rule_name, rei_file_path, user_name, exe_address, exe_time,"
            " exe_frequency, priority, estimated_exe_time, notification_addr, create_ts, modify_ts, exe_context)"
            " values (?, ?, ?, ?, '', ?, ?, ?, '', '', ?, ?, ?)",
            (number, *values, now, now, context),
        )
    return number


def information(agent: Agent, rule_id: str) -> dict[str, str]:
    """The row of a rule as strings; raises CAT_NO_ROWS_FOUND."""
    row = agent.db.one(f"select {', '.join(COLUMNS)} from R_RULE_EXEC where rule_exec_id = ?", (rule_id,))  # noqa: S608
    if row is None:
        raise IrodsError(CAT_NO_ROWS_FOUND, f"no delayed rule {rule_id}")
    return {name: "" if row[name] is None else str(row[name]) for name in COLUMNS}


def delete(agent: Agent, rule_id: str) -> None:
    """Remove a row; only its submitter or a rodsadmin may (USER_ACCESS_DENIED)."""
    if not agent.is_admin:
        _require_creator(agent, rule_id)
    with agent.rules.around("database_del_rule_exec", lambda _: [rule_id]):
        if not _changed(agent, "delete from R_RULE_EXEC where rule_exec_id = ?", (rule_id,)):
            raise IrodsError(CAT_NO_ROWS_FOUND, f"no delayed rule {rule_id}")


def _changed(agent: Agent, sql: str, values: tuple[Any, ...]) -> int:
    with agent.db.transaction():
        return int(agent.db.execute(sql, values).rowcount)


def _require_creator(agent: Agent, rule_id: str) -> None:
    from embedded_zone.rules.saved import identities

    client, _ = identities(information(agent, rule_id)["exe_context"])
    if (client.name, client.zone) != (agent.client.name, agent.client.zone):
        raise IrodsError(USER_ACCESS_DENIED, f"{agent.client.qualified} did not submit rule {rule_id}")


def modify(agent: Agent, rule_id: str, changes: Mapping[str, str]) -> None:
    """Change columns by their keywords; raises CAT_INVALID_ARGUMENT when none is known."""
    known = {MODIFIABLE[k]: v for k, v in changes.items() if k in MODIFIABLE}
    if not known:
        raise IrodsError(CAT_INVALID_ARGUMENT, "nothing to change")
    if "priority" in known:
        checked_priority(known["priority"] or "0")
    pairs = irods_type("KeyValPair", dict(changes))
    with agent.rules.around("database_mod_rule_exec", lambda _: [rule_id, pairs]):
        columns = ", ".join(f"{name} = ?" for name in known)
        if not _changed(agent, f"update R_RULE_EXEC set {columns} where rule_exec_id = ?", (*known.values(), rule_id)):  # noqa: S608
            raise IrodsError(CAT_NO_ROWS_FOUND, f"no delayed rule {rule_id}")


def lock(agent: Agent, rule_id: str, host: str, pid: int) -> None:
    """Mark a row as taken by a delay server; raises CAT_NO_ROWS_FOUND if it is gone or taken."""
    sql = (
        "update R_RULE_EXEC set lock_host = ?, lock_host_pid = ?, lock_ts = ?"
        " where rule_exec_id = ? and lock_host = '' and lock_host_pid = '' and lock_ts = ''"
    )
    with agent.rules.around("database_delay_rule_lock", lambda _: [rule_id, host, pid]):
        if not _changed(agent, sql, (host, str(pid), agent.db.now(), rule_id)):
            raise IrodsError(CAT_NO_ROWS_FOUND, f"delayed rule {rule_id} is gone or locked")


def unlock(agent: Agent, rule_ids: list[str]) -> None:
    """Let rows be taken again. API 10223."""
    marks = ", ".join("?" for _ in rule_ids)
    sql = f"update R_RULE_EXEC set lock_host = '', lock_host_pid = '', lock_ts = '' where rule_exec_id in ({marks})"  # noqa: S608
    with agent.rules.around("database_delay_rule_unlock", lambda _: [" ".join(rule_ids)]):
        _changed(agent, sql, tuple(rule_ids))
