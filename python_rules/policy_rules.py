"""The named rules that show and set policies: what a collection asks for, for whom, and who said so."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional

from python_rules import engine_link, names
from python_rules.dialect import Call, named_rule, quotable, rows
from python_rules.jobs import options, paths
from python_rules.jobs.errors import JobError, RequestError
from python_rules.policy import arrival, terms
from python_rules.policy.arrival import Policy


def known(call: Call) -> List[Policy]:
    """The policies of all collections that the caller can see."""
    condition = f"META_COLL_ATTR_NAME = '{names.POLICY_ATTRIBUTE}'"
    return [Policy(*row) for row in rows(call, "COLL_NAME, COLL_ID, META_COLL_ATTR_VALUE", condition)]


def _show(call: Call, path: str) -> Dict[str, Any]:
    """sluice_policy_show(*path, *response): what would happen to data that arrives at a path, and who says so.

    REST: GET /api/v1/policies?path=...; command: sluice policy show.
    """
    checked = paths.checked(path, "path")
    every = known(call)
    above = sorted((one for one in every if paths.is_within(checked, one.collection)), key=lambda one: one.collection)
    policy = arrival.nearest(checked, every)
    return {
        "path": checked,
        "collection": policy.collection if policy else None,
        "inherited": policy is not None and policy.collection != checked,
        "policy": _told(policy) if policy else None,
        "problem": _problem(policy) if policy else None,
        "overridden": [one.collection for one in above if one != policy],
    }


def _set(call: Call, collection: str, policy: str) -> Dict[str, Any]:
    """sluice_policy_set(*collection, *policy, *response): set a collection's policy; '' takes it away.

    ``policy`` is JSON, or name=value;... as in rules/. REST: PUT /api/v1/policies; command: sluice policy set.
    """
    checked = paths.checked(collection, "collection")
    _require_collection(call, checked)
    if policy.strip():
        value = policy if policy.lstrip().startswith("{") else json.dumps(options.parsed(policy))
        asked = terms.parse(value, checked)
        if asked.request.get("key"):
            # refused now, not when the first object arrives
            engine_link.ask("may_use_key", key=asked.request["key"], path=checked, user=call.caller.user)
        _change(call, checked, "set", value)
    else:
        for value in (one.value for one in known(call) if one.collection == checked):
            _change(call, checked, "rm", value)
    return _show(call, checked)


def _change(call: Call, collection: str, operation: str, value: str) -> None:
    try:
        call.callback.msiModAVUMetadata("-C", collection, operation, names.POLICY_ATTRIBUTE, value, "")
    except RuntimeError as error:  # what the plugin raises for every failed callback
        call.log(f"policy of {collection}: {error}")
        raise JobError(
            "not_permitted",
            f"the zone does not let {call.caller.user} change the metadata of {collection}",
            field="collection",
            remedy="ask its owner",
        ) from None


def _require_collection(call: Call, path: str) -> None:
    if quotable(path) and any(rows(call, "COLL_ID", f"COLL_NAME = '{path}'")):
        return
    if not quotable(path):
        return  # the zone itself will say
    text = f"{path} does not exist, or you may not see it"
    raise RequestError("source_not_found", text, field="collection", remedy="check the path with ils")


def _told(policy: Policy) -> Optional[Dict[str, Any]]:
    """What the policy comes to, with every default filled in; None if it makes no sense."""
    asked = policy.terms()
    if asked is None:
        return None
    return {
        **asked.request,
        "pattern": list(asked.patterns) or None,
        "largest": asked.largest,
        "smallest": asked.smallest,
        "quiet_seconds": asked.quiet_seconds
        if asked.quiet_seconds is not None
        else engine_link.settings()["hooks.quiet_seconds"],
    }


def _problem(policy: Policy) -> Optional[Dict[str, Any]]:
    try:
        terms.parse(policy.value, policy.collection)
    except RequestError as error:
        return error.public()
    return None


RULES = {
    names.POLICY_SHOW: named_rule(_show),
    names.POLICY_SET: named_rule(_set),
}
