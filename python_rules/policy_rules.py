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
from python_rules.policy.terms import Terms


def known(call: Call) -> List[Policy]:
    """The policies of all collections that the caller can see."""
    condition = f"META_COLL_ATTR_NAME = '{names.POLICY_ATTRIBUTE}'"
    return [Policy(*row) for row in rows(call, "COLL_NAME, COLL_ID, META_COLL_ATTR_VALUE", condition)]


def _show(call: Call, path: str) -> Dict[str, Any]:
    """sluice_policy_show(*path, *response): what would happen to data that arrives at a path, and who says so.

    REST: GET /api/v1/policies?path=...; command: sluice policy show.
    """
    place = paths.checked(path, "path")
    every = known(call)
    above = sorted((one for one in every if paths.is_within(place, one.collection)), key=lambda one: one.collection)
    policy = arrival.nearest(place, every)
    asked = policy.terms() if policy else None
    return {
        "path": place,
        "applies": asked is not None and asked.means(paths.split(place)[1]),  # to an object of this name; sizes aside
        "collection": policy.collection if policy else None,
        "inherited": policy is not None and policy.collection != place,
        "policy": _told(policy) if policy else None,
        "problem": _problem(policy) if policy else None,
        "overridden": [one.collection for one in above if one != policy],
    }


def _set(call: Call, collection: str, policy: str) -> Dict[str, Any]:
    """sluice_policy_set(*collection, *policy, *response): set a collection's policy; '' takes it away.

    ``policy`` is JSON, or name=value;... as in rules/. REST: PUT /api/v1/policies; command: sluice policy set.
    """
    place = paths.checked(collection, "collection")
    _require_collection(call, place)
    if policy.strip():
        value = policy if policy.lstrip().startswith("{") else json.dumps(options.parsed(policy))
        checked(call, value, place)
        _change(call, place, "set", value)
    else:
        for value in (one.value for one in known(call) if one.collection == place):
            _change(call, place, "rm", value)
    return _show(call, place)


def checked(call: Call, value: str, collection: str) -> Terms:
    """What a policy asks for; raises JobError if it makes no sense, or names what the zone or the caller lacks.

    Refused is what can be known when it is set, not when the first object arrives.
    """
    asked = terms.parse(value, collection)
    request = asked.request
    replica = request.get("replica", "")
    for field, path in (("target", request.get("target", "")), ("replica", replica)):
        if path.startswith("/"):
            _require(call, "ZONE_NAME", paths.zone_of(path), "zone_not_found", field)
    if replica and not replica.startswith("/"):
        _require(call, "RESC_NAME", replica, "resource_not_found", "replica")
    if request.get("key"):
        engine_link.ask("may_use_key", key=request["key"], path=collection, user=call.caller.user)
    return asked


def _require(call: Call, column: str, name: str, code: str, field: str) -> None:
    if quotable(name) and any(found == name for (found,) in rows(call, column, f"{column} = '{name}'")):
        return
    what = "zone" if column == "ZONE_NAME" else "resource"
    remedy = "iadmin lz lists the zones" if what == "zone" else "ilsresc lists the resources"
    raise RequestError(code, f"{name} is no {what} that is known here", field=field, remedy=remedy)


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
