"""The server side of one client connection: whom it serves and what it holds open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from embedded_zone.wire.packing import Protocol

if TYPE_CHECKING:
    from logging import Logger

    from embedded_zone.catalog.database import Database
    from embedded_zone.config import ZoneConfig
    from embedded_zone.objects.descriptors import Descriptors
    from embedded_zone.rules.host import RuleHost

# Privilege levels as iRODS counts them (rodsUser.h); a hook sees them as *_auth_info_auth_flag.
NO_USER_AUTH = 0
PUBLIC_USER_AUTH = 1
REMOTE_USER_AUTH = 2
LOCAL_USER_AUTH = 3
REMOTE_PRIV_USER_AUTH = 4
LOCAL_PRIV_USER_AUTH = 5


@dataclass
class Identity:
    """A user as a connection knows it; ``user_id`` is 0 until authentication succeeded."""

    name: str
    zone: str
    user_id: int = 0
    user_type: str = ""
    auth_flag: int = NO_USER_AUTH

    @property
    def qualified(self) -> str:
        """The name as ``name#zone``, the only form that is unique across a federation."""
        return f"{self.name}#{self.zone}"


@dataclass
class Agent:
    """One connection's state; handed to every API handler as its first argument."""

    config: ZoneConfig
    db: Database
    log: Logger
    client: Identity
    proxy: Identity
    option: str = ""  # the application name; hooks see it as context key 'option'
    client_address: str = ""
    api_number: int = 0  # of the call being served
    connect_count: int = 0
    session_signature: str = ""  # hex of the first 16 challenge bytes; scrambles password changes
    auth_scheme: str = "native"
    ticket: str = ""
    version: tuple[int, ...] = (5, 0, 2)  # the client's
    protocol: Protocol = Protocol.XML_PROT  # of message bodies, as the client asked
    r_error: list[tuple[int, str]] = field(default_factory=list)  # RError_PI of the reply being made
    rules: RuleHost = field(init=False)
    descriptors: Descriptors = field(init=False)
    scratch: dict[str, Any] = field(default_factory=dict)  # per-connection state of one API family

    @property
    def is_admin(self) -> bool:
        """Whether the client user is a rodsadmin of this zone."""
        return self.client.auth_flag >= LOCAL_PRIV_USER_AUTH
