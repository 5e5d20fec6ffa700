"""Submitting delayed rules: hints, limits, the guard hook, and the repetition grammar."""

from __future__ import annotations

import json
from typing import Any

import pytest

from embedded_zone.config import NATIVE_ENGINE, PYTHON_ENGINE
from embedded_zone.delay.frequency import next_run
from embedded_zone.errors import IrodsError
from embedded_zone.rules.hints import parse_hints
from embedded_zone.wire import codes
from tests.zone.rules_fixtures import MakeAgent, make_agent  # noqa: F401

NOW = 1_700_000_000


@pytest.mark.parametrize(
    ("text", "exe_time"),
    [
        ("", ""),
        ("<PLUSET>0s</PLUSET>", str(NOW)),
        ("<PLUSET>0.5s</PLUSET>", str(NOW)),
        ("<PLUSET>2m</PLUSET>", str(NOW + 120)),
        ("<PLUSET> 3 </PLUSET>", str(NOW + 3)),
        ("<ET>1s</ET>", "1"),
        ("<EF>1h</EF>", ""),
    ],
)
def test_when_a_rule_is_due(text: str, exe_time: str) -> None:
    """PLUSET counts from now, ET is absolute (even with a unit), without either the rule is due at once."""
    assert parse_hints(text, NOW).exe_time == exe_time


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("<PLUSET>1x</PLUSET>", codes.INPUT_ARG_NOT_WELL_FORMED_ERR),
        ("<PLUSET>1.5m</PLUSET>", codes.INPUT_ARG_NOT_WELL_FORMED_ERR),
        ("<PLUSET>1s", codes.INPUT_ARG_NOT_WELL_FORMED_ERR),
        ("<PRIORITY>0</PRIORITY>", codes.SYS_INVALID_INPUT_PARAM),
        ("<PRIORITY>10</PRIORITY>", codes.SYS_INVALID_INPUT_PARAM),
        ("<ET>tomorrow</ET>", codes.DATE_FORMAT_ERR),
    ],
)
def test_wrong_hints_are_refused(text: str, code: int) -> None:
    """Each mistake has the code of a real server."""
    with pytest.raises(IrodsError) as caught:
        parse_hints(text, NOW)

    assert caught.value.code == code


REPEATS = [
    ("1m", True, (True, NOW + 60, None)),
    ("1m REPEAT FOR EVER", False, (True, NOW + 60, None)),
    ("2s DOUBLE FOR EVER", True, (True, NOW + 2, "4s DOUBLE FOR EVER")),
    ("2s REPEAT UNTIL SUCCESS", True, (False, 0, None)),
    ("2s REPEAT UNTIL SUCCESS", False, (True, NOW + 2, None)),
    (
        "2s REPEAT UNTIL SUCCESS OR 3 TIMES",
        False,
        (True, NOW + 2, "2s REPEAT UNTIL SUCCESS OR 2 TIMES. ORIGINAL TIMES=3"),
    ),
    (
        "2s REPEAT UNTIL SUCCESS OR 2 TIMES. ORIGINAL TIMES=3",
        False,
        (True, NOW + 2, "2s REPEAT UNTIL SUCCESS OR 1 TIMES. ORIGINAL TIMES=3"),
    ),
    ("2s REPEAT UNTIL SUCCESS OR 1 TIMES. ORIGINAL TIMES=3", False, (False, 0, None)),
    ("2s REPEAT UNTIL SUCCESS OR 3 TIMES", True, (False, 0, None)),
    (
        "2s DOUBLE UNTIL SUCCESS OR 4 TIMES",
        False,
        (True, NOW + 2, "4s DOUBLE UNTIL SUCCESS OR 3 TIMES. ORIGINAL TIMES=4"),
    ),
    ("2s REPEAT 2 TIMES", True, (True, NOW + 2, "2s REPEAT 1 TIMES. ORIGINAL TIMES=2")),
    ("2s REPEAT 1 TIMES. ORIGINAL TIMES=2", True, (False, 0, None)),
    (f"2s REPEAT UNTIL {NOW + 1}", True, (False, 0, None)),
    (f"2s REPEAT UNTIL {NOW + 9}", True, (True, NOW + 2, None)),
]


@pytest.mark.parametrize(("frequency", "succeeded", "expected"), REPEATS)
def test_repetition(frequency: str, succeeded: bool, expected: tuple[bool, int, str | None]) -> None:
    """What happens to a row after a run, and how its EF is rewritten."""
    after = next_run(frequency, NOW, succeeded)

    assert (after.keep, int(after.exe_time or 0), after.frequency) == expected


def rows(agent: Any) -> list[tuple[str, ...]]:
    """Text, user, frequency and priority of the queue."""
    return [tuple(r) for r in agent.db.all("select rule_name, user_name, exe_frequency, priority from R_RULE_EXEC")]


def native(agent: Any, text: str, **parameters: str) -> None:
    """Run native text."""
    agent.rules.exec_rule(
        f"@external rule {{ {text} }}", NATIVE_ENGINE, {f"*{k}": v for k, v in parameters.items()}, ""
    )


def test_delay_keeps_the_text_and_the_variables(make_agent: MakeAgent) -> None:  # noqa: F811
    """The block is stored unread, with the variables that were set around it and who submitted."""
    agent = make_agent(flag=3)

    native(agent, 'delay("<EF>1h</EF><PRIORITY>7</PRIORITY>") {\n  job(*v); # why\n}', v="it's")

    context = json.loads(agent.db.value("select exe_context from R_RULE_EXEC"))
    assert rows(agent) == [("job(*v); # why", "alice", "1h", "7")]
    assert context["ms_param_array"] == [{"label": "*v", "type": "STR_PI", "in_out_struct": {"myStr": "it's"}}]
    assert (context["user_info_client"]["name"], context["plugin_instance_name"]) == ("alice", "")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x" * 2701, codes.CAT_SQL_ERR),
        ("# $userNameClient", codes.RE_UNSUPPORTED_SESSION_VAR),
        ("$5 $x ${a} end$", 0),
        ("", 0),
    ],
)
def test_limits_of_the_text(make_agent: MakeAgent, text: str, code: int) -> None:  # noqa: F811
    """2,700 characters and no known session variable, not even in a comment; empty text is accepted."""
    agent = make_agent("def go(rule_args, callback, rei): callback.delayExec('<PLUSET>9s</PLUSET>', rule_args[0], '')")
    try:
        agent.rules.call("go", [text])
        got = 0
    except IrodsError as error:
        got = error.code

    assert got == code


# As printed in section 4 of the observed facts, the name of the native engine shortened to a variable.
GUARD = """
import json
INST = '<INST_NAME>irods_rule_engine_plugin-python-instance</INST_NAME>'
_trusted = None
def context(rule_args):
    m = rule_args[1].map()
    return dict(m.asDict() if hasattr(m, 'asDict') else m)
def submit(callback, hints, text):
    global _trusted
    _trusted = text
    try: callback.delayExec(INST + hints, text, '')
    finally: _trusted = None
def pep_database_reg_rule_exec_pre(rule_args, callback, rei):
    inp = rule_args[3]
    kv = {str(inp.condInput.key[i]): str(inp.condInput.value[i]) for i in range(inp.condInput.len)}
    engine = json.loads(kv['rule_execution_context']).get('plugin_instance_name', '')
    flag = context(rule_args)['user_auth_info_auth_flag']
    native = 'irods_rule_engine_plugin-irods_rule_language-instance'
    if engine != native and int(flag) < 5 and str(inp.ruleName) != _trusted:
        return -13000
def policy(rule_args, callback, rei): submit(callback, '<PLUSET>0s</PLUSET>', "callback.run_job('1')")
def forwards(rule_args, callback, rei): callback.delayExec(INST, rule_args[0], '')
"""
ATTEMPTS = [
    (f'delay("<INST_NAME>{PYTHON_ENGINE}</INST_NAME>") {{ callback.x("a"); }}', False),
    ('delay("<PLUSET>0s</PLUSET>") { callback.x("a"); }', False),
    (f'delayExec("<INST_NAME>{PYTHON_ENGINE}</INST_NAME>", "import os", "")', False),
    ('forwards("import os")', False),
    (f'delay("<INST_NAME>{NATIVE_ENGINE}</INST_NAME>") {{ x("a"); }}', True),
    ("policy()", True),
]


@pytest.mark.parametrize(("text", "allowed"), ATTEMPTS)
def test_the_guard_of_the_observed_facts_works_unchanged(make_agent: MakeAgent, text: str, allowed: bool) -> None:  # noqa: F811
    """Section 4: ordinary users get no Python through delay(), the policy's own submissions pass."""
    agent = make_agent(GUARD, flag=3)
    try:
        native(agent, text)
        code = 0
    except IrodsError as error:
        code = error.code

    assert (code, len(rows(agent))) == ((0, 1) if allowed else (codes.SYS_NO_API_PRIV, 0))


@pytest.mark.parametrize("text", [text for text, _ in ATTEMPTS])
def test_without_the_guard_every_way_is_open(make_agent: MakeAgent, text: str) -> None:  # noqa: F811
    """The hole that the guard closes exists here as on a real server."""
    agent = make_agent(GUARD.replace("def pep_database", "def unused"), flag=3)

    native(agent, text)

    assert len(rows(agent)) == 1
