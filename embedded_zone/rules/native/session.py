"""Session variables (``$name``) of the rule language, as core.dvm maps them to ``rei``."""

from __future__ import annotations

from typing import Any

from embedded_zone.agent import Agent
from embedded_zone.errors import IrodsError
from embedded_zone.wire.codes import RE_UNABLE_TO_READ_SESSION_VAR

# Name -> path from rei; the identities come from the agent because rei shows the same.
_PATHS = {
    "objPath": ("doi", "objPath"),
    "rescName": ("doi", "rescName"),
    "destRescName": ("doi", "destRescName"),
    "dataType": ("doi", "dataType"),
    "dataSize": ("doi", "dataSize"),
    "chksum": ("doi", "chksum"),
    "filePath": ("doi", "filePath"),
    "replNum": ("doi", "replNum"),
    "replStatus": ("doi", "replStatus"),
    "writeFlag": ("doi", "writeFlag"),
    "dataOwner": ("doi", "dataOwnerName"),
    "dataOwnerZone": ("doi", "dataOwnerZone"),
    "dataId": ("doi", "dataId"),
    "collId": ("doi", "collId"),
    "collName": ("coi", "collName"),
    "collParentName": ("coi", "collParentName"),
    "userNameClient": ("uoic", "userName"),
    "rodsZoneClient": ("uoic", "rodsZone"),
    "privClient": ("uoic", "authInfo", "authFlag"),
    "userNameProxy": ("uoip", "userName"),
    "rodsZoneProxy": ("uoip", "rodsZone"),
    "privProxy": ("uoip", "authInfo", "authFlag"),
    "otherUserName": ("uoio", "userName"),
    "otherUserZone": ("uoio", "rodsZone"),
    "otherUserType": ("uoio", "userType"),
    "clientAddr": ("rsComm", "clientAddr"),
    "connectCnt": ("rsComm", "connectCnt"),
    "connectOption": ("rsComm", "option"),
    "connectApiIndex": ("rsComm", "apiInx"),
    "status": ("status",),
}
# What makes a text unfit for the delay queue, in comments too (server_utilities.cpp).
KNOWN_NAMES = frozenset(_PATHS) | {
    "connectSock", "connectStatus", "KVPairs", "pluginInstanceName", "dataExpiry", "dataComments",
    "dataCreate", "dataModify", "dataAccess", "dataAccessInx", "version", "statusString", "backupRescName",
    "rescGroupName", "rescGroupId", "collExpiry", "collComments", "collCreate", "collModify", "collAccess",
    "collAccessInx", "collMapId", "collOwnername", "collInheritance", "condInput", "msParam",
    "userCityClient", "authStrClient", "userAuthSchemeClient", "userInfoClient", "userCommentClient",
    "userCreateClient", "userModifyClient", "sysUidClient", "authStrProxy", "userAuthSchemeProxy",
    "userInfoProxy", "userCommentProxy", "userCreateProxy", "userModifyProxy", "sysUidProxy", "dataMapId",
    "flags", "reqAttr",
}  # fmt: skip


def session_value(agent: Agent, rei: Any, name: str) -> Any:
    """The value of ``$name``; raises IrodsError RE_UNABLE_TO_READ_SESSION_VAR when rei lacks it."""
    value = rei
    for part in _PATHS.get(name[1:], ("",)):
        value = getattr(value, part, None) if part else None
    if value is None or (name == "$objPath" and rei.doi is None):
        value = _from_request(rei, name)
    if value is None:
        raise IrodsError(RE_UNABLE_TO_READ_SESSION_VAR, f"error: unable to read session variable {name}.")
    return value if isinstance(value, int | float) else str(value)


def _from_request(rei: Any, name: str) -> Any:
    if name == "$objPath" and rei.doinp is not None:
        return rei.doinp.objPath
    return None
