"""Policies on collections: from the objects that hooks marked as arrived to one job's request."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from irods.column import Criterion
from irods.meta import AVUOperation, iRODSMeta
from irods.models import Collection, CollectionMeta, DataObject, DataObjectMeta
from irods.session import iRODSSession

from python_rules.engine.transfer import queries
from python_rules.jobs import model, paths
from python_rules.jobs.errors import JobError
from python_rules.jobs.model import JobRequest
from python_rules.names import ARRIVED_ATTRIBUTE, POLICY_ATTRIBUTE, TAKEN_ATTRIBUTE
from python_rules.policy import arrival
from python_rules.policy.arrival import Policy

MOST_OBJECTS = 1000  # in one job's request, which is stored whole in its record


class Mark(NamedTuple):
    """A mark of an arrival: who put the object there, and the object as it is now."""

    path: str
    value: str
    user: str
    size: int
    modified: str


def request_for(
    user_session: iRODSSession, every: list[Policy], collection_id: str, user: str
) -> tuple[JobRequest | None, list[Mark]]:
    """The request for what ``user`` put below the collection, and the marks that it answers.

    Marks of what the policy does not mean are answered by no job.
    """
    policy = next((one for one in every if one.collection_id == collection_id), None)
    if policy is None:
        raise JobError("bad_value", f"the collection {collection_id} carries no {POLICY_ATTRIBUTE}")
    asked = policy.terms()
    if asked is None:
        remedy = "sluice_policy_set tells what is wrong with it"
        raise JobError("bad_value", f"the {POLICY_ATTRIBUTE} of {policy.collection} makes no sense", remedy=remedy)
    found = [mark for mark in marks(user_session) if mark.user == user]
    own = [mark for mark in found if arrival.nearest(mark.path, every) == policy][:MOST_OBJECTS]
    meant = [mark for mark in own if asked.means(paths.split(mark.path)[1], mark.size)]
    if not meant:
        return None, own
    names = [mark.path[len(policy.collection) + 1 :] for mark in meant]
    # the same arrivals give the same job, however often the rule runs
    told = sorted("\t".join((mark.path, mark.value, mark.user)) for mark in meant)
    key = "hook " + hashlib.sha256("\n".join(told).encode()).hexdigest()
    values = {**asked.request, "source": policy.collection, "objects": names, "idempotency_key": key}
    return model.from_json(values), own


def unmark(user_session: iRODSSession, answered: list[Mark]) -> None:
    """Take the marks away that a job's record now answers for, and remember which content that was; a newer mark of
    the same object stays."""
    for mark in answered:
        old = AVUOperation("remove", iRODSMeta(ARRIVED_ATTRIBUTE, mark.value, mark.user))
        taken = AVUOperation("add", iRODSMeta(TAKEN_ATTRIBUTE, mark.modified))
        user_session.metadata.apply_atomic_operations(DataObject, mark.path, old, taken)


def policies(service: iRODSSession) -> list[Policy]:
    """Every policy of the zone."""
    columns = (Collection.name, Collection.id, CollectionMeta.value)
    wanted = service.query(*columns).filter(Criterion("=", CollectionMeta.name, POLICY_ATTRIBUTE))
    return [Policy(row[columns[0]], str(row[columns[1]]), row[columns[2]]) for row in queries.rows(service, wanted)]


def marks(session: iRODSSession) -> list[Mark]:
    """Every mark that the session's user may see."""
    meta = (DataObjectMeta.value, DataObjectMeta.units)
    columns = (Collection.name, DataObject.name, *meta, DataObject.size, DataObject.modify_time)
    wanted = session.query(*columns).filter(Criterion("=", DataObjectMeta.name, ARRIVED_ATTRIBUTE))
    found: dict[tuple[str, str], Mark] = {}
    for row in queries.rows(session, wanted):
        path = f"{row[Collection.name]}/{row[DataObject.name]}"
        value, user = row[meta[0]], row[meta[1]] or ""
        # an object has a row for each replica: the newest is the one that counts
        mark = Mark(path, value, user, row[DataObject.size], stamp(row[DataObject.modify_time]))
        found[path, value] = max(mark, found.get((path, value), mark), key=lambda one: one.modified)
    return sorted(found.values())


def stamp(modified: object) -> str:
    """A time of the catalogue as ``sluice::taken`` holds it."""
    return str(modified).replace(" ", "T")
