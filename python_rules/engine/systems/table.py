"""The types of systems, and how one of them is opened for a user. A new type is a class and a row, here and in
``python_rules.systems``."""

from __future__ import annotations

from importlib import import_module

from python_rules import systems
from python_rules.config import Config
from python_rules.engine.keys.grants import Who
from python_rules.engine.systems.place import Place
from python_rules.engine.systems.system import System
from python_rules.jobs.errors import JobError

# Type to module and class, which is called with the System. Imported when it is used: some bring large libraries.
TYPES = {
    "posix": ("posix", "Posix"),
    "sftp": ("sftp", "Sftp"),
    "rsync": ("rsync", "Rsync"),
    "http": ("http", "Http"),
    "irods": ("zone", "OtherZone"),
    "s3": ("s3", "S3"),
    "swift": ("swift", "Swift"),
    "postgresql": ("postgres", "Postgres"),
    "couchdb": ("documents", "CouchDb"),
}


def system(config: Config, name: str, who: Who, field: str = "source") -> System:
    """A system as a user may use it; raises JobError ``system_not_found``, also for one that he may not use."""
    settings = config.systems.get(name)
    if settings is None or not allowed(settings["allowed"], who, config["zone.name"]):
        raise JobError(
            "system_not_found",
            f"there is no system {name!a}, or {who.user} may not use it",
            field=field,
            remedy="see the systems you may use with: sluice systems",
        )
    return System(name, settings, who.user)


def usable(config: Config, who: Who) -> list[System]:
    """All systems that a user may use, by name."""
    zone = config["zone.name"]
    known = sorted(config.systems.items())
    return [System(name, row, who.user) for name, row in known if allowed(row["allowed"], who, zone)]


def allowed(names: list[str], who: Who, zone: str) -> bool:
    """Whether a list of users and groups holds this one; a name without a zone is of the own zone."""
    if who.admin:
        return True
    wanted = {name if "#" in name else f"{name}#{zone}" for name in names}
    own = who.user.endswith(f"#{zone}")
    return bool(wanted & who.names) or (own and f"public#{zone}" in wanted)


def opened(chosen: System) -> Place:
    """A place of the system's type; raises JobError ``configuration`` if its library is not installed."""
    module, name = TYPES[chosen.settings["type"]]
    try:
        kind = getattr(import_module(f"python_rules.engine.systems.{module}"), name)
    except ImportError as error:
        remedy = "install the engine's requirements: requirements/engine.txt"
        raise JobError("configuration", f"{chosen.name}: {error.name} is not installed", remedy=remedy) from None
    place: Place = kind(chosen)
    return place


def only_read(chosen: System) -> bool:
    """Whether nothing can be written to systems of this type."""
    return systems.TYPES[chosen.settings["type"]].read_only
