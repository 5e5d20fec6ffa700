"""A zone's configuration: the subset of iRODS's ``server_config.json`` that an embedded zone honours."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

PYTHON_ENGINE = "irods_rule_engine_plugin-python-instance"
NATIVE_ENGINE = "irods_rule_engine_plugin-irods_rule_language-instance"


class ConfigError(Exception):
    """The configuration file cannot be used; the text names the file, the key and the remedy."""


@dataclass(frozen=True)
class ZoneConfig:
    """What an embedded zone is told at start; ``home`` holds everything that it keeps.

    Layout of ``home``: ``etc/`` (``server_config.json``, ``core.py`` and what it imports; stands for
    ``/etc/irods``), ``catalog.sqlite``, ``vault/<resource>/``, ``log/zone.jsonl``, ``run/`` (pid, port),
    ``.irods/`` (the service account's ``irods_environment.json`` and ``.irodsA``).
    """

    home: Path
    zone_name: str = "tempZone"
    host: str = "127.0.0.1"
    zone_port: int = 0  # 0: take a free one and write it to run/port
    zone_user: str = "rods"
    default_resource_name: str = "demoResc"
    report_version: str = "rods5.0.2"
    rule_engines: tuple[str, ...] = (PYTHON_ENGINE, NATIVE_ENGINE)
    delay_server_sleep_time_in_seconds: float = 0.5
    number_of_concurrent_delay_rule_executors: int = 4
    maximum_size_for_single_buffer_in_megabytes: int = 32
    client_server_policy: str = "CS_NEG_DONT_CARE"
    tls_certificate_chain_file: str = ""
    tls_certificate_key_file: str = ""
    trace: bool = False  # write every hook that fires, defined or not, to log/trace.jsonl (slow)
    zone_key: str = ""  # by which zones that federate with this one recognize its server
    # One entry for each other zone: zone_name, zone_key, negotiation_key (32 characters), host, port.
    federation: tuple[dict[str, Any], ...] = field(default=())

    @property
    def etc(self) -> Path:
        return self.home / "etc"

    @property
    def catalog(self) -> Path:
        return self.home / "catalog.sqlite"

    @property
    def vault(self) -> Path:
        return self.home / "vault"

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def log(self) -> Path:
        return self.home / "log"

    @property
    def service_environment(self) -> Path:
        return self.home / ".irods" / "irods_environment.json"

    @classmethod
    def load(cls, home: Path) -> ZoneConfig:
        """Read ``home/etc/server_config.json``; raises ConfigError naming an unknown key or a wrong type."""
        path = home / "etc" / "server_config.json"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(f"{path} does not exist: make a zone there with 'embedded-zone init {home}'") from None
        except json.JSONDecodeError as error:
            raise ConfigError(f"{path}: not JSON: {error}") from None
        return cls.checked(home, values, str(path))

    @classmethod
    def checked(cls, home: Path, values: dict[str, Any], origin: str) -> ZoneConfig:
        """A configuration from plain JSON values; raises ConfigError as ``load`` does."""
        known = {f.name: f for f in fields(cls) if f.name != "home"}
        for key, value in values.items():
            if key not in known:
                raise ConfigError(f"{origin}: unknown key {key!r}; known are {', '.join(sorted(known))}")
            default = known[key].default
            if isinstance(default, tuple):
                if not isinstance(value, list):
                    raise ConfigError(f"{origin}: {key} must be a list")
            elif isinstance(default, float):
                if not isinstance(value, int | float):
                    raise ConfigError(f"{origin}: {key} must be a number")
            elif type(value) is not type(default):
                raise ConfigError(f"{origin}: {key} must be of type {type(default).__name__}")
        converted: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(home=home, **converted)
