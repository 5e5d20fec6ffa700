"""What must hold before a job is accepted, looked up as the job's user: nothing is created here."""

from __future__ import annotations

from irods.column import Criterion, In
from irods.exception import CollectionDoesNotExist, DataObjectDoesNotExist
from irods.models import Collection, CollectionAccess, Group, User
from irods.session import iRODSSession

from python_rules.jobs import paths
from python_rules.jobs.errors import RequestError
from python_rules.jobs.model import JobRequest

MODIFY_OBJECT = 1120  # access type of 'write' in R_TOKN_MAIN
OBJECT, COLLECTION = "object", "collection"


def check(request: JobRequest, user: str, user_session: iRODSSession, service_session: iRODSSession) -> None:
    """Raise RequestError if the source cannot be read or the target cannot be made."""
    source_kind = kind(user_session, request.source)
    if source_kind is None:
        raise RequestError(
            "source_not_found",
            f"{request.source} does not exist, or {user} may not read it",
            field="source",
            remedy="check the path with ils, or ask its owner for read access",
        )
    for name in request.objects:
        if kind(user_session, f"{request.source}/{name}") != OBJECT:
            raise RequestError(
                "source_not_found", f"{name} is not a data object in the source", field="objects", remedy="check it"
            )
    if request.target:
        _check_target(request, user, user_session, service_session)
    else:
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


def _check_writable(collection: str, user: str, service: iRODSSession, field: str) -> None:
    if paths.zone_of(collection) != service.zone:
        return  # another zone decides for itself when the job writes there
    name, _, zone = user.partition("#")
    rows = service.query(Group.id).filter(Criterion("=", User.name, name), Criterion("=", User.zone, zone))
    ids = [str(row[Group.id]) for row in rows]
    access = service.query(CollectionAccess.type).filter(
        Criterion("=", Collection.name, collection), In(CollectionAccess.user_id, ids)
    )
    if not any(int(row[CollectionAccess.type]) >= MODIFY_OBJECT for row in access):
        raise RequestError(
            "not_permitted",
            f"{user} may not write in {collection}",
            field=field,
            remedy="name a target in a collection of your own, or ask the owner for write access",
        )
