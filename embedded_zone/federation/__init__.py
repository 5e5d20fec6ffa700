"""Federation: calls on paths of another zone, made there as a real 5.0.2 server makes them.

    peers        which zones are known, and where they are
    links        this agent's connection to another zone's server, and its open descriptors there
    questions    what a server asks the other one around a call (links, status, resource, parent)
    hints        which zone a query is about
    routes       the table: API, where its path stands, what is asked before, how it is passed on
    opening, copying, changing    the calls that are not simply passed on
    login        users of other zones, confirmed by their own zone (API 705)
    remote_rules remote() with another zone's host

API handlers know nothing of it: ``api`` asks ``forwarded`` before it calls one. Errors, hooks and what does not work
are those observed between two real zones (facts, section 9).
"""

from embedded_zone.federation.links import attach, leave
from embedded_zone.federation.routes import Forwarding, forwarding

__all__ = ["Forwarding", "attach", "forwarding", "leave"]
