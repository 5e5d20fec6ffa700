"""Login: challenge and response in the 4.3 framework (110000) and the legacy form (703, 704), temporary passwords.

The password never travels: both sides compute MD5(challenge + password). Sources: native.cpp, rsAuthResponse.cpp
and ``db_check_auth_op`` of iRODS 5.0.2.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import string
import time
from dataclasses import replace
from typing import Any

from embedded_zone.agent import (
    LOCAL_PRIV_USER_AUTH,
    LOCAL_USER_AUTH,
    REMOTE_PRIV_USER_AUTH,
    REMOTE_USER_AUTH,
    Agent,
    Identity,
)
from embedded_zone.api import NO_USER_AUTH, Reply, api
from embedded_zone.errors import IrodsError
from embedded_zone.federation import login
from embedded_zone.wire import codes
from embedded_zone.wire.obfuscation import (
    PREFIX,
    digest_response,
    md5_hex,
    scramble,
    signature_of,
    unscramble,
)

CHALLENGE_LEN = 64
RESPONSE_LEN = 16
ANONYMOUS = "anonymous"
# Printable and no space: python-irodsclient strips white space, the framework carries it as JSON text.
_CHALLENGE_ALPHABET = string.ascii_letters + string.digits + "!#$%()*+,-./:;=?@[]^_{|}~"
_HASH_ALPHABET = string.ascii_letters + string.digits

DEFAULT_TEMP_SECONDS = 120  # default_temporary_password_lifetime_in_seconds
MAX_TEMP_SECONDS = 1000  # maximum_temporary_password_lifetime_in_seconds
MIN_LIMITED_SECONDS = 121  # password_min_time and password_max_time of R_GRID_CONFIGURATION
MAX_LIMITED_SECONDS = 1209600
_SECONDS_PER_HOUR = 3600
_ROW_OF = (
    "select user_id, user_type_name from R_USER_MAIN where user_name=? and zone_name=? and user_type_name<>'rodsgroup'"
)


def new_challenge() -> bytes:
    """64 random characters."""
    return "".join(secrets.choice(_CHALLENGE_ALPHABET) for _ in range(CHALLENGE_LEN)).encode("ascii")


# --- the two flows


@api(110000, "authenticate", request="json", reply="json", client=NO_USER_AUTH, proxy=NO_USER_AUTH)
def authenticate(agent: Agent, request: dict[str, Any], stream: bytes) -> Reply:
    """One step of the framework's login; every key that the client sent is echoed."""
    if request.get("scheme") not in _SCHEMES:
        raise IrodsError(codes.PLUGIN_ERROR_MISSING_SHARED_OBJECT, f"scheme {request.get('scheme')!r}")
    step = _SCHEMES[request["scheme"]].get(str(request.get("next_operation")))
    if step is None:
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, f"no operation {request.get('next_operation')!r}")
    return Reply(body={**request, **step(agent, request)})


def _request_challenge(agent: Agent, request: dict[str, Any]) -> dict[str, Any]:
    agent.auth_scheme = "native"
    return {"request_result": _remember(agent).decode("ascii")}


def _check_digest(agent: Agent, request: dict[str, Any]) -> dict[str, Any]:
    for key in ("digest", "user_name", "zone_name"):
        if not isinstance(request.get(key), str):
            raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, f"key {key} is missing")
    try:
        response = base64.b64decode(request["digest"])
    except (ValueError, binascii.Error):
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, "digest is not base64") from None
    log_in(agent, request["user_name"], request["zone_name"], response)
    return {}


_SCHEMES = {
    "native": {"auth_agent_auth_request": _request_challenge, "auth_agent_auth_response": _check_digest},
}


@api(703, "auth_request", reply="authRequestOut_PI", client=NO_USER_AUTH, proxy=NO_USER_AUTH)
def auth_request(agent: Agent, request: None, stream: bytes) -> Reply:
    """Legacy login, first half: a challenge."""
    agent.auth_scheme = "native"
    return Reply(body={"challenge": _remember(agent)})


@api(704, "auth_response", request="authResponseInp_PI", client=NO_USER_AUTH, proxy=NO_USER_AUTH)
def auth_response(agent: Agent, request: dict[str, Any], stream: bytes) -> None:
    """Legacy login, second half: the response, of 'user' or 'user#zone'."""
    name, _, zone = (request["username"] or "").partition("#")
    log_in(agent, name, zone or agent.config.zone_name, request["response"])


def _remember(agent: Agent) -> bytes:
    challenge = new_challenge()
    agent.scratch["challenge"] = challenge
    return challenge


# --- the check


def log_in(agent: Agent, name: str, zone: str, response: bytes) -> None:
    """Check a response and give the connection its privileges; raises IrodsError.

    A user of another zone is checked by that zone. CAT_INVALID_USER, CAT_INVALID_AUTHENTICATION,
    CAT_PASSWORD_EXPIRED, CAT_INVALID_CLIENT_USER (the client behind an administrator is unknown),
    SYS_PROXYUSER_NO_PRIV (an ordinary user acts for another).
    """
    challenge: bytes = agent.scratch.pop("challenge", b"")
    if not challenge:
        raise IrodsError(codes.CAT_INVALID_AUTHENTICATION, "no challenge was asked for")
    agent.session_signature = signature_of(challenge)
    wanted = Identity(agent.client.name or name, agent.client.zone or agent.config.zone_name)
    if zone == agent.config.zone_name:
        _log_in_here(agent, Identity(name, zone), wanted, challenge, response)
    else:
        _log_in_stranger(agent, Identity(name, zone), wanted, challenge, response)


def _log_in_here(agent: Agent, user: Identity, wanted: Identity, challenge: bytes, response: bytes) -> None:
    _check_response(agent, user.name, user.zone, challenge, response)
    proxy = _identity(agent, user, codes.CAT_INVALID_USER)
    same = wanted.qualified == user.qualified
    if not same and proxy.auth_flag < LOCAL_PRIV_USER_AUTH:
        raise IrodsError(codes.SYS_PROXYUSER_NO_PRIV, f"{proxy.qualified} may not act for {wanted.qualified}")
    client = proxy if same else _identity(agent, wanted, codes.CAT_INVALID_CLIENT_USER)
    agent.proxy, agent.client = proxy, replace(client)


def _log_in_stranger(agent: Agent, user: Identity, wanted: Identity, challenge: bytes, response: bytes) -> None:
    """A user of another zone, who needs no row here. Its administrators act for its own users, for nobody else's."""
    flag, client_flag = login.confirm(agent, user, challenge, response)
    if wanted.qualified != user.qualified and (flag < REMOTE_PRIV_USER_AUTH or wanted.zone != user.zone):
        raise IrodsError(codes.SYS_PROXYUSER_NO_PRIV, f"{user.qualified} may not act for {wanted.qualified}")
    agent.proxy = replace(_known(agent, user), auth_flag=flag)
    agent.client = replace(_known(agent, wanted), auth_flag=client_flag)


def _known(agent: Agent, user: Identity) -> Identity:
    """The user with number and type, if this zone has a row for it."""
    row = agent.db.one(_ROW_OF, (user.name, user.zone))
    return user if row is None else replace(user, user_id=row["user_id"], user_type=row["user_type_name"])


@api(705, "auth_check", request="authCheckInp_PI", reply="authCheckOut_PI", client=NO_USER_AUTH, proxy=NO_USER_AUTH)
def auth_check(agent: Agent, request: dict[str, Any], stream: bytes) -> Reply:
    """Another zone's server asks whether a user of this zone is who it says; the connection is not logged in."""
    name, _, zone = (request["username"] or "").partition("#")
    challenge, response = ((request[key] or "").encode("utf-8", "surrogateescape") for key in ("challenge", "response"))
    _check_response(agent, name, zone or agent.config.zone_name, challenge, response)
    user = _identity(agent, Identity(name, zone or agent.config.zone_name), codes.CAT_INVALID_USER)
    client = _identity(agent, agent.client, codes.CAT_INVALID_CLIENT_USER)
    return Reply(
        body={
            "privLevel": user.auth_flag,
            "clientPrivLevel": client.auth_flag,
            "serverResponse": login.proof(agent, challenge),
        }
    )


def _identity(agent: Agent, user: Identity, missing: int) -> Identity:
    row = agent.db.one(_ROW_OF, (user.name, user.zone))
    if row is None:
        raise IrodsError(missing, f"no user {user.qualified}")
    if user.zone != agent.config.zone_name:
        flag = REMOTE_USER_AUTH
    else:
        flag = LOCAL_PRIV_USER_AUTH if row["user_type_name"] == "rodsadmin" else LOCAL_USER_AUTH
    return Identity(user.name, user.zone, row["user_id"], row["user_type_name"], flag)


def _check_response(agent: Agent, name: str, zone: str, challenge: bytes, response: bytes) -> None:
    """Raise IrodsError unless one of the user's passwords gives ``response``."""
    rows = agent.db.all(
        "select u.user_id, p.rcat_password, p.pass_expiry_ts, p.create_ts, p.modify_ts from R_USER_MAIN u "
        "left join R_USER_PASSWORD p on p.user_id = u.user_id where u.user_name=? and u.zone_name=?",
        (name, zone),
    )
    if not rows:
        raise IrodsError(codes.CAT_INVALID_USER, f"no user {name}#{zone}")
    stored = [row for row in rows if row["rcat_password"] is not None]
    if not stored and name == ANONYMOUS:
        return
    if not stored:
        raise IrodsError(codes.CAT_INVALID_USER, f"{name}#{zone} has no password")
    for row in stored:
        if hmac.compare_digest(digest_response(challenge, unscramble(row["rcat_password"])), response[:RESPONSE_LEN]):
            _check_expiry(agent, row)
            return
    raise IrodsError(codes.CAT_INVALID_AUTHENTICATION, f"wrong password for {name}#{zone}")


def _check_expiry(agent: Agent, row: Any) -> None:
    """Refuse an expired password and remove it; a temporary one is removed with its first use."""
    lifetime = _seconds(row["pass_expiry_ts"])
    if lifetime is None:
        return
    temporary = lifetime < MAX_TEMP_SECONDS and not row["rcat_password"].startswith(PREFIX)
    since = row["create_ts"] if temporary else row["modify_ts"]
    expired = int(since or 0) + lifetime < time.time()
    if temporary or expired:
        with agent.db.transaction():
            agent.db.execute(
                "delete from R_USER_PASSWORD where user_id=? and rcat_password=?",
                (row["user_id"], row["rcat_password"]),
            )
    if expired:
        raise IrodsError(codes.CAT_PASSWORD_EXPIRED, "the password has expired")


def _seconds(expiry: str | None) -> int | None:
    """A lifetime in seconds; None for a password that does not expire ('9999-12-31-23.59.00')."""
    if not expiry or expiry.startswith("9999") or not expiry.isdigit():
        return None
    return int(expiry)


# --- passwords made by the server


@api(709, "get_temp_password", reply="getTempPasswordOut_PI")
def get_temp_password(agent: Agent, request: None, stream: bytes) -> Reply:
    """A single-use password of 120 s for the client user: hash of the answer and the user's own password."""
    return Reply(body={"stringToHashWith": _make_temporary(agent, agent.client.name)})


@api(
    724,
    "get_temp_password_for_other",
    request="getTempPasswordForOtherInp_PI",
    reply="getTempPasswordForOtherOut_PI",
    client=LOCAL_PRIV_USER_AUTH,
    proxy=LOCAL_PRIV_USER_AUTH,
)
def get_temp_password_for_other(agent: Agent, request: dict[str, Any], stream: bytes) -> Reply:
    """The same for another user of the zone, hashed with the administrator's own password."""
    return Reply(body={"stringToHashWith": _make_temporary(agent, request["targetUser"] or agent.client.name)})


@api(726, "get_limited_password", request="getLimitedPasswordInp_PI", reply="getLimitedPasswordOut_PI")
def get_limited_password(agent: Agent, request: dict[str, Any], stream: bytes) -> Reply:
    """``iinit --ttl``: a password that lives ``ttl`` hours; PAM_AUTH_PASSWORD_INVALID_TTL outside 121 s to 14 days."""
    lifetime = request["ttl"] * _SECONDS_PER_HOUR
    if not MIN_LIMITED_SECONDS <= lifetime <= MAX_LIMITED_SECONDS:
        raise IrodsError(codes.PAM_AUTH_PASSWORD_INVALID_TTL, f"{request['ttl']} hours")
    seed = _random_text()
    with agent.db.transaction():
        _insert_password(agent, agent.client.name, scramble(_derived(agent, seed)), lifetime)
        _remove_expired(agent)
    return Reply(body={"stringToHashWith": seed})


def _random_text() -> str:
    return "".join(secrets.choice(_HASH_ALPHABET) for _ in range(36))


def _derived(agent: Agent, seed: str) -> str:
    """Hash of seed and the client user's own password, whom the caller must be able to name."""
    stored = agent.db.one(
        "select rcat_password from R_USER_PASSWORD where user_id=? and pass_expiry_ts <> ? order by create_ts",
        (agent.client.user_id, str(DEFAULT_TEMP_SECONDS)),
    )
    if stored is None:
        raise IrodsError(codes.CAT_INVALID_USER, f"{agent.client.qualified} has no password")
    return md5_hex(seed + unscramble(stored["rcat_password"]))


def _make_temporary(agent: Agent, user: str) -> str:
    seed = _random_text()
    with agent.db.transaction():
        _insert_password(agent, user, _derived(agent, seed), DEFAULT_TEMP_SECONDS)
    return seed


def _insert_password(agent: Agent, user: str, password: str, lifetime: int) -> None:
    number = agent.db.value(
        "select user_id from R_USER_MAIN where user_name=? and zone_name=?", (user, agent.client.zone)
    )
    if number is None:
        raise IrodsError(codes.CAT_INVALID_USER, f"no user {user}#{agent.client.zone}")
    now = agent.db.now()
    agent.db.execute(
        "insert into R_USER_PASSWORD (user_id, rcat_password, pass_expiry_ts, create_ts, modify_ts) values (?,?,?,?,?)",
        (number, password, str(lifetime), now, now),
    )


def _remove_expired(agent: Agent) -> None:
    agent.db.execute(
        "delete from R_USER_PASSWORD where pass_expiry_ts not like '9999%' and cast(pass_expiry_ts as integer) "
        "between ? and ? and cast(pass_expiry_ts as integer) + cast(modify_ts as integer) < ?",
        (MIN_LIMITED_SECONDS, MAX_LIMITED_SECONDS, int(time.time())),
    )
