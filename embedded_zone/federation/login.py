"""Users of other zones log in with their own zone's password: that zone is asked (API 705), and proves itself."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from embedded_zone.agent import (
    LOCAL_PRIV_USER_AUTH,
    LOCAL_USER_AUTH,
    REMOTE_PRIV_USER_AUTH,
    REMOTE_USER_AUTH,
    Identity,
)
from embedded_zone.errors import IrodsError
from embedded_zone.federation import peers
from embedded_zone.wire import codes
from embedded_zone.wire.obfuscation import digest_response

if TYPE_CHECKING:
    from embedded_zone.agent import Agent

AUTH_CHECK = 705
_DEGRADED = {LOCAL_USER_AUTH: REMOTE_USER_AUTH, LOCAL_PRIV_USER_AUTH: REMOTE_PRIV_USER_AUTH}


def confirm(agent: Agent, user: Identity, challenge: bytes, response: bytes) -> tuple[int, int]:
    """The privileges of ``user`` and of the connection's client, degraded to those of strangers.

    Raises CAT_INVALID_USER (the zone is unknown), what the user's zone says (CAT_INVALID_AUTHENTICATION), and
    REMOTE_SERVER_AUTHENTICATION_FAILURE if that zone does not know its own key.
    """
    peer = peers.find(agent, user.zone)
    if peer is None:
        raise IrodsError(codes.CAT_INVALID_USER, f"zone {user.zone} is unknown")
    request = {
        "challenge": challenge.decode("utf-8", "surrogateescape"),
        "response": response.decode("utf-8", "surrogateescape"),
        "username": user.qualified,
    }
    with peers.connect(agent, peer, None) as client:
        answer = client.call(AUTH_CHECK, request, request_type="authCheckInp_PI", reply_type="authCheckOut_PI").body
    proof = answer["serverResponse"].encode("utf-8", "surrogateescape")
    # A zone without a key could be anybody's.
    if not peer.zone_key or not hmac.compare_digest(proof, digest_response(challenge, peer.zone_key)):
        raise IrodsError(codes.REMOTE_SERVER_AUTHENTICATION_FAILURE, f"zone {user.zone} does not know its key")
    return degraded(answer["privLevel"]), degraded(answer["clientPrivLevel"])


def degraded(flag: int) -> int:
    """What a privilege of one zone is worth in another."""
    return _DEGRADED.get(flag, flag)


def proof(agent: Agent, challenge: bytes) -> str:
    """What shows another zone that this server knows this zone's key."""
    return digest_response(challenge, agent.config.zone_key).decode("utf-8", "surrogateescape")
