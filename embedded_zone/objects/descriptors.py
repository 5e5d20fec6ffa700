"""The open data objects of one connection: iRODS's L1 descriptors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedded_zone.errors import IrodsError
from embedded_zone.objects import keywords as kw
from embedded_zone.wire import codes

if TYPE_CHECKING:
    from embedded_zone.agent import Agent
    from embedded_zone.objects.model import Replica, Request

FIRST = 3
LAST = 1026  # NUM_L1_DESC of iRODS

# chksumFlag of a descriptor
NO_CHECKSUM = 0
REGISTER_CHECKSUM = 1
VERIFY_CHECKSUM = 2


@dataclass
class Descriptor:
    """One open replica."""

    number: int
    request: Request
    replica: Replica
    open_type: int
    file: int = -1
    operation: int = 0  # oprType; a put or a copy sets it after the open
    bytes_written: int = -1  # -1: nothing was written yet
    data_size: int = -1  # what the client announced
    checksum_flag: int = NO_CHECKSUM
    checksum: str = ""  # what the client announced
    token: str = ""
    status: int = 0  # oprStatus: a failure that close shall record

    @property
    def writes(self) -> bool:
        return self.open_type != kw.OPEN_FOR_READ_TYPE

    def as_json(self) -> dict[str, Any]:
        """What API 20000 answers about the descriptor."""
        request, replica = self.request, self.replica
        return {
            "l3descInx": self.file,
            "in_use": True,
            "operation_type": self.operation,
            "open_type": self.open_type,
            "operation_status": self.status,
            "data_object_input_replica_flag": 1,
            "data_object_input": _input(request),
            "data_object_info": _info(replica),
            "other_data_object_info": None,
            "copies_needed": 0,
            "bytes_written": self.bytes_written,
            "data_size": self.data_size,
            "replica_status": replica.status,
            "checksum_flag": self.checksum_flag,
            "source_l1_descriptor_index": 0,
            "checksum": self.checksum,
            "remote_l1_descriptor_index": 0,
            "stage_flag": 0,
            "purge_cache_flag": 0,
            "lock_file_descriptor": 0,
            "plugin_data": None,
            "replication_data_object_info": None,
            "remote_zone_host": None,
            "in_pdmo": "",
            "replica_token": self.token,
        }


def _pairs(keywords: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value or ""} for key, value in keywords.items()]


def _input(request: Request) -> dict[str, Any]:
    return {
        "object_path": request.path,
        "create_mode": request.mode,
        "open_flags": request.flags,
        "offset": request.offset,
        "data_size": request.size,
        "number_of_threads": request.threads,
        "operation_type": request.operation,
        "special_collection": None,
        "condition_input": _pairs(request.keywords),
    }


def _info(replica: Replica) -> dict[str, Any]:
    return {
        "object_path": replica.logical_path,
        "resource_name": replica.leaf,
        "resource_hierarchy": replica.hierarchy,
        "data_type": replica.type_name,
        "data_size": replica.size,
        "checksum": replica.checksum,
        "version": replica.version,
        "file_path": replica.physical_path,
        "data_owner_name": replica.owner_name,
        "data_owner_zone": replica.owner_zone,
        "replica_number": replica.number,
        "is_replica_current": replica.status == 1,
        "replica_status": replica.status,
        "status_string": replica.status_string,
        "data_id": replica.data_id,
        "collection_id": replica.coll_id,
        "data_map_id": replica.map_id,
        "flags": 0,
        "data_comments": replica.comments,
        "data_mode": replica.mode,
        "data_expiry": replica.expiry,
        "data_create": replica.created,
        "data_modify": replica.modified,
        "data_access": "",
        "data_access_index": 0,
        "write_flag": 0,
        "destination_resource_name": "",
        "sub_path": "",
        "special_collection": None,
        "registering_user_id": 0,
        "other_flags": 0,
        "condition_input": [],
        "in_pdmo": "",
        "next": None,
        "resource_id": replica.resc_id,
    }


class Descriptors:
    """The table of a connection's open objects; numbers start at 3 and the lowest free one is taken."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._open: dict[int, Descriptor] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, request: Request, replica: Replica, open_type: int) -> Descriptor:
        """A new descriptor; raises SYS_OUT_OF_FILE_DESC when the table is full."""
        number = next((n for n in range(FIRST, LAST) if n not in self._open), 0)
        if not number:
            raise IrodsError(codes.SYS_OUT_OF_FILE_DESC, "too many open data objects")
        entry = Descriptor(number, request, replica, open_type, operation=request.operation)
        self._open[number] = entry
        return entry

    def lookup(self, number: int) -> Descriptor:
        """The descriptor; raises SYS_FILE_DESC_OUT_OF_RANGE or BAD_INPUT_DESC_INDEX."""
        if not FIRST <= number < LAST:
            raise IrodsError(codes.SYS_FILE_DESC_OUT_OF_RANGE, f"{number} is no descriptor")
        if number not in self._open:
            raise IrodsError(codes.BAD_INPUT_DESC_INDEX, f"descriptor {number} is not open")
        return self._open[number]

    def free(self, number: int) -> None:
        """Forget a descriptor; its file must be closed already."""
        self._open.pop(number, None)

    def abandon(self) -> None:
        """The client is gone: settle what it left open (stale, with the bytes that arrived)."""
        from embedded_zone.objects import closing

        for entry in list(self._open.values()):
            closing.abandon(self._agent, entry)
        self._open.clear()
