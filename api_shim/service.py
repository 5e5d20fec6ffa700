"""What the routes share: the zone, the queue, the callers; one object for each application."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import cast

from flask import current_app, g, request

from api_shim.callers import Callers
from api_shim.recent import Recent
from python_rules.jobs.record import Body
from workers.app import SluiceCelery
from workers.settings import Settings
from workers.zone import Zone
from workers.zones import Zones

EXTENSION = "sluice"
# Bodies never change; each is about 1 KiB. Whether a caller may see one is asked of the catalogue every time.
_BODIES, _BODY_SECONDS = 10_000, 3600.0


@dataclass
class Service:
    """The parts that the routes work with."""

    settings: Settings
    celery: SluiceCelery
    callers: Callers
    streams: threading.Semaphore
    bodies: Recent[Body] = field(default_factory=lambda: Recent(_BODIES, _BODY_SECONDS))

    @property
    def zones(self) -> Zones:
        """All zones that requests may go to."""
        return self.celery.zones

    @property
    def zone(self) -> Zone:
        """The service's own one."""
        return self.celery.zone


def view_of_request() -> object:
    """The function that answers the present request; None if there is none."""
    return current_app.view_functions.get(request.endpoint or "")


def service() -> Service:
    """The service of the present application."""
    return cast(Service, current_app.extensions[EXTENSION])


def require_caller() -> None:
    """Before a request: who is asking; raises Problem 401."""
    g.user = service().callers.user(request.authorization, request.remote_addr or "")


def caller() -> str:
    """The authenticated user of the present request, as name#zone."""
    return str(g.user)
