"""The execution context of a delayed rule as JSON (R_RULE_EXEC.exe_context, ``irods::to_json(rei)``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from embedded_zone.agent import Identity
from embedded_zone.rules.context import user_info
from embedded_zone.rules.frame import Frame
from embedded_zone.rules.parameters import RULE_EXEC_OUT, from_wire, to_wire
from embedded_zone.structures.types import CLASSES

_STORABLE = (str, int, float, CLASSES["KeyValPair"])


def _user(user: Any) -> dict[str, Any] | None:
    if user is None:
        return None
    auth, other = user.authInfo, user.userOtherInfo
    return {
        "name": str(user.userName),
        "type": str(user.userType),
        "zone": str(user.rodsZone),
        "system_uid": user.sysUid,
        "auth_info": {
            "scheme": str(auth.authScheme),
            "auth_flag": auth.authFlag,
            "flag": auth.flag,
            "ppid": auth.ppid,
            "host": str(auth.host),
            "auth_string": str(auth.authStr),
        },
        "other_info": {
            "info": str(other.userInfo),
            "comments": str(other.userComments),
            "ctime": str(other.userCreate),
            "mtime": str(other.userModify),
        },
    }


def _parameters(variables: Mapping[str, Any]) -> list[dict[str, Any]]:
    kept = {k: v for k, v in variables.items() if k != RULE_EXEC_OUT and isinstance(v, _STORABLE)}
    items = to_wire(kept)["MsParam_PI"]
    return [{"label": i["label"], "type": i["type"], "in_out_struct": i["inOutStruct"]} for i in items]


def save(frame: Frame, variables: Mapping[str, Any]) -> str:
    """The JSON of an execution, with the variables that native text captured."""
    rei = frame.rei
    pairs = {} if rei.condInputData is None else rei.condInputData._plain()
    return json.dumps(
        {
            "rule_name": str(rei.ruleName),
            "plugin_instance_name": frame.instance_name,
            "ms_param_array": _parameters(variables),
            "resource_name": str(rei.rescName),
            "user_info_client": _user(rei.uoic),
            "user_info_proxy": _user(rei.uoip),
            "user_info_other": _user(rei.uoio),
            "conditional_input": [{"key": k, "value": v} for k, v in pairs.items()],
        },
        ensure_ascii=False,
    )


def load(text: str) -> dict[str, Any]:
    """The object; raises ValueError for anything that ``save`` does not write."""
    found = json.loads(text)
    if not isinstance(found, dict) or not isinstance(found.get("user_info_client"), dict):
        raise ValueError("not an execution context")  # noqa: TRY004  one error for all that is wrong with it
    return found


def identities(text: str) -> tuple[Identity, Identity]:
    """The submitter and the submitter's proxy."""
    context = load(text)
    return _identity(context["user_info_client"]), _identity(
        context.get("user_info_proxy") or context["user_info_client"]
    )


def _identity(user: Mapping[str, Any]) -> Identity:
    flag = int((user.get("auth_info") or {}).get("auth_flag", 0))
    return Identity(str(user["name"]), str(user["zone"]), 0, str(user.get("type", "")), flag)


def restore(frame: Frame, text: str) -> None:
    """Give a new execution the identities and variables of a saved one."""
    context = load(text)
    client, proxy = identities(text)
    frame.rei.uoic, frame.rei.uoip = user_info(client), user_info(proxy)
    frame.instance_name = str(context.get("plugin_instance_name") or "")
    items = context.get("ms_param_array") or []
    wire = [{"label": i["label"], "type": i["type"], "inOutStruct": i["in_out_struct"]} for i in items]
    frame.parameters.update(from_wire({"MsParam_PI": wire}))
