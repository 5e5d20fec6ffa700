"""Everything that can be done to data objects and collections, in one place: what APIs and microservices call.

Each function takes the agent and a ``Request`` (or a descriptor's number), checks the connection's rights, fires
the policy hooks of the operation, and raises ``IrodsError``. None of them fires ``pep_api_*`` hooks: those belong
to the calls that arrive on the wire.
"""

from __future__ import annotations

from embedded_zone.objects.checksums import checksum
from embedded_zone.objects.closing import close, close_replica
from embedded_zone.objects.collections import make_collection, remove_collection
from embedded_zone.objects.copying import copy
from embedded_zone.objects.listing import entries, stat_object
from embedded_zone.objects.model import Request
from embedded_zone.objects.modifying import modify_data_object, truncate, truncate_replica
from embedded_zone.objects.moving import physical_move
from embedded_zone.objects.opening import open_object
from embedded_zone.objects.physical import register
from embedded_zone.objects.putting import bulk_put, get, put, synchronize
from embedded_zone.objects.removing import unlink
from embedded_zone.objects.renaming import rename
from embedded_zone.objects.replicating import replicate, trim
from embedded_zone.objects.touching import touch
from embedded_zone.objects.transferring import read, seek, write

__all__ = [
    "Request",
    "bulk_put",
    "checksum",
    "close",
    "close_replica",
    "copy",
    "create",
    "entries",
    "get",
    "make_collection",
    "modify_data_object",
    "open_object",
    "physical_move",
    "put",
    "read",
    "register",
    "remove_collection",
    "rename",
    "replicate",
    "seek",
    "stat_object",
    "synchronize",
    "touch",
    "trim",
    "truncate",
    "truncate_replica",
    "unlink",
    "write",
]

create = open_object
