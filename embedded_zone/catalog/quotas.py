"""Quotas: limits of groups per resource or in total, and the usage they are compared with.

``quota_over`` is the excess in bytes, negative while there is room. Nothing enforces it (acRescQuotaPolicy is
off by default); users see it with iquota, administrators with ``iadmin lq``.
"""

from __future__ import annotations

import re

from embedded_zone.agent import Agent
from embedded_zone.catalog import entities, hooks
from embedded_zone.catalog.database import Database
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

TOTAL = "total"  # the pseudo resource of a limit over all resources; its id is 0

_USAGE = """
    insert into R_QUOTA_USAGE (quota_usage, resc_id, user_id, modify_ts)
    select sum(D.data_size), D.resc_id, U.user_id, ? from R_DATA_MAIN D
      join R_USER_MAIN U on U.user_name = D.data_owner_name and U.zone_name = D.data_owner_zone
      join R_RESC_MAIN R on R.resc_id = D.resc_id
     group by D.resc_id, U.user_id
"""
# A limit counts its own user's usage and, for a group, that of all members (a group is its own member).
_USED = """
    select sum(quota_usage) from R_QUOTA_USAGE S where (Q.resc_id = 0 or S.resc_id = Q.resc_id)
       and S.user_id in (select user_id from R_USER_GROUP where group_user_id = Q.user_id)
"""


def calculate(agent: Agent) -> None:
    """Sum the sizes of all replicas by owner and resource, and compare (``iadmin cu``)."""
    with hooks.database(agent, "calc_usage_and_quota"):
        entities.require_admin(agent)
        with agent.db.transaction() as db:
            db.execute("delete from R_QUOTA_USAGE")
            db.execute(_USAGE, (db.now(),))
            _compare(db)


def _compare(db: Database) -> None:
    sql = f"update R_QUOTA_MAIN as Q set modify_ts = ?, quota_over = coalesce(({_USED}), 0) - quota_limit"  # noqa: S608
    db.execute(sql, (db.now(),))


def set_limit(agent: Agent, kind: str, name: str, resource: str, limit: str) -> None:
    """Set or, with 0, remove the limit in bytes of a group (``iadmin sgq``); for users only removal is allowed."""
    with hooks.database(agent, "set_quota", kind, name, resource, limit):
        is_user = kind.startswith("user")
        if not is_user and not kind.startswith("group"):
            raise IrodsError(codes.CAT_INVALID_ARGUMENT, f"no quota for {kind!r}")
        resource_id = 0 if resource.startswith(TOTAL) else entities.resource_id(agent.db, resource)
        user_name, zone = entities.parse_user_name(name)
        amount = _amount(limit)
        if is_user and amount != 0:
            raise IrodsError(codes.SYS_NOT_ALLOWED, "a user's quota can only be removed")
        owner_id = _owner(agent, user_name, zone, is_user=is_user)
        with agent.db.transaction() as db:
            db.execute("delete from R_QUOTA_MAIN where user_id = ? and resc_id = ?", (owner_id, resource_id))
            if amount > 0:
                row = (owner_id, resource_id, amount, -amount, db.now())
                db.execute("insert into R_QUOTA_MAIN values (?, ?, ?, ?, ?)", row)
            _compare(db)


def _amount(text: str) -> int:
    match = re.match(r"-?\d+", text)
    if match is None:
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, f"not a number of bytes: {text!r}")
    return int(match[0])


def _owner(agent: Agent, name: str, zone: str, *, is_user: bool) -> int:
    sql = "select user_id, user_type_name from R_USER_MAIN where user_name = ? and zone_name = ?"
    row = agent.db.one(sql, (name, zone or agent.config.zone_name))
    if row is None or (row["user_type_name"] == "rodsgroup") == is_user:
        code = codes.CAT_INVALID_USER if is_user else codes.CAT_INVALID_GROUP
        raise IrodsError(code, f"{name} is unknown")
    return int(row["user_id"])
