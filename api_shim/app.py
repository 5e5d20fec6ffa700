"""The Flask application, put together from its parts."""

from __future__ import annotations

import threading
from collections.abc import Callable

from apiflask import APIFlask
from flask import Response

from api_shim import docs, jobs, lexis, openapi, problems, state
from api_shim.callers import Callers
from api_shim.service import EXTENSION, Service
from workers.app import SluiceCelery, make_app
from workers.settings import Settings

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
    callers = Callers(
        celery.zone.full_name, login or celery.zone.login, settings.http.login_cache_seconds, celery.zone.name
    )
    streams = threading.Semaphore(settings.http.events_limit)
    app.extensions[EXTENSION] = Service(settings, celery, celery.zone, callers, streams)
    for blueprint in (jobs.blueprint, state.blueprint, docs.blueprint):
        app.register_blueprint(blueprint)
    for name, prefix in lexis.PREFIXES.items():
        app.register_blueprint(lexis.blueprint_at(name, prefix))
    problems.register(app)
    openapi.describe(app)
    app.after_request(_with_headers)
    return app


def _with_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response
