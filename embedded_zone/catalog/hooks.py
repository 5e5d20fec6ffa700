"""Policy hooks around changes of the catalogue: ``pep_database_*`` and the static ``ac*`` rules.

The order of hooks and their argument types are those recorded from iRODS 5.0.2 (``hook-traces.json``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from embedded_zone.agent import Agent
from embedded_zone.errors import IrodsError
from embedded_zone.structures.types import irods_type


def fire(agent: Agent, name: str, *args: Any) -> None:
    """Run the static hook ``name``; raises IrodsError with the code that it answered."""
    status = agent.rules.fire(name, *args)
    if status < 0:
        raise IrodsError(status, f"{name} refused")


@contextmanager
def framed(agent: Agent, subject: str, *args: Any, post_counts: bool = True) -> Iterator[None]:
    """Run ``acPreProcFor<subject>`` before and ``acPostProcFor<subject>`` after the body, if it succeeds.

    Where ``post_counts`` is false, as for access control, a failing post hook is only the log's business.
    """
    fire(agent, f"acPreProcFor{subject}", *args)
    yield
    status = agent.rules.fire(f"acPostProcFor{subject}", *args)
    if status < 0 and post_counts:
        raise IrodsError(status, f"acPostProcFor{subject} failed")


@dataclass
class Outcome:
    """How a database operation ended, beyond its code; the body of ``database`` may set it."""

    odd: bool = False

    def raise_if_odd(self) -> None:
        """Leave by the way of an error, so that the except hook fires."""
        if self.odd:
            raise IrodsError(0, "success, reported as an error of code 0")


class Structure(NamedTuple):
    """An argument that hooks see as the structure ``name`` of ``irods_types``."""

    name: str
    fields: Mapping[str, Any]


def _argument(value: Any) -> Any:
    """What a hook is given for an argument; only called when one is defined."""
    if isinstance(value, Mapping):
        value = Structure("KeyValPair", dict(value))
    if not isinstance(value, Structure):
        return value
    return irods_type(value.name, value.fields)


@contextmanager
def database(agent: Agent, operation: str, *args: Any) -> Iterator[Outcome]:
    """Run ``pep_database_<operation>_*`` around the body.

    The body sets ``odd`` where the real plugin reports an error object with code 0 after a success: then the
    ``_except`` hook fires instead of ``_post``, and the client still sees success.
    """
    outcome = Outcome()
    try:
        with agent.rules.around(f"database_{operation}", lambda _phase: [_argument(arg) for arg in args]):
            yield outcome
            outcome.raise_if_odd()
    except IrodsError as error:
        if error.code != 0:
            raise


def commit(agent: Agent) -> None:
    """Run the hooks of the commit that ends some operations as a step of its own."""
    with database(agent, "commit"):
        pass


@contextmanager
def about_user(agent: Agent, name: str, zone: str, kind: str = "") -> Iterator[Structure]:
    """Let the static hooks within see another user (``rei.uoio``); yields it as hooks are given it."""
    fields = {"userName": name, "rodsZone": zone, "userType": kind}
    agent.scratch["uoio"] = fields
    try:
        yield Structure("UserInfo", fields)
    finally:
        agent.scratch.pop("uoio", None)


def collection(path: str, owner: str = "") -> Structure:
    """A collection as hooks are given it."""
    parent = path.rpartition("/")[0] or "/"
    return Structure("CollInfo", {"collName": path, "collParentName": parent, "collOwnerName": owner})
