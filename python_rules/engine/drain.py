"""Policies on collections: from the objects that hooks marked as arrived to one job's request."""

from __future__ import annotations

import hashlib
import time
from typing import NamedTuple

from irods.column import Criterion
from irods.exception import CAT_NO_ROWS_FOUND, OBJ_PATH_DOES_NOT_EXIST, DataObjectDoesNotExist
from irods.meta import AVUOperation, iRODSMeta
from irods.models import Collection, CollectionMeta, DataObject, DataObjectMeta
from irods.session import iRODSSession

from python_rules.config import Config
from python_rules.engine.transfer import queries
from python_rules.jobs import model, paths
from python_rules.jobs.errors import JobError
from python_rules.jobs.model import JobRequest
from python_rules.names import ARRIVED_ATTRIBUTE, POLICY_ATTRIBUTE, TAKEN_ATTRIBUTE
from python_rules.policy import arrival
from python_rules.policy.arrival import Policy
from python_rules.policy.terms import Terms

MOST_OBJECTS = 1000  # in one job's request, which is stored whole in its record


class Mark(NamedTuple):
    """A mark of an arrival: who put the object there, and the object as it is now."""

    path: str
    value: str
    user: str
    size: int
    modified: str

    @property
    def at(self) -> float:
        """When it arrived, in seconds since 1970; 0 for a mark that no hook made."""
        try:
            return float(self.value)
        except ValueError:
            return 0.0


class Arrived(NamedTuple):
    """What a drain finds: the request to be made (None: nothing is meant), the marks that it answers, and after how
    many seconds to look again (None: nothing is left)."""

    request: JobRequest | None
    answered: list[Mark]
    again: float | None


def arrived(config: Config, user_session: iRODSSession, every: list[Policy], collection_id: str, user: str) -> Arrived:
    """What ``user`` put below a collection. As long as more keeps coming the job waits, though not for ever.

    Marks of what the policy does not mean are answered by no job.
    """
    policy, asked = _policy(every, collection_id)
    found = [mark for mark in marks(user_session) if mark.user == user]
    own = [mark for mark in found if arrival.nearest(mark.path, every) == policy]
    if wait := _still_coming(config, asked, own):
        return Arrived(None, [], wait)
    taken = own[:MOST_OBJECTS]
    meant = [mark for mark in taken if asked.means(paths.split(mark.path)[1], mark.size)]
    request = _request(policy, asked, meant) if meant else None
    return Arrived(request, taken, 0.0 if len(own) > len(taken) else None)


def _policy(every: list[Policy], collection_id: str) -> tuple[Policy, Terms]:
    policy = next((one for one in every if one.collection_id == collection_id), None)
    if policy is None:
        raise JobError("bad_value", f"the collection {collection_id} carries no {POLICY_ATTRIBUTE}")
    asked = policy.terms()
    if asked is None:
        remedy = "sluice_policy_set tells what is wrong with it"
        raise JobError("bad_value", f"the {POLICY_ATTRIBUTE} of {policy.collection} makes no sense", remedy=remedy)
    return policy, asked


def _request(policy: Policy, asked: Terms, meant: list[Mark]) -> JobRequest:
    names = [mark.path[len(policy.collection) + 1 :] for mark in meant]
    # the same arrivals give the same job, however often the rule runs
    told = sorted("\t".join((mark.path, mark.value, mark.user)) for mark in meant)
    key = "hook " + hashlib.sha256("\n".join(told).encode()).hexdigest()
    return model.from_json({**asked.request, "source": policy.collection, "objects": names, "idempotency_key": key})


def quiet_seconds(config: Config, asked: Terms) -> float:
    """For how long nothing more may arrive before a policy acts."""
    return float(config["hooks.quiet_seconds"] if asked.quiet_seconds is None else asked.quiet_seconds)


def longest_wait(config: Config, asked: Terms) -> float:
    """After how many seconds it acts on what has arrived, whether or not more keeps coming."""
    quiet = quiet_seconds(config, asked)
    return max(quiet, float(config["hooks.longest_seconds"])) if quiet else 0.0


def _still_coming(config: Config, asked: Terms, own: list[Mark]) -> float:
    """Seconds until nothing has come for the quiet period; 0 where it is over, or has been waited for long enough."""
    quiet, now = quiet_seconds(config, asked), time.time()
    if not own or len(own) >= MOST_OBJECTS:
        return 0.0
    since_last, since_first = now - max(mark.at for mark in own), now - min(mark.at for mark in own)
    # a mark of the future is of a clock that was set
    waits = 0 <= since_last < quiet and since_first < longest_wait(config, asked)
    return max(1.0, quiet - since_last) if waits else 0.0  # the delay queue knows whole seconds


def unmark(service: iRODSSession, answered: list[Mark]) -> None:
    """Take the marks away that a job's record now answers for, and remember which content that was; a newer mark of
    the same object stays. As the service account: what is marked need not be the user's to write by now."""
    metadata = service.metadata(admin=True)
    for mark in answered:
        old = AVUOperation("remove", iRODSMeta(ARRIVED_ATTRIBUTE, mark.value, mark.user))
        taken = AVUOperation("add", iRODSMeta(TAKEN_ATTRIBUTE, mark.modified))
        try:
            metadata.apply_atomic_operations(DataObject, mark.path, old, taken)
        except (OBJ_PATH_DOES_NOT_EXIST, DataObjectDoesNotExist, CAT_NO_ROWS_FOUND):
            continue  # it went away meanwhile, and its mark with it


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
