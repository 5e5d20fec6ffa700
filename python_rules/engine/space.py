"""How much room the storage resources have, as far as this machine can tell."""

from __future__ import annotations

import os
from typing import Any

from irods.models import Resource
from irods.session import iRODSSession

from python_rules.engine import processes

_HERE = ("localhost", "127.0.0.1")


def resources(service: iRODSSession) -> list[dict[str, Any]]:
    """Name, state and free bytes (None if unknown) of each resource that holds data."""
    columns = (Resource.name, Resource.location, Resource.vault_path, Resource.status, Resource.free_space)
    found = []
    for row in service.query(*columns):
        if row[Resource.location] == "EMPTY_RESC_HOST":
            continue  # a coordinating resource, or the bundle resource
        free = _free(row[Resource.location], row[Resource.vault_path], row[Resource.free_space])
        found.append({"name": row[Resource.name], "is_up": row[Resource.status] != "down", "free_bytes": free})
    return sorted(found, key=lambda one: str(one["name"]))


def _free(host: str, vault: str, told: str | None) -> int | None:
    """What the file system says if it is this machine's, else what the catalogue was told."""
    if host in (*_HERE, processes.here()) and os.path.isdir(vault or ""):
        state = os.statvfs(vault)
        return state.f_bavail * state.f_frsize
    return int(told) if told and told.isdigit() else None
