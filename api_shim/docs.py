"""The browsable page of the API: Swagger UI from the installed package; nothing is loaded from elsewhere."""

from __future__ import annotations

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, redirect, send_from_directory, url_for
from werkzeug.wrappers import Response as AnyResponse

blueprint = Blueprint("docs", __name__)
ASSETS = Path(flask_swagger_ui.__file__).parent / "dist"
_START = """\
window.ui = SwaggerUIBundle({
  url: "openapi.json", dom_id: "#api", deepLinking: true, validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Sluice: the API</title>
  <link rel="icon" href="docs/favicon-32x32.png">
  <link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
  <div id="api"></div>
  <script src="docs/swagger-ui-bundle.js"></script>
  <script src="docs/start.js"></script>
</body>
</html>
"""
# Swagger UI styles elements itself and shows its icons as data: URLs.
_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"


@blueprint.get("/")
def index() -> AnyResponse:
    """To the page."""
    return redirect(url_for("docs.page"))


@blueprint.get("/docs")
def page() -> Response:
    """The page itself."""
    return Response(_PAGE, content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": _POLICY})


@blueprint.get("/docs/start.js")
def start() -> Response:
    """What the page runs; a file of its own, so that no inline script need be allowed."""
    return Response(_START, content_type="text/javascript; charset=utf-8")


@blueprint.get("/docs/<asset>")
def asset(asset: str) -> Response:
    """A file of Swagger UI."""
    return send_from_directory(ASSETS, asset, max_age=86400)
