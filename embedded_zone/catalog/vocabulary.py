"""Tokens: the words that the catalogue accepts, data types above all (``iadmin at``, ``rt``)."""

from __future__ import annotations

from embedded_zone.agent import Agent
from embedded_zone.catalog import hooks
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

_FIND = "select token_id from R_TOKN_MAIN where token_namespace = ? and token_name = ?"


def add(agent: Agent, namespace: str, name: str, values: list[str]) -> None:
    """Add a word to a namespace; ``values`` are its up to three values and its comment."""
    padded = (values + [""] * 4)[:4]
    with hooks.framed(agent, "CreateToken", namespace, name, *padded):
        _register(agent, namespace, name, padded)


def _register(agent: Agent, namespace: str, name: str, values: list[str]) -> None:
    with hooks.database(agent, "reg_token", namespace, name, *values), agent.db.transaction() as db:
        if not namespace or not name:
            raise IrodsError(codes.CAT_INVALID_ARGUMENT, "a token needs a namespace and a name")
        if db.value(_FIND, ("token_namespace", namespace)) is None:
            agent.r_error.append((0, f"Token namespace '{namespace}' does not exist"))
            raise IrodsError(codes.CAT_INVALID_ARGUMENT, "invalid namespace")
        if db.value(_FIND, (namespace, name)) is not None:
            agent.r_error.append((0, f"Token '{name}' already exists in namespace '{namespace}'"))
            raise IrodsError(codes.CAT_INVALID_ARGUMENT, "invalid token")
        row = (namespace, db.next_id(), name, *values, db.now(), db.now())
        db.execute("insert into R_TOKN_MAIN values (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def remove(agent: Agent, namespace: str, name: str) -> None:
    """Take a word out of a namespace."""
    with hooks.framed(agent, "DeleteToken", namespace, name), hooks.database(agent, "del_token", namespace, name):
        number = agent.db.value(_FIND, (namespace, name))
        if number is None:
            agent.r_error.append((0, f"Token '{name}' does not exist in namespace '{namespace}'"))
            raise IrodsError(codes.CAT_INVALID_ARGUMENT, "invalid token")
        sql = "delete from R_TOKN_MAIN where token_namespace = ? and token_id = ?"
        with agent.db.transaction() as db:
            db.execute(sql, (namespace, number))
