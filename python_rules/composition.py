"""Entry points for iRODS's policy composition: event handlers and policy engines call them with JSON texts.

    irods_policy_sluice_arrived   a data object event (PUT, CREATE, WRITE, COPY, RENAME, REGISTER): as our own hooks
    irods_policy_sluice_checked   a metadata event before it happens: a wrong ``sluice::policy`` is refused
    irods_policy_sluice_job       submit a job: configuration is a request, its source the event's object

The arguments are parameters, configuration and, last, a text that receives what went wrong. They may be called by
anybody: each does only what its caller may do.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Optional

from python_rules import names, peps
from python_rules.dialect import Call, caller
from python_rules.jobs import paths
from python_rules.jobs.errors import JobError, RequestError
from python_rules.rules import accept_request

INVALID_INPUT = -130000  # SYS_INVALID_INPUT_PARAM
Work = Callable[[Call, Dict[str, Any], Dict[str, Any]], Optional[int]]


def _arrived(call: Call, parameters: Dict[str, Any], configuration: Dict[str, Any]) -> None:
    """Apply the policy of the collection that an object arrived in; what is no object of this zone is passed over."""
    path = _path(parameters)
    for found in [path] if peps.is_object(call, path) else peps.objects_below(call, path):
        peps.arrived(call, found)


def _checked(call: Call, parameters: Dict[str, Any], configuration: Dict[str, Any]) -> Optional[int]:
    """The code that refuses a policy which makes no sense."""
    told = parameters.get("metadata")
    metadata = told if isinstance(told, dict) else {}
    if metadata.get("attribute") != names.POLICY_ATTRIBUTE or metadata.get("operation") not in ("set", "add"):
        return None
    return peps.checked_policy(call, _path(parameters), str(metadata.get("value", "")))


def _job(call: Call, parameters: Dict[str, Any], configuration: Dict[str, Any]) -> None:
    """Submit a job about the event's object."""
    accept_request(call, {**configuration, "source": _path(parameters)})


def _path(parameters: Dict[str, Any]) -> str:
    """The object that an event is about: event handlers have called it by two names."""
    return paths.checked(parameters.get("logical_path") or parameters.get("obj_path"), "logical_path")


def _policy(work: Work) -> Callable[[List[Any], Any, Any], Optional[int]]:
    def rule(rule_args: List[Any], callback: Any, rei: Any) -> Optional[int]:
        call = Call(caller(rei), callback)
        try:
            parameters, configuration = _given(rule_args)
            return work(call, parameters, configuration)
        except JobError as error:
            told = json.dumps(error.public())
            call.log(f"{work.__name__.strip('_')}: {told}")
            if len(rule_args) > 2:
                rule_args[-1] = told
            return INVALID_INPUT if isinstance(error, RequestError) else None

    rule.__doc__ = work.__doc__
    return rule


def _given(rule_args: List[Any]) -> List[Dict[str, Any]]:
    """Parameters and configuration: the first two texts that are JSON objects ('' counts as an empty one)."""
    found = [_object(text) for text in rule_args[:3] if isinstance(text, str)]
    known = [one for one in found if one is not None]
    if not known or not known[0]:
        raise RequestError("malformed_json", "the parameters are not a JSON object", remedy='{"logical_path": "/..."}')
    return [known[0], known[1] if len(known) > 1 else {}]


def _object(text: str) -> Optional[Dict[str, Any]]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


POLICIES = {
    "irods_policy_sluice_arrived": _policy(_arrived),
    "irods_policy_sluice_checked": _policy(_checked),
    "irods_policy_sluice_job": _policy(_job),
}
