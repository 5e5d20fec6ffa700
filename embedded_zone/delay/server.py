"""The delay server: polls the queue, and runs each due rule on a connection of its own (API 1206).

As on a real server a rule is locked before it runs, with this process's id, and what happens at a kill follows
from the order of steps: a dead agent loses a rule without EF (deleted) and leaves one with EF locked; a delay
server that dies leaves the rows of running rules locked; so does a clean stop of the zone, because the agent
leaves after the rule and nobody accepts the connection that would delete the row.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import Any

from embedded_zone.catalog.database import Database
from embedded_zone.client import ZoneClient
from embedded_zone.config import ZoneConfig
from embedded_zone.delay.frequency import next_run
from embedded_zone.errors import IrodsError
from embedded_zone.wire.codes import CAT_NO_ROWS_FOUND

OPTION = "irodsDelayServer"
EXEC_EXPRESSION, RULE_DEL, RULE_MOD, LOCK, INFORMATION = 1206, 624, 708, 10222, 20013
_DUE = (
    "select rule_exec_id from R_RULE_EXEC where coalesce(exe_time, '') <= ?"
    " and coalesce(lock_host, '') = '' and coalesce(lock_host_pid, '') = '' and coalesce(lock_ts, '') = ''"
    " order by priority desc, rule_exec_id limit 256"
)


class DelayServer:
    """One process per zone; ``run`` returns when it was asked to stop and the running rules have ended."""

    def __init__(self, config: ZoneConfig, log: logging.Logger) -> None:
        self.config = config
        self.log = log
        self._stopping = threading.Event()
        self._taken: dict[str, Future[None]] = {}

    def stop(self, *_: Any) -> None:
        """Take no more rules; running ones end."""
        self._stopping.set()

    def run(self) -> None:
        """Poll until stopped."""
        database = Database.open(self.config.catalog)
        executors = self.config.number_of_concurrent_delay_rule_executors
        with ThreadPoolExecutor(executors, thread_name_prefix="executor") as pool:
            while not self._stopping.is_set():
                self._poll(database, pool)
                self._stopping.wait(self.config.delay_server_sleep_time_in_seconds)
            for future in self._taken.values():
                future.cancel()
        database.close()

    def _complain(self, message: str, *values: Any) -> None:
        self.log.error(message, *values, extra={"log_category": "delay_server"})

    def _poll(self, database: Database, pool: ThreadPoolExecutor) -> None:
        self._forget_finished()
        for rule_id in self._due(database):
            if rule_id not in self._taken:
                self._taken[rule_id] = pool.submit(self._execute, rule_id)

    def _due(self, database: Database) -> list[str]:
        try:
            return [str(row[0]) for row in database.all(_DUE, (str(int(time.time())),))]
        except IrodsError as error:
            self._complain("the queue cannot be read: %s", error)
            return []

    def _forget_finished(self) -> None:
        for rule_id, future in list(self._taken.items()):
            if future.done():
                del self._taken[rule_id]
                if not future.cancelled() and future.exception() is not None:
                    self._complain("delayed rule %s: %r", rule_id, future.exception())

    def _execute(self, rule_id: str) -> None:
        if self._stopping.is_set():
            return
        try:
            information = self._take(rule_id)
            if information is not None:
                self._run_rule(rule_id, information)
        except IrodsError as error:
            self._complain("delayed rule %s: %s", rule_id, error)

    @contextmanager
    def _connection(self) -> Iterator[ZoneClient]:
        with ZoneClient.service(self.config, option=OPTION) as client:
            yield client

    def _take(self, rule_id: str) -> dict[str, str] | None:
        with self._connection() as client:
            request = {"rule_id": rule_id, "lock_host": self.config.host, "lock_host_pid": os.getpid()}
            try:
                client.call(LOCK, {**request, "KeyValPair_PI": {}}, request_type="DelayRuleLockInput_PI")
                answer = client.call(INFORMATION, {"myStr": rule_id}, request_type="STR_PI", reply_type="json")
            except IrodsError as error:
                if error.code != CAT_NO_ROWS_FOUND:
                    raise
                return None  # deleted or taken meanwhile
            found: dict[str, str] = answer.body
            return found

    def _run_rule(self, rule_id: str, information: dict[str, str]) -> None:
        with self._connection() as client:
            status = self._call(client, information)
            if information["exe_frequency"]:
                self._repeat(client, rule_id, information["exe_frequency"], status)
                return
            if status < 0:
                text = information["rule_name"]
                self._complain("ruleExec of %s: %s failed.", rule_id, text)
            self._remove(client, rule_id, again=status < 0)

    def _call(self, client: ZoneClient, information: dict[str, str]) -> int:
        buffers = [_buffer(information["exe_context"]), _buffer(information["rule_name"])]
        request = {"BytesBuf_PI": buffers, "MsParamArray_PI": None}
        try:
            return client.call(EXEC_EXPRESSION, request, request_type="ExecRuleExpression_PI").status
        except IrodsError as error:
            return error.code

    def _repeat(self, client: ZoneClient, rule_id: str, frequency: str, status: int) -> None:
        now = int(time.time())
        step = next_run(frequency, now, status >= 0)
        if not step.keep:
            self._remove(client, rule_id, again=False)
            return
        changes = {
            "lock_host": "",
            "lock_host_pid": "",
            "lock_ts": "",
            "lastExeTime": str(now),
            "exeTime": step.exe_time,
        }
        if step.frequency is not None:
            changes["exeFrequency"] = step.frequency
        request = {"ruleId": rule_id, "KeyValPair_PI": changes}
        try:
            client.call(RULE_MOD, request, request_type="RULE_EXEC_MOD_INP_PI")
        except IrodsError as error:  # no second try here: this is how a rule with EF stays locked
            self._complain("rcRuleExecMod failed %s for rule ID %s", error.code, rule_id)

    def _remove(self, client: ZoneClient, rule_id: str, *, again: bool) -> None:
        request = {"ruleExecId": rule_id}
        try:
            client.call(RULE_DEL, request, request_type="RULE_EXEC_DEL_INP_PI")
        except IrodsError as error:
            self._complain("rcRuleExecDel failed for %s, stat=%s", rule_id, error.code)
            if again:
                with self._connection() as other:
                    other.call(RULE_DEL, request, request_type="RULE_EXEC_DEL_INP_PI")


def _buffer(text: str) -> dict[str, Any]:
    data = text.encode("utf-8", "surrogateescape") + b"\0"
    return {"buflen": len(data), "buf": data}


def main(config: ZoneConfig) -> None:
    """The delay server's process: runs until SIGTERM or SIGINT."""
    log = logging.getLogger("embedded_zone")
    server = DelayServer(config, log)

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server.run()
