"""Which types the sentences of the contract hold for: what a type does not have is none of its tests."""

from __future__ import annotations

import pytest

from tests.systems.peers import PEERS
from tests.systems.peers_databases import DATABASE_PEERS
from tests.systems.peers_objects import OBJECT_PEERS

# A type whose server takes long to start belongs to make test-long.
_OBJECTS = [pytest.param(kind, marks=pytest.mark.long) for kind in OBJECT_PEERS]
_DATABASES = [pytest.param(kind, marks=pytest.mark.long) for kind in DATABASE_PEERS]
_FILES = [kind for kind in PEERS if kind != "http"]

KINDS = [*PEERS, *_OBJECTS, *_DATABASES]
WRITABLE = [*_FILES, *_OBJECTS, *_DATABASES]
SEEKING = [*PEERS, *_OBJECTS]  # a file is read from any offset, and has a size
TREES = [*PEERS, *_OBJECTS]  # each test has a folder of its own
WRITABLE_TREES = [*_FILES, *_OBJECTS]
LINKED = ["posix", "sftp", "rsync"]
RESUMING = ["posix", "sftp", "rsync"]
