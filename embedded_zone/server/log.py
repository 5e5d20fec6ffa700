"""The zone's log: one JSON object a line in ``log/zone.jsonl``, with the keys of iRODS's own log.

Never a password, a packet or file content: callers log names and numbers.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from embedded_zone.wire.codes import name_of

_LEVELS = {"WARNING": "warn", "CRITICAL": "critical"}
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Handler):
    """Appends records to a file that many processes share: one write call per line, no lock needed."""

    def __init__(self, path: Path, zone: str, server_type: str) -> None:
        super().__init__()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._host = socket.gethostname()
        self.zone = zone
        self.server_type = server_type
        self.request: dict[str, Any] = {}

    def emit(self, record: logging.LogRecord) -> None:
        line = json.dumps(self.values(record), ensure_ascii=False, default=str, sort_keys=True)
        os.write(self._fd, line.encode("utf-8", "replace") + b"\n")

    def values(self, record: logging.LogRecord) -> dict[str, Any]:
        """A record's keys; what was passed as ``extra`` becomes keys of its own."""
        values = {
            "log_category": "server",
            "log_level": _LEVELS.get(record.levelname, record.levelname.lower()),
            "log_message": record.getMessage(),
            "server_host": self._host,
            "server_pid": os.getpid(),
            "server_timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "server_type": self.server_type,
            "server_zone": self.zone,
            **self.request,
            **{key: value for key, value in vars(record).items() if key not in _STANDARD},
        }
        if record.exc_info:
            values["traceback"] = logging.Formatter().formatException(record.exc_info)
        return values


def open_log(path: Path, zone: str, server_type: str) -> logging.Logger:
    """The logger of this process; the one that a forked process inherited is replaced."""
    logger = logging.getLogger("embedded_zone")
    for old in list(logger.handlers):
        logger.removeHandler(old)
    logger.addHandler(JsonLines(path, zone, server_type))
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger


def attach_request(logger: logging.Logger, **values: Any) -> None:
    """Add keys (``request_client_user`` …) to every further record of this process."""
    for handler in logger.handlers:
        if isinstance(handler, JsonLines):
            handler.request.update(values)


def describe(code: int) -> str:
    """A status with its name, as it stands in log lines."""
    return f"{code} {name_of(code)}"
