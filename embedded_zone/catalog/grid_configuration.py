"""Zone-wide settings kept in the catalogue (R_GRID_CONFIGURATION): authentication, delay server, access time."""

from __future__ import annotations

from embedded_zone.agent import Agent
from embedded_zone.catalog import hooks
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

# Options that only the server itself may change, by namespace; '' is every option.
_PROTECTED = {"database": "schema_version", "delay_server": ""}


def get(agent: Agent, namespace: str, option: str) -> str:
    """The value of an option; CAT_NO_ROWS_FOUND if there is no such option."""
    with hooks.database(agent, "get_grid_configuration_value", namespace, option):
        sql = "select option_value from R_GRID_CONFIGURATION where namespace = ? and option_name = ?"
        found: str | None = agent.db.value(sql, (namespace, option))
        if found is None:
            raise IrodsError(codes.CAT_NO_ROWS_FOUND, f"no setting {namespace}.{option}")
    return found


def change(agent: Agent, namespace: str, option: str, value: str) -> None:
    """Change an existing option; SYS_NOT_ALLOWED for the protected ones."""
    if namespace in _PROTECTED and _PROTECTED[namespace] in ("", option):
        agent.r_error.append((codes.SYS_NOT_ALLOWED, "Specified grid configuration is not allowed to be modified."))
        raise IrodsError(codes.SYS_NOT_ALLOWED, f"{namespace}.{option} is protected")
    get(agent, namespace, option)
    with hooks.database(agent, "set_grid_configuration_value", namespace, option, value):
        store(agent, namespace, option, value)


def store(agent: Agent, namespace: str, option: str, value: str) -> None:
    """Write an option's value without asking."""
    sql = "update R_GRID_CONFIGURATION set option_value = ? where namespace = ? and option_name = ?"
    with agent.db.transaction() as db:
        db.execute(sql, (value, namespace, option))
