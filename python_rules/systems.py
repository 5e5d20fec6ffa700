"""The systems that jobs stage from and to, as ``sluice.json`` names them: which keys each type has, and their check.

A row of TYPES and a row of the engine's own table (``engine.systems.table``) make a type; a test holds them together.
Nothing is opened here: a server's agent reads the file at every connection.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, NamedTuple, Tuple, Type, Union

from python_rules.jobs.paths import SYSTEM_NAME

_PLACEHOLDER = re.compile(r"\{[^}]*\}?|\}")
_MODE = re.compile(r"0?[0-7]{3}")


class Key(NamedTuple):
    """One key of a system: its type, its default (None: it must be given), what it means and its unit."""

    kind: Union[Type[Any], Tuple[Type[Any], ...]]
    default: Any
    means: str
    words: Tuple[str, ...] = ()  # the only values


class SystemType(NamedTuple):
    """A type of system: what it is, its own keys beside those of COMMON."""

    does: str
    keys: Dict[str, Key]
    read_only: bool = False


COMMON: Dict[str, Key] = {
    "type": Key(str, None, "what kind of system it is"),
    "description": Key(str, "", "for those who read the list of systems"),
    "base": Key(str, "", "where the paths of jobs begin; {user} and {zone} stand for the job's user"),
    "allowed": Key(list, None, "users and groups who may use it, as name or name#zone; public: everybody of the zone"),
    "read_only": Key(bool, False, "nothing is written there"),
    "connections": Key(int, 4, "connections at the same time, of all jobs of this host together"),
    "bandwidth": Key(int, 0, "bytes per second, of all jobs of this host together; 0: as it comes"),
    "largest": Key(int, 0, "bytes of the largest file that is taken; 0: any"),
    "timeout_seconds": Key((int, float), 60, "a peer that is silent for so long is taken for stalled"),
}

_SSH: Dict[str, Key] = {
    "address": Key(str, None, "host, or host:port"),
    "user": Key(str, None, "who to log in as"),
    "key_file": Key(str, None, "file of the private key; mode 0600"),
    "known_hosts": Key(str, None, "file with the host's key; another key is refused"),
    "verify": Key(
        str, "auto", "how writing is checked: sha256sum run there for what is large, or reading back", ("auto", "read")
    ),
}

# How a file goes into an object store.
_PARTS: Dict[str, Key] = {
    "part_mib": Key(int, 8, "MiB of a part; a file of more parts than the store takes has larger ones"),
    "streams": Key(int, 4, "parts of one file on their way at the same time"),
    "leftover_days": Key(int, 7, "parts of an upload that nobody went on with are removed after so long"),
    "authority": Key(str, "", "file of the CA certificates; default: the system's"),
}

TYPES: Dict[str, SystemType] = {
    "posix": SystemType(
        "a folder of this host, also over NFS",
        {
            "file_mode": Key(str, "0640", "permission bits of new files, octal"),
            "folder_mode": Key(str, "0750", "permission bits of new folders, octal"),
        },
    ),
    "sftp": SystemType("an SFTP server (OpenSSH)", _SSH),
    "rsync": SystemType(
        "a host with an SFTP server and rsync: of a file that changed only the differences go over the line",
        {
            **_SSH,
            "program": Key(str, "rsync", "rsync there, if it is not found by its name"),
            "delta_kib": Key(int, 256, "KiB from which a changed file is sent as differences"),
            "unchanged": Key(
                str, "checksum", "what else than the size is the same in a file that is skipped", ("checksum", "time")
            ),
        },
    ),
    "http": SystemType(
        "a web server that files are downloaded from",
        {
            "address": Key(str, None, "https://host[:port]; the base is a path there"),
            "authority": Key(str, "", "file of the CA certificates; default: the system's"),
            "token_file": Key(str, "", "file of a bearer token; mode 0600"),
            "password_file": Key(str, "", "file with user:password; mode 0600"),
        },
        read_only=True,
    ),
    "irods": SystemType(
        "another iRODS zone, through an account there",
        {
            "address": Key(str, None, "host:port"),
            "zone": Key(str, None, "the account's zone"),
            "user": Key(str, None, "the account there"),
            "password_file": Key(str, None, "file of its password; mode 0600"),
            "authority": Key(str, "", "file of the CA certificates; given, TLS is required"),
        },
    ),
    "s3": SystemType(
        "a bucket of an S3 store; the base is bucket or bucket/prefix",
        {
            "address": Key(str, None, "https://host[:port] of the store"),
            "region": Key(str, "us-east-1", "the store's region"),
            "path_style": Key(bool, True, "the bucket is part of the path, not of the host's name"),
            "credentials_file": Key(str, None, "file as AWS's tools have it (aws_access_key_id = ...); mode 0600"),
            "profile": Key(str, "default", "section of that file"),
            "most_parts": Key(int, 10_000, "parts that the store takes for one file; Swift's S3 layer: 1000"),
            **_PARTS,
        },
    ),
    "swift": SystemType(
        "a container of OpenStack Swift; the base is container or container/prefix",
        {
            "address": Key(str, None, "where tokens are given: https://host/auth/v1.0, https://keystone:5000/v3"),
            "auth": Key(str, "v3", "how: tempauth and its like, or Keystone", ("v1", "v3")),
            "user": Key(str, "", "v1: project:user; v3: the user's name"),
            "password_file": Key(str, None, "file of the password, key or credential's secret; mode 0600"),
            "application_credential": Key(str, "", "v3: id of an application credential, in place of user and project"),
            "project": Key(str, "", "v3: the project's name"),
            "user_domain": Key(str, "Default", "v3: domain of the user"),
            "project_domain": Key(str, "Default", "v3: domain of the project"),
            "region": Key(str, "", "v3: which object store of the catalogue; default: the first"),
            "storage_url": Key(str, "", "the account's address; default: as it is told with the token"),
            "segments": Key(str, "", "container of the segments; default: the container's name with _segments"),
            "most_parts": Key(int, 1000, "segments that a manifest may name"),
            **_PARTS,
        },
    ),
    "postgresql": SystemType(
        "a PostgreSQL database: tables, views and named queries as files .csv and .parquet; the base is the database",
        {
            "address": Key(str, None, "host, or host:port"),
            "user": Key(str, None, "the role to connect as"),
            "password_file": Key(str, "", "file of its password; mode 0600; default: none is asked for"),
            "tls": Key(str, "verify-full", "as libpq's sslmode", ("verify-full", "verify-ca", "require", "disable")),
            "authority": Key(str, "system", "file of the CA certificates, or system"),
            "schemas": Key(list, ["public"], "schemas whose tables are seen and written"),
            "queries": Key(dict, {}, "name to SQL: what name.csv and name.parquet give; read only"),
            "listed": Key(str, "parquet", "the form in which a tree has its tables", ("parquet", "csv")),
            "csv_types": Key(bool, True, "header of CSV says the types (name::type), so that they are kept"),
            "spool": Key(str, "", "folder for Parquet on its way in, encrypted; default: the system's temporary one"),
        },
    ),
    "couchdb": SystemType(
        "a document store with CouchDB's interface: databases as files .jsonl; the base may be a prefix of their names",
        {
            "address": Key(str, None, "https://host:6984"),
            "user": Key(str, "", "who to sign in as; default: nobody"),
            "password_file": Key(str, "", "file of the password; mode 0600"),
            "authority": Key(str, "", "file of the CA certificates; default: the system's"),
            "batch": Key(int, 500, "documents in one request"),
        },
    ),
}


def keys_of(kind: str) -> Dict[str, Key]:
    """All keys of a type."""
    return {**COMMON, **TYPES[kind].keys}


def checked(systems: Dict[str, Any], wrong: Callable[[str], Exception]) -> Dict[str, Dict[str, Any]]:
    """The systems with every default filled in; raises ``wrong(text)`` that names the key."""
    return {name: _checked_system(name, given, wrong) for name, given in systems.items()}


def _checked_system(name: str, given: Any, wrong: Callable[[str], Exception]) -> Dict[str, Any]:
    where = f"systems.{name}"
    if not SYSTEM_NAME.fullmatch(name):
        raise wrong(f"{where!a}: a system's name is 1 to 63 letters, digits, '.', '_', '-', a letter first")
    if not isinstance(given, dict):
        raise wrong(f'{where} must be an object: {{"type": ..., "allowed": [...], ...}}')
    if given.get("type") not in TYPES:
        raise wrong(f"{where}.type must be one of {', '.join(TYPES)}")
    known = keys_of(given["type"])
    for key, value in given.items():
        if key not in known:
            raise wrong(f"has an unknown key {where + '.' + key!r}; known are {', '.join(known)}")
        _check_value(f"{where}.{key}", value, known[key], wrong)
    missing = [f"{where}.{key}" for key, row in known.items() if row.default is None and key not in given]
    if missing:
        raise wrong(f"lacks {', '.join(missing)}")
    filled = {key: given.get(key, row.default) for key, row in known.items()}
    _check_whole(where, filled, wrong)
    return filled


def _check_value(where: str, value: Any, row: Key, wrong: Callable[[str], Exception]) -> None:
    is_bool = isinstance(value, bool)
    if not isinstance(value, row.kind) or (is_bool and row.kind is not bool):
        raise wrong(f"{where} must be of type {json_type(row.kind)}")
    if row.words and value not in row.words:
        raise wrong(f"{where} must be one of {', '.join(row.words)}")
    if isinstance(value, (int, float)) and not is_bool and value < 0:
        raise wrong(f"{where} must not be negative")
    if isinstance(value, list) and not (value and all(isinstance(one, str) and one for one in value)):
        raise wrong(f"{where} must be a list of names")


def _check_whole(where: str, system: Dict[str, Any], wrong: Callable[[str], Exception]) -> None:
    odd = [part for part in _PLACEHOLDER.findall(system["base"]) if part not in ("{user}", "{zone}")]
    if odd:
        raise wrong(f"{where}.base: {odd[0]!a} stands for nothing; known are {{user}} and {{zone}}")
    if system["type"] == "posix" and not system["base"].startswith("/"):
        raise wrong(f"{where}.base must be an absolute path")
    for key in ("file_mode", "folder_mode"):
        if key in system and not _MODE.fullmatch(system[key]):
            raise wrong(f"{where}.{key} must be an octal mode such as 0640")
    if not system["connections"] or not system["timeout_seconds"]:
        key = "timeout_seconds" if system["connections"] else "connections"
        raise wrong(f"{where}.{key} must be more than 0")


def schema() -> Dict[str, Any]:
    """The JSON schema of the section."""
    return {
        "type": "object",
        "description": "systems that jobs may stage from and to, by name",
        "propertyNames": {"pattern": f"^{SYSTEM_NAME.pattern}$"},
        "additionalProperties": {"oneOf": [_schema_of(kind) for kind in TYPES]},
    }


def _schema_of(kind: str) -> Dict[str, Any]:
    keys = keys_of(kind)
    properties = {key: _schema_of_key(row) for key, row in keys.items()}
    properties["type"] = {"const": kind, "description": TYPES[kind].does}
    return {
        "type": "object",
        "properties": properties,
        "required": [key for key, row in keys.items() if row.default is None],
        "additionalProperties": False,
    }


def _schema_of_key(row: Key) -> Dict[str, Any]:
    described: Dict[str, Any] = {"type": json_type(row.kind), "description": row.means}
    if row.default is not None:
        described["default"] = row.default
    if row.words:
        described["enum"] = list(row.words)
    if row.kind is list:
        described.update(items={"type": "string", "minLength": 1}, minItems=1)
    if row.kind not in (str, list, bool):
        described["minimum"] = 0
    return described


def json_type(kind: Union[Type[Any], Tuple[Type[Any], ...]]) -> str:
    """How JSON calls a type."""
    if isinstance(kind, tuple):
        return "number"
    return {str: "string", int: "integer", bool: "boolean", list: "array", dict: "object"}[kind]
