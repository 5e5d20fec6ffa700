"""What LEXIS asks about data: sizes, flags, replication. Read from the catalogue, as the user."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from irods.column import Like
from irods.models import Collection, CollectionMeta, DataObject
from irods.session import iRODSSession

from api_shim.service import Service
from python_rules import names
from python_rules.jobs import paths

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
    """Whether a dataset is encrypted or compressed, as its collection's metadata says."""
    told = service.zone.work(user, lambda session: _metadata(session, path))
    return {name: "yes" if told.get(name) == "yes" else "no" for name in ("encryption", "compression")}


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
