"""A zone without shim and workers, for tests of jobs, patrol and policies: everything goes by rule."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from irods.models import Collection, DataObject
from irods.session import iRODSSession

from python_rules.jobs import states
from tests.stack import rulecall, site
from tests.stack.site import Account, Site
from tests.stack.waiting import until


@dataclass
class Bench:
    """A zone and one user of it, who works in a collection of his own."""

    site: Site
    user: Account

    def place(self) -> str:
        """A new collection of the user."""
        path = f"{self.user.home}/{uuid.uuid4().hex[:12]}"
        with self.user.session() as session:
            session.collections.create(path)
        return path

    def write(self, path: str, content: bytes) -> str:
        """A data object of the user; its path."""
        with self.user.session() as session:
            parent = path.rpartition("/")[0]
            session.collections.create(parent)
            with session.data_objects.open(path, "w") as stream:
                stream.write(content)
        return path

    def read(self, path: str) -> bytes:
        """The content of a data object, as the user reads it."""
        with self.user.session() as session, session.data_objects.open(path, "r") as stream:
            return bytes(stream.read())

    def ask(self, rule: str, *texts: str) -> Any:
        """The good answer of a named rule, called by the user."""
        with self.user.session() as session:
            answer = rulecall.call(session, rule, *texts)
        assert "ok" in answer, answer
        return answer["ok"]

    def refused(self, rule: str, *texts: str) -> dict[str, Any]:
        """The error that a named rule answers the user with."""
        with self.user.session() as session:
            answer = rulecall.call(session, rule, *texts)
        assert "error" in answer, answer
        return dict(answer["error"])

    def ask_as_admin(self, rule: str, *texts: str) -> Any:
        """The good answer of a named rule, called by the service account."""
        with self.site.admin() as session:
            answer = rulecall.call(session, rule, *texts)
        assert "ok" in answer, answer
        return answer["ok"]

    def submit(self, **request: object) -> str:
        """A job submitted by rule; its id."""
        return str(self.ask("sluice_submit", json.dumps(request))["id"])

    def status(self, job_id: str) -> dict[str, Any]:
        """The job as the status rule tells it."""
        return dict(self.ask("sluice_status", job_id))

    def in_state(self, job_id: str, *wanted: str, seconds: float = 60.0) -> dict[str, Any]:
        """The job once it is in one of the states."""

        def look() -> dict[str, Any] | None:
            job = self.status(job_id)
            return job if job["state"] in wanted else None

        return until(look, f"job {job_id} being {' or '.join(wanted)}", seconds)

    def ended(self, job_id: str, seconds: float = 120.0) -> dict[str, Any]:
        """The job in its final state."""
        return self.in_state(job_id, *states.FINAL, seconds=seconds)

    def names(self, collection: str) -> list[str]:
        """The data objects of a collection, hidden ones as well, by name."""
        with self.site.admin() as session:
            rows = session.query(DataObject.name).filter(Collection.name == collection)
            return sorted(row[DataObject.name] for row in rows)

    def until_names(self, collection: str, wanted: list[str], seconds: float = 60.0) -> None:
        """Wait until a collection holds these data objects and no others."""
        found: list[str] = []

        def look() -> bool | None:
            found[:] = self.names(collection)
            return True if found == sorted(wanted) else None

        until(look, f"{collection} holding {wanted}", seconds)


@contextmanager
def bench(home: Path, **settings: object) -> Iterator[Bench]:
    """The chosen zone with a user made for the tests."""
    chosen = site.chosen(home) if not settings else site.EmbeddedSite(home, **settings)
    try:
        yield Bench(chosen, chosen.make_user(f"erin-{uuid.uuid4().hex[:6]}"))
    finally:
        chosen.close()


def look_as(session_of: Callable[[], iRODSSession], look: Callable[[iRODSSession], Any]) -> Any:
    """What a function sees in a new session."""
    with session_of() as session:
        return look(session)
