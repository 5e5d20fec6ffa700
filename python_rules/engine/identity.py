"""Who a user is for the grants of keys: the name, and the groups, as the catalogue has them now."""

from __future__ import annotations

from irods.column import Criterion
from irods.models import Group, User
from irods.session import iRODSSession

from python_rules.config import Config
from python_rules.engine.keys import Keyring, KeyUse, Log, Who


def of(service: iRODSSession, user: str, admin: bool = False) -> Who:
    """The user (``name#zone``) with his groups; ``service`` is a session of the service account."""
    name, _, zone = user.partition("#")
    rows = service.query(Group.id, Group.name, User.id).filter(
        Criterion("=", User.name, name), Criterion("=", User.zone, zone)
    )
    # Every user is a group of his own too, whose name has no zone: alice#B's would read as the local alice's.
    groups = {f"{row[Group.name]}#{service.zone}" for row in rows if row[Group.id] != row[User.id]}
    return Who(user, frozenset(groups), admin)


def keys_for(config: Config, service: iRODSSession, user: str, job: str) -> KeyUse:
    """The keys as a job of this user may use them."""
    return KeyUse(Keyring.of(config), Log.of(config), of(service, user), job)
