"""Asks the zone about Sluice, as the service account: the patrol is started, and the parts tell how they are.

    zone_check.py SLUICE.JSON start      start the patrol if it is not alive, then tell every part's state
    zone_check.py SLUICE.JSON selfcheck  tell every part's state
    zone_check.py SLUICE.JSON active     how many jobs are queued or running
    zone_check.py SLUICE.JSON end        take the patrol out of the delay queue
    zone_check.py SLUICE.JSON queued     how many rounds of the patrol are in the delay queue

Prints JSON. Exit status 1: the zone does not answer, or a part has a problem.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from irods.rule import Rule
from irods.session import iRODSSession

from python_rules import config
from python_rules.engine import delayed, sessions
from python_rules.engine.ledger import Ledger
from python_rules.jobs import states
from python_rules.policy import guard


def main(arguments: list[str]) -> int:
    """One verb."""
    settings = config.load(arguments[0])
    with sessions.as_service(settings) as session:
        return VERBS[arguments[1]](settings, session)


def start(settings: config.Config, session: iRODSSession) -> int:
    """The rules answer, the patrol lives, and no part has a problem."""
    started = _call(settings, session, "sluice_patrol_start")
    if "error" in started:
        return _told(started, False)
    return selfcheck(settings, session)


def selfcheck(settings: config.Config, session: iRODSSession) -> int:
    """No part of Sluice has a problem; a resource that is down is told, and is not ours."""
    answer = _call(settings, session, "sluice_selfcheck")
    parts = answer.get("ok", {}).get("parts", {})
    ours = [part for name, part in parts.items() if name != "resources"]
    return _told(answer, bool(ours) and not any(part.get("problem") for part in ours))


def queued(settings: config.Config, session: iRODSSession) -> int:
    """Whether rounds of the patrol are in the queue."""
    print(len(_rounds(session)))
    return 0


def active(settings: config.Config, session: iRODSSession) -> int:
    """How many jobs would never end without the rule base."""
    print(len(Ledger(session, settings.ledger).in_states(states.ACTIVE)))
    return 0


def end(settings: config.Config, session: iRODSSession) -> int:
    """Without its rule base every round of the patrol would fail, for ever."""
    delayed.remove(session, [row.id for row in _rounds(session)])
    return 0


VERBS = {"start": start, "selfcheck": selfcheck, "queued": queued, "active": active, "end": end}


def _rounds(session: iRODSSession) -> list[delayed.Row]:
    return [row for row in delayed.rows(session) if row.text == guard.PATROL_TEXT]


def _call(settings: config.Config, session: iRODSSession, name: str) -> dict[str, Any]:
    rule = Rule(
        session,
        body=f"{name}(*response)",
        params={"*response": ""},
        output="*response%ruleExecOut",
        instance_name=settings["rules.native_instance"],
    )
    for parameter in rule.execute(session_cleanup=False).MsParam_PI:
        if parameter.label == "*response":
            return dict(json.loads(parameter.inOutStruct.myStr))
    return {"error": {"text": f"{name} handed nothing back"}}


def _told(answer: dict[str, Any], well: bool) -> int:
    print(json.dumps(answer, indent=4))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
