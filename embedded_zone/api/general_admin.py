"""API 701 (general_admin), for rodsadmins only: what ``iadmin`` does. arg0 is the verb, arg1 the noun."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from embedded_zone.agent import LOCAL_PRIV_USER_AUTH, Agent
from embedded_zone.api import api
from embedded_zone.catalog import (
    collections_by_admin,
    entities,
    grid_configuration,
    hooks,
    metadata,
    quotas,
    resources,
    specific_query,
    users,
    vocabulary,
    zones,
)
from embedded_zone.catalog.metadata import Avu, Target
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

STDOUT_STATUS = 1000000  # an RError status whose text iadmin prints as output
ARGUMENTS = 10
REBALANCE = "rebalance_operation"  # the attribute that marks a resource while it is rebalanced

_MARKED = """
    select 1 from R_OBJT_METAMAP O join R_META_MAIN M on O.meta_id = M.meta_id
     where object_id = ? and meta_attr_name = ?
"""

Arguments = list[str]


def _add_user(agent: Agent, args: Arguments) -> None:
    if args[3] == users.GROUP:
        text = "Error: Using 'add' with 'user' and type 'rodsgroup' is not allowed. Use 'add' with 'group' instead."
        agent.r_error.append((codes.SYS_NOT_ALLOWED, text))
        raise IrodsError(codes.SYS_NOT_ALLOWED, text)
    users.create(agent, args[2], args[3], args[4], args[5])


def _add_group(agent: Agent, args: Arguments) -> None:
    users.create(agent, args[2], users.GROUP, args[4], args[5])


def _add_dir(agent: Agent, args: Arguments) -> None:
    collections_by_admin.create(agent, args[2], args[3] or agent.client.name)
    hooks.commit(agent)


def _add_zone(agent: Agent, args: Arguments) -> None:
    zones.create(agent, args[2], args[3], args[4], args[5])


def _add_resource(agent: Agent, args: Arguments) -> None:
    resources.create(agent, args[2], args[3], args[4], args[5], args[6])


def _add_child(agent: Agent, args: Arguments) -> None:
    resources.add_child(agent, args[2], args[3], args[4])


def _add_token(agent: Agent, args: Arguments) -> None:
    vocabulary.add(agent, args[2], args[3], args[4:8])


def _add_query(agent: Agent, args: Arguments) -> None:
    with hooks.database(agent, "add_specific_query", args[2], args[3]):
        try:
            specific_query.add(agent.db, args[2], args[3])
        except IrodsError as error:
            if "unique" in error.message:
                agent.r_error.append((0, "Alias is not unique"))
            raise


def _modify_user(agent: Agent, args: Arguments) -> None:
    users.modify(agent, args[2], args[3], args[4])


def _modify_group(agent: Agent, args: Arguments) -> None:
    users.modify_group(agent, args[2], args[3], args[4], args[5])


def _modify_zone(agent: Agent, args: Arguments) -> None:
    zones.modify(agent, args[2], args[3], args[4])


def _modify_zone_acl(agent: Agent, args: Arguments) -> None:
    zones.modify_root_acl(agent, args[2], args[3], args[4])


def _modify_resource(agent: Agent, args: Arguments) -> None:
    name, option, value = resources.clean_name(args[2]), args[3], args[4]
    if option == "name":
        value = resources.clean_name(value)
    with hooks.framed(agent, "ModifyResource", name, option, value):
        if option == "rebalance":
            _rebalance(agent, name)
        else:
            resources.modify(agent, name, option, value)


def _rebalance(agent: Agent, name: str) -> None:
    """Run the resource tree's rebalance, marked by an AVU so that it never runs twice at a time."""
    from embedded_zone.objects import resources as trees

    number = entities.resource_id(agent.db, name)
    if agent.db.value(_MARKED, (number, REBALANCE)) is not None:
        text = f"A rebalance_operation on resource [{name}] is still active (or stale)"
        agent.r_error.append((codes.REBALANCE_ALREADY_ACTIVE_ON_RESOURCE, text))
        raise IrodsError(codes.REBALANCE_ALREADY_ACTIVE_ON_RESOURCE, text)
    target, mark = Target("-R", name), Avu(REBALANCE, f"{agent.config.host}:{agent.client_address}", agent.db.now())
    metadata.set_value(agent, target, mark)
    try:
        rebalance = getattr(trees, "rebalance", None)
        if rebalance is not None:
            rebalance(agent, name)
    finally:
        metadata.remove(agent, target, mark)


def _modify_paths(agent: Agent, args: Arguments) -> None:
    resources.move_vault_paths(agent, args[2], args[3], args[4], args[5])


def _remove_user(agent: Agent, args: Arguments) -> None:
    name, zone = entities.parse_user_name(args[2])
    if agent.version >= (4, 3, 2) and users.type_of(agent, name, zone or args[3]) is None:
        raise IrodsError(codes.CAT_INVALID_USER, f"Cannot remove nonexistent user [{args[2]}]")
    users.remove(agent, args[2], args[3])


def _remove_group(agent: Agent, args: Arguments) -> None:
    if users.type_of(agent, args[2]) != users.GROUP:
        raise IrodsError(codes.CAT_INVALID_GROUP, f"Cannot remove nonexistent group [{args[2]}]")
    users.remove(agent, args[2], args[3])


def _remove_dir(agent: Agent, args: Arguments) -> None:
    collections_by_admin.remove(agent, args[2])


def _remove_resource(agent: Agent, args: Arguments) -> None:
    resources.remove(agent, args[2], dry_run=args[3] == "--dryrun")


def _remove_child(agent: Agent, args: Arguments) -> None:
    resources.remove_child(agent, args[2], args[3])


def _remove_zone(agent: Agent, args: Arguments) -> None:
    zones.remove(agent, args[2])


def _remove_token(agent: Agent, args: Arguments) -> None:
    vocabulary.remove(agent, args[2], args[3])


def _remove_unused_avus(agent: Agent, args: Arguments) -> None:
    metadata.remove_unused(agent)


def _remove_query(agent: Agent, args: Arguments) -> None:
    with hooks.database(agent, "del_specific_query", args[2]):
        specific_query.remove(agent.db, args[2])


Operation = Callable[[Agent, Arguments], None]

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("add", "user"): _add_user,
    ("add", "group"): _add_group,
    ("add", "dir"): _add_dir,
    ("add", "zone"): _add_zone,
    ("add", "resource"): _add_resource,
    ("add", "childtoresc"): _add_child,
    ("add", "token"): _add_token,
    ("add", "specificQuery"): _add_query,
    ("modify", "user"): _modify_user,
    ("modify", "group"): _modify_group,
    ("modify", "zone"): _modify_zone,
    ("modify", "zonecollacl"): _modify_zone_acl,
    ("modify", "resource"): _modify_resource,
    ("modify", "resourcedatapaths"): _modify_paths,
    ("rm", "user"): _remove_user,
    ("rm", "group"): _remove_group,
    ("rm", "dir"): _remove_dir,
    ("rm", "resource"): _remove_resource,
    ("rm", "childfromresc"): _remove_child,
    ("rm", "zone"): _remove_zone,
    ("rm", "token"): _remove_token,
    ("rm", "unusedAVUs"): _remove_unused_avus,
    ("rm", "specificQuery"): _remove_query,
}


def _calculate_usage(agent: Agent, args: Arguments) -> None:
    quotas.calculate(agent)


def _set_quota(agent: Agent, args: Arguments) -> None:
    quotas.set_limit(agent, args[1], args[2], args[3], args[4])


def _set_delay_server(agent: Agent, args: Arguments) -> None:
    if not args[1]:
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, "no host given")
    grid_configuration.store(agent, "delay_server", "successor", args[1])


def _list(agent: Agent, args: Arguments) -> None:
    if args[1] != "resc_type":
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, f"cannot list {args[1]!r}")
    agent.r_error.append((STDOUT_STATUS, "".join(f"{kind}\n" for kind in resources.TYPES)))


VERBS: dict[str, Operation] = {
    "calculate-usage": _calculate_usage,
    "set-quota": _set_quota,
    "set_delay_server": _set_delay_server,
    "lt": _list,
}


@api(
    701,
    "general_admin",
    request="generalAdminInp_PI",
    client=LOCAL_PRIV_USER_AUTH,
    proxy=LOCAL_PRIV_USER_AUTH,
)
def general_admin(agent: Agent, request: dict[str, Any], stream: bytes) -> None:
    """Run one administrative command; CAT_INVALID_ARGUMENT for one that is not known."""
    args = [request.get(f"arg{i}") or "" for i in range(ARGUMENTS)]
    operation = OPERATIONS.get((args[0], args[1])) or VERBS.get(args[0])
    if operation is None:
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, f"no command {args[0]} {args[1]}")
    operation(agent, args)
