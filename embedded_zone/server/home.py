"""A zone's home directory: what ``init`` makes, and the files that tell clients where the zone is."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import fields
from pathlib import Path
from typing import Any

from embedded_zone.catalog.database import Database
from embedded_zone.config import ConfigError, ZoneConfig
from embedded_zone.wire.obfuscation import encode_irods_a

CORE_PY = '''"""The zone's rule base: functions here are hooks and rules, loaded fresh by every connection.

    def acPostProcForPut(rule_args, callback, rei):
        callback.writeLine("serverLog", "stored " + str(rei.doi.objPath))
"""
'''

# How a client would encrypt portal traffic; an environment that asks for TLS must name them.
_ENCRYPTION = {
    "irods_encryption_algorithm": "AES-256-CBC",
    "irods_encryption_key_size": 32,
    "irods_encryption_num_hash_rounds": 16,
    "irods_encryption_salt_size": 8,
}


def config_path(home: Path) -> Path:
    """Where the configuration of a zone lies."""
    return home / "etc" / "server_config.json"


def init_home(home: Path, password: str = "", **values: Any) -> ZoneConfig:
    """Make a new zone in ``home``; raises ConfigError if there is one already or a value is wrong.

    Without a ``password`` the administrator gets a generated one (``client.service_password``): whoever may log in as
    administrator runs Python as this Unix user, and every user of the machine reaches its loopback ports.
    """
    home = home.absolute()
    password = password or secrets.token_urlsafe(12)
    if config_path(home).exists():
        raise ConfigError(f"{home} already holds a zone")
    config = ZoneConfig.checked(home, _plain(values), "command line")
    for folder in (config.etc, config.log, config.run, config.vault / config.default_resource_name):
        folder.mkdir(parents=True, exist_ok=True)
    config.service_environment.parent.mkdir(mode=0o700, exist_ok=True)
    if not (config.etc / "core.py").exists():
        (config.etc / "core.py").write_text(CORE_PY, encoding="utf-8")
    Database.create(config.catalog, config, password).close()
    write_environment(config, config.zone_port)
    _write(config.service_environment.with_name(".irodsA"), encode_irods_a(password))
    write_config(config)
    return config


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def write_config(config: ZoneConfig) -> None:
    """Store a configuration, every key written out."""
    values = {field.name: getattr(config, field.name) for field in fields(config) if field.name != "home"}
    _write(config_path(config.home), json.dumps(values, indent=4) + "\n")


def update_config(config: ZoneConfig, **values: Any) -> ZoneConfig:
    """Change keys of a stored configuration; raises ConfigError as ``ZoneConfig.load`` does."""
    stored = {field.name: getattr(config, field.name) for field in fields(config) if field.name != "home"}
    changed = ZoneConfig.checked(config.home, _plain({**stored, **values}), str(config_path(config.home)))
    write_config(changed)
    return changed


def environment(config: ZoneConfig, port: int) -> dict[str, Any]:
    """The client environment of the zone's administrator, as ``irods_environment.json`` holds it."""
    values: dict[str, Any] = {
        "irods_host": config.host,
        "irods_port": port,
        "irods_user_name": config.zone_user,
        "irods_zone_name": config.zone_name,
        "irods_home": f"/{config.zone_name}/home/{config.zone_user}",
        "irods_cwd": f"/{config.zone_name}/home/{config.zone_user}",
        "irods_default_resource": config.default_resource_name,
        "irods_authentication_scheme": "native",
        "irods_client_server_negotiation": "request_server_negotiation",
        # python-irodsclient refuses to connect with CS_NEG_DONT_CARE of its own
        "irods_client_server_policy": "CS_NEG_REQUIRE" if config.tls_certificate_chain_file else "CS_NEG_REFUSE",
    }
    if config.tls_certificate_chain_file:
        values |= {
            "irods_ssl_ca_certificate_file": config.tls_certificate_chain_file,
            "irods_ssl_verify_server": "cert",
        }
        values |= _ENCRYPTION
    return values


def write_environment(config: ZoneConfig, port: int) -> None:
    """Tell the service account, and whoever copies its file, where the zone listens."""
    _write(config.service_environment, json.dumps(environment(config, port), indent=4) + "\n")


def last_port(config: ZoneConfig) -> int:
    """The port of the last run, so that a restart keeps clients' environments valid; 0 if unknown."""
    try:
        return int(json.loads(config.service_environment.read_text(encoding="utf-8"))["irods_port"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def running_pid(config: ZoneConfig) -> int:
    """The process number of the zone's running supervisor, 0 if it does not run."""
    try:
        pid = int((config.run / "zone.pid").read_text(encoding="ascii"))
        os.kill(pid, 0)
        command = Path(f"/proc/{pid}/cmdline")
        return pid if not command.exists() or b"embedded_zone" in command.read_bytes() else 0
    except (OSError, ValueError):
        return 0


def _write(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner only."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)
