"""What a hook is told about the connection: ``PluginContext`` (dynamic hooks) and ``rei`` (all rules)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from embedded_zone.agent import Agent, Identity
from embedded_zone.structures.types import CLASSES, irods_type


class PluginContext:
    """Second argument of every ``pep_*`` hook; ``map()`` is a plain dict of strings (facts 1.2).

    ``variables`` are the keys that a resource operation adds (logical_path, physical_path, resc_hier …).
    """

    rule_results = ""

    def __init__(self, agent: Agent, variables: Mapping[str, Any] | None = None) -> None:
        self._agent = agent
        self._variables = variables or {}

    def map(self) -> dict[str, str]:
        """The connection's and the operation's properties, a new dict at each call."""
        return {**{k: str(v) for k, v in self._variables.items()}, **connection_properties(self._agent)}


PluginContext.__module__ = "irods_types"
CLASSES["PluginContext"] = PluginContext


def connection_properties(agent: Agent) -> dict[str, str]:
    """The keys that come from the connection itself (``rsComm`` of the real server)."""
    return {
        "client_addr": agent.client_address,
        "auth_scheme": agent.auth_scheme,
        **_identity_properties("proxy_", "proxy_", agent.proxy),
        **_identity_properties("user_", "user_user_", agent.client),
        "socket": str(agent.scratch.get("socket", 4)),
        "connect_count": str(agent.connect_count),
        "status": "0",
        "api_index": str(agent.api_number),
        "option": agent.option,
    }


def _identity_properties(prefix: str, name_prefix: str, identity: Identity) -> dict[str, str]:
    # The real names are irregular: proxy_user_name but user_user_name, proxy_rods_zone and user_rods_zone.
    name = f"{prefix}user_name"
    other = f"{name_prefix}user_other_info_" if prefix == "proxy_" else "user_user_other_info_"
    return {
        name: identity.name,
        f"{prefix}rods_zone": identity.zone,
        f"{prefix}user_type": identity.user_type,
        f"{prefix}sys_uid": "0",
        f"{prefix}auth_info_auth_scheme": "",
        f"{prefix}auth_info_auth_flag": str(identity.auth_flag),
        f"{prefix}auth_info_flag": "0",
        f"{prefix}auth_info_ppid": "0",
        f"{prefix}auth_info_host": "",
        f"{prefix}auth_info_auth_str": "",
        f"{other}user_info": "",
        f"{other}user_comments": "",
        f"{other}user_create": "",
        f"{other}user_modify": "",
    }


def user_info(identity: Identity) -> Any:
    """A ``UserInfo`` structure of an identity."""
    return irods_type(
        "UserInfo",
        {
            "userName": identity.name,
            "rodsZone": identity.zone,
            "userType": identity.user_type,
            "authInfo": {"authFlag": identity.auth_flag},
        },
    )


def make_rei(agent: Agent, keywords: Mapping[str, str] | None = None, rule_name: str = "") -> Any:
    """A fresh ``rei`` for one operation; ``keywords`` become ``rei.condInputData``."""
    rei = irods_type("RuleExecInfo", {"ruleName": rule_name})
    rei.rsComm = _connection(agent)
    rei.uoic = user_info(agent.client)
    rei.uoip = user_info(agent.proxy)
    if keywords is not None:
        rei.condInputData = irods_type("KeyValPair", keywords)
    return rei


def _connection(agent: Agent) -> Any:
    return irods_type(
        "RsComm",
        {
            "irodsProt": 1,
            "sock": agent.scratch.get("socket", 4),
            "connectCnt": agent.connect_count,
            "clientAddr": agent.client_address,
            "clientUser": user_info(agent.client),
            "proxyUser": user_info(agent.proxy),
            "option": agent.option,
            "apiInx": agent.api_number,
            "auth_scheme": agent.auth_scheme,
            "session_props": {},
        },
    )
