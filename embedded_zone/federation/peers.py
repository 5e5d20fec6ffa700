"""The other zones that this one knows: ``iadmin mkzone`` says where, the configuration which keys they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedded_zone.client import ZoneClient, trusting
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent

_REMOTE = "select zone_conn_string from R_ZONE_MAIN where zone_name = ? and zone_type_name = 'remote'"


@dataclass(frozen=True)
class Peer:
    """Another zone: its catalogue provider's address, and the key by which its server is recognized."""

    zone: str
    host: str
    port: int
    zone_key: str = ""


def is_local(agent: Agent, zone: str) -> bool:
    return zone.lower() in ("", agent.config.zone_name.lower())


def find(agent: Agent, zone: str) -> Peer | None:
    """A zone that the catalogue knows as remote; None for the own zone and for an unknown one."""
    row = None if is_local(agent, zone) else agent.db.one(_REMOTE, (zone,))
    if row is None:
        return None
    entry = _entry(agent, zone)
    host, _, port = (row["zone_conn_string"] or "").partition(":")
    return Peer(zone, host or entry.get("host", ""), int(port or entry.get("port", 0)), entry.get("zone_key", ""))


def _entry(agent: Agent, zone: str) -> Mapping[str, Any]:
    found = (entry for entry in agent.config.federation if entry.get("zone_name") == zone)
    return next(found, {})


def connect(agent: Agent, peer: Peer, password: str | None) -> ZoneClient:
    """A connection to a zone for this agent's client, with the own service account as proxy.

    Raises CROSS_ZONE_SOCK_CONNECT_ERR minus errno, or what the other server says.
    """
    config = agent.config
    tls = trusting(config.tls_certificate_chain_file) if config.tls_certificate_chain_file else None
    try:
        return ZoneClient(
            peer.host,
            peer.port,
            (config.zone_user, config.zone_name),
            password,
            client=(agent.client.name, agent.client.zone),
            option=agent.option,
            connect_count=agent.connect_count,
            tls=tls,
        )
    except IrodsError as error:
        errno = codes.SYS_SOCK_CONNECT_ERR - error.code
        if not 0 <= errno < 1000:
            raise
        raise IrodsError(codes.CROSS_ZONE_SOCK_CONNECT_ERR - errno, f"zone {peer.zone}: {error.message}") from None
