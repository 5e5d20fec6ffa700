"""The two nouns of staging: a ``Place`` (a configured system below its base, as one user), and the ``Item``s in it.

A type of system is one class that has Place's verbs; ``table.TYPES`` names it. Paths are relative to the base, with
'/' between names and no '.', '..' or empty part (``system.checked_path``), '' being the base itself. A Place serves one
thread at a time; a job opens several. Every method raises JobError alone: what may be gone at the next attempt has a
code of ``errors.PASSING``, all else stays.

Writing is always the same three steps, whatever the far side offers for them (rename of a hidden sibling, completion of
a multipart upload, a manifest over segments, commit of a transaction): ``write`` blocks, ``publish`` what was verified,
or ``abandon`` it. Nothing has its final name before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from python_rules.engine.blocks import Block
from python_rules.engine.pipeline import Source

FILE, FOLDER, LINK = "file", "folder", "link"

Fence = Callable[[], None]  # raises JobError if nothing may be published any more


def unfenced() -> None:
    """Nobody else could publish in our place."""


@dataclass(frozen=True)
class Item:
    """What a place holds at a path: a file, a folder, or a symbolic link (which is told of, never followed here)."""

    path: str
    kind: str = FILE
    size: int = 0  # bytes; of a file whose size is not known before it was read (a query's result): -1
    modified: float | None = None  # seconds since the epoch
    checksum: str = (
        ""  # as the far side keeps it, with its kind before it ('sha2:…', 'md5:…', 'etag:…'); '' if it keeps none
    )
    mode: int | None = None  # POSIX permission bits
    link: str = ""  # what a symbolic link says


class Incoming(Source, Protocol):
    """A file that is read; a pipeline's source."""

    def close(self) -> None:
        """Let go of it, whether all was read or not."""


class Outgoing(Protocol):
    """A file that is written, under no name that anybody sees; a pipeline's sink."""

    held: int
    """So many bytes of an earlier, broken attempt at the same content are there: the writer goes on after them. 0 where
    the type cannot resume."""

    def reread(self) -> Incoming | None:
        """What is held, from its start, to be compared with what was sent; None where the far side does not give back
        what is not published, and then vouches itself for what it took (a part's checksum)."""

    def go_on_at(self, offset: int) -> None:
        """Keep only so many bytes of what is held (0: begin anew); the next block is written there."""

    def write(self, block: Block) -> None:
        """Take all of a block."""

    def publish(self, size: int, sha256: str, modified: float | None = None, fence: Fence = unfenced) -> str:
        """Give it its final name, in place of what had it, once the far side holds ``size`` bytes with this hash
        (``sha2:…``): by its own checksum where it keeps one, otherwise by reading back. How it was verified, in a word.
        Raises JobError ``verification_failed``; then nothing has changed under the final name. ``fence`` is called
        after everything that takes long, right before the name is given: if it raises, nothing has changed either."""

    def abandon(self, keep: bool = False) -> None:
        """Remove what was written; ``keep`` leaves whole blocks for a later attempt to go on from (``held``)."""


class Place(Protocol):
    """One system, as one user, below its base."""

    def check(self) -> str:
        """One line that says what was reached and what is free; raises JobError with the reason and the remedy."""

    def find(self, path: str) -> Item | None:
        """What is at a path, a link itself and not what it leads to; None if nothing is."""

    def walk(self, path: str) -> Iterator[Item]:
        """All that lies below a folder, parents before what they hold, in order of names; neither the folder itself nor
        what is not published."""

    def read(self, path: str, offset: int = 0) -> Incoming:
        """Open a file to be read from an offset in bytes; raises ``source_not_found``."""

    def write(self, path: str, size: int | None = None, resume: str = "") -> Outgoing:
        """Begin a file; ``size`` in bytes if it is known. ``resume`` is ``<job>-<content>.<attempt>``: what an attempt
        of a lower number left for the same job and content is taken over, under this attempt's own name ('' begins
        anew). Folders above it must be there, where the type has folders."""

    def make_folder(self, path: str, mode: int | None = None) -> None:
        """Make a folder, with those above it; that it is there is no error. Nothing where the type has none."""

    def make_link(self, path: str, target: str) -> None:
        """Make a symbolic link; raises ``bad_value`` where the type has none, or the target leads out of the base."""

    def remove(self, path: str) -> None:
        """Remove a file, a link or an empty folder; that it is not there is no error."""

    def clean(self, path: str, job: str) -> None:
        """Remove what broken attempts of a job left unpublished, at a path and below it (its tokens begin with the
        job's id)."""

    def free(self) -> int | None:
        """Bytes that may still be written; None where the far side does not say."""

    def close(self) -> None:
        """Close connections."""


class Old(Protocol):
    """An older version of a file that is read, as the other end has it; read by offset."""

    size: int
    """Bytes."""

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """Read up to the buffer's size from an offset; the number of bytes, 0 at the end."""

    def close(self) -> None:
        """Let go of it."""


@runtime_checkable
class Comparing(Protocol):
    """A place with a program at the far side that spares the line what both ends have."""

    @property
    def trusts_times(self) -> bool:
        """Whether a file of the same size and modify time counts as unchanged."""

    def pays(self, size: int | None) -> bool:
        """Whether a file of this size is worth a comparison."""

    def read_against(self, path: str, old: Old) -> Incoming:
        """As Place.read, from the start; what the older version holds does not come over the line."""

    def sha256(self, item: Item) -> str:
        """The hash of a file (``sha2:…``), computed there; '' if it is faster to read it."""
