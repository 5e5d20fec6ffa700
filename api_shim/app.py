"""The Flask application, put together from its parts."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from apiflask import APIFlask
from flask import Response, g, request

from api_shim import (
    administration,
    chains,
    data,
    docs,
    jobs,
    keys,
    lexis,
    lexis_table,
    lexis_transfer,
    openapi,
    policies,
    problems,
    state,
    tus,
    tus_metadata,
)
from api_shim.callers import Callers
from api_shim.service import EXTENSION, Service
from api_shim.tokens import Tokens
from python_rules.jobs import model
from workers import logs, metrics
from workers.app import SluiceCelery, make_app
from workers.settings import Settings

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
log = logging.getLogger(__name__)
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def create_app(
    settings: Settings, celery: SluiceCelery | None = None, login: Callable[[str, str], None] | None = None
) -> APIFlask:
    """The application; ``login(name#zone, password)`` raises LoginRefused, and is the zone's own unless given."""
    celery = celery or make_app(settings)
    app = APIFlask(
        "api_shim",
        title="Sluice",
        version=state.installed_version(),
        docs_path=None,
        json_errors=False,
        static_folder=None,  # type: ignore[arg-type]
    )
    app.config["MAX_CONTENT_LENGTH"] = settings.http.body_limit
    zone = celery.zone
    callers = Callers(
        zone.full_name, login or zone.login, settings.http, Tokens(settings.oidc), zone.name, zone.service_user
    )
    streams = threading.Semaphore(settings.http.events_limit)
    app.extensions[EXTENSION] = Service(settings, celery, callers, streams)
    for blueprint in (
        jobs.blueprint,
        chains.blueprint,
        data.blueprint,
        administration.blueprint,
        policies.blueprint,
        keys.blueprint,
        state.blueprint,
        docs.blueprint,
    ):
        app.register_blueprint(blueprint)
    app.register_blueprint(tus.blueprint_at("uploads", "/api/v1/uploads", tus_metadata.destination))
    for name in lexis_table.PREFIXES:
        app.register_blueprint(lexis.blueprint_at(name))
        at = f"{lexis_table.PREFIXES[name]}/transfer/upload"
        app.register_blueprint(tus.blueprint_at(f"lexis_{name}_uploads", at, lexis_transfer.destination))
    older = f"{lexis_table.PREFIXES['portal']}/upload"
    app.register_blueprint(tus.blueprint_at("lexis_portal_older_uploads", older, lexis_transfer.portal_destination))
    problems.register(app)
    openapi.describe(app)
    app.before_request(_begin)
    app.after_request(_with_headers)
    app.after_request(_counted)
    return app


def _begin() -> None:
    g.begun = time.monotonic()
    named = (request.view_args or {}).get("job_id", "")
    logs.name_job(named if model.is_job_id(named) else "")


def _counted(response: Response) -> Response:
    """A line and two numbers for each answer; the route's pattern, never a path that somebody made up."""
    seconds = time.monotonic() - g.begun
    route = str(request.url_rule or "none")
    method = request.method if request.method in _METHODS else "other"
    metrics.REQUESTS.labels(route, method, response.status_code).inc()
    metrics.REQUEST_SECONDS.labels(route).observe(seconds)
    told = {"user": g.get("user"), "route": route, "method": method, "status": response.status_code}
    log.info("answered", extra={**told, "milliseconds": round(seconds * 1000, 1)})
    return response


def _with_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response
