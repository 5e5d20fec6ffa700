"""A queue of files: kombu's filesystem transport, with messages that appear whole.

kombu's own writes a message under its final name, and a worker that looks at that moment takes half of it.
"""

from __future__ import annotations

import os
import time
import uuid
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

SCHEME = "spool"
_LONGEST_WAIT = 0.25  # seconds


class Channel(filesystem.Channel):
    """The filesystem channel; ``_put`` writes beside and renames, and names sort by the time of day."""

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:
        name = f"{time.time_ns():020d}_{uuid.uuid4()}.{queue}.msg"
        hidden = os.path.join(self.data_folder_out, f".{name}.new")
        try:
            with open(hidden, "w", encoding="utf-8") as file:
                file.write(dumps(payload))  # not synced: what a power cut takes is sent again from the request's row
            os.rename(hidden, os.path.join(self.data_folder_out, name))
        except OSError as error:
            raise ChannelError(f"Cannot add a message to {self.data_folder_out}: {error.strerror}") from error


class Transport(filesystem.Transport):
    """The filesystem transport over ``Channel``."""

    Channel = Channel

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:
        """Deliver one message; gives up early, because Celery looks for a stop signal only in between."""
        super().drain_events(connection, timeout=min(timeout or _LONGEST_WAIT, _LONGEST_WAIT))


def register() -> None:
    """Make ``spool://`` a broker URL."""
    TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"
