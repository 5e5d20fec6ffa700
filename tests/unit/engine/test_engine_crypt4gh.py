"""crypt4gh against the reference implementation."""

from __future__ import annotations

import os

import pytest

from python_rules.engine.keys import Key
from python_rules.engine.seal import crypt4gh as ours
from python_rules.jobs.errors import JobError

from .conftest import through

lib = pytest.importorskip("crypt4gh.lib")

SIZES = [0, 1, ours.SEGMENT - 1, ours.SEGMENT, ours.SEGMENT + 1, 40 * ours.SEGMENT + 5]


def test_a_new_header_for_another_reader(workers, key: Key) -> None:
    """The body stays as it is, byte for byte; the new reader opens it and the old one does not."""
    other = Key("researcher", 1, os.urandom(32))
    sealed = through(ours.Sealer(workers, key), b"shared" * 1000)
    size, header = ours.rewritten(sealed, key, [ours.public_key(other)])
    assert through(ours.Opener(workers, other), header + sealed[size:]) == b"shared" * 1000
    with pytest.raises(JobError, match="not for this key"):
        through(ours.Opener(workers, key), header + sealed[size:])


def test_a_header_without_end(workers, key: Key) -> None:
    """A packet that claims to be huge is refused before it is waited for."""
    head = ours.HEAD.pack(ours.MAGIC, 1, 1) + ours.PACKET.pack(1 << 30, 0)
    with pytest.raises(JobError, match="header is damaged"):
        through(ours.Opener(workers, key), head + bytes(100))
