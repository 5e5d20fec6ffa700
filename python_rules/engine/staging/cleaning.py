"""What staging jobs leave at their target when they end without having published it."""

from __future__ import annotations

import logging
from contextlib import closing

from python_rules.config import Config
from python_rules.engine import identity, leftovers, sessions
from python_rules.engine.staging.ends import End
from python_rules.engine.systems import table
from python_rules.jobs import methods
from python_rules.jobs.errors import JobError
from python_rules.jobs.record import Body

log = logging.getLogger("sluice.staging")


def clean(config: Config, body: Body) -> None:
    """Remove what a job that is over left unpublished; that it cannot be removed now is only logged."""
    request = body.request
    if request.operation != methods.STAGE or not any(request.ends):
        return
    try:
        with sessions.as_service(config) as service:
            end = End.of(config, request.target, identity.of(service, body.user), "target")
            if end.system is None:
                with sessions.as_user(config, body.user) as user:
                    leftovers.clean(service, user, body.id)
                return
        with closing(table.opened(end.system)) as place:
            place.clean(end.path, body.id)
    except JobError as error:
        log.warning("job %s left something: %s", body.id, error.text)
