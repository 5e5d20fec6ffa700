"""Everything that can be done to data objects and collections, in one place: what APIs and microservices call.

Each function takes the agent and a ``Request`` (or a descriptor's number), checks the connection's rights, fires
the policy hooks of the operation, and raises ``IrodsError``. None of them fires ``pep_api_*`` hooks: those belong
to the calls that arrive on the wire.
"""

from __future__ import annotations

from embedded_zone.objects import (
    checksums,
    collections,
    copying,
    listing,
    modifying,
    moving,
    opening,
    physical,
    putting,
    removing,
    renaming,
    replicating,
)
from embedded_zone.objects.closing import close, close_replica
from embedded_zone.objects.federation import local
from embedded_zone.objects.listing import entries
from embedded_zone.objects.model import Request
from embedded_zone.objects.modifying import modify_data_object
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

bulk_put = local(putting.bulk_put)
checksum = local(checksums.checksum)
copy = local(copying.copy)
make_collection = local(collections.make_collection)
open_object = local(opening.open_object)
physical_move = local(moving.physical_move)
put = local(putting.put)
register = local(physical.register)
remove_collection = local(collections.remove_collection)
rename = local(renaming.rename)
replicate = local(replicating.replicate)
stat_object = local(listing.stat_object)
synchronize = local(putting.synchronize)
trim = local(replicating.trim)
truncate = local(modifying.truncate)
truncate_replica = local(modifying.truncate_replica)
unlink = local(removing.unlink)

create = open_object
