"""APIs of rules and the delay queue: 625, 623, 624, 708, 1206, 10222, 10223, 20013."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from embedded_zone.agent import LOCAL_PRIV_USER_AUTH, REMOTE_PRIV_USER_AUTH, Agent, Identity
from embedded_zone.api import LOCAL_USER_AUTH, OPERATIONS, REMOTE_USER_AUTH, Reply, api
from embedded_zone.errors import IrodsError
from embedded_zone.rules import queue, saved
from embedded_zone.rules.hints import Hints, checked_priority
from embedded_zone.rules.host import RuleHost
from embedded_zone.rules.parameters import from_wire, to_wire
from embedded_zone.wire.codes import (
    SYS_INTERNAL_NULL_INPUT_ERR,
    SYS_INVALID_INPUT_PARAM,
    SYS_NO_API_PRIV,
    USER_PACKSTRUCT_INPUT_ERR,
)

# Microservices run other APIs' handlers by number; this is where the rule host learns them.
RuleHost.operations = OPERATIONS

META_STR_LEN = 20480
_AVAILABLE = "available"


@api(625, "exec_my_rule", request="ExecMyRuleInp_PI", reply="MsParamArray_PI")
def exec_my_rule(agent: Agent, request: dict[str, Any], stream: bytes) -> Reply:
    """Run rule text or call a rule by name; keyword ``instance_name`` picks the engine."""
    keywords: Mapping[str, str] = request.get("KeyValPair_PI") or {}
    if _AVAILABLE in keywords:
        return _list_engines(agent)
    text = request.get("myRule") or ""
    if len(text.encode("utf-8", "surrogateescape")) >= META_STR_LEN:
        raise IrodsError(USER_PACKSTRUCT_INPUT_ERR, "rule text of 20,480 bytes or more")
    parameters = from_wire(request.get("MsParamArray_PI"))
    outputs = agent.rules.exec_rule(
        text, keywords.get("instance_name", ""), parameters, request.get("outParamDesc") or "", keywords
    )
    return Reply(body=to_wire(outputs))


def _list_engines(agent: Agent) -> Reply:
    names = "".join(f"\t{name}\n" for name in agent.config.rule_engines)
    agent.r_error.append((0, f"Available rule engine plugin instances:\n{names}"))
    return Reply(body=to_wire({}))


@api(623, "rule_exec_submit", request="RULE_EXEC_SUBMIT_INP_PI", reply="IRODS_STR_PI", proxy=REMOTE_PRIV_USER_AUTH)
def rule_exec_submit(agent: Agent, request: dict[str, Any], stream: bytes) -> Reply:
    """Put a rule into the queue for the client; the reply is its id. Ordinary users use delay() in a rule."""
    keywords = request.get("KeyValPair_PI") or {}
    hints = Hints(
        instance_name=keywords.get("instance_name", ""),
        exe_time=request.get("exeTime") or "",
        frequency=request.get("exeFrequency") or "",
        priority=checked_priority(request.get("priority") or ""),
    )
    frame = agent.rules.hook_frame()
    frame.instance_name = hints.instance_name
    context = saved.save(frame, {})
    user = request.get("userName") or agent.client.name
    number = queue.register(agent, request.get("ruleName") or "", hints, context, user)
    return Reply(body={"myStr": str(number)})


@api(624, "rule_exec_del", request="RULE_EXEC_DEL_INP_PI", client=REMOTE_USER_AUTH, proxy=LOCAL_USER_AUTH)
def rule_exec_del(agent: Agent, request: dict[str, Any], stream: bytes) -> None:
    """Remove a rule from the queue; a running one goes on to its end."""
    queue.delete(agent, request.get("ruleExecId") or "")


@api(708, "rule_exec_mod", request="RULE_EXEC_MOD_INP_PI", client=LOCAL_USER_AUTH, proxy=LOCAL_PRIV_USER_AUTH)
def rule_exec_mod(agent: Agent, request: dict[str, Any], stream: bytes) -> None:
    """Change a rule of the queue."""
    queue.modify(agent, request.get("ruleId") or "", request.get("KeyValPair_PI") or {})


@api(1206, "exec_rule_expression", request="ExecRuleExpression_PI", client=LOCAL_USER_AUTH, proxy=LOCAL_USER_AUTH)
def exec_rule_expression(agent: Agent, request: dict[str, Any], stream: bytes) -> int:
    """Run a delayed rule. The buffers are the execution context (JSON here, where iRODS packs ReiAndArg) and the text.

    The connection takes on the submitter's identity. iRODS lets any local user do that; this zone asks for a
    privileged proxy (SYS_NO_API_PRIV).
    """
    context, text = (_text_of(buffer) for buffer in request["BytesBuf_PI"])
    try:
        client, _ = saved.identities(context)
        instance = saved.load(context).get("plugin_instance_name") or ""
    except (ValueError, KeyError, TypeError):
        raise IrodsError(SYS_INVALID_INPUT_PARAM, "not an execution context") from None
    if agent.proxy.auth_flag < LOCAL_PRIV_USER_AUTH:
        raise IrodsError(SYS_NO_API_PRIV, "only the delay server runs delayed rules")
    agent.client = _known(agent, client)
    return agent.rules.exec_expression(text, instance, context)


def _text_of(buffer: Any) -> str:
    data = (buffer or {}).get("buf") or b""
    raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else bytes(data)
    return raw.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _known(agent: Agent, identity: Identity) -> Identity:
    sql = "select user_id, user_type_name from R_USER_MAIN where user_name = ? and zone_name = ?"
    row = agent.db.one(sql, (identity.name, identity.zone))
    if row is not None:
        identity.user_id, identity.user_type = int(row[0]), str(row[1])
    return identity


@api(10222, "delay_rule_lock", request="DelayRuleLockInput_PI", client=LOCAL_PRIV_USER_AUTH, proxy=LOCAL_PRIV_USER_AUTH)
def delay_rule_lock(agent: Agent, request: dict[str, Any], stream: bytes) -> None:
    """Take a rule for execution; CAT_NO_ROWS_FOUND if another did."""
    queue.lock(
        agent, request.get("rule_id") or "", request.get("lock_host") or "", int(request.get("lock_host_pid") or 0)
    )


@api(
    10223, "delay_rule_unlock", request="DelayRuleUnlockInput_PI",
    client=LOCAL_PRIV_USER_AUTH, proxy=LOCAL_PRIV_USER_AUTH,
)  # fmt: skip
def delay_rule_unlock(agent: Agent, request: dict[str, Any], stream: bytes) -> None:
    """Make rules that a dead delay server holds runnable again; ``rule_ids`` is a JSON list of id strings."""
    if not request.get("rule_ids"):
        raise IrodsError(SYS_INTERNAL_NULL_INPUT_ERR, "no rule ids")
    try:
        rule_ids = json.loads(request["rule_ids"])
    except ValueError:
        raise IrodsError(SYS_INVALID_INPUT_PARAM, "rule_ids is not JSON") from None
    if not isinstance(rule_ids, list) or not rule_ids or not all(isinstance(i, str) for i in rule_ids):
        raise IrodsError(SYS_INVALID_INPUT_PARAM, "rule_ids must be a list of strings")
    queue.unlock(agent, rule_ids)


@api(
    20013, "get_delay_rule_info", request="STR_PI", reply="BinBytesBuf_PI",
    client=LOCAL_PRIV_USER_AUTH, proxy=LOCAL_PRIV_USER_AUTH,
)  # fmt: skip
def get_delay_rule_info(agent: Agent, request: Any, stream: bytes) -> Reply:
    """All columns of a rule as JSON."""
    rule_id = request.get("myStr", "") if isinstance(request, Mapping) else str(request)
    found = queue.information(agent, rule_id)
    return Reply(body={"buf": json.dumps(found, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\0"})
