"""Which delayed rules the Python engine may be given, and by whom.

On a real zone any user can queue text that a Python engine then runs as the service account.
"""

from __future__ import annotations

import re

_OUR_OWN = re.compile(
    r"callback\.(sluice_run\('[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'\)|sluice_drain\('[0-9]{1,19}'\)"
    r"|sluice_patrol\(\))"
)
PATROL_TEXT = "callback.sluice_patrol()"  # a round of the patrol; anybody may ask for one, at most one runs


def may_be_queued(
    text: str, engine_instance: str, native_instance: str, submitter_is_admin: bool, frequency: str = ""
) -> bool:
    """Whether a submission may enter the queue; ``engine_instance`` is '' where none was named (all are tried).

    What repeats is the service account's alone: a row with EF stays in the queue until somebody takes it out.
    """
    if engine_instance == native_instance or submitter_is_admin:
        return True
    return is_our_own(text) and not frequency


def is_our_own(text: str) -> bool:
    """Whether the text is one that Sluice itself queues."""
    return bool(_OUR_OWN.fullmatch(text))


def run_text(job_id: str) -> str:
    """The text of the delayed rule that runs a job."""
    return f"callback.sluice_run('{job_id}')"


def is_run(text: str) -> bool:
    """Whether the text runs a job."""
    return is_our_own(text) and "sluice_run" in text


def drain_text(collection_id: str) -> str:
    """The text of the delayed rule that makes one job of what arrived in a policy's collection."""
    return f"callback.sluice_drain('{collection_id}')"
