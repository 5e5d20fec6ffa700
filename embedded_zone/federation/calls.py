"""A call on its way to another zone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedded_zone.client import Answer
from embedded_zone.federation.links import Link, Links

if TYPE_CHECKING:
    from embedded_zone.agent import Agent


@dataclass
class Call:
    """An API call of this agent's client, and the link to the zone that it is about."""

    agent: Agent
    links: Links
    link: Link
    number: int
    request: Any
    stream: bytes | memoryview
    request_type: str
    reply_type: str
    path: str = ""

    def forward(self, **changes: Any) -> Answer:
        """The same call there; ``changes`` are fields of the request that differ."""
        request = {**self.request, **changes} if changes else self.request
        return self.link.call(
            self.number, request, self.stream, request_type=self.request_type, reply_type=self.reply_type
        )
