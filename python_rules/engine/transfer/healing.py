"""Replicas that a killed server agent left in flight: nobody can read, replace or remove them as they are.

Seen on 5.0.2: state 2 (being written) stays for ever; an administrator who marks the replica stale makes the
object usable again. Only objects that are the engine's own are healed.
"""

from __future__ import annotations

import irods.keywords as kw
from irods.session import iRODSSession

from python_rules.engine.transfer import queries

STALE = "0"
_IN_FLIGHT = ("2", "3", "4")  # intermediate, read-locked, write-locked


def heal(service: iRODSSession, path: str) -> bool:
    """Mark the replicas of an object that are in flight as stale; whether there were any. Needs a rodsadmin."""
    stuck = [row for row in queries.replica_numbers(service, path) if row[1] in _IN_FLIGHT]
    for number, _ in stuck:
        service.data_objects.modDataObjMeta(
            {"objPath": path, "replNum": number}, {"replStatus": STALE, kw.ADMIN_KW: ""}
        )
    return bool(stuck)
