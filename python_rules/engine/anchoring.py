"""The head of the audit log, kept in the catalogue too: whoever cuts the log's end off leaves a mark there that tells.

Every server of a zone has a log of its own; its mark is an AVU of the ledger collection, named by the host.
"""

from __future__ import annotations

import socket

from irods.session import iRODSSession

from python_rules.config import Config
from python_rules.engine.keys import Log
from python_rules.engine.keys.audit import Mark
from python_rules.engine.ledger import Ledger
from python_rules.jobs.errors import JobError

ATTRIBUTE = "sluice::audit_head"


def attribute() -> str:
    """The name of this server's mark."""
    return f"{ATTRIBUTE}@{socket.gethostname()}"


def check(config: Config, book: Ledger) -> Mark | None:
    """The mark in the catalogue, if any; raises JobError ``verification_failed`` if the log lacks its entry."""
    mark = next(filter(None, map(Mark.parsed, book.told(attribute()))), None)
    if mark and not Log.of(config).holds(mark):
        raise JobError(
            "verification_failed",
            f"the audit log {Log.of(config).path} has lost entry {mark.head.number}, which the catalogue knows of",
            remedy=f"compare with a back-up of the log; if it was replaced on purpose, remove {attribute()} from the "
            "ledger collection (imeta rm -C)",
        )
    return mark


def anchor(config: Config, service: iRODSSession, book: Ledger) -> int:
    """The patrol's part: note the present head in the catalogue; 1 if there is a new one. Raises as ``check``."""
    del service
    kept, now = check(config, book), Log.of(config).mark()
    if now == kept or now.head.number == 0:
        return 0
    book.tell(attribute(), str(now))
    return 1
