"""Several changes of metadata or permissions of one object, all or none (APIs 20002 and 20005).

Requests and answers are JSON. A failure answers ``{"operation", "operation_index", "error_message"}``
together with its code. As in iRODS no database hook and no static hook fires for the single operations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from embedded_zone.agent import Agent
from embedded_zone.catalog import access, acls, entities, metadata
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

Json = dict[str, Any]

# The levels of API 20005 (acl_to_id in atomic_apply_acl_operations.cpp): fewer than ichmod knows.
ACL_LEVELS = frozenset(
    {
        "null",
        "read_metadata",
        "read",
        "read_object",
        "create_metadata",
        "modify_metadata",
        "delete_metadata",
        "create_object",
        "write",
        "modify_object",
        "delete_object",
        "own",
    }
)
_VISIBLE_DATA = """
    select D.data_id, D.coll_id from R_DATA_MAIN D join R_COLL_MAIN C on D.coll_id = C.coll_id
     where D.data_name = ? and C.coll_name = ? limit 1
"""


def failure(code: int, message: str, operation: Any = None, index: int = 0) -> IrodsError:
    """The error of these APIs: a code with a JSON explanation."""
    reply = {"error_message": message, "operation": operation, "operation_index": index}
    return IrodsError(code, message, reply)


class JsonShapeError(Exception):
    """A request lacks a key or has a value of another type; the text is that of the server's JSON library."""


def member(value: Any, key: str, kind: type = str) -> Any:
    """The value at a key, of the wanted type; raises JsonShapeError."""
    if not isinstance(value, dict):
        raise JsonShapeError("[json.exception.type_error.304] cannot use at() with " + _json_type(value))
    if key not in value:
        raise JsonShapeError(f"[json.exception.out_of_range.403] key '{key}' not found")
    if not isinstance(value[key], kind):
        raise JsonShapeError(
            f"[json.exception.type_error.302] type must be {_json_type(kind())}, but is {_json_type(value[key])}"
        )
    return value[key]


def _json_type(value: Any) -> str:
    names: tuple[tuple[type, str], ...] = (
        (bool, "boolean"), (str, "string"), (dict, "object"), (list, "array"), (int, "number"), (float, "number"),
    )  # fmt: skip
    return next((name for kind, name in names if isinstance(value, kind)), "null")


def apply_metadata(agent: Agent, request: Json) -> Json:
    """API 20002: add and remove triples; adding one that is there or removing a missing one is no error."""
    try:
        entity_type, name = member(request, "entity_type"), member(request, "entity_name")
        object_id = _find_entity(agent, entity_type, name)
    except JsonShapeError as error:
        raise failure(codes.SYS_INVALID_INPUT_PARAM, str(error)) from None
    _require_metadata_rights(agent, request, entity_type, object_id)
    _all_or_none(agent, request, lambda operation: _metadata_operation(agent, object_id, operation))
    return {}


def _find_entity(agent: Agent, entity_type: str, name: str) -> int:
    find = _ENTITIES.get(entity_type)
    if find is None:
        raise failure(codes.SYS_INVALID_INPUT_PARAM, "_Map_base::at")
    found = find(agent, name)
    if found is None:
        raise failure(codes.SYS_INVALID_INPUT_PARAM, f"Entity does not exist [entity_name={name}]")
    return found


def _sees(agent: Agent, *object_ids: int) -> bool:
    """Whether a query by the client would show these objects (strict access control)."""
    return agent.is_admin or all(access.may(agent.db, agent.client, i, access.READ_OBJECT) for i in object_ids)


def visible_data_object(agent: Agent, path: str) -> int | None:
    """The data_id if the client can see the object: it and its collection must be readable."""
    parent, name = entities.split_path(path)
    row = agent.db.one(_VISIBLE_DATA, (name, parent))
    return row["data_id"] if row is not None and _sees(agent, *row) else None


def visible_collection(agent: Agent, path: str) -> int | None:
    """The coll_id if the client can see the collection."""
    found = access.collection_id(agent.db, path)
    return found if found is not None and _sees(agent, found) else None


def _any_user(agent: Agent, name: str) -> int | None:
    found: int | None = agent.db.value("select user_id from R_USER_MAIN where user_name = ?", (name,))
    return found


def _any_resource(agent: Agent, name: str) -> int | None:
    found: int | None = agent.db.value("select resc_id from R_RESC_MAIN where resc_name = ?", (name,))
    return found


_ENTITIES: dict[str, Callable[[Agent, str], int | None]] = {
    "data_object": visible_data_object,
    "collection": visible_collection,
    "user": _any_user,
    "resource": _any_resource,
}


def _require_metadata_rights(agent: Agent, request: Json, entity_type: str, object_id: int) -> None:
    if request.get("admin_mode"):
        if not entities.is_privileged(agent):
            raise failure(codes.CAT_INSUFFICIENT_PRIVILEGE_LEVEL, "User is not an administrator")
        return
    if entity_type in ("user", "resource"):
        allowed = entities.is_privileged(agent)
    else:
        allowed = access.may(agent.db, agent.client, object_id, access.MODIFY_OBJECT)
    if not allowed:
        raise failure(codes.CAT_NO_ACCESS_PERMISSION, "User not allowed to modify metadata")


def _all_or_none(agent: Agent, request: Json, apply: Callable[[Json], None]) -> None:
    try:
        operations = member(request, "operations", list)
    except JsonShapeError as error:
        raise failure(codes.SYS_INTERNAL_ERR, str(error)) from None
    with agent.db.transaction():
        for index, operation in enumerate(operations):
            try:
                apply(operation)
            except IrodsError as error:
                raise failure(error.code, error.message, operation, index) from error


def _metadata_operation(agent: Agent, object_id: int, operation: Json) -> None:
    try:
        avu = metadata.Avu(member(operation, "attribute"), member(operation, "value"), _unit(operation))
        change = _METADATA_CHANGES.get(member(operation, "operation"))
    except JsonShapeError as error:
        raise IrodsError(codes.JSON_VALIDATION_ERROR, str(error)) from None
    if change is None:
        raise IrodsError(codes.INVALID_OPERATION, "Invalid metadata operation.")
    try:
        change(agent, object_id, avu)
    except IrodsError as error:
        raise IrodsError(codes.SYS_LIBRARY_ERROR, error.message) from error


def _unit(operation: Json) -> str:
    unit: str = member(operation, "units") if "units" in operation else ""
    return unit


def _add(agent: Agent, object_id: int, avu: metadata.Avu) -> None:
    found = metadata.find(agent.db, avu)
    if found is None or not metadata.is_attached(agent.db, object_id, found):
        metadata.attach(agent.db, object_id, avu)


def _remove(agent: Agent, object_id: int, avu: metadata.Avu) -> None:
    found = metadata.find(agent.db, avu)
    agent.db.execute("delete from R_OBJT_METAMAP where object_id = ? and meta_id = ?", (object_id, found))


_METADATA_CHANGES: dict[str, Callable[[Agent, int, metadata.Avu], None]] = {"add": _add, "remove": _remove}


def apply_acl(agent: Agent, request: Json) -> Json:
    """API 20005: set the levels of several users and groups on one object; level ``null`` removes."""
    try:
        path = member(request, "logical_path")
    except JsonShapeError as error:
        raise failure(codes.SYS_INVALID_INPUT_PARAM, str(error)) from None
    object_id = visible_collection(agent, path) or visible_data_object(agent, path)
    if object_id is None:
        code = codes.OBJ_PATH_DOES_NOT_EXIST
        raise failure(code, f"Failed to retrieve object id [error_code={code}]")
    _require_acl_rights(agent, request, path, object_id)
    _all_or_none(agent, request, lambda operation: _acl_operation(agent, object_id, operation))
    return {}


def _require_acl_rights(agent: Agent, request: Json, path: str, object_id: int) -> None:
    text = f"User [{agent.client.qualified}] not allowed to modify ACLs [logical_path={path}, object_id={object_id}]"
    if request.get("admin_mode"):
        if not entities.is_privileged(agent):
            text += ". admin_mode cannot be enabled because user is not an administrator."
            raise failure(codes.CAT_INSUFFICIENT_PRIVILEGE_LEVEL, text)
    elif not access.may(agent.db, agent.client, object_id, access.OWN):
        raise failure(codes.CAT_NO_ACCESS_PERMISSION, text)


def _acl_operation(agent: Agent, object_id: int, operation: Json) -> None:
    try:
        level = member(operation, "acl")
        if level not in ACL_LEVELS:
            raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, f"Invalid ACL [acl={level}]")
        zone = member(operation, "zone") if "zone" in operation else agent.config.zone_name
        user_id = access.user_id(agent.db, member(operation, "entity_name"), zone)
    except JsonShapeError as error:
        raise IrodsError(codes.SYS_INTERNAL_ERR, str(error)) from None
    if user_id is None:
        raise IrodsError(codes.SYS_INVALID_INPUT_PARAM, "Invalid entity")
    acls.set_level(agent.db, object_id, user_id, access.LEVELS[level])
