"""What the tests of keys share: each provider before its real or nearest peer, a keyring, a log, a clock."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from python_rules import config
from python_rules.config import Config
from python_rules.engine.keys import Keyring, Log, Provider
from python_rules.engine.keys.providers import provider_of
from tests.peers import softhsm, transit

PIN, TOKEN = "5678-user-pin", "s.transit-token"

Settings = Callable[..., Config]


class Clock:
    """A time that passes when told."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_days(self, days: float) -> None:
        self.now += timedelta(days=days)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Writes a sluice.json with these keys.* and reads it."""

    def written(name: str = "sluice.json", **keys: object) -> Config:
        content = {
            "zone": {"name": "z"},
            "engine": {"python": "/x"},
            "keys": {"keyring": str(tmp_path / "keyring.json"), "audit": str(tmp_path / "audit.jsonl"), **keys},
        }
        path = tmp_path / name
        path.write_text(json.dumps(content))
        return config.load(str(path))

    return written


@pytest.fixture(scope="session")
def token(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A token of SoftHSM in a folder of its own; the settings that name it."""
    home = tmp_path_factory.mktemp("softhsm")
    os.environ["SOFTHSM2_CONF"] = str(home / "softhsm2.conf")
    return softhsm.made(home, "sluice-test", PIN, home / "softhsm2.conf")


@pytest.fixture
def service() -> Iterator[tuple[str, transit.Transit]]:
    """The transit service: its address, and what is behind it."""
    with transit.served(TOKEN) as (url, engine):
        yield url, engine


@pytest.fixture
def kinds(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    """The keys.* settings of a provider by its name; every call is another master key."""
    made = 0

    def values(kind: str) -> dict[str, Any]:
        nonlocal made
        made += 1
        label = f"master-{tmp_path.name}-{made}"
        if kind == "pkcs11":
            more = {"pin_file": _private(tmp_path / "pin", PIN), **request.getfixturevalue("token")}
        elif kind == "transit":
            url, _ = request.getfixturevalue("service")
            more = {"token_file": _private(tmp_path / "token", TOKEN), "transit_url": url}
        else:
            more = {"master_key": str(tmp_path / f"{label}.key")}
        return {"provider": kind, "master_label": label, **more}

    return values


@pytest.fixture
def filed(settings: Settings, kinds: Callable[[str], dict[str, Any]]) -> Config:
    """Settings with the embedded default, its master key made."""
    made = settings(**kinds("file"))
    provider_of(made).create()
    return made


@pytest.fixture
def keyring(filed: Config, clock: Clock) -> Keyring:
    return Keyring(filed["keys.keyring"], provider_of(filed), clock)


@pytest.fixture
def log(filed: Config, clock: Clock) -> Log:
    return Log(filed["keys.audit"], clock)


@pytest.fixture(params=["file", "pkcs11", "transit"])
def provider(request: pytest.FixtureRequest, settings: Settings, kinds: Callable[[str], dict[str, Any]]) -> Provider:
    """Each provider in turn, with a master key that was made just now."""
    made = provider_of(settings(**kinds(request.param)))
    made.create()
    return made


def spellings(secret: bytes) -> list[bytes]:
    """How a secret may be written: raw, hex, base64 of both kinds, Python's repr."""
    encoded = [secret.hex(), secret.hex().upper(), repr(secret)[2:-1]]
    encoded += [call(secret).decode().rstrip("=") for call in (base64.b64encode, base64.urlsafe_b64encode)]
    return [secret, *(text.encode() for text in encoded)]


def _private(path: Path, text: str) -> str:
    path.write_text(text + "\n")
    path.chmod(0o600)
    return str(path)
