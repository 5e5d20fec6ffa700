"""Settings of the zone (20009, 20010, 20011) and of the connection (20012, switch_user)."""

from __future__ import annotations

from typing import Any

from embedded_zone.agent import (
    LOCAL_PRIV_USER_AUTH,
    LOCAL_USER_AUTH,
    REMOTE_PRIV_USER_AUTH,
    REMOTE_USER_AUTH,
    Agent,
    Identity,
)
from embedded_zone.api import Reply, api
from embedded_zone.catalog import entities, grid_configuration, users
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes
from embedded_zone.wire.instructions import INSTRUCTIONS

KEEP = "ignore"  # KW_DELAY_SERVER_MIGRATION_IGNORE: the host name that leaves a role as it is
MAX_HOST_NAME = 64  # HOST_NAME_MAX of Linux

# iRODS declares these beside the API plugins, not in the common table; so do we.
INSTRUCTIONS.update(
    GridConfigurationInp_PI="str name_space[2700]; str option_name[2700]; str option_value[2700];",
    GridConfigurationOut_PI="str option_value[2700];",
    DelayServerMigrationInp_PI="str leader[2700]; str successor[2700];",
    SwitchUserInp_PI="str username[64]; str zone[64]; struct KeyValPair_PI;",
)

# The privilege of a user, by (rodsadmin?, of this zone?).
_FLAGS = {
    (True, True): LOCAL_PRIV_USER_AUTH,
    (False, True): LOCAL_USER_AUTH,
    (True, False): REMOTE_PRIV_USER_AUTH,
    (False, False): REMOTE_USER_AUTH,
}


@api(
    20009,
    "get_grid_configuration_value",
    request="GridConfigurationInp_PI",
    reply="GridConfigurationOut_PI",
    client=LOCAL_PRIV_USER_AUTH,
    proxy=LOCAL_PRIV_USER_AUTH,
)
def get_grid_configuration_value(agent: Agent, request: dict[str, Any], stream: bytes) -> Reply:
    """One setting's value; CAT_NO_ROWS_FOUND for an unknown one."""
    return Reply(body={"option_value": grid_configuration.get(agent, request["name_space"], request["option_name"])})


@api(
    20010,
    "set_grid_configuration_value",
    request="GridConfigurationInp_PI",
    client=LOCAL_PRIV_USER_AUTH,
    proxy=LOCAL_PRIV_USER_AUTH,
)
def set_grid_configuration_value(agent: Agent, request: dict[str, Any], stream: bytes) -> None:
    """Change one setting."""
    grid_configuration.change(agent, request["name_space"], request["option_name"], request["option_value"])


@api(
    20011,
    "set_delay_server_migration_info",
    request="DelayServerMigrationInp_PI",
    client=LOCAL_PRIV_USER_AUTH,
    proxy=LOCAL_PRIV_USER_AUTH,
)
def set_delay_server_migration_info(agent: Agent, request: dict[str, Any], stream: bytes) -> None:
    """Name the host that runs the delay server and the one that takes over."""
    roles = {role: request.get(role) or "" for role in ("leader", "successor")}
    if roles["leader"] == roles["successor"]:
        return
    if any(host != KEEP and len(host) > MAX_HOST_NAME for host in roles.values()):
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, "a host name is too long")
    for role, host in roles.items():
        if host != KEEP:
            grid_configuration.store(agent, "delay_server", role, host)


@api(20012, "switch_user", request="SwitchUserInp_PI")
def switch_user(agent: Agent, request: dict[str, Any], stream: bytes) -> None:
    """Go on as another user; only for connections whose proxy is a rodsadmin, and without open files."""
    options = request.get("KeyValPair_PI") or {}
    if agent.proxy.auth_flag < LOCAL_PRIV_USER_AUTH:
        raise IrodsError(codes.SYS_PROXYUSER_NO_PRIV, "the proxy user may not switch")
    _settle_descriptors(agent, close="close_open_replicas" in options)
    identity = _identity(agent, request.get("username") or "", request.get("zone") or "")
    agent.client = identity
    if "switch_proxy_user" in options:
        agent.proxy = Identity(**vars(identity))
    agent.ticket = ""


def _settle_descriptors(agent: Agent, *, close: bool) -> None:
    if close:
        agent.descriptors.abandon()
    elif len(agent.descriptors):
        raise IrodsError(codes.SYS_NOT_ALLOWED, "there are open replicas")


def _identity(agent: Agent, name: str, zone: str) -> Identity:
    if not name or not zone:
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, "user name and zone are needed")
    kind = users.type_of(agent, name, zone)
    if kind is None:
        raise IrodsError(codes.CAT_INVALID_USER, f"{name}#{zone} is unknown")
    flag = _FLAGS[kind == "rodsadmin", zone == agent.config.zone_name]
    return Identity(name, zone, entities.user_id(agent, name, zone), kind, flag)
