"""The zone's delay queue, as the service account sees it: list, add, take away, unlock."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from irods.column import Column, Like, String
from irods.exception import CAT_NO_ROWS_FOUND, iRODSException
from irods.message import Message, StringProperty, StringStringMap, SubmessageProperty, iRODSMessage
from irods.models import Model, ModelBase, RuleExec
from irods.rule import Rule
from irods.session import iRODSSession

from python_rules.config import Config
from python_rules.engine import processes
from python_rules.engine.transfer import queries

DELAY_RULE_UNLOCK = 10223  # iRODS 5.0
_OURS = "callback.sluice\\_%"
_START_TOLERANCE = 60.0  # seconds by which the clock may have been corrected since a row was locked


class _Lock(Model):
    """Columns that python-irodsclient's model lacks; so does a zone before 5.0, which locks nothing."""

    host = Column(String, "RULE_EXEC_LOCK_HOST", 1013)
    pid = Column(String, "RULE_EXEC_LOCK_HOST_PID", 1014)
    time = Column(String, "RULE_EXEC_LOCK_TIME", 1015)


ModelBase.column_dict = {}  # python-irodsclient remembers at its first query which columns there are


class _Unlock(Message):
    _name = "DelayRuleUnlockInput_PI"
    rule_ids = StringProperty()
    KeyValPair_PI = SubmessageProperty(StringStringMap)

    def __init__(self, ids: Iterable[int]) -> None:
        super().__init__()
        self.rule_ids = json.dumps([str(number) for number in ids])
        self.KeyValPair_PI = StringStringMap({})


class Row(NamedTuple):
    """A delayed rule as the catalogue tells it; the lock's parts are '' where it is not running."""

    id: int
    text: str
    user: str
    due: datetime | str  # '': at once
    frequency: str
    lock_host: str = ""
    lock_pid: str = ""
    lock_time: str = ""

    @property
    def is_due(self) -> bool:
        return not isinstance(self.due, datetime) or self.due.timestamp() <= time.time()

    @property
    def is_locked(self) -> bool:
        return bool(self.lock_pid)

    def lock_is_dead(self, hosts: Iterable[str], now: float) -> bool:
        """Whether the delay server that locked it has ended; only known of this machine's."""
        if not self.is_locked or self.lock_host not in hosts:
            return False
        lived = processes.age(int(self.lock_pid))
        # a process that began after the row was locked only has the same number
        return lived is None or now - lived > float(self.lock_time or 0) + _START_TOLERANCE


def rows(session: iRODSSession, everybodys: bool = False) -> list[Row]:
    """Sluice's own rows of the queue, or all of them, by id."""
    try:
        return _rows(session, everybodys, (_Lock.host, _Lock.pid, _Lock.time))
    except CAT_NO_ROWS_FOUND:
        return []
    except iRODSException:  # a zone before 5.0 refuses the lock's columns
        return _rows(session, everybodys, ())


def _rows(session: iRODSSession, everybodys: bool, lock: tuple[Column, ...]) -> list[Row]:
    columns = (RuleExec.id, RuleExec.name, RuleExec.user_name, RuleExec.time, RuleExec.frequency, *lock)
    wanted = session.query(*columns)
    if not everybodys:
        wanted = wanted.filter(Like(RuleExec.name, _OURS.replace("\\", "")))
    found = [Row(*(row[column] for column in columns)) for row in queries.rows(session, wanted)]
    return sorted(found, key=lambda row: row.id)


def submit(
    session: iRODSSession, config: Config, text: str, seconds: float = 0, every: float = 0, priority: int = 0
) -> None:
    """Queue a rule for the Python engine as the session's user, due after ``seconds``, again ``every`` so many."""
    hints = f"<INST_NAME>{config['rules.python_instance']}</INST_NAME><PLUSET>{max(0, round(seconds))}s</PLUSET>"
    if every:
        hints += f"<EF>{max(1, round(every))}s REPEAT FOR EVER</EF>"
    if priority:
        hints += f"<PRIORITY>{priority}</PRIORITY>"
    rule = Rule(
        session,
        body='delayExec(*hints, *text, "")',
        params={"*hints": hints, "*text": text},
        instance_name=config["rules.native_instance"],
    )
    rule.execute(session_cleanup=False)


def remove(session: iRODSSession, ids: Iterable[int]) -> None:
    """Take rows out of the queue; one that is gone already is no error."""
    for number in ids:
        try:
            Rule(session).remove_by_id(number)
        except CAT_NO_ROWS_FOUND:
            continue


def unlock(session: iRODSSession, ids: list[int]) -> None:
    """Let the delay server take rows again that a dead one had locked."""
    if not ids:
        return
    with session.pool.get_connection() as connection:
        connection.send(iRODSMessage("RODS_API_REQ", msg=_Unlock(ids), int_info=DELAY_RULE_UNLOCK))
        connection.recv()
