"""The module that policies import as ``session_vars``: ``get_map(rei)`` shows ``rei`` as nested dicts."""

from __future__ import annotations

from typing import Any

_DATA_OBJECT = {
    "object_path": "objPath",
    "size": "dataSize",
    "type": "dataType",
    "checksum": "chksum",
    "file_path": "filePath",
    "replica_number": "replNum",
    "replication_status": "replStatus",
    "write_flag": "writeFlag",
    "owner": "dataOwnerName",
    "owner_zone": "dataOwnerZone",
    "expiry": "dataExpiry",
    "comments": "dataComments",
    "create_time": "dataCreate",
    "modify_time": "dataModify",
    "access_time": "dataAccess",
    "id": "dataId",
    "collection_id": "collId",
    "status_string": "statusString",
    "destination_resource_name": "destRescName",
    "backup_resource_name": "backupRescName",
    "resource_name": "rescName",
}
_COLLECTION = {
    "id": "collId",
    "name": "collName",
    "parent_collection_name": "collParentName",
    "owner": "collOwnerName",
    "expiry": "collExpiry",
    "comments": "collComments",
    "create_time": "collCreate",
    "modify_time": "collModify",
    "access_time": "collAccess",
    "inheritance": "collInheritance",
}
_CONNECTION = {
    "client_address": "clientAddr",
    "connection_count": "connectCnt",
    "socket": "sock",
    "option": "option",
    "status": "status",
    "api_number": "apiInx",
}


def _plain(value: Any) -> Any:
    return value if isinstance(value, int) else str(value)


def _members(struct: Any, names: dict[str, str]) -> dict[str, Any]:
    return {key: _plain(getattr(struct, member)) for key, member in names.items()}


def _data_object(rei: Any) -> dict[str, Any] | None:
    if rei.doi is not None:
        return _members(rei.doi, _DATA_OBJECT)
    if rei.doinp is None:
        return None
    known = {"object_path": str(rei.doinp.objPath), "size": rei.doinp.dataSize}
    return {**dict.fromkeys(_DATA_OBJECT), **known}


def _user(user: Any) -> dict[str, Any] | None:
    if user is None:
        return None
    return {
        "user_name": str(user.userName),
        "irods_zone": str(user.rodsZone),
        "user_type": str(user.userType),
        "system_uid": user.sysUid,
        "authentication_info": _authentication(user.authInfo),
        "info": str(user.userOtherInfo.userInfo),
        "comments": str(user.userOtherInfo.userComments),
        "create_time": str(user.userOtherInfo.userCreate),
        "modify_time": str(user.userOtherInfo.userModify),
    }


def _authentication(info: Any) -> dict[str, Any]:
    return {
        "authentication_scheme": str(info.authScheme),
        "privilege_level": info.authFlag,
        "flag": info.flag,
        "ppid": info.ppid,
        "host": str(info.host),
        "authentication_string": str(info.authStr),
    }


def get_map(rei: Any) -> dict[str, Any]:
    """The session variables of the native engine as a dict; what is unset is None."""
    pairs = rei.condInputData
    connection = rei.rsComm
    return {
        "plugin_instance_name": str(rei.pluginInstanceName),
        "status": rei.status,
        "operation_type": None if rei.doinp is None else rei.doinp.oprType,
        "connection": None if connection is None else _members(connection, _CONNECTION),
        "data_object": _data_object(rei),
        "collection": None if rei.coi is None else _members(rei.coi, _COLLECTION),
        "client_user": _user(rei.uoic if rei.uoic is not None else connection and connection.clientUser),
        "proxy_user": _user(rei.uoip if rei.uoip is not None else connection and connection.proxyUser),
        "other_user": _user(rei.uoio),
        # Keys stay c_string objects here, as in the plugin's own module: look them up with str().
        "key_value_pairs": None if pairs is None else {pairs.key[i]: pairs.value[i] for i in range(pairs.len)},
    }
