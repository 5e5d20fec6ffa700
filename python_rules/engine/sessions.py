"""Connections to the zone: as the service account for the ledger, as the job's user for everything else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from irods.session import iRODSSession

from python_rules.config import Config
from python_rules.names import ENGINE_OPTION


@contextmanager
def as_service(config: Config) -> Iterator[iRODSSession]:
    """A session of the service account (a rodsadmin)."""
    with iRODSSession(**_account(config)) as session:
        yield _without_resource(session)


@contextmanager
def as_user(config: Config, user: str) -> Iterator[iRODSSession]:
    """A session in which the service account acts for ``user`` (name#zone): the user's rights, nobody else's."""
    name, _, zone = user.partition("#")
    with iRODSSession(**_account(config), client_user=name, client_zone=zone) as session:
        yield _without_resource(session)


def _account(config: Config) -> dict[str, str]:
    environment = config["zone.environment"]
    return {
        "irods_env_file": environment,
        # a file that the environment names itself wins
        "irods_authentication_file": str(Path(environment).with_name(".irodsA")),
        "application_name": ENGINE_OPTION,
    }


def _without_resource(session: iRODSSession) -> iRODSSession:
    # With irods_default_resource in the environment file, python-irodsclient names it in every open, also for
    # reading, and then gets a stale replica's bytes without an error (seen on 5.0.2).
    vars(session.pool.account).pop("default_resource", None)
    return session
