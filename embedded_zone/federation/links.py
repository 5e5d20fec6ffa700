"""An agent's connections to other zones, one for each, opened at first use; and the descriptors it has open there."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from embedded_zone.client import Answer, ZoneClient, service_password
from embedded_zone.errors import IrodsError
from embedded_zone.federation import peers, remote_rules
from embedded_zone.federation.peers import Peer
from embedded_zone.objects.descriptors import FIRST, LAST
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent

_KEY = "federation"


class AgentEnds(SystemExit):
    """This agent ends now, as a real server's does where a zone cannot be reached: the client gets no reply."""


class Link:
    """The connection to one zone. Once broken it stays so: the client needs a new session (facts 9.5)."""

    def __init__(self, agent: Agent, peer: Peer) -> None:
        self.agent, self.peer = agent, peer
        self.unlinked = ""  # the path that was last found not to lie in a linked collection
        self.has_written = False
        self._client: ZoneClient | None = None
        self._broken = False

    def call(
        self, number: int, request: Any, stream: bytes | memoryview = b"", *, request_type: str, reply_type: str = ""
    ) -> Answer:
        """One call there; raises IrodsError with its code. The answer's ``stream`` is valid until the next call."""
        try:
            answer = self._connected().exchange(
                number, request, stream, request_type=request_type, reply_type=reply_type
            )
        except IrodsError as error:
            if error.code != codes.SYS_SOCK_READ_ERR:
                raise
            self._broken = True
            raise IrodsError(codes.SYS_HEADER_READ_LEN_ERR, f"zone {self.peer.zone} is gone") from None
        self.agent.r_error.extend(answer.errors)
        if answer.status < 0:
            raise IrodsError(answer.status, f"said by zone {self.peer.zone}", answer.body)
        return answer

    def _connected(self) -> ZoneClient:
        if self._broken:
            raise IrodsError(codes.SYS_SOCK_READ_ERR, f"zone {self.peer.zone} was gone before")
        if self._client is None:
            self._client = peers.connect(self.agent, self.peer, service_password(self.agent.config))
        return self._client

    def close(self) -> None:
        """Say goodbye."""
        if self._client is not None:
            self._client.close()
            self._client = None


@dataclass
class Links:
    """All of an agent's links; ``open`` maps a descriptor of this agent to the link and its descriptor there."""

    agent: Agent
    zones: dict[str, Link] = field(default_factory=dict)
    open: dict[int, tuple[Link, int]] = field(default_factory=dict)

    def to(self, zone: str) -> Link | None:
        """The link to a zone, None unless the catalogue knows the zone as remote."""
        if zone not in self.zones:
            peer = peers.find(self.agent, zone)
            if peer is None:
                return None
            self.zones[zone] = Link(self.agent, peer)
        return self.zones[zone]

    def remember(self, link: Link, number: int) -> int:
        """A descriptor of this agent for one over there: counted from the end, so that it meets none of objects/."""
        mine = next((n for n in range(LAST - 1, FIRST, -1) if n not in self.open), 0)
        if not mine:
            raise IrodsError(codes.SYS_OUT_OF_FILE_DESC, "too many open data objects")
        self.open[mine] = (link, number)
        return mine


def attach(agent: Agent) -> None:
    """Give a new agent its links and the way to run rules in other zones."""
    agent.scratch[_KEY] = links = Links(agent)
    agent.scratch["federated_rule"] = partial(remote_rules.run, links.to)


def of(agent: Agent) -> Links | None:
    """The links of an agent; None for one that was made without ``attach`` (tests of other parts)."""
    found: Links | None = agent.scratch.get(_KEY)
    return found


def leave(agent: Agent) -> None:
    """Say goodbye to all zones."""
    links = of(agent)
    for link in links.zones.values() if links else ():
        link.close()
