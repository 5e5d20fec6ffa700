"""What a server asks another zone's server around a call: each is an API call there, and fires its hooks there.

Sources: ``resolveLinkedPath`` (specColl.cpp), the file system library for servers, ``rsDataObjOpen`` of 5.0.2.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any

from embedded_zone.catalog.genquery import columns as c
from embedded_zone.errors import IrodsError
from embedded_zone.federation.links import Link
from embedded_zone.objects import paths
from embedded_zone.wire import codes

GEN_QUERY, SPECIFIC_QUERY, OBJ_STAT, MOD_COLL, REMOTE_ZONE_RESC = 702, 722, 633, 680, 668
DATA_OBJECT, COLLECTION = 1, 2
_COLL_TYPE, _COLL_INHERITANCE, _DATA_ACCESS_TYPE, _DATA_ACCESS_USER_ID = 510, 506, 700, 702


def rows(link: Link, columns: tuple[int, ...], conditions: list[tuple[int, str]]) -> bool:
    """Whether a query there finds anything."""
    request = {
        "maxRows": 1,
        "KeyValPair_PI": {},
        "InxIvalPair_PI": [(column, 1) for column in columns],
        "InxValPair_PI": conditions,
    }
    try:
        link.call(GEN_QUERY, request, request_type="GenQueryInp_PI", reply_type="GenQueryOut_PI")
    except IrodsError as error:
        if error.code != codes.CAT_NO_ROWS_FOUND:
            raise
        return False
    return True


def exists(link: Link, collection: str) -> bool:
    """Whether the client can see a collection there."""
    return rows(link, (c.COLL_ID,), [(c.COLL_NAME, f"='{collection}'")])


def has_replica(link: Link, path: str, resource: str) -> bool:
    """Whether an object has a replica in a resource's hierarchy."""
    collection, name = paths.split(path)
    hierarchy = (c.RESC_HIERARCHY, f"like '{resource};%' || = '{resource}'")
    return rows(link, (c.DATA_ID,), [(c.COLL_NAME, f"='{collection}'"), (c.DATA_NAME, f"='{name}'"), hierarchy])


def is_linked(link: Link, path: str) -> None:
    """Ask whether a path lies in a linked or mounted collection; the answer no is remembered for the last path.

    The embedded zone has no such collections; the question is asked for the hooks of those who answer it.
    """
    if path == link.unlinked:
        return
    # Whatever fails here fails again, and louder, in the call itself.
    with contextlib.suppress(IrodsError):
        rows(link, (c.COLL_NAME, _COLL_TYPE), [(_COLL_TYPE, "like '_%'"), (c.COLL_NAME, f"='{path}'")])
        link.unlinked = path


def forget_unlinked(link: Link) -> None:
    """A question about a path of the own zone takes the one place of the memory."""
    link.unlinked = ""


def stat(link: Link, path: str) -> dict[str, Any] | None:
    """What a path is there, None for nothing that the client can see."""
    is_linked(link, path)
    request = {"objPath": path, "KeyValPair_PI": {}}
    try:
        answer = link.call(OBJ_STAT, request, request_type="DataObjInp_PI", reply_type="RodsObjStat_PI")
    except IrodsError as error:
        if error.code not in (codes.USER_FILE_DOES_NOT_EXIST, codes.CAT_NO_ACCESS_PERMISSION):
            raise
        return None
    found: dict[str, Any] = answer.body
    return found


def status(link: Link, path: str) -> int:
    """DATA_OBJECT, COLLECTION or 0, found out as the server's file system library does: with the permissions."""
    found = stat(link, path)
    if found is None:
        return 0
    kind = int(found["objType"])
    _PERMISSIONS[kind](link, path)
    return kind


def _object_permissions(link: Link, path: str) -> None:
    collection, name = paths.split(path)
    columns = (_DATA_ACCESS_TYPE, _DATA_ACCESS_USER_ID)
    rows(link, columns, [(c.COLL_NAME, f"='{collection}'"), (c.DATA_NAME, f"='{name}'")])


def _collection_permissions(link: Link, path: str) -> None:
    rows(link, (_COLL_INHERITANCE,), [(c.COLL_NAME, f"='{path}'")])
    request = {"sql": "ShowCollAcls", "arg1": path, "maxRows": 256, "KeyValPair_PI": {"zone": link.peer.zone}}
    link.call(SPECIFIC_QUERY, request, request_type="specificQueryInp_PI", reply_type="GenQueryOut_PI")


_PERMISSIONS = {DATA_OBJECT: _object_permissions, COLLECTION: _collection_permissions}


def resource(link: Link, request: dict[str, Any], operation: str) -> None:
    """Ask which server there has the resource; an embedded zone has one server, so the answer is not used."""
    keywords = {**(request.get("KeyValPair_PI") or {}), "remoteZoneOpr": operation}
    link.call(
        REMOTE_ZONE_RESC,
        {**request, "KeyValPair_PI": keywords},
        request_type="DataObjInp_PI",
        reply_type="RHostAddr_PI",
    )


def touch_parent(link: Link, path: str) -> None:
    """Set the modify time of a path's collection, once more: the server there has done it already."""
    parent = paths.parent(path)
    try:
        if exists(link, parent) and status(link, parent) == COLLECTION:
            request = {"collName": parent, "KeyValPair_PI": {"collectionMtime": f"{int(time.time()):011d}"}}
            link.call(MOD_COLL, request, request_type="CollInpNew_PI")
    except IrodsError as error:
        link.agent.log.debug("modify time of %s: %s", parent, error)
