"""The policy hooks: what arrives in a collection with a policy, and what may enter the delay queue.

Hooks only mark what arrived and see that one drain rule waits; the delay queue starts about four rules a
second, so one job takes all that came within the quiet period.
"""

from __future__ import annotations

import json
import time
from typing import Any, Dict, List, Optional, Tuple

from python_rules import config, engine_link, names, policy_rules
from python_rules.dialect import (
    ADMIN_FLAG,
    SYS_NO_API_PRIV,
    Call,
    hook,
    keywords,
    quiet_hook,
    quotable,
    rows,
)
from python_rules.jobs import beat
from python_rules.jobs.errors import JobError
from python_rules.policy import arrival, guard
from python_rules.policy.arrival import Policy
from python_rules.rules import is_waiting, queue_delayed

_RENAME_COLLECTION = 12  # oprType RENAME_COLL
INPUT_ARG_NOT_WELL_FORMED = -1084000
_SETS = ("add", "adda", "addw", "set")  # the metadata operations that bring a value

_policies: Tuple[float, List[Policy]] = (0.0, [])


def _reg_rule_exec_pre(call: Call, context: Dict[str, str], arguments: List[Any]) -> Optional[int]:
    """Refuse a delayed rule that a Python engine would run for somebody who may not run Python there."""
    setting = _guard_setting
    if setting("guard.delayed_rules") == "off":
        return None
    submission = arguments[1]
    execution = json.loads(keywords(submission.condInput)["rule_execution_context"])
    allowed = guard.may_be_queued(
        str(submission.ruleName),
        execution.get("plugin_instance_name", ""),
        setting("rules.native_instance"),
        int(context["user_auth_info_auth_flag"]) >= ADMIN_FLAG,
        str(submission.exeFrequency or ""),
    )
    return None if allowed else SYS_NO_API_PRIV


def _guard_setting(name: str) -> str:
    """A setting; its default while sluice.json cannot be read: the guard stays as strict, and no stricter."""
    try:
        return str(engine_link.settings()[name])
    except JobError:
        return str(config.SETTINGS[name].default)


def _exec_rule_expression_pre(call: Call, context: Dict[str, str], arguments: List[Any]) -> Optional[int]:
    """Only the delay server may hand a rule's text over for execution; its proxy is a rodsadmin."""
    return None if int(context["proxy_auth_info_auth_flag"]) >= ADMIN_FLAG else SYS_NO_API_PRIV


def _resource_modified_post(call: Call, context: Dict[str, str], arguments: List[Any]) -> None:
    """Every finished write of every client ends here."""
    _seen(call, context.get("logical_path", ""), context.get("api_index", ""))


def _data_obj_rename_post(call: Call, context: Dict[str, str], arguments: List[Any]) -> None:
    """What is moved into a policy's collection arrives there too; a collection with all that is in it."""
    end = arguments[0].destDataObjInp
    if int(end.oprType) == _RENAME_COLLECTION:
        for path in objects_below(call, str(end.objPath)):
            _seen(call, path)
    else:
        _seen(call, str(end.objPath))


def _phy_path_reg_post(call: Call, context: Dict[str, str], arguments: List[Any]) -> None:
    """So does one that is registered in place, or a folder of them; one more replica is no new content."""
    if "regRepl" in keywords(arguments[0].condInput):
        return
    path = str(arguments[0].objPath)
    for found in [path] if is_object(call, path) else objects_below(call, path):
        _seen(call, found)


def _mod_avu_metadata_pre(call: Call, context: Dict[str, str], arguments: List[Any]) -> Optional[int]:
    """A policy that makes no sense is refused when somebody sets it."""
    told = dict(arguments[0])
    operation, kind, path, attribute, value = (str(told.get(f"arg{number}", "")) for number in range(5))
    if operation == "mod":
        attribute, value = _new(told, "n:") or attribute, _new(told, "v:") or value
    elif operation not in _SETS:
        return None
    if attribute != names.POLICY_ATTRIBUTE or kind.lower() != "-c":
        return None
    return checked_policy(call, path, value)


def _new(told: Dict[str, Any], mark: str) -> str:
    """What 'mod' brings: among the arguments after the old value, each with a mark of its own."""
    rest = [str(told.get(f"arg{number}", "")) for number in range(5, 10)]
    return next((text[len(mark) :] for text in rest if text.startswith(mark)), "")


def _atomic_metadata_pre(call: Call, context: Dict[str, str], arguments: List[Any]) -> Optional[int]:
    """The same for atomic operations, which come as JSON."""
    asked = _json_of(arguments[0])
    if asked.get("entity_type") != "collection":
        return None
    for step in asked.get("operations", ()):
        if step.get("operation") == "add" and step.get("attribute") == names.POLICY_ATTRIBUTE:
            answer = checked_policy(call, str(asked.get("entity_name", "")), str(step.get("value", "")))
            if answer is not None:
                return answer
    return None


def _json_of(buffer: Any) -> Dict[str, Any]:
    """The JSON object in a BytesBuf; {} if there is none: the operation itself will tell."""
    try:
        data = buffer.get_bytes() if hasattr(buffer, "get_bytes") else buffer.buf
        asked = json.loads(bytes(data).rstrip(b"\0"))
    except (ValueError, TypeError, AttributeError):
        return {}
    return asked if isinstance(asked, dict) else {}


def checked_policy(call: Call, collection: str, value: str) -> Optional[int]:
    """The code that refuses a policy, if it is wrong; the reason goes to the server's log, as a real server drops
    texts: sluice_policy_set tells it."""
    global _policies
    _policies = (0.0, [])  # what comes next through this agent meets it
    if not value:
        return None
    try:
        policy_rules.checked(call, value, collection)
    except JobError as error:
        call.log(f"refused a policy for {collection}: {error.field}: {error.text}; {error.remedy}")
        return INPUT_ARG_NOT_WELL_FORMED
    return None


def objects_below(call: Call, collection: str) -> List[str]:
    """The data objects of a collection that was moved; none where no policy is near."""
    if not quotable(collection) or arrival.nearest(collection, _known_policies(call)) is None:
        return []
    below = f"COLL_NAME = '{collection}' || like '{collection}/%'"
    return sorted({f"{folder}/{name}" for folder, name in rows(call, "COLL_NAME, DATA_NAME", below)})


def is_object(call: Call, path: str) -> bool:
    """Whether there is a data object of this path that the caller may see."""
    collection, _, name = path.rpartition("/")
    if not quotable(path):
        return True  # whoever works on it will see
    return any(True for _ in rows(call, "DATA_ID", f"COLL_NAME = '{collection}' AND DATA_NAME = '{name}'"))


def _seen(call: Call, path: str, api: str = "") -> None:
    """What a hook saw arrive; a zone may leave that to event handlers."""
    if engine_link.settings()["hooks.arrivals"] == "on":
        arrived(call, path, api)


def arrived(call: Call, path: str, api: str = "") -> None:
    """Apply the policy of the collection that a data object arrived in; its failure is nobody's but ours."""
    try:
        _mark(call, path, api)
    except (JobError, RuntimeError) as error:  # RuntimeError: what the plugin raises for a failed callback
        call.log(f"{path} arrived, but its policy was not applied: {error}")


def _mark(call: Call, path: str, api: str) -> None:
    settings = engine_link.settings()
    who = call.caller
    if not arrival.concerns(path, settings["zone.name"], settings.ledger, who.option, who.proxy_is_admin, api):
        return
    policy = arrival.nearest(path, _known_policies(call))
    asked = policy.terms() if policy else None
    if policy is None or asked is None or not asked.means(path.rpartition("/")[2]):
        return
    stamp = f"{time.time():.6f}"
    call.callback.msiModAVUMetadata("-d", path, "set", names.ARRIVED_ATTRIBUTE, stamp, who.user)
    text = guard.drain_text(policy.collection_id)
    if not is_waiting(call, text):
        quiet = settings["hooks.quiet_seconds"] if asked.quiet_seconds is None else asked.quiet_seconds
        queue_delayed(call, text, quiet)


def _known_policies(call: Call) -> List[Policy]:
    """The policies that the caller can see; remembered a little, because a client may put many objects.

    The same query brings the patrol's heartbeat, so that a dead patrol is noticed at no cost.
    """
    global _policies
    age = time.monotonic() - _policies[0]
    if not _policies[0] or age > engine_link.settings()["hooks.policy_cache_seconds"]:
        columns = "COLL_NAME, COLL_ID, META_COLL_ATTR_VALUE, META_COLL_ATTR_NAME"
        condition = f"META_COLL_ATTR_NAME in ('{names.POLICY_ATTRIBUTE}', '{beat.ATTRIBUTE}')"
        found = list(rows(call, columns, condition))
        _policies = (time.monotonic(), [Policy(*row[:3]) for row in found if row[3] == names.POLICY_ATTRIBUTE])
        ledger = engine_link.settings().ledger
        if found:  # without a policy or a heartbeat there is nothing yet to look after
            _see_patrol(call, [row[2] for row in found if row[3] == beat.ATTRIBUTE and row[0] == ledger])
    return _policies[1]


def _see_patrol(call: Call, beats: List[str]) -> None:
    """Ask for a round of the patrol if it is dead; a round brings its repeating rule back."""
    if not beat.is_alive(beat.read(beats), time.time()) and not _is_queued(call, guard.PATROL_TEXT):
        queue_delayed(call, guard.PATROL_TEXT, 0)


def _is_queued(call: Call, text: str) -> bool:
    """Whether somebody's round waits already; one that repeats does not count, as it is what seems to be dead."""
    queued = rows(call, "RULE_EXEC_NAME, RULE_EXEC_FREQUENCY", "RULE_EXEC_NAME like '%sluice_patrol%'")
    return any(name == text and not frequency for name, frequency in queued)


HOOKS = {
    "pep_database_reg_rule_exec_pre": hook(_reg_rule_exec_pre),
    "pep_api_exec_rule_expression_pre": hook(_exec_rule_expression_pre),
    "pep_resource_modified_post": quiet_hook(_resource_modified_post),
    "pep_api_data_obj_rename_post": quiet_hook(_data_obj_rename_post),
    "pep_api_phy_path_reg_post": quiet_hook(_phy_path_reg_post),
    "pep_api_mod_avu_metadata_pre": hook(_mod_avu_metadata_pre),
    "pep_api_atomic_apply_metadata_operations_pre": hook(_atomic_metadata_pre),
}
