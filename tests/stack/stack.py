"""Everything on one machine: zone, worker and shim in one folder, ended together."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from tests.stack.services import Services
from tests.stack.site import Account, EmbeddedSite


@dataclass(frozen=True)
class Stack:
    """A running set: the zone, its one user, and the shim."""

    site: EmbeddedSite
    user: Account
    services: Services


@contextmanager
def running(home: Path) -> Iterator[Stack]:
    """The set in ``home``; whatever ends the block, Ctrl-C and SIGTERM among it, leaves no process behind."""
    for number in (signal.SIGTERM, signal.SIGINT):  # also where a shell started us with SIGINT ignored
        signal.signal(number, _interrupt)
    site = EmbeddedSite(home / "zone")
    try:
        user = site.make_user("alice")
        services = Services(site, home / "services")
        try:
            yield Stack(site, user, services)
        finally:
            services.close()
    finally:
        site.close()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
