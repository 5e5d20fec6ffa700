"""What arrived below a policy and got no job: marks that no drain took, and data that no hook saw."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from irods.column import Criterion
from irods.meta import iRODSMeta
from irods.models import Collection, CollectionMeta, DataObject, DataObjectMeta
from irods.session import iRODSSession

from python_rules.config import Config
from python_rules.engine import accept, again, drain, sessions
from python_rules.engine.ledger import Ledger
from python_rules.engine.transfer import queries
from python_rules.jobs import paths
from python_rules.jobs.errors import JobError
from python_rules.names import ARRIVED_ATTRIBUTE, MADE_BY_ATTRIBUTE, TAKEN_ATTRIBUTE
from python_rules.policy import arrival
from python_rules.policy.arrival import Policy

log = logging.getLogger("sluice.patrol")

_SCANNED = "sluice::scanned"  # on the ledger collection: value the policy's collection id, unit when
_GRACE = 30.0  # seconds that a drain may take after the quiet period
_OVERLAP = 120.0  # seconds of the last scan that are looked at again
_A_ROUND = 1000  # objects that one round marks at most


def gather_forgotten(config: Config, service: iRODSSession, book: Ledger) -> int:
    """Make jobs of marks that lie longer than their policy waits."""
    every = drain.policies(service)
    done = 0
    for collection_id, user in sorted(_forgotten(config, service, every)):
        try:
            done += _gathered(config, service, book, collection_id, user)
        except JobError as error:  # one policy that cannot be followed is not to hold up the others
            log.warning("patrol: what %s put into collection %s: %s", user, collection_id, error.text)
    return done


def _gathered(config: Config, service: iRODSSession, book: Ledger, collection_id: str, user: str) -> int:
    done, more = 0, True
    while more:
        answer = accept.gather(config, service, collection_id, user)
        more = answer["again"] == 0.0
        if answer["job"]:
            again.queue(config, service, book.get(answer["job"]["id"]))
            done += 1
    return done


def _forgotten(config: Config, service: iRODSSession, every: list[Policy]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for mark in drain.marks(service):
        policy = arrival.nearest(mark.path, every)
        terms = policy.terms() if policy else None
        if policy is None or terms is None or "#" not in mark.user:
            continue
        if abs(time.time() - mark.at) > drain.longest_wait(config, terms) + _GRACE:
            found.add((policy.collection_id, mark.user))
    return found


def find_unseen(config: Config, service: iRODSSession, book: Ledger) -> int:
    """Mark what came while hooks were off; the next round makes jobs of it.

    A policy is looked at from the first scan that sees it: what was there before is not an arrival.
    """
    now = time.time()
    scanned = _scanned(service, book)
    every = drain.policies(service)
    done = 0
    for policy in every:
        last = scanned.get(policy.collection_id)
        if last is not None and abs(now - last) < config["patrol.scan_seconds"]:
            continue
        if last is not None:
            done += _mark(config, service, _unseen(service, every, policy, last - _OVERLAP))
        _note(service, book, policy.collection_id, last, now)
    for gone in scanned.keys() - {policy.collection_id for policy in every}:
        _forget(service, book, gone, scanned[gone])  # a policy set there anew begins anew
    return done


def _unseen(service: iRODSSession, every: list[Policy], policy: Policy, since: float) -> dict[str, list[str]]:
    """Paths by owner: written since then, meant by the policy, not seen by a hook, and not ours."""
    terms = policy.terms()
    found: dict[str, list[str]] = {}
    for path, size, owner, modified in _written(service, policy.collection, since) if terms else ():
        if arrival.nearest(path, every) != policy or not terms or not terms.means(paths.split(path)[1], size):
            continue
        told = _told(service, path)
        if not {ARRIVED_ATTRIBUTE, MADE_BY_ATTRIBUTE} & told.keys() and modified not in told.get(TAKEN_ATTRIBUTE, ()):
            found.setdefault(owner, []).append(path)
    return found


def _written(service: iRODSSession, collection: str, since: float) -> Iterator[tuple[str, int, str, str]]:
    """Path, size, owner and modify time of what was written below a collection since then."""
    columns = (Collection.name, DataObject.name, DataObject.size, DataObject.modify_time)
    owner = (DataObject.owner_name, DataObject.owner_zone)
    newer = Criterion(">", DataObject.modify_time, datetime.fromtimestamp(since, UTC))
    good = Criterion("=", DataObject.replica_status, queries.GOOD)
    for place in (queries.equal(Collection.name, collection), queries.begins(Collection.name, collection + "/")):
        for row in queries.rows(service, service.query(*columns, *owner).filter(place, newer, good)):
            path = f"{row[Collection.name]}/{row[DataObject.name]}"
            if paths.is_within(path, collection) and not paths.is_hidden(path):
                user = f"{row[owner[0]]}#{row[owner[1]]}"
                yield path, row[DataObject.size], user, drain.stamp(row[DataObject.modify_time])


def _told(service: iRODSSession, path: str) -> dict[str, list[str]]:
    """The values of an object's own AVUs of ours."""
    collection, name = paths.split(path)
    wanted = service.query(DataObjectMeta.name, DataObjectMeta.value).filter(
        queries.equal(Collection.name, collection), queries.equal(DataObject.name, name)
    )
    found: dict[str, list[str]] = {}
    for row in queries.rows(service, wanted):
        found.setdefault(row[DataObjectMeta.name], []).append(row[DataObjectMeta.value])
    return found


def _mark(config: Config, service: iRODSSession, unseen: dict[str, list[str]]) -> int:
    done = 0
    for user, found in unseen.items():
        with sessions.as_user(config, user) as session:
            for path in found[:_A_ROUND]:
                meta = iRODSMeta(ARRIVED_ATTRIBUTE, f"{time.time():.6f}", user)
                session.metadata.set(DataObject, path, meta)
                done += 1
    return done


def _scanned(service: iRODSSession, book: Ledger) -> dict[str, float]:
    wanted = service.query(CollectionMeta.value, CollectionMeta.units).filter(
        Criterion("=", Collection.name, book.collection), Criterion("=", CollectionMeta.name, _SCANNED)
    )
    rows = queries.rows(service, wanted)
    return {row[CollectionMeta.value]: float(row[CollectionMeta.units]) for row in rows}


def _note(service: iRODSSession, book: Ledger, collection_id: str, last: float | None, now: float) -> None:
    if last is not None:
        _forget(service, book, collection_id, last)
    service.metadata.add(Collection, book.collection, iRODSMeta(_SCANNED, collection_id, f"{now:.0f}"))


def _forget(service: iRODSSession, book: Ledger, collection_id: str, last: float) -> None:
    service.metadata.remove(Collection, book.collection, iRODSMeta(_SCANNED, collection_id, f"{last:.0f}"))
