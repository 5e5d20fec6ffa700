"""What LEXIS asks about data: sizes, flags, replication. Read from the catalogue, as the user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from irods.column import Like
from irods.models import Collection, CollectionMeta, DataObject, DataObjectMeta
from irods.session import iRODSSession

from api_shim.lexis_metadata import FLAGS
from api_shim.service import Service
from python_rules import names
from python_rules.jobs import methods, paths
from python_rules.jobs.errors import JobError

SMALL = 33_554_432  # bytes; smaller files are small to LEXIS

PARENT = "Parent dataset. Dataset is replicated"
REPLICA = "Replica dataset. Dataset is replicated"
NOT_REPLICATED = "Dataset is not replicated"
NO_DATASET = "Dataset doesn't exist or you don't have permission to access it"


def size(service: Service, user: str, path: str) -> dict[str, str]:
    """How much there is: texts all of them, -1 for what is missing."""
    sizes = service.zone.work(user, lambda session: _sizes(session, path))
    if sizes is None:
        return {"result": "Done", "size": "-1", "totalfiles": "-1", "smallfiles": "-1"}
    small = sum(1 for number in sizes if number < SMALL)
    return {"result": "Done", "size": str(sum(sizes)), "totalfiles": str(len(sizes)), "smallfiles": str(small)}


def flags(service: Service, user: str, path: str) -> dict[str, str]:
    """Whether a dataset is encrypted or compressed, as its collection's metadata say, or those of what is in it."""

    def look(session: iRODSSession) -> tuple[dict[str, str], set[str]]:
        return _metadata(session, path), _methods(session, path)

    told, applied = service.zone.work(user, look)
    found = {"encryption": applied & methods.ENCRYPTIONS.keys(), "compression": applied & methods.COMPRESSIONS.keys()}
    return {name: "yes" if told.get(name, "yes" if found[name] else "") == "yes" else "no" for name in FLAGS}


def pid(service: Service, user: str, path: str) -> dict[str, str]:
    """The persistent identifier that a dataset has; raises JobError ``unknown_operation`` for one that has none."""
    told = service.zone.work(user, lambda session: _metadata(session, path))
    if "PID" not in told:
        raise JobError("unknown_operation", "this zone does not offer pid assign, and the dataset has no AVU PID")
    return {"status": "PID assigned successfully", "PID": told["PID"]}


def replication(service: Service, user: str, path: str) -> dict[str, str]:
    """Whether a dataset has replicas, as Sluice, or EUDAT's B2SAFE, writes it into the metadata."""
    told, exists = service.zone.work(
        user, lambda session: (_metadata(session, path), _sizes(session, path) is not None)
    )
    if not exists:
        return {"status": NO_DATASET}
    if {"EUDAT/PARENT", names.REPLICA_OF} & told.keys():
        return {"status": REPLICA}
    return {"status": PARENT if {"EUDAT/REPLICA", names.REPLICA} & told.keys() else NOT_REPLICATED}


# What is answered at once.
NOW = {"data flags": flags, "replication status": replication}


def _methods(session: iRODSSession, path: str) -> set[str]:
    """The methods by which anything at or below a path is encoded."""
    collection, name = paths.split(path)
    at = Collection.name == collection
    found: set[str] = set()
    for place in ((at, DataObject.name == name), (Collection.name == path,), (Like(Collection.name, f"{path}/%"),)):
        # A query is made anew each time: PRC's filter adds to the one that it is called on.
        query = session.query(Collection.name, DataObjectMeta.value).filter(*place)
        for row in query.filter(DataObjectMeta.name == names.ENCODING_ATTRIBUTE):
            if place[0] is at or paths.is_within(row[Collection.name], path):
                found.update(row[DataObjectMeta.value].split("+"))
    return found


def _metadata(session: iRODSSession, path: str) -> dict[str, str]:
    query = session.query(CollectionMeta.name, CollectionMeta.value).filter(Collection.name == path)
    return {row[CollectionMeta.name]: row[CollectionMeta.value] for row in query}


def _sizes(session: iRODSSession, path: str) -> list[int] | None:
    """The size of every data object at or below a path, once for each; None if there is nothing of that name."""
    collection, name = paths.split(path)
    query = session.query(Collection.name, DataObject.name, DataObject.size)
    single = {_key(row): _size(row) for row in query.filter(Collection.name == collection, DataObject.name == name)}
    if single:
        return list(single.values())
    if not session.query(Collection.id).filter(Collection.name == path).limit(1).all():
        return None
    return list({_key(row): _size(row) for row in _below(session, path)}.values())


def _below(session: iRODSSession, path: str) -> Iterator[dict[Any, Any]]:
    """Every replica in a collection and in those below it; a LIKE that takes too much is corrected here."""
    columns = (Collection.name, DataObject.name, DataObject.size)
    yield from session.query(*columns).filter(Collection.name == path)
    for row in session.query(*columns).filter(Like(Collection.name, f"{path}/%")):
        if str(row[Collection.name]).startswith(f"{path}/"):
            yield row


def _key(row: dict[Any, Any]) -> tuple[str, str]:
    return row[Collection.name], row[DataObject.name]


def _size(row: dict[Any, Any]) -> int:
    return int(row[DataObject.size])
