"""The one error type of the zone.

    IrodsError            an operation failed with an iRODS code; becomes intInfo of the reply
      SkipOperation       a pre hook answered RULE_ENGINE_SKIP_OPERATION: report success, do nothing

Codes are the numbers of iRODS's ``rodsErrorTable.h``; ``embedded_zone.wire.codes`` holds them by name.
"""

from __future__ import annotations

from typing import Any


class IrodsError(Exception):
    """An operation failed with the iRODS status ``code`` (negative, perhaps with an errno subtracted).

    ``reply`` is the structure that some APIs send back together with a failure (atomic metadata and ACLs,
    replica_truncate, checksum verification); ``None`` for an empty reply.
    """

    def __init__(self, code: int, message: str = "", reply: Any = None) -> None:
        super().__init__(f"[{code}] {message}" if message else str(code))
        self.code = code
        self.message = message
        self.reply = reply


class SkipOperation(Exception):
    """A pre hook asked that the operation itself be left out and reported as a success."""
