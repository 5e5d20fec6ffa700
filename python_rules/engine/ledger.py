"""The job records in the catalogue, written as the service account."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import irods.keywords as kw
from irods.column import Criterion, Like
from irods.exception import CAT_NAME_EXISTS_AS_COLLECTION, CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME
from irods.meta import AVUOperation, iRODSMeta
from irods.models import Collection, DataObject, DataObjectMeta
from irods.session import iRODSSession

from python_rules.jobs import record, states
from python_rules.jobs.errors import JobError
from python_rules.jobs.record import Avu, Body, Status


@dataclass
class Entry:
    """A job as the catalogue holds it at one moment; ``avus`` are the record's own rows."""

    path: str
    body: Body
    avus: list[Avu]

    @property
    def status(self) -> Status:
        return Status.from_avus(self.avus)

    def public(self) -> dict[str, Any]:
        return record.public(self.body, self.status)

    def values_of(self, attribute: str) -> list[Avu]:
        return [avu for avu in self.avus if avu[0] == attribute]


class Ledger:
    """The records below one collection; every method is one to three calls to the zone."""

    def __init__(self, session: iRODSSession, collection: str) -> None:
        self._session = session
        self.collection = collection

    def find(self, job_id: str) -> Entry | None:
        """The job with this id, whoever owns it."""
        found = self._session.query(Collection.name).filter(
            Criterion("=", DataObject.name, f"{job_id}.json"),
            Like(Collection.name, f"{self.collection}/jobs/%"),
        )
        row = next(iter(found), None)
        return None if row is None else self.read(f"{row[Collection.name]}/{job_id}.json")

    def get(self, job_id: str) -> Entry:
        """The job with this id; raises JobError ``job_not_found``."""
        entry = self.find(job_id)
        if entry is None:
            raise JobError("job_not_found", f"there is no job {job_id}", field="job", remedy="check the id")
        return entry

    def read(self, path: str) -> Entry:
        """The record at a path."""
        with self._session.data_objects.open(path, "r") as stream:
            body = Body.from_text(stream.read().decode())
        return Entry(path, body, self.avus(path))

    def avus(self, path: str) -> list[Avu]:
        """The AVUs of a record."""
        collection, _, name = path.rpartition("/")
        rows = self._session.query(DataObjectMeta.name, DataObjectMeta.value, DataObjectMeta.units).filter(
            Criterion("=", Collection.name, collection), Criterion("=", DataObject.name, name)
        )
        return [(row[DataObjectMeta.name], row[DataObjectMeta.value], row[DataObjectMeta.units] or "") for row in rows]

    def create(self, body: Body, first: Iterable[Avu] = ()) -> Entry:
        """Write a new job's record: the body first, then all its AVUs at once, state ``queued`` among them."""
        self._make_collection(body.user)
        path = record.body_path(self.collection, body.user, body.id)
        with self._session.data_objects.open(path, "w", **{kw.REG_CHKSUM_KW: ""}) as stream:
            stream.write(body.to_json().encode())
        avus = [
            (record.STATE, states.QUEUED, ""),
            (record.ATTEMPT, "0", ""),
            record.transition_avu(1, states.QUEUED, body.submitted, f"{body.user} by {body.door}"),
            *first,
        ]
        self._apply(path, [], avus)
        return Entry(path, body, avus)

    def transition(self, entry: Entry, to: str, actor: str, replace: Iterable[Avu] = ()) -> None:
        """Move a job to another state, with AVUs that change with it; raises JobError ``illegal_transition``."""
        before = entry.status
        if not states.legal(before.state, to):
            raise JobError(
                "illegal_transition",
                f"a job that is {before.state} cannot become {to}",
                field="job",
                remedy="look at the job's state first",
            )
        number = max((int(row["number"]) for row in before.transitions), default=0) + 1
        moved = record.transition_avu(number, to, now(), actor)
        self.replace(entry, [(record.STATE, to, ""), *replace], also_add=[moved])

    def replace(self, entry: Entry, avus: Iterable[Avu], also_add: Iterable[Avu] = ()) -> None:
        """Give each attribute the one value told here (an empty value removes it), in one call."""
        told = list(avus)
        attributes = {avu[0] for avu in told}
        old = [avu for avu in entry.avus if avu[0] in attributes]
        added = [*(avu for avu in told if avu[1]), *also_add]
        self._apply(entry.path, [avu for avu in old if avu not in added], [avu for avu in added if avu not in old])
        entry.avus = [avu for avu in entry.avus if avu not in old] + added

    def append_results(self, entry: Entry, lines: Iterable[str]) -> None:
        """Append lines to the job's results."""
        text = "".join(line + "\n" for line in lines)
        if not text:
            return
        path = record.results_path(self.collection, entry.body.user, entry.body.id)
        with self._session.data_objects.open(path, "a", **{kw.REG_CHKSUM_KW: ""}) as stream:
            stream.write(text.encode())

    def results(self, entry: Entry) -> list[str]:
        """The lines appended so far."""
        path = record.results_path(self.collection, entry.body.user, entry.body.id)
        if not self._session.data_objects.exists(path):
            return []
        with self._session.data_objects.open(path, "r") as stream:
            return stream.read().decode().splitlines()

    def _apply(self, path: str, remove: Iterable[Avu], add: Iterable[Avu]) -> None:
        operations = [AVUOperation("remove", _meta(avu)) for avu in remove]
        operations += [AVUOperation("add", _meta(avu)) for avu in add]
        if operations:
            self._session.metadata.apply_atomic_operations(DataObject, path, *operations)

    def _make_collection(self, user: str) -> None:
        """The user's collection below the ledger: readable by the user alone, and what is made in it as well."""
        path = record.collection(self.collection, user)
        if self._session.collections.exists(path):
            return
        from irods.access import iRODSAccess

        for above in (self.collection, f"{self.collection}/jobs"):
            self._create_collection(above)
            self._session.acls.set(iRODSAccess("read", above, "public", self._session.zone))
        self._create_collection(path)
        name, _, zone = user.partition("#")
        self._session.acls.set(iRODSAccess("read", path, name, zone))
        self._session.acls.set(iRODSAccess("inherit", path))

    def _create_collection(self, path: str) -> None:
        try:
            self._session.collections.create(path, recurse=False)
        except (CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME, CAT_NAME_EXISTS_AS_COLLECTION):
            return  # another submit was faster


def now() -> str:
    """The present time, UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _meta(avu: Avu) -> iRODSMeta:
    attribute, value, unit = avu
    return iRODSMeta(attribute, value, unit or None)
