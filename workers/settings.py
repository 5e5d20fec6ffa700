"""``shim.json``: the settings of the shim and the workers, checked when a program starts.

    zone    which zone, as whom          celery    broker, results, queue
    http    address, waits, limits       lexis     the systems that LEXIS requests may name
    oidc    whose bearer tokens count    webhooks  who is told when a job ends

The dataclasses are the one table: the check, the JSON schema and the documentation are made from them.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from python_rules.jobs.errors import JobError

NATIVE_INSTANCE = "irods_rule_engine_plugin-irods_rule_language-instance"
SQLITE_NAME = "results.sqlite"
_JSON_TYPES = {str: "string", int: "integer", float: "number", dict: "object"}
_Part = TypeVar("_Part")


def _key(means: str, default: Any = MISSING) -> Any:
    """A field of the file with the sentence that documents it; no default: it must be given."""
    return field(default=default, metadata={"means": means})


@dataclass(frozen=True)
class ZoneSettings:
    """The zone that requests are forwarded to."""

    environment: str = _key("irods_environment.json of the service account (a rodsadmin); its .irodsA lies beside it")
    ledger: str = _key("collection of the job records; default /<zone>/sluice", "")
    others: dict[str, str] = field(
        default_factory=dict,
        metadata={"means": "irods_environment.json for each other zone that requests may go to, by its name"},
    )
    native_instance: str = _key("instance name of the zone's rule language engine", NATIVE_INSTANCE)
    timeout_seconds: float = _key("how long one answer of the zone may take", 30.0)
    idle_sessions: int = _key("how many open sessions one process keeps", 64)
    session_seconds: float = _key("how long a session may be used again", 300.0)


@dataclass(frozen=True)
class CelerySettings:
    """The queue between the shim and the workers, and the workers themselves."""

    data: str = _key("folder of the broker-less queue and of the SQLite results")
    broker: str = _key("broker URL; filesystem:// needs no broker, amqp://... is RabbitMQ", "filesystem://")
    results: str = _key("result backend URL; default SQLite in the data folder; db+postgresql://... elsewhere", "")
    queue: str = _key("queue of this location; its workers serve it", "sluice")
    queues: dict[str, str] = field(
        default_factory=dict, metadata={"means": "queue of another location, by the name of the zone there"}
    )
    threads: int = _key("tasks that a worker does at the same time", 8)
    poll_seconds: float = _key("how often a broker-less worker looks for messages", 0.05)
    watch_seconds: float = _key("how often all active jobs are watched; 0: never", 2.0)
    rows_days: float = _key("how long the results keep what has ended; the zone keeps its records as it says", 7.0)
    resend_seconds: float = _key("a request that no worker has answered for so long is sent again", 60.0)
    metrics_port: int = _key("port of the worker for Prometheus, on 127.0.0.1; 0: none", 0)


@dataclass(frozen=True)
class HttpSettings:
    """The HTTP service."""

    address: str = _key("address to listen on", "127.0.0.1")
    port: int = _key("port to listen on; 0: any free one", 8080)
    threads: int = _key("requests handled at the same time", 32)
    wait_seconds: float = _key("how long a request waits for the zone before it is answered 202", 15.0)
    body_limit: int = _key("largest request body in bytes", 128 * 1024)
    chunk_limit: int = _key("largest chunk of an upload in bytes", 64 << 20)
    upload_days: float = _key("how long an upload that stands still is kept", 1.0)
    login_cache_seconds: float = _key("how long a checked login is remembered (as a keyed hash)", 60.0)
    login_failures: int = _key(
        "wrong passwords of one user from one address before the brake; ten times that in all", 10
    )
    login_pause_seconds: float = _key("how long it takes until so many more may be tried", 300.0)
    rate_per_second: float = _key("requests of one user in a second, in the long run; 0: any number", 100.0)
    rate_burst: int = _key("requests of one user at once", 400)
    trusted_proxy: str = _key("address of the reverse proxy whose X-Forwarded-For counts; empty: none", "")
    metrics_port: int = _key("port for Prometheus on the same address; 0: none", 0)
    events_seconds: float = _key("how often an event stream looks at its job", 1.0)
    events_limit: int = _key("event streams at the same time; each takes a thread", 16)


@dataclass(frozen=True)
class LexisSettings:
    """The interface of LEXIS v0.2."""

    systems: dict[str, str] = field(
        default_factory=dict,
        metadata={
            "means": "collection that the paths on a LEXIS system begin in, by system name; the zone's name is its root"
        },
    )
    key: str = _key("key that encrypting operations use; {project} is the request's project", "{project}")
    hpc: str = _key("systems whose requests must name HEAppE's task and job, with spaces between them", "")


@dataclass(frozen=True)
class OidcSettings:
    """Bearer tokens of an OpenID provider."""

    issuer: str = _key("the provider's issuer URL, exactly as tokens name it; empty: no tokens are accepted", "")
    audience: str = _key("what a token must name as its audience", "sluice")
    algorithms: str = _key("signature algorithms that are accepted, with spaces between them", "RS256 ES256 EdDSA")
    user_claim: str = _key("the claim that names the user; email counts only with email_verified", "preferred_username")
    users: dict[str, str] = field(
        default_factory=dict, metadata={"means": "iRODS user (name or name#zone) by the claim's value"}
    )
    unmapped: str = _key("what other values do: 'refuse', or 'same' if the claim is the iRODS user's name", "refuse")
    keys_url: str = _key("where the provider's keys lie; default: as its discovery document says, on its own host", "")
    keys_seconds: float = _key("how long its keys are kept", 600.0)
    refresh_seconds: float = _key("an unknown key is asked for at most so often", 10.0)
    leeway_seconds: float = _key("how far the clocks may differ", 30.0)


@dataclass(frozen=True)
class WebhookSettings:
    """Who is told when a job ends."""

    urls: dict[str, str] = field(default_factory=dict, metadata={"means": "address to post to, by a name for it"})
    secret_file: str = _key("file with the secret that signs (at least 24 characters); needed if there are urls", "")
    attempts: int = _key("how often a delivery is tried, with pauses that double", 12)
    first_pause_seconds: float = _key("the first pause", 5.0)


@dataclass(frozen=True)
class Settings:
    """All settings; ``path`` is the file that they came from."""

    zone: ZoneSettings
    celery: CelerySettings
    http: HttpSettings
    lexis: LexisSettings
    oidc: OidcSettings
    webhooks: WebhookSettings
    path: str

    @property
    def results_url(self) -> str:
        """The result backend, with the default filled in."""
        return self.celery.results or f"db+sqlite:///{Path(self.celery.data).absolute() / SQLITE_NAME}"


PARTS: dict[str, type[Any]] = {
    "zone": ZoneSettings,
    "celery": CelerySettings,
    "http": HttpSettings,
    "lexis": LexisSettings,
    "oidc": OidcSettings,
    "webhooks": WebhookSettings,
}


def load(path: str) -> Settings:
    """The settings in a file; raises JobError ``configuration`` that names the key and the file."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise _wrong(path, f"is not JSON: {error}") from None
    return from_json(content, path)


def from_json(content: Any, path: str = "shim.json") -> Settings:
    """The settings in JSON values; raises JobError as ``load`` does."""
    if not isinstance(content, dict):
        raise _wrong(path, 'must be an object of sections: {"zone": {...}, "celery": {...}}')
    unknown = sorted(set(content) - set(PARTS))
    if unknown:
        raise _wrong(path, f"has an unknown section {unknown[0]!r}; known are {', '.join(PARTS)}")
    parts = {name: _part(kind, content.get(name, {}), name, path) for name, kind in PARTS.items()}
    return Settings(path=path, **parts)


def schema() -> dict[str, Any]:
    """The JSON schema (2020-12) of the file."""
    sections = {name: _part_schema(kind) for name, kind in PARTS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "shim.json",
        "type": "object",
        "properties": sections,
        "required": [name for name, section in sections.items() if section["required"]],
        "additionalProperties": False,
    }


def as_markdown() -> str:
    """The list of settings for the documentation."""
    return "\n".join(f"### {name}\n\n{kind.__doc__}\n\n{_part_markdown(kind)}" for name, kind in PARTS.items())


def _part_markdown(kind: type[Any]) -> str:
    rows = ["| key | default | what it means |", "|---|---|---|"]
    for row in fields(kind):
        default = "must be given" if _required(row) else f"`{json.dumps(_default(row))}`"
        rows.append(f"| `{row.name}` | {default} | {row.metadata['means']} |")
    return "\n".join(rows) + "\n"


def _default(row: Field[Any]) -> Any:
    return {} if row.default is MISSING else row.default


def _part(kind: type[_Part], given: Any, section: str, path: str) -> _Part:
    if not isinstance(given, dict):
        raise _wrong(path, f"{section} must be an object")
    known = {row.name: row for row in fields(kind)}  # type: ignore[arg-type]
    for name in given:
        if name not in known:
            raise _wrong(path, f"has an unknown key {section}.{name}; known are {', '.join(known)}")
    missing = [name for name, row in known.items() if _required(row) and name not in given]
    if missing:
        raise _wrong(path, f"lacks {section}.{missing[0]}")
    types = get_type_hints(kind)
    return kind(**{name: _value(types[name], value, f"{section}.{name}", path) for name, value in given.items()})


def _value(kind: Any, value: Any, name: str, path: str) -> Any:
    plain: Any = kind if kind in _JSON_TYPES else dict
    if plain is float and type(value) is int:
        value = float(value)
    if type(value) is not plain:
        raise _wrong(path, f"{name} must be of type {_JSON_TYPES[plain]}")
    if plain in (int, float) and value < 0:
        raise _wrong(path, f"{name} must not be negative")
    if plain is dict and not all(isinstance(text, str) for text in value.values()):
        raise _wrong(path, f"{name} must map names to texts")
    return value


def _required(row: Field[Any]) -> bool:
    return row.default is MISSING and row.default_factory is MISSING


def _part_schema(kind: type[Any]) -> dict[str, Any]:
    types = get_type_hints(kind)
    properties: dict[str, Any] = {}
    for row in fields(kind):
        shown: dict[str, Any] = {
            "type": _JSON_TYPES.get(types[row.name], "object"),
            "description": row.metadata["means"],
        }
        if row.default is not MISSING:
            shown["default"] = row.default
        properties[row.name] = shown
    required = [row.name for row in fields(kind) if _required(row)]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _wrong(path: str, what: str) -> JobError:
    return JobError("configuration", f"{path} {what}", remedy="an administrator must correct the file")
