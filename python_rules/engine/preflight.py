"""What must hold before a job is accepted, looked up as the job's user: nothing is created here."""

from __future__ import annotations

from irods.column import Criterion, In
from irods.exception import CollectionDoesNotExist, DataObjectDoesNotExist
from irods.models import Collection, CollectionAccess, DataAccess, DataObject, Group, User, Zone
from irods.session import iRODSSession

from python_rules.engine.transfer import queries, replicas
from python_rules.jobs import methods, paths
from python_rules.jobs.errors import RequestError
from python_rules.jobs.model import JobRequest

MODIFY_OBJECT, DELETE_OBJECT = 1120, 1130  # access types in R_TOKN_MAIN; 1120 is 'write'
_PID = "PID"  # where B2SAFE and LEXIS keep a persistent identifier
OBJECT, COLLECTION = "object", "collection"


def check(request: JobRequest, user: str, user_session: iRODSSession, service_session: iRODSSession) -> None:
    """Raise RequestError if the source cannot be read or the target cannot be made."""
    on_systems = request.ends  # what is there, the engine sees
    source_kind = COLLECTION if on_systems[0] else kind(user_session, request.source)
    if source_kind is None:
        raise RequestError(
            "source_not_found",
            f"{request.source} does not exist, or {user} may not read it",
            field="source",
            remedy="check the path with ils, or ask its owner for read access",
        )
    for name in () if on_systems[0] else request.objects:
        if kind(user_session, f"{request.source}/{name}") != OBJECT:
            raise RequestError(
                "source_not_found", f"{name} is not a data object in the source", field="objects", remedy="check it"
            )
    if request.replica:
        _check_replica(request.replica, service_session)
    if request.operation == methods.DELETE:
        _check_deletable(request, source_kind, user, user_session, service_session)
    elif on_systems[1]:
        return
    elif request.target:
        _check_target(request, user, user_session, service_session)
    elif request.operation != methods.REPLICATE and not methods.OPERATIONS[request.operation].only_looks:
        place = request.source if source_kind == COLLECTION and not request.pack else paths.split(request.source)[0]
        _check_writable(place, user, service_session, "source")


def kind(session: iRODSSession, path: str) -> str | None:
    """Whether the path is a data object or a collection that the session's user may see; None for neither."""
    try:
        session.data_objects.get(path)
    except (DataObjectDoesNotExist, CollectionDoesNotExist):
        pass
    else:
        return OBJECT
    try:
        session.collections.get(path)
    except CollectionDoesNotExist:
        return None
    return COLLECTION


def _check_target(request: JobRequest, user: str, user_session: iRODSSession, service_session: iRODSSession) -> None:
    found = kind(user_session, request.target)
    if found is not None and request.existing == "refuse":
        raise RequestError(
            "target_exists",
            f"{request.target} exists",
            field="target",
            remedy="name another target, or set existing to 'skip' or 'replace'",
        )
    parent = request.target if found == COLLECTION else paths.split(request.target)[0]
    if kind(user_session, parent) != COLLECTION:
        raise RequestError(
            "target_collection_not_found",
            f"the collection {parent} does not exist, or {user} may not see it",
            field="target",
            remedy="make the collection first (imkdir)",
        )
    _check_writable(parent, user, service_session, "target")


def _check_replica(replica: str, service: iRODSSession) -> None:
    if not replica.startswith("/"):
        if not replicas.is_resource(service, replica):
            text, remedy = f"the zone has no resource {replica}", "ilsresc lists the resources"
            raise RequestError("resource_not_found", text, field="replica", remedy=remedy)
        return
    zone = paths.zone_of(replica)
    if not any(True for _ in service.query(Zone.name).filter(Criterion("=", Zone.name, zone))):
        text, remedy = f"{zone} is no zone that is known here", "iadmin lz lists the zones"
        raise RequestError("zone_not_found", text, field="replica", remedy=remedy)


def _check_deletable(
    request: JobRequest, source_kind: str, user: str, user_session: iRODSSession, service: iRODSSession
) -> None:
    """Refuse what nobody means to delete, what has a persistent identifier, and an object that is not the user's."""
    if paths.is_root(request.source):
        text, remedy = f"{request.source} is a zone's own collection or a home", "name what is in it"
        raise RequestError("not_permitted", text, field="source", remedy=remedy)
    if source_kind == COLLECTION:
        found = user_session.collections.get(request.source).metadata.keys()
    else:
        found = user_session.data_objects.get(request.source).metadata.keys()
    if _PID in found:
        text = f"{request.source} has a persistent identifier: what it names must stay"
        raise RequestError("not_permitted", text, field="source", remedy=f"take its AVU {_PID} away first")
    if source_kind == OBJECT and request.source not in deletable(service, request.source, user):
        remedy = "ask its owner: deleting needs 'own' or 'delete_object'"
        raise RequestError("not_permitted", f"{user} may not delete {request.source}", field="source", remedy=remedy)


def deletable(service: iRODSSession, source: str, user: str) -> set[str]:
    """Which of the objects at or below a path of this zone the user may delete; all, where another zone decides."""
    if paths.zone_of(source) != service.zone:
        return {source}
    collection, name = paths.split(source)
    own = In(DataAccess.user_id, _ids(service, user))
    places = (
        (queries.equal(Collection.name, collection), queries.equal(DataObject.name, name)),
        (queries.equal(Collection.name, source),),
        (queries.begins(Collection.name, source + "/"),),
    )
    wanted = (service.query(Collection.name, DataObject.name, DataAccess.type).filter(own, *place) for place in places)
    rows = (row for query in wanted for row in queries.rows(service, query))
    enough = (row for row in rows if int(row[DataAccess.type]) >= DELETE_OBJECT)
    return {f"{row[Collection.name]}/{row[DataObject.name]}" for row in enough}


def _ids(service: iRODSSession, user: str) -> list[str]:
    """The ids of a user and of the groups that the user is in."""
    name, _, zone = user.partition("#")
    rows = service.query(Group.id).filter(Criterion("=", User.name, name), Criterion("=", User.zone, zone))
    return [str(row[Group.id]) for row in rows]


def _check_writable(collection: str, user: str, service: iRODSSession, field: str) -> None:
    if paths.zone_of(collection) != service.zone:
        return  # another zone decides for itself when the job writes there
    access = service.query(CollectionAccess.type).filter(
        Criterion("=", Collection.name, collection), In(CollectionAccess.user_id, _ids(service, user))
    )
    if not any(int(row[CollectionAccess.type]) >= MODIFY_OBJECT for row in access):
        raise RequestError(
            "not_permitted",
            f"{user} may not write in {collection}",
            field=field,
            remedy="name a target in a collection of your own, or ask the owner for write access",
        )
