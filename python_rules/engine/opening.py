"""Whether a job may open, or rekey, what it is to, asked before it is accepted: grants are per key and collection."""

from __future__ import annotations

from typing import NamedTuple

from irods.column import Criterion
from irods.models import Collection, DataObject, DataObjectMeta
from irods.session import iRODSSession

from python_rules import names
from python_rules.engine import encoding
from python_rules.engine.keys import KeyUse
from python_rules.engine.keys.grants import OPEN, SEAL
from python_rules.engine.transfer import queries
from python_rules.jobs import methods
from python_rules.jobs.errors import JobError
from python_rules.jobs.model import JobRequest
from python_rules.jobs.paths import is_within, split, zone_of

OPENING = {methods.DECRYPT, methods.REKEY}


class Sealed(NamedTuple):
    """Objects of one collection under one version of a key; ``path`` is the object's where it is one, as such."""

    path: str
    key: str


def asked(request: JobRequest) -> bool:
    """Whether a request opens what is sealed in the zone."""
    return bool(OPENING & set(request.steps)) and not request.ends[0]


def check(keys: KeyUse, session: iRODSSession, request: JobRequest) -> None:
    """Raise JobError ``not_permitted`` or ``key_not_found`` if nothing that is sealed in the source may be used so."""
    if request.objects:
        return  # each tells for itself
    found = refused(keys, session, request)
    if found and all(found.values()):
        raise next(error for error in found.values() if error)


def refused(keys: KeyUse, session: iRODSSession, request: JobRequest) -> dict[Sealed, JobError | None]:
    """What is sealed in the source of a request, each with the error that a use would raise."""
    sealed = sealed_in(session, request.source)
    if not sealed and request.key and methods.REKEY not in request.steps:
        sealed = [Sealed(request.source, f"{request.key}:{encoding.PRESENT}")]
    return {one: _refusal(keys, request, one) for one in sealed}


def sealed_in(session: iRODSSession, source: str) -> list[Sealed]:
    """The keys that the metadata of a source name, one row for each collection; sorted."""
    collection, name = split(source)
    places = (
        (queries.equal(Collection.name, collection), queries.equal(DataObject.name, name)),
        (queries.equal(Collection.name, source),),
        (queries.begins(Collection.name, source + "/"),),
    )
    found: set[Sealed] = set()
    for number, place in enumerate(places):
        columns = [Collection.name, DataObjectMeta.value, *([] if number else [DataObject.name])]
        wanted = session.query(*columns).filter(Criterion("=", DataObjectMeta.name, names.KEY_ATTRIBUTE), *place)
        for row in queries.rows(session, queries.in_zone(wanted, zone_of(source))):
            path = row[Collection.name] if number else f"{row[Collection.name]}/{row[DataObject.name]}"
            if is_within(path, source):
                found.add(Sealed(path, row[DataObjectMeta.value]))
    return sorted(found)


def _refusal(keys: KeyUse, request: JobRequest, sealed: Sealed) -> JobError | None:
    try:
        name, version = encoding.key_of(encoding.Encoding(key=sealed.key))
        if methods.REKEY in request.steps:
            wanted = request.key or name
            if (name, version) == (wanted, keys.present(wanted)):
                return None  # it is left as it is
            keys.require(SEAL, wanted, sealed.path)
        keys.require(OPEN, name, sealed.path, version)
    except JobError as error:
        error.object_path = sealed.path
        return error
    return None
