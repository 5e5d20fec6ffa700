"""Users' passwords: what a client sent is descrambled, checked and stored (``iadmin moduser … password``, ipasswd).

On the wire a new password is scrambled with the sender's current one and the session's signature.
"""

from __future__ import annotations

from embedded_zone.agent import Agent
from embedded_zone.catalog import entities, hooks
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes, obfuscation

MAX_LENGTH = 42  # MAX_PASSWORD_LEN - 8: what the catalogue's scrambled form leaves room for
NEVER_EXPIRES = "9999-12-31-23.59.01"

_CURRENT = "select rcat_password from R_USER_PASSWORD where user_id = ?"


def decode(agent: Agent, scrambled: str) -> str:
    """The new password in a change request; raises PASSWORD_EXCEEDS_MAX_SIZE when it makes no sense."""
    stored = agent.db.value(_CURRENT, (agent.client.user_id,))
    if stored is None:
        raise IrodsError(codes.CAT_INVALID_USER, "the client has no password of its own")
    current = obfuscation.unscramble(stored)
    password = obfuscation.strip_pad(obfuscation.unscramble_v2(scrambled, current, agent.session_signature))
    if len(password) > MAX_LENGTH:
        raise IrodsError(codes.PASSWORD_EXCEEDS_MAX_SIZE, "Password must be between 3 and 42 characters")
    return password


def change(agent: Agent, user_name: str, zone: str, scrambled: str, *, only_first: bool) -> None:
    """Store a user's new password; with ``only_first`` (group admins) only if there is none yet."""
    password = decode(agent, scrambled)
    hooks.fire(agent, "acCheckPasswordStrength", password)
    user_id = entities.user_id(agent, user_name, zone)
    if agent.db.value(_CURRENT, (user_id,)) is None:
        _insert(agent, user_id, password)
    elif only_first:
        raise IrodsError(codes.CAT_INSUFFICIENT_PRIVILEGE_LEVEL, "group admins may only set a first password")
    else:
        sql = "update R_USER_PASSWORD set rcat_password = ?, modify_ts = ? where user_id = ?"
        agent.db.execute(sql, (password, agent.db.now(), user_id))


def _insert(agent: Agent, user_id: int, password: str) -> None:
    now = agent.db.now()
    agent.db.execute("insert into R_USER_PASSWORD values (?, ?, ?, ?, ?)", (user_id, password, NEVER_EXPIRES, now, now))


def remove_temporary(agent: Agent, user_id: int) -> int:
    """Delete the passwords that PAM logins and ``iinit --ttl`` left (``rmPamPw``); returns how many."""
    limits = [_grid(agent, "password_min_time"), _grid(agent, "password_max_time")]
    sql = """delete from R_USER_PASSWORD where user_id = ? and pass_expiry_ts not like '9999%'
        and cast(pass_expiry_ts as integer) between ? and ?"""
    return agent.db.execute(sql, (user_id, *limits)).rowcount


def _grid(agent: Agent, option: str) -> int:
    sql = "select option_value from R_GRID_CONFIGURATION where namespace = 'authentication' and option_name = ?"
    return int(agent.db.value(sql, (option,)) or 0)
