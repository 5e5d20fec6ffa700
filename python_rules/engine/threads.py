"""What each thread of an attempt has for itself: a connection to the zone as the job's user."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack

from irods.session import iRODSSession

from python_rules.config import Config
from python_rules.engine import sessions
from python_rules.engine.ledger import Ledger
from python_rules.engine.transfer.zone import Zone
from python_rules.jobs.record import Body


class Zones:
    """A session for each thread, closed with ``opened``."""

    def __init__(self, config: Config, body: Body, attempt: int, opened: ExitStack) -> None:
        self._config = config
        self._body = body
        self._attempt = attempt
        self._opened = opened
        self._lock = threading.Lock()
        self._local = threading.local()

    def session(self) -> iRODSSession:
        """The calling thread's own session."""
        session: iRODSSession | None = getattr(self._local, "session", None)
        if session is None:
            with self._lock:
                session = self._opened.enter_context(sessions.as_user(self._config, self._body.user))
            self._local.session = session
        return session

    @property
    def user(self) -> str:
        """The job's user, name#zone."""
        return self._body.user

    def keep(self, close: Callable[[], None]) -> None:
        """Have something closed with the sessions."""
        self._opened.callback(close)

    def mine(self) -> Zone:
        """The calling thread's way into the zone."""
        zone: Zone | None = getattr(self._local, "zone", None)
        if zone is None:
            zone = self._local.zone = Zone(self.session(), self._body.id, self._attempt, self._body.job_id)
        return zone

    def book(self) -> Ledger:
        """The ledger as the job's user may read it."""
        return Ledger(self.session(), self._config.ledger)
