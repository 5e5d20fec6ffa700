"""Set the zone up at the container's first start, bring the rule base up to date, and become the server.

start.py             as root
start.py --answers   the health check: the server takes connections
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ETC, HOME = Path("/etc/irods"), Path("/var/lib/irods")
SLUICE = Path("/opt/sluice/venv/bin")
AS_SERVICE = ["setpriv", "--reuid=irods", "--regid=irods", "--init-groups", "--"]
PORT = 1247
RESOURCE = "demoResc"
PYTHON_ENGINE = {
    "instance_name": "irods_rule_engine_plugin-python-instance",
    "plugin_name": "irods_rule_engine_plugin-python",
    "plugin_specific_configuration": {},
}


def main(arguments: list[str]) -> None:
    """Does not come back, but for the health check."""
    if arguments == ["--answers"]:
        socket.create_connection(("127.0.0.1", PORT), timeout=5).close()
        return
    if not (HOME / ".irods" / "irods_environment.json").exists():
        _set_up()
    os.environ["HOME"] = str(HOME)
    # the folder is a volume: one that an older image filled still leads to that image's release
    subprocess.run([*AS_SERVICE, str(SLUICE / "sluice-install"), "--zone", os.environ["IRODS_ZONE"]], check=True)
    if not (HOME / "sluice" / "master.key").exists():
        subprocess.run(
            [*AS_SERVICE, str(SLUICE / "sluice-keys"), "--config", str(ETC / "sluice.json"), "init"], check=True
        )
    os.chdir(HOME)
    command = [*AS_SERVICE, "/usr/sbin/irodsServer", "--stdout"]
    os.execvp(command[0], command)  # noqa: S606


def _set_up() -> None:
    template = json.loads((HOME / "packaging" / "server_config.json.template").read_text())
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:  # 0600
        json.dump(unattended(template, _secret), file)
        file.flush()
        script = str(HOME / "scripts" / "setup_irods.py")
        subprocess.run([sys.executable, script, "--json_configuration_file", file.name], check=True)


def unattended(template: dict[str, Any], secret: Callable[[str], str]) -> dict[str, Any]:
    """What setup_irods.py asks for, with the package's own template of server_config.json as its base."""
    return {
        "admin_password": secret("zone"),
        "default_resource_name": RESOURCE,
        "default_resource_directory": str(HOME / "Vault"),
        "host_system_information": {"service_account_user_name": "irods", "service_account_group_name": "irods"},
        "server_config": _server_config(template, secret),
        "service_account_environment": _environment(),
    }


def _server_config(template: dict[str, Any], secret: Callable[[str], str]) -> dict[str, Any]:
    host, plugins = socket.gethostname(), template["plugin_configuration"]
    return {
        **template,
        "host": host,
        "catalog_service_role": "provider",
        "catalog_provider_hosts": [host],
        "zone_name": os.environ["IRODS_ZONE"],
        "zone_port": PORT,
        "zone_user": os.environ["IRODS_USER"],
        "zone_key": secret("zone_key"),
        "negotiation_key": secret("negotiation_key"),
        "default_resource_name": RESOURCE,
        "server_port_range_start": 20000,
        "server_port_range_end": 20199,
        "plugin_configuration": {
            **plugins,
            "database": _catalogue(secret("catalogue")),
            "rule_engines": [PYTHON_ENGINE, *plugins["rule_engines"]],  # before the rule language
        },
    }


def _catalogue(password: str) -> dict[str, Any]:
    return {
        "technology": "postgres",
        "host": os.environ["CATALOGUE_HOST"],
        "port": 5432,
        "name": "ICAT",
        "username": "irods",
        "password": password,
        "odbc_driver": "PostgreSQL Unicode",
    }


def _environment() -> dict[str, Any]:
    zone, user = os.environ["IRODS_ZONE"], os.environ["IRODS_USER"]
    return {
        "schema_name": "service_account_environment",
        "schema_version": "v5",
        "irods_host": socket.gethostname(),
        "irods_port": PORT,
        "irods_default_resource": RESOURCE,
        "irods_home": f"/{zone}/home/{user}",
        "irods_cwd": f"/{zone}/home/{user}",
        "irods_user_name": user,
        "irods_zone_name": zone,
        "irods_client_server_policy": "CS_NEG_REFUSE",
        "irods_connection_pool_refresh_time_in_seconds": 300,
        "irods_default_hash_scheme": "SHA256",
        "irods_default_number_of_transfer_threads": 4,
        "irods_encryption_algorithm": "AES-256-CBC",
        "irods_encryption_key_size": 32,
        "irods_encryption_num_hash_rounds": 16,
        "irods_encryption_salt_size": 8,
        "irods_match_hash_policy": "compatible",
        "irods_maximum_size_for_single_buffer_in_megabytes": 32,
        "irods_transfer_buffer_size_for_parallel_transfer_in_megabytes": 4,
    }


def _secret(name: str) -> str:
    return Path("/run/secrets", name).read_text().strip()


if __name__ == "__main__":
    main(sys.argv[1:])
