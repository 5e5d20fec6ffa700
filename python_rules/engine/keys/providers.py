"""The providers by name. A row here and a row in ``config.SETTINGS`` for what it needs make a new one."""

from __future__ import annotations

from collections.abc import Callable

from python_rules.config import Config
from python_rules.engine.keys.provider import FileProvider, Provider
from python_rules.jobs.errors import JobError


def provider_of(config: Config) -> Provider:
    """The provider that the settings name; raises JobError ``configuration`` that names the key that is missing."""
    chosen = config["keys.provider"]
    if chosen not in PROVIDERS:
        raise _wrong(config, f"keys.provider is {chosen!a}; known are {', '.join(PROVIDERS)}")
    make, needs = PROVIDERS[chosen]
    missing = [name for name in needs if not config[name]]
    if missing:
        raise _wrong(config, f"lacks {', '.join(missing)}, which keys.provider {chosen} needs")
    return make(config)


def _file(config: Config) -> Provider:
    return FileProvider(config["keys.master_key"])


def _token(config: Config) -> Provider:
    from python_rules.engine.keys.hsm import TokenProvider  # its library is loaded only where it is used

    names = ("keys.pkcs11_module", "keys.pkcs11_token", "keys.master_label", "keys.pin_file")
    return TokenProvider(*(config[name] for name in names))


def _transit(config: Config) -> Provider:
    from python_rules.engine.keys.transit import TransitProvider

    names = ("keys.transit_url", "keys.transit_mount", "keys.master_label", "keys.token_file", "keys.transit_authority")
    return TransitProvider(*(config[name] for name in names))


PROVIDERS: dict[str, tuple[Callable[[Config], Provider], tuple[str, ...]]] = {
    "file": (_file, ("keys.master_key",)),
    "pkcs11": (_token, ("keys.pkcs11_module", "keys.pkcs11_token", "keys.master_label", "keys.pin_file")),
    "transit": (_transit, ("keys.transit_url", "keys.transit_mount", "keys.master_label", "keys.token_file")),
}


def _wrong(config: Config, what: str) -> JobError:
    return JobError("configuration", f"{config.path}: {what}", remedy="an administrator must correct the file")
