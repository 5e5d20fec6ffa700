"""The policy hooks: what arrives in a collection with a policy, and what may enter the delay queue.

Hooks only mark what arrived and see that one drain rule waits; the delay queue starts about four rules a
second, so one job takes all that came within the quiet period.
"""

from __future__ import annotations

import json
import time
from typing import Any, Dict, List, Optional, Tuple

from python_rules import engine_link, names
from python_rules.dialect import (
    ADMIN_FLAG,
    SYS_NO_API_PRIV,
    Call,
    hook,
    keywords,
    rows,
)
from python_rules.jobs.errors import JobError
from python_rules.policy import arrival, guard
from python_rules.policy.arrival import Policy
from python_rules.rules import queue_delayed

_policies: Tuple[float, List[Policy]] = (0.0, [])


def _reg_rule_exec_pre(call: Call, context: Dict[str, str], arguments: List[Any]) -> Optional[int]:
    """Refuse a delayed rule that a Python engine would run for somebody who may not run Python there."""
    submission = arguments[1]
    execution = json.loads(keywords(submission.condInput)["rule_execution_context"])
    allowed = guard.may_be_queued(
        str(submission.ruleName),
        execution.get("plugin_instance_name", ""),
        engine_link.settings()["rules.native_instance"],
        int(context["user_auth_info_auth_flag"]) >= ADMIN_FLAG,
    )
    return None if allowed else SYS_NO_API_PRIV


def _exec_rule_expression_pre(call: Call, context: Dict[str, str], arguments: List[Any]) -> Optional[int]:
    """Only the delay server may hand a rule's text over for execution; its proxy is a rodsadmin."""
    return None if int(context["proxy_auth_info_auth_flag"]) >= ADMIN_FLAG else SYS_NO_API_PRIV


def _resource_modified_post(call: Call, context: Dict[str, str], arguments: List[Any]) -> None:
    """Every finished write of every client ends here."""
    _arrived(call, context.get("logical_path", ""))


def _data_obj_rename_post(call: Call, context: Dict[str, str], arguments: List[Any]) -> None:
    """A data object that is moved into a policy's collection arrives there too."""
    _arrived(call, str(arguments[0].destDataObjInp.objPath))


def _phy_path_reg_post(call: Call, context: Dict[str, str], arguments: List[Any]) -> None:
    """So does one that is registered in place."""
    _arrived(call, str(arguments[0].objPath))


def _arrived(call: Call, path: str) -> None:
    try:
        _mark(call, path)
    except (JobError, RuntimeError) as error:  # RuntimeError: what the plugin raises for a failed callback
        call.log(f"{path} arrived, but its policy was not applied: {error}")


def _mark(call: Call, path: str) -> None:
    settings = engine_link.settings()
    who = call.caller
    if not arrival.concerns(path, settings["zone.name"], settings.ledger, who.option, who.proxy_is_admin):
        return
    policy = arrival.nearest(path, _known_policies(call))
    if policy is None:
        return
    stamp = f"{time.time():.6f}"
    call.callback.msiModAVUMetadata("-d", path, "set", names.ARRIVED_ATTRIBUTE, stamp, who.user)
    text = guard.drain_text(policy.collection_id)
    if not _is_waiting(call, text):
        queue_delayed(call, text, settings["hooks.quiet_seconds"])


def _known_policies(call: Call) -> List[Policy]:
    """The policies that the caller can see; remembered a little, because a client may put many objects."""
    global _policies
    age = time.monotonic() - _policies[0]
    if not _policies[0] or age > engine_link.settings()["hooks.policy_cache_seconds"]:
        condition = f"META_COLL_ATTR_NAME = '{names.POLICY_ATTRIBUTE}'"
        found = [Policy(name, number) for name, number in rows(call, "COLL_NAME, COLL_ID", condition)]
        _policies = (time.monotonic(), found)
    return _policies[1]


def _is_waiting(call: Call, text: str) -> bool:
    """Whether such a rule of the caller is queued and not yet due: one that is due may have looked already."""
    name = call.caller.user.partition("#")[0]
    condition = f"RULE_EXEC_USER_NAME = '{name}' AND RULE_EXEC_NAME like '%sluice_drain%'"
    if "'" in name:
        return False
    queued = rows(call, "RULE_EXEC_NAME, RULE_EXEC_TIME", condition)
    return any(queued_text == text and float(due or 0) > time.time() for queued_text, due in queued)


HOOKS = {
    "pep_database_reg_rule_exec_pre": hook(_reg_rule_exec_pre),
    "pep_api_exec_rule_expression_pre": hook(_exec_rule_expression_pre),
    "pep_resource_modified_post": hook(_resource_modified_post),
    "pep_api_data_obj_rename_post": hook(_data_obj_rename_post),
    "pep_api_phy_path_reg_post": hook(_phy_path_reg_post),
}
