"""API 723 (ticket_admin): create, change, delete tickets; use one for the rest of the session."""

from __future__ import annotations

from typing import Any

from embedded_zone.agent import Agent
from embedded_zone.api import api
from embedded_zone.catalog import tickets


@api(723, "ticket_admin", request="ticketAdminInp_PI")
def ticket_admin(agent: Agent, request: dict[str, Any], stream: bytes) -> None:
    """Run one ticket operation: arg1 names it, arg2 is the ticket."""
    args = [request.get(f"arg{i}") or "" for i in range(1, 7)]
    tickets.administer(agent, args, request.get("KeyValPair_PI") or {})
