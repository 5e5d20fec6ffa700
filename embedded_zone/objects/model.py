"""The nouns of this package: a request to an operation, and a replica as the catalogue describes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from embedded_zone.objects import keywords as kw

STALE = 0
GOOD = 1
INTERMEDIATE = 2
READ_LOCKED = 3
WRITE_LOCKED = 4
AT_REST = (STALE, GOOD)
LOCKED = (READ_LOCKED, WRITE_LOCKED)


@dataclass
class Request:
    """A DataObjInp: which object, how to open it, and the condition keywords.

    ``keywords`` is the client's own mapping: what an operation adds to it (``resc_hier``, ``openType``)
    is seen by the post hooks, as on a real server.
    """

    path: str
    flags: int = 0
    keywords: dict[str, str] = field(default_factory=dict)
    operation: int = 0  # oprType
    size: int = -1
    mode: int = 0
    threads: int = 0
    offset: int = 0

    @classmethod
    def from_wire(cls, inp: Mapping[str, Any]) -> Request:
        """A request from an unpacked DataObjInp_PI."""
        keywords = inp.get("KeyValPair_PI")
        return cls(
            path=inp.get("objPath") or "",
            flags=inp.get("openFlags") or 0,
            keywords={} if keywords is None else keywords,
            operation=inp.get("oprType") or 0,
            size=inp.get("dataSize") or 0,
            mode=inp.get("createMode") or 0,
            threads=inp.get("numThreads") or 0,
            offset=inp.get("offset") or 0,
        )

    def as_wire(self) -> dict[str, Any]:
        """The request as DataObjInp_PI, for hooks (``rei.doinp``)."""
        return {
            "objPath": self.path,
            "createMode": self.mode,
            "openFlags": self.flags,
            "offset": self.offset,
            "dataSize": self.size,
            "numThreads": self.threads,
            "oprType": self.operation,
            "SpecColl_PI": None,
            "KeyValPair_PI": self.keywords,
        }

    def variant(self, *, without: tuple[str, ...] = (), **changes: Any) -> Request:
        """A copy with its own keywords, some of them left out."""
        keywords = {k: v for k, v in self.keywords.items() if k not in without}
        return replace(self, keywords=changes.pop("keywords", keywords), **changes)

    def has(self, *names: str) -> bool:
        """Whether any of the keywords was given, with or without a value."""
        return any(name in self.keywords for name in names)

    def get(self, name: str) -> str:
        """The keyword's value, '' when it was not given."""
        return self.keywords.get(name) or ""

    @property
    def writes(self) -> bool:
        return bool(self.flags & (kw.O_WRONLY | kw.O_RDWR))

    @property
    def truncates(self) -> bool:
        return self.writes and bool(self.flags & kw.O_TRUNC)

    @property
    def creates(self) -> bool:
        return bool(self.flags & kw.O_CREAT)


@dataclass
class Replica:
    """One row of R_DATA_MAIN with its logical path and resource hierarchy."""

    logical_path: str
    hierarchy: str
    resc_id: int
    data_id: int = 0
    coll_id: int = 0
    number: int = 0
    version: str = ""
    type_name: str = "generic"
    size: int = 0
    physical_path: str = ""
    owner_name: str = ""
    owner_zone: str = ""
    status: int = GOOD
    status_string: str = ""
    checksum: str = ""
    expiry: str = "00000000000"
    map_id: int = 0
    mode: str = ""
    comments: str = ""
    created: str = ""
    modified: str = ""
    accessed: str = ""

    @classmethod
    def from_row(cls, row: sqlite3.Row, logical_path: str, hierarchy: str) -> Replica:
        values = {name: row[column] for name, column in COLUMNS.items()}
        for name, value in values.items():
            if value is None:
                values[name] = 0 if name in _NUMBERS else ""
        return cls(logical_path=logical_path, hierarchy=hierarchy, **values)

    @property
    def leaf(self) -> str:
        return self.hierarchy.rpartition(";")[2]

    @property
    def root(self) -> str:
        return self.hierarchy.partition(";")[0]

    def as_json(self) -> dict[str, str]:
        """Column names and texts, as ``pep_database_data_object_finalize_*`` shows a replica."""
        texts = {column: str(getattr(self, name)) for name, column in COLUMNS.items()}
        texts["data_name"] = self.logical_path.rpartition("/")[2]
        return texts

    def as_wire(self) -> dict[str, Any]:
        """The replica as DataObjInfo_PI."""
        return {
            "objPath": self.logical_path,
            "rescName": self.leaf,
            "rescHier": self.hierarchy,
            "dataType": self.type_name,
            "dataSize": self.size,
            "chksum": self.checksum,
            "version": self.version,
            "filePath": self.physical_path,
            "dataOwnerName": self.owner_name,
            "dataOwnerZone": self.owner_zone,
            "replNum": self.number,
            "replStatus": self.status,
            "statusString": self.status_string,
            "dataId": self.data_id,
            "collId": self.coll_id,
            "dataMapId": self.map_id,
            "flags": 0,
            "dataComments": self.comments,
            "dataMode": self.mode,
            "dataExpiry": self.expiry,
            "dataCreate": self.created,
            "dataModify": self.modified,
            "dataAccess": "",
            "dataAccessInx": 0,
            "writeFlag": 0,
            "destRescName": "",
            "backupRescName": "",
            "subPath": "",
            "specColl": None,
            "regUid": 0,
            "otherFlags": 0,
            "KeyValPair_PI": {},
            "in_pdmo": "",
            "next": None,
            "rescId": self.resc_id,
            "dataAccessTime": self.accessed,
        }


COLUMNS: dict[str, str] = {
    "data_id": "data_id",
    "coll_id": "coll_id",
    "number": "data_repl_num",
    "version": "data_version",
    "type_name": "data_type_name",
    "size": "data_size",
    "resc_id": "resc_id",
    "physical_path": "data_path",
    "owner_name": "data_owner_name",
    "owner_zone": "data_owner_zone",
    "status": "data_is_dirty",
    "status_string": "data_status",
    "checksum": "data_checksum",
    "expiry": "data_expiry_ts",
    "map_id": "data_map_id",
    "mode": "data_mode",
    "comments": "r_comment",
    "created": "create_ts",
    "modified": "modify_ts",
    "accessed": "access_ts",
}
_NUMBERS = frozenset({"data_id", "coll_id", "number", "size", "resc_id", "status", "map_id"})
