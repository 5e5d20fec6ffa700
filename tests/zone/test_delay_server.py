"""The delay server on a running zone: latency, identity, and what a kill leaves behind (observed facts 3.4)."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded_zone.catalog.database import Database
from embedded_zone.client import ZoneClient
from embedded_zone.config import NATIVE_ENGINE, PYTHON_ENGINE
from embedded_zone.errors import IrodsError
from embedded_zone.server.supervisor import EmbeddedZone
from tests.stack import waiting

CORE = """
import json, os, time
def started(rule_args, callback, rei):
    home = os.environ['HOME']
    note = {'pid': os.getpid(), 'user': str(rei.uoic.userName), 'client': str(rei.rsComm.clientUser.userName),
            'proxy': str(rei.rsComm.proxyUser.userName), 'option': str(rei.rsComm.option),
            'environ': sorted(os.environ)}
    with open(home + '/notes', 'a') as notes:
        notes.write(json.dumps(note) + chr(10))
    with open(home + '/gate') as gate:   # blocks until the test opens the other end, forever if it does not
        gate.read()
    if rule_args[0] == 'fail':
        return -35000
"""
HINTS = f"<INST_NAME>{PYTHON_ENGINE}</INST_NAME><PLUSET>0s</PLUSET>"
SECONDS = 15.0  # a deadline for things that take a fraction of a second


def until(condition: Callable[[], Any]) -> Any:
    """The first true value of ``condition``; fails the test at the deadline."""
    return waiting.until(lambda: condition() or None, "the condition", SECONDS)


class Zone:
    """A running zone whose rules wait at a gate."""

    def __init__(self, home: Path) -> None:
        self.zone = EmbeddedZone(home, delay_server_sleep_time_in_seconds=0.05)
        (self.zone.config.etc / "core.py").write_text(CORE, encoding="utf-8")
        os.mkfifo(home / "gate")
        self.zone.start()
        self.database = Database.open(self.zone.config.catalog)

    def submit(self, hints: str = HINTS, outcome: str = "ok") -> str:
        """Put a waiting rule into the queue; its id."""
        text = f"@external rule {{ delay(\"{hints}\") {{ callback.started('{outcome}') }} }}"
        self.call(
            625,
            {
                "myRule": text,
                "RHostAddr_PI": {},
                "KeyValPair_PI": {"instance_name": NATIVE_ENGINE},
                "outParamDesc": "",
                "MsParamArray_PI": None,
            },
            "ExecMyRuleInp_PI",
        )
        return str(self.database.value("select max(rule_exec_id) from R_RULE_EXEC"))

    def call(self, number: int, request: Any, request_type: str) -> Any:
        """One API call as the administrator."""
        with ZoneClient.service(self.zone.config) as client:
            return client.call(number, request, request_type=request_type)

    def notes(self) -> list[dict[str, Any]]:
        """What each run wrote at its start."""
        path = self.zone.home / "notes"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def started(self, count: int = 1) -> dict[str, Any]:
        """Wait for the run number ``count``; its note."""
        return until(lambda: len(self.notes()) >= count and self.notes())[count - 1]

    def release(self) -> None:
        """Let one waiting rule go on."""
        with open(self.zone.home / "gate", "w"):
            pass

    def row(self, rule_id: str) -> dict[str, str] | None:
        """Lock and frequency of a rule, None when it is gone."""
        found = self.database.one(
            "select lock_host, lock_host_pid, exe_frequency from R_RULE_EXEC where rule_exec_id = ?", (rule_id,)
        )
        return None if found is None else dict(found)


@pytest.fixture
def zone(tmp_path: Path) -> Iterator[Zone]:
    """A zone with a queue that is polled every 50 ms."""
    made = Zone(tmp_path)
    yield made
    made.database.close()
    made.zone.kill()


def test_a_due_rule_runs_as_its_submitter(zone: Zone) -> None:
    """It starts at once on a connection of its own, locked by the delay server's pid, and the row goes at the end."""
    rule_id = zone.submit()
    note = zone.started()
    row = zone.row(rule_id)
    zone.release()

    assert row is not None
    assert int(row["lock_host_pid"]) != note["pid"]
    assert row["lock_host"] == "127.0.0.1"
    assert (note["user"], note["client"], note["proxy"], note["option"]) == ("rods", "rods", "rods", "irodsDelayServer")
    assert set(note["environ"]) <= {"HOME", "USER", "LOGNAME", "LANG", "PATH", "LC_CTYPE", "spOption", "reCacheSalt"}
    until(lambda: zone.row(rule_id) is None)


def test_a_killed_agent_loses_a_rule_without_repetition(zone: Zone) -> None:
    """The row is deleted and the rule not run again."""
    rule_id = zone.submit()

    os.kill(zone.started()["pid"], signal.SIGKILL)

    until(lambda: zone.row(rule_id) is None)
    assert len(zone.notes()) == 1


def test_a_killed_agent_leaves_a_repeating_rule_locked_until_it_is_unlocked(zone: Zone) -> None:
    """With EF the row stays locked for ever; API 10223 makes it run again."""
    rule_id = zone.submit(f"{HINTS}<EF>1s REPEAT FOR EVER</EF>")
    os.kill(zone.started()["pid"], signal.SIGKILL)
    log = zone.zone.config.log / "zone.jsonl"
    until(lambda: "rcRuleExecMod failed" in log.read_text() and rule_id)

    row = zone.row(rule_id)
    zone.call(10223, {"rule_ids": json.dumps([rule_id]), "KeyValPair_PI": {}}, "DelayRuleUnlockInput_PI")

    assert row is not None
    assert row["lock_host_pid"]
    zone.started(2)


def test_a_killed_delay_server_leaves_the_row_locked(zone: Zone) -> None:
    """A new delay server comes, the running rule goes on to its end, the row stays as the dead one locked it."""
    rule_id = zone.submit()
    zone.started()
    row = zone.row(rule_id)
    assert row is not None
    os.kill(int(row["lock_host_pid"]), signal.SIGKILL)
    zone.release()

    other = zone.submit()
    zone.started(2)
    zone.release()

    until(lambda: zone.row(other) is None)
    assert zone.row(rule_id) == row


def test_a_running_rule_can_be_removed_and_still_ends(zone: Zone) -> None:
    """iqdel of a running rule deletes the row at once."""
    rule_id = zone.submit()
    zone.started()

    zone.call(624, {"ruleExecId": rule_id}, "RULE_EXEC_DEL_INP_PI")

    assert zone.row(rule_id) is None
    zone.release()


def test_a_failing_rule_is_repeated_as_its_clause_says(zone: Zone) -> None:
    """REPEAT UNTIL SUCCESS OR 2 TIMES: two runs, the clause rewritten between them, then the row is gone."""
    rule_id = zone.submit(f"{HINTS}<EF>1s REPEAT UNTIL SUCCESS OR 2 TIMES</EF>", "fail")
    zone.started(1)
    zone.release()
    until(lambda: (zone.row(rule_id) or {}).get("exe_frequency", "").endswith("ORIGINAL TIMES=2"))
    zone.started(2)
    zone.release()

    until(lambda: zone.row(rule_id) is None)


def test_four_run_at_once_and_the_rest_wait_unlocked(zone: Zone) -> None:
    """The number of executors limits the running rules; a queued rule is not locked."""
    ids = [zone.submit() for _ in range(5)]
    zone.started(4)

    locked = [bool((zone.row(i) or {"lock_host": ""})["lock_host"]) for i in ids]

    assert sum(locked) == 4
    for _ in range(5):
        zone.release()


def test_a_clean_stop_leaves_the_row_of_a_finished_rule_locked(zone: Zone) -> None:
    """The zone waits for the rule, but nobody deletes its row: unlocking it would run it twice."""
    rule_id = zone.submit()
    zone.started()
    os.kill(zone.zone.pid, signal.SIGTERM)
    until(lambda: not (zone.zone.config.run / "port").exists() or _refuses(zone))
    zone.release()
    zone.zone.stop()

    row = zone.row(rule_id)

    assert row is not None
    assert row["lock_host_pid"]


def _refuses(zone: Zone) -> bool:
    try:
        ZoneClient.service(zone.zone.config).close()
    except IrodsError:
        return True
    return False
