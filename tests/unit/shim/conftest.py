"""The shim without a zone: settings that point at a closed port, and a table of logins."""

from __future__ import annotations

import json
import socket
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from irods.password_obfuscation import encode

from api_shim.app import create_app
from workers import settings as settings_module
from workers.app import SluiceCelery, make_app
from workers.settings import Settings
from workers.zone import LoginRefused

PASSWORDS = {"alice#tempZone": "secret of alice", "bob#tempZone": "secret of bob"}


def login(user: str, password: str) -> None:
    """A zone of two users."""
    if PASSWORDS.get(user) != password:
        raise LoginRefused


def basic(user: str, password: str = "") -> dict[str, str]:
    """The header of HTTP Basic."""
    words = f"{user}:{password or PASSWORDS.get(user + '#tempZone', '')}"
    return {"Authorization": "Basic " + b64encode(words.encode()).decode()}


@pytest.fixture(scope="module")
def closed_port() -> Iterator[int]:
    """A port of this machine that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory, closed_port: int) -> dict[str, Any]:
    """The content of a shim.json whose zone is away."""
    tmp_path = tmp_path_factory.mktemp("shim")
    environment = tmp_path / "irods_environment.json"
    account = {"irods_user_name": "rods", "irods_zone_name": "tempZone"}
    environment.write_text(json.dumps({"irods_host": "127.0.0.1", "irods_port": closed_port, **account}))
    (tmp_path / ".irodsA").write_text(encode("nobody's password"))
    return {
        "zone": {"environment": str(environment)},
        "celery": {"data": str(tmp_path / "data"), "resend_seconds": 0},
        "http": {"wait_seconds": 0.1, "body_limit": 2048},
    }


@pytest.fixture(scope="module")
def settings(content: dict[str, Any]) -> Settings:
    """Those settings, checked."""
    return settings_module.from_json(content)


@pytest.fixture(scope="module")
def celery(settings: Settings) -> SluiceCelery:
    """The Celery application with its spool and SQLite; no worker runs."""
    return make_app(settings)


@pytest.fixture(scope="module")
def app(settings: Settings, celery: SluiceCelery) -> Flask:
    """The application before that zone."""
    return create_app(settings, celery, login)


@pytest.fixture(scope="module")
def client(app: Flask) -> FlaskClient:
    """Flask's test client, nobody in particular."""
    return app.test_client()
