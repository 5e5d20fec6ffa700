"""Policies on collections: from the objects that hooks marked as arrived to one job's request."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from irods.column import Criterion
from irods.meta import AVUOperation, iRODSMeta
from irods.models import Collection, CollectionMeta, DataObject, DataObjectMeta
from irods.session import iRODSSession

from python_rules.jobs import model, paths
from python_rules.jobs.errors import JobError
from python_rules.jobs.model import JobRequest
from python_rules.names import ARRIVED_ATTRIBUTE, POLICY_ATTRIBUTE

MOST_OBJECTS = 200  # in one job's request, which is stored whole in its record

Mark = tuple[str, str, str]  # path, value, unit


def request_for(
    service: iRODSSession, user_session: iRODSSession, collection_id: str, user: str
) -> tuple[JobRequest | None, list[Mark]]:
    """The request for what ``user`` put below the collection, and the marks that it answers."""
    collection, policy = _policy(service, collection_id)
    marks = [mark for mark in _marks(user_session, collection) if mark[2] == user][:MOST_OBJECTS]
    if not marks:
        return None, []
    names = [path[len(collection) + 1 :] for path, _, _ in marks]
    # the same arrivals give the same job, however often the rule runs
    key = "hook " + hashlib.sha256("\n".join(sorted("\t".join(mark) for mark in marks)).encode()).hexdigest()
    values = {"existing": "replace", **policy, "source": collection, "objects": names, "idempotency_key": key}
    return model.from_json(values), marks


def unmark(user_session: iRODSSession, marks: list[Mark]) -> None:
    """Take the marks away that a job's record now answers for; a newer mark of the same object stays."""
    for path, value, unit in marks:
        mark = AVUOperation("remove", iRODSMeta(ARRIVED_ATTRIBUTE, value, unit))
        user_session.metadata.apply_atomic_operations(DataObject, path, mark)


def _policy(service: iRODSSession, collection_id: str) -> tuple[str, dict[str, Any]]:
    rows = service.query(Collection.name, CollectionMeta.value).filter(
        Criterion("=", Collection.id, collection_id), Criterion("=", CollectionMeta.name, POLICY_ATTRIBUTE)
    )
    row = next(iter(rows), None)
    if row is None:
        raise JobError("bad_value", f"the collection {collection_id} carries no {POLICY_ATTRIBUTE}")
    try:
        policy = json.loads(row[CollectionMeta.value])
    except ValueError:
        policy = None
    if not isinstance(policy, dict):
        raise JobError(
            "malformed_json",
            f"the {POLICY_ATTRIBUTE} of {row[Collection.name]} is not a JSON object",
            remedy='set it to {"operation": "compress_encrypt", "key": "..."}',
        )
    return row[Collection.name], policy


def _marks(session: iRODSSession, collection: str) -> list[Mark]:
    rows = session.query(Collection.name, DataObject.name, DataObjectMeta.value, DataObjectMeta.units).filter(
        Criterion("=", DataObjectMeta.name, ARRIVED_ATTRIBUTE)
    )
    found = [
        (f"{row[Collection.name]}/{row[DataObject.name]}", row[DataObjectMeta.value], row[DataObjectMeta.units])
        for row in rows
    ]
    return [mark for mark in found if paths.is_within(mark[0], collection)]
