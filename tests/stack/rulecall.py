"""Calling Sluice's rules as a user does: by name, through the rule language engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from irods.rule import Rule
from irods.session import iRODSSession

from python_rules.config import NATIVE_INSTANCE

RULES = Path(__file__).parents[2] / "rules"


def call(session: iRODSSession, name: str, *texts: str) -> dict[str, Any]:
    """The answer of a named rule: ``{"ok": ...}`` or ``{"error": ...}``."""
    variables = {f"*in{i}": text for i, text in enumerate(texts)}
    arguments = ", ".join([*variables, "*response"])
    rule = Rule(
        session,
        body=f"{name}({arguments})",
        params={**variables, "*response": ""},
        output="*response%ruleExecOut",
        instance_name=NATIVE_INSTANCE,
    )
    return _answer(rule.execute(session_cleanup=False))


def call_file(session: iRODSSession, file: str, **variables: str) -> dict[str, Any]:
    """The answer of a file of ``rules/``."""
    return dict(json.loads(printed(session, file, **variables)))


def printed(session: iRODSSession, file: str, **variables: str) -> str:
    """What a file of ``rules/`` prints; values are written as the language's strings."""
    quoted = {f"*{name}": _literal(value) for name, value in variables.items()}
    rule = Rule(session, rule_file=str(RULES / file), params=quoted, instance_name=NATIVE_INSTANCE)
    outputs = rule.execute(session_cleanup=False)
    return str(outputs.MsParam_PI[0].inOutStruct.stdoutBuf.buf.rstrip(b"\0").decode())


def _literal(text: str) -> str:
    """A string of the rule language; '$name' would be a session variable even in quotes."""
    for special in ("\\", '"', "$"):
        text = text.replace(special, "\\" + special)
    return f'"{text}"'


def _answer(outputs: Any) -> dict[str, Any]:
    for parameter in outputs.MsParam_PI:
        if parameter.label == "*response":
            return dict(json.loads(parameter.inOutStruct.myStr))
    raise AssertionError("the rule handed nothing back")
