"""A zone with Sluice's rule base in it: an embedded one made for the purpose, or one that exists already."""

from __future__ import annotations

import json
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from irods.access import iRODSAccess
from irods.exception import UserDoesNotExist
from irods.session import iRODSSession

from embedded_zone.server.supervisor import EmbeddedZone
from python_rules import config, install
from python_rules.engine.keys import Keyring, create_master_key, grants

ADMIN = "rods"
# Waits as short as tests can bear; everything else is as an administrator gets it.
FAST: dict[str, dict[str, float]] = {
    "engine": {"heartbeat_seconds": 0.5, "lease_seconds": 4},
    "jobs": {"retry_seconds": 1},
    "patrol": {"seconds": 2, "scan_seconds": 5},
}


@dataclass(frozen=True)
class Account:
    """A user of the zone, who logs in by himself."""

    name: str
    zone: str
    password: str
    host: str
    port: int

    @property
    def home(self) -> str:
        return f"/{self.zone}/home/{self.name}"

    @property
    def qualified(self) -> str:
        return f"{self.name}#{self.zone}"

    def session(self) -> iRODSSession:
        """A new session of this user, as any python-irodsclient user would open it."""
        return iRODSSession(host=self.host, port=self.port, user=self.name, password=self.password, zone=self.zone)


class Site:
    """What tests and demonstrations need of a zone, whichever it is."""

    def __init__(self, environment: Path, key: str) -> None:
        self.environment = environment
        self.key = key  # the name of a key that its users may encrypt under
        values = json.loads(environment.read_text())
        self.zone = str(values["irods_zone_name"])
        self.host = str(values["irods_host"])
        self.port = int(values["irods_port"])
        self._made: list[Account] = []

    def admin(self) -> iRODSSession:
        """A new session of the service account."""
        secret = str(self.environment.with_name(".irodsA"))
        return iRODSSession(irods_env_file=str(self.environment), irods_authentication_file=secret)

    def make_user(self, name: str, password: str | None = None) -> Account:
        """A rodsuser with a home collection; taken away again by ``close`` if it was not there before."""
        account = Account(name, self.zone, password or secrets.token_urlsafe(12), self.host, self.port)
        with self.admin() as session:
            try:
                session.users.get(name)
            except UserDoesNotExist:
                session.users.create(name, "rodsuser")
                self._made.append(account)
            session.users.modify(name, "password", account.password)
        return account

    def close(self) -> None:
        """Remove the users that were made, with what lies in their homes, whoever put it there."""
        while self._made:
            account = self._made.pop()
            places = (account.home, f"/{self.zone}/trash/home/{account.name}")
            with self.admin() as session:
                for place in places:
                    mine = iRODSAccess("own", place, account.name, self.zone)
                    session.acls.set(mine, recursive=True, admin=True)
            with account.session() as session:
                for place in places:
                    _empty(session, place)
            with self.admin() as session:
                session.users.remove(account.name)


class EmbeddedSite(Site):
    """An embedded zone in ``home``, with the rule base installed as on a real server; stops with ``close``."""

    def __init__(self, home: Path, key: str = "demo", **settings: object) -> None:
        self.server = EmbeddedZone(home, **settings)
        self.server.start()
        super().__init__(self.server.config.service_environment, key)
        etc = self.server.config.etc
        install.install(etc, self.zone, self.environment, sys.executable, home / "sluice")
        for section, values in FAST.items():
            for name, value in values.items():
                _set(etc / config.FILE_NAME, section, name, value)
        self.settings = config.load(str(etc / config.FILE_NAME))
        if not Path(self.settings["keys.master_key"]).exists():
            create_master_key(self.settings["keys.master_key"])
        keyring = Keyring.of(self.settings)
        if key not in keyring.list():
            keyring.create(key)
            with keyring.rows() as rows:
                grants.added(rows[key], f"public#{self.zone}", (grants.SEAL, grants.OPEN))

    def configure(self, section: str, **values: object) -> None:
        """Change settings of ``sluice.json``; the next agent knows them."""
        for name, value in values.items():
            _set(self.server.config.etc / config.FILE_NAME, section, name, value)

    def close(self) -> None:
        self.server.stop()


class ExistingSite(Site):
    """A zone where the rule base is installed already; its users are removed again by ``close``."""


def chosen(home: Path) -> Site:
    """The zone that SLUICE_TEST_ZONE names by an irods_environment.json, or a new embedded one."""
    environment = os.environ.get("SLUICE_TEST_ZONE")
    if environment:
        return ExistingSite(Path(environment), os.environ.get("SLUICE_TEST_KEY", "demo"))
    return EmbeddedSite(home)


def _set(path: Path, section: str, key: str, value: object) -> None:
    settings = json.loads(path.read_text())
    settings.setdefault(section, {})[key] = value
    path.write_text(json.dumps(settings, indent=4))


def _empty(session: iRODSSession, place: str) -> None:
    if session.collections.exists(place):
        for below in session.collections.get(place).subcollections:
            below.remove(recurse=True, force=True)
        for item in session.collections.get(place).data_objects:
            item.unlink(force=True)
