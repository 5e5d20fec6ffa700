"""Which types the sentences of the contract hold for: what a type does not have is none of its tests."""

from __future__ import annotations

import pytest

from tests.systems.peers import PEERS
from tests.systems.peers_objects import OBJECT_PEERS

# A type whose server takes long to start belongs to make test-long.
_OBJECTS = [pytest.param(kind, marks=pytest.mark.long) for kind in OBJECT_PEERS]

KINDS = [*PEERS, *_OBJECTS]
WRITABLE = [*(kind for kind in PEERS if kind != "http"), *_OBJECTS]
LINKED = ["posix", "sftp", "rsync"]
RESUMING = ["posix", "sftp", "rsync"]
