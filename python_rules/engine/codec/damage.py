"""How every decoder says that its input is damaged."""

from __future__ import annotations

from python_rules.jobs.errors import JobError


def corrupt(text: str, offset: int) -> JobError:
    """The error about compressed data that are not as they were made; ``offset`` in bytes of these data."""
    return JobError(
        "corrupt_compressed_data",
        f"{text}, at byte {offset}",
        remedy="restore the object from a good replica or a copy",
        offset=offset,
    )
