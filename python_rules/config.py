"""``sluice.json``: the settings, their defaults, and the check of a file against them.

The file lies beside the server's ``core.py`` (``/etc/irods/sluice.json`` on a real server). SETTINGS is the one
table: the published JSON schema and the documentation's list are made from it.
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict, NamedTuple, Tuple, Type, Union

from python_rules import systems
from python_rules.jobs.errors import JobError

NATIVE_INSTANCE = "irods_rule_engine_plugin-irods_rule_language-instance"
PYTHON_INSTANCE = "irods_rule_engine_plugin-python-instance"
FILE_NAME = "sluice.json"
SYSTEMS = "systems"  # the one section whose keys an administrator makes up


class Setting(NamedTuple):
    """One key of the file: its type, its default (None: it must be given), what it means and its unit."""

    kind: Union[Type[Any], Tuple[Type[Any], ...]]
    default: Any
    means: str
    words: Tuple[str, ...] = ()  # the only values, where it is one of a few words


SETTINGS: Dict[str, Setting] = {
    "zone.name": Setting(str, None, "the zone that this server belongs to"),
    "zone.ledger": Setting(str, "", "collection of the job records; default /<zone>/sluice"),
    "zone.environment": Setting(
        str,
        "/var/lib/irods/.irods/irods_environment.json",
        "irods_environment.json of the service account (a rodsadmin); its .irodsA lies beside it",
    ),
    "rules.python_instance": Setting(str, PYTHON_INSTANCE, "instance name of the Python rule engine"),
    "rules.native_instance": Setting(str, NATIVE_INSTANCE, "instance name of the rule language engine"),
    "engine.python": Setting(str, None, "the interpreter of Sluice's own virtual environment"),
    "engine.connections": Setting(int, 4, "objects worked on at the same time, each with a connection of its own"),
    "engine.threads": Setting(int, 0, "threads for compression; 0: one for each core"),
    "engine.heartbeat_seconds": Setting((int, float), 2, "how often a running job writes its lease and progress"),
    "engine.lease_seconds": Setting(
        (int, float), 30, "an attempt that wrote no heartbeat for so long is taken for dead"
    ),
    "engine.state": Setting(str, "", "folder of what engines of this host share; default: the keyring's"),
    "engine.log_level": Setting(str, "", "DEBUG, INFO, ...; default: INFO for ours, WARNING for libraries"),
    "engine.log": Setting(str, "", "file that engines append their log lines to; default: the server's stderr"),
    "jobs.attempts": Setting(int, 4, "so often a job is tried that fails for a passing reason"),
    "jobs.retry_seconds": Setting((int, float), 30, "pause before the second attempt; it doubles for each further one"),
    "jobs.shards": Setting(int, 4, "parts that a big collection is split into, for as many executors; 1: never split"),
    "jobs.shard_objects": Setting(int, 1000, "objects that a part has at least"),
    "jobs.retention_days": Setting((int, float), 90, "records of ended jobs are removed after so long; 0: never"),
    "patrol.seconds": Setting((int, float), 60, "how often the patrol goes round"),
    "patrol.scan_seconds": Setting((int, float), 600, "how often it looks for data that no hook saw arrive"),
    "patrol.unlock": Setting(str, "own", "which rows a dead delay server's lock is taken from", ("own", "all")),
    "keys.keyring": Setting(str, None, "file of the wrapped keys"),
    "keys.provider": Setting(str, "file", "who wraps the keys: file, pkcs11 or transit"),
    "keys.master_key": Setting(str, "", "file: of the master key (32 bytes, base64); mode 0600, owned by the service"),
    "keys.master_label": Setting(str, "sluice", "pkcs11, transit: name of the master key there"),
    "keys.pkcs11_module": Setting(str, "", "pkcs11: shared library of the token's maker"),
    "keys.pkcs11_token": Setting(str, "", "pkcs11: label of the token"),
    "keys.pin_file": Setting(str, "", "pkcs11: file of the user PIN; mode 0600"),
    "keys.transit_url": Setting(str, "", "transit: address of the service, https://host:8200"),
    "keys.transit_mount": Setting(str, "transit", "transit: where the engine is mounted"),
    "keys.transit_authority": Setting(str, "", "transit: file of the CA certificates; default: the system's"),
    "keys.token_file": Setting(str, "", "transit: file of the client's token; mode 0600"),
    "keys.audit": Setting(str, "", "file of the audit log; default: the keyring's name with .audit"),
    "keys.destroy_days": Setting((int, float), 7, "days from the order to destroy a key until it is done"),
    "hooks.quiet_seconds": Setting((int, float), 2, "how long nothing more may arrive before a policy acts"),
    "hooks.longest_seconds": Setting((int, float), 60, "how long a policy waits at most while more keeps arriving"),
    "hooks.policy_cache_seconds": Setting((int, float), 0.25, "how long an agent remembers the list of policies"),
    "hooks.arrivals": Setting(
        str, "on", "off: event handlers call irods_policy_sluice_arrived, or only the patrol looks", ("on", "off")
    ),
    "guard.delayed_rules": Setting(
        str, "on", "off: ANY USER MAY RUN PYTHON AS THE SERVICE ACCOUNT by a delayed rule", ("on", "off")
    ),
}


class Config:
    """The checked settings; ``config["zone.name"]``."""

    def __init__(self, values: Dict[str, Any], path: str, known: Dict[str, Dict[str, Any]]) -> None:
        self._values = values
        self.path = path
        self.systems = known  # by name, with every default filled in; ``systems.TYPES`` lists the keys

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    @property
    def ledger(self) -> str:
        """The ledger collection, without a trailing slash."""
        return self["zone.ledger"].rstrip("/") or f"/{self['zone.name']}/sluice"


def load(path: str) -> Config:
    """The settings in a file; raises JobError ``configuration`` that names the key and the file."""
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise _wrong(path, f"is not JSON: {error}") from None
    values = _checked(path, content)
    return Config(values, path, systems.checked(content.get(SYSTEMS, {}), lambda text: _wrong(path, text)))


def beside(module_file: str) -> str:
    """The path of the settings file that lies in the folder of a module (the server's core.py)."""
    return os.path.join(os.path.dirname(os.path.abspath(module_file)), FILE_NAME)


def schema() -> Dict[str, Any]:
    """The JSON schema (2020-12) of the file."""
    sections: Dict[str, Any] = {}
    for name, setting in SETTINGS.items():
        section, _, key = name.partition(".")
        properties = sections.setdefault(section, {"type": "object", "properties": {}, "additionalProperties": False})
        described: Dict[str, Any] = {"type": systems.json_type(setting.kind), "description": setting.means}
        if setting.words:
            described["enum"] = list(setting.words)
        if setting.default is None:
            properties.setdefault("required", []).append(key)
        else:
            described["default"] = setting.default
        properties["properties"][key] = described
    sections[SYSTEMS] = systems.schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": FILE_NAME,
        "type": "object",
        "properties": sections,
        "required": [name for name, section in sections.items() if "required" in section],
        "additionalProperties": False,
    }


def _checked(path: str, content: Any) -> Dict[str, Any]:
    if not isinstance(content, dict) or not all(isinstance(part, dict) for part in content.values()):
        raise _wrong(path, 'must be an object of sections: {"zone": {...}, "engine": {...}, ...}')
    sections = ((section, part) for section, part in content.items() if section != SYSTEMS)
    given = {f"{section}.{key}": value for section, part in sections for key, value in part.items()}
    for name, value in given.items():
        if name not in SETTINGS:
            raise _wrong(path, f"has an unknown key {name!r}; known are {', '.join(SETTINGS)}")
        if not isinstance(value, SETTINGS[name].kind) or isinstance(value, bool):
            raise _wrong(path, f"{name} must be of type {systems.json_type(SETTINGS[name].kind)}")
        if SETTINGS[name].words and value not in SETTINGS[name].words:
            raise _wrong(path, f"{name} must be {' or '.join(SETTINGS[name].words)}")
    missing = [name for name, setting in SETTINGS.items() if setting.default is None and name not in given]
    if missing:
        raise _wrong(path, f"lacks {', '.join(missing)}")
    return {name: given.get(name, setting.default) for name, setting in SETTINGS.items()}


def _wrong(path: str, what: str) -> JobError:
    return JobError("configuration", f"{path} {what}", remedy="an administrator must correct the file")
