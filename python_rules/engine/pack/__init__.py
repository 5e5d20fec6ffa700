"""Packing: a collection becomes one pax tar with an index, and back; what is packed and unpacked is given as streams.

Format: POSIX.1-2001 pax interchange. AVUs and ACLs are records that tools which keep extended attributes take for
such; the index is ``comment`` records at the end, which every reader of pax passes over. See docs/FORMAT.md.
"""

from __future__ import annotations

from dataclasses import dataclass

FILE, COLLECTION, LINK, HARD_LINK = "file", "collection", "link", "hard link"
ROOT = "."  # the name of the packed collection itself

Avu = tuple[str, str, str]


@dataclass(frozen=True)
class Member:
    """What a tar says about one of its members; ``name`` is relative and has no slash at its end.

    ``size`` in bytes, ``modified`` in seconds since 1970; ``access`` is pairs of ``user#zone`` and an iRODS access;
    ``place`` is where a packer finds the content, ``link`` where a link points.
    """

    name: str
    kind: str = FILE
    size: int = 0
    mode: int = 0o644
    modified: float = 0
    avus: tuple[Avu, ...] = ()
    access: tuple[tuple[str, str], ...] = ()
    link: str = ""
    place: str = ""
