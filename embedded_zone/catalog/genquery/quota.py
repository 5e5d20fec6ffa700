"""The quota query (option QUOTA_QUERY of API 702): all quotas that apply to a user, the most exceeded first."""

from __future__ import annotations

from collections.abc import Sequence

from embedded_zone.catalog.genquery import columns as c
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

_COLUMNS = "QM.user_id, RM.resc_name, QM.quota_limit, QM.quota_over, QM.resc_id"
_OF_GROUPS = "QM.user_id = UG.group_user_id and UM.user_name = ? and UM.zone_name = ? and UG.user_id = UM.user_id"
_TABLES = "R_QUOTA_MAIN QM, R_RESC_MAIN RM, R_USER_MAIN UM"
_SELECT = f"select distinct {_COLUMNS} from {_TABLES}"  # noqa: S608 constants of this module
_BRANCHES: tuple[str, ...] = (
    f"{_SELECT}, R_USER_GROUP UG where QM.resc_id = RM.resc_id and {_OF_GROUPS}",
    f"{_SELECT}, R_USER_GROUP UG where QM.resc_id = 0 and {_OF_GROUPS}",
    f"""{_SELECT} where (QM.resc_id = RM.resc_id or QM.resc_id = 0)
        and QM.user_id = UM.user_id and UM.user_name = ? and UM.zone_name = ?""",
)


def quota_sql(conditions: Sequence[tuple[int, str]], zone: str) -> tuple[str, list[str]]:
    """The statement for the user (and resource) that the conditions name, plainly, without operator or quotes.

    Raises CAT_INVALID_ARGUMENT if no user is named.
    """
    given = dict(conditions)
    if c.USER_NAME not in given:
        raise IrodsError(codes.CAT_INVALID_ARGUMENT, "a quota query needs a user name")
    name, _, of_zone = given[c.USER_NAME].partition("#")
    values = [name, of_zone or zone]
    resource = given.get(c.R_RESC_NAME)
    branches = _BRANCHES
    if resource is not None:
        branches = tuple(f"{branch} and RM.resc_name = ?" for branch in _BRANCHES)
        values.append(resource)
    return " union ".join(branches) + " order by quota_over desc", values * 3
