"""The job records in the catalogue, written as the service account."""

from __future__ import annotations

import contextlib
import json
import time
from calendar import timegm
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import irods.keywords as kw
from irods.column import Criterion, In, Like
from irods.exception import (
    CAT_NAME_EXISTS_AS_COLLECTION,
    CAT_UNKNOWN_COLLECTION,
    CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME,
    HIERARCHY_ERROR,
)
from irods.meta import AVUOperation, iRODSMeta
from irods.models import Collection, CollectionMeta, DataObject, DataObjectMeta
from irods.session import iRODSSession

from python_rules.engine.transfer import healing, queries, streams
from python_rules.jobs import beat, record, states
from python_rules.jobs.errors import JobError
from python_rules.jobs.record import Avu, Body, Status

_READS, _PAUSE = 10, 0.3  # a body that is being written is looked at again


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

    @property
    def results_path(self) -> str:
        """The data object beside the record to which results are appended."""
        return _results_path(self.path)

    def values_of(self, attribute: str) -> list[Avu]:
        return [avu for avu in self.avus if avu[0] == attribute]


class Ledger:
    """The records below one collection; every method is one to three calls to the zone."""

    def __init__(self, session: iRODSSession, collection: str) -> None:
        self._session = session
        self.collection = collection

    @property
    def session(self) -> iRODSSession:
        """The service account's."""
        return self._session

    def find(self, job_id: str) -> Entry | None:
        """The job with this id, whoever owns it."""
        found = self._session.query(Collection.name).filter(
            Criterion("=", DataObject.name, f"{job_id}.json"),
            Like(Collection.name, f"{self.collection}/%"),
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
        return Entry(path, Body.from_text(self._text(path)), self.avus(path))

    def _text(self, path: str) -> str:
        """The body; another process may be writing it at this moment."""
        for _ in range(_READS):
            try:
                with self._session.data_objects.open(path, "r") as stream:
                    return str(stream.read().decode())
            except HIERARCHY_ERROR:
                time.sleep(_PAUSE)
        raise JobError("zone_error", f"{path} cannot be read: it is being written", object_path=path)

    def avus_of(self, paths: list[str]) -> dict[str, list[Avu]]:
        """The AVUs of several records of one collection, by path; Sluice made their names."""
        collection, names = paths[0].rpartition("/")[0], [path.rpartition("/")[2] for path in paths]
        columns = (DataObjectMeta.name, DataObjectMeta.value, DataObjectMeta.units)
        wanted = self._session.query(DataObject.name, *columns)
        wanted = wanted.filter(Criterion("=", Collection.name, collection), In(DataObject.name, names))
        found: dict[str, list[Avu]] = {path: [] for path in paths}
        for row in queries.rows(self._session, wanted):
            avu = (row[columns[0]], row[columns[1]], row[columns[2]] or "")
            found[f"{collection}/{row[DataObject.name]}"].append(avu)
        return found

    def avus(self, path: str) -> list[Avu]:
        """The AVUs of a record."""
        collection, _, name = path.rpartition("/")
        rows = self._session.query(DataObjectMeta.name, DataObjectMeta.value, DataObjectMeta.units).filter(
            Criterion("=", Collection.name, collection), Criterion("=", DataObject.name, name)
        )
        return [(row[DataObjectMeta.name], row[DataObjectMeta.value], row[DataObjectMeta.units] or "") for row in rows]

    def create(self, body: Body, first: Iterable[Avu] = ()) -> Entry:
        """Write a new job's record: the body first, then all its AVUs at once, state ``queued`` among them."""
        return self.begin(self.write(body), first)

    def write(self, body: Body) -> Entry:
        """Write a record's body alone: without a state it is no job yet."""
        place = record.shard_path if body.parent else record.body_path
        path = place(self.collection, body.user, body.id)
        self._make_collection(path.rpartition("/")[0], body.user)
        with self._session.data_objects.open(path, "w", **{kw.REG_CHKSUM_KW: ""}) as stream:
            stream.write(body.to_json().encode())
        return Entry(path, body, [])

    def begin(self, entry: Entry, first: Iterable[Avu] = ()) -> Entry:
        """Give a new job its first state."""
        body = entry.body
        entry.avus = [
            (record.STATE, states.QUEUED, ""),
            (record.ATTEMPT, "0", ""),
            record.transition_avu(1, states.QUEUED, body.submitted, f"{body.user} by {body.door}"),
            *first,
        ]
        self._apply(entry.path, [], entry.avus)
        return entry

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
        """Append lines to the job's results; raises JobError."""
        text = "".join(line + "\n" for line in lines)
        if not text:
            return
        streams.append(self._session, entry.results_path, text.encode())

    def results(self, entry: Entry) -> list[str]:
        """The lines appended so far; one that a kill or a full disk cut is none."""
        return [line for line in self._lines(entry) if _is_json(line)]

    def _lines(self, entry: Entry) -> list[str]:
        if not self._session.data_objects.exists(entry.results_path):
            return []
        with self._session.data_objects.open(entry.results_path, "r") as stream:
            return stream.read().decode(errors="replace").splitlines()

    def mend_results(self, entry: Entry) -> set[str]:
        """Make the results writable again where a killed agent left them locked, without lines that were cut; the
        sources that succeeded."""
        path = entry.results_path
        broken = healing.heal(self._session, path)
        lines = self._lines(entry)
        whole = [line for line in lines if _is_json(line)]
        if broken or len(whole) < len(lines):
            self._session.data_objects.unlink(path, force=True)
            self.append_results(entry, whole)
        told = [json.loads(line) for line in whole]
        return {row["source"] for row in told if row["state"] in ("succeeded", "skipped")}

    def claim(self, name: str) -> bool:
        """Make a claim that only one can make; False if it is made already."""
        claims = f"{self.collection}/claims"
        try:
            self._session.collections.create(f"{claims}/{name}", recurse=False)
        except (CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME, CAT_NAME_EXISTS_AS_COLLECTION):
            return False
        except CAT_UNKNOWN_COLLECTION:
            self.make_root()
            self._create_collection(claims)
            return self.claim(name)
        return True

    def claims(self) -> list[str]:
        """The names of all claims."""
        return self.claims_of("")

    def claims_of(self, job_id: str) -> list[str]:
        """The names of a job's claims."""
        prefix = f"{self.collection}/claims/"
        found = self._session.query(Collection.name).filter(Like(Collection.name, f"{prefix}{job_id}%"))
        return [row[Collection.name][len(prefix) :] for row in found]

    def hold(self, name: str, is_kept: Callable[[float], bool]) -> str:
        """Claim a name for a while; the claim to be released, '' while somebody else holds it.

        Whoever is killed leaves a claim behind, so there are numbers: once ``is_kept`` says of a claim's age in
        seconds that nobody keeps it any more, the next is free.
        """
        prefix = f"{self.collection}/claims/{name}."
        wanted = self._session.query(Collection.name, Collection.create_time)
        found = wanted.filter(Like(Collection.name, f"{prefix}%"))
        held = {int(row[Collection.name][len(prefix) :]): row[Collection.create_time] for row in found}
        if any(is_kept(abs(time.time() - timegm(made.timetuple()))) for made in held.values()):
            return ""
        claim = f"{name}.{max(held, default=0) + 1}"
        if not self.claim(claim):
            return ""
        for number in held:
            self.release(f"{name}.{number}")
        return claim

    def release(self, name: str) -> None:
        """Remove a claim; that it is gone already is no error."""
        with contextlib.suppress(CAT_UNKNOWN_COLLECTION):
            self._session.collections.remove(f"{self.collection}/claims/{name}", recurse=False)

    def told(self, attribute: str) -> list[str]:
        """The values of an AVU of the ledger collection."""
        found = self._session.query(CollectionMeta.value).filter(
            Criterion("=", Collection.name, self.collection), Criterion("=", CollectionMeta.name, attribute)
        )
        return [row[CollectionMeta.value] for row in found]

    def tell(self, attribute: str, value: str) -> None:
        """Give an AVU of the ledger collection its one value; '' takes it away."""
        if value:
            self._session.metadata.set(Collection, self.collection, iRODSMeta(attribute, value))
            return
        for old in self.told(attribute):
            self._session.metadata.remove(Collection, self.collection, iRODSMeta(attribute, old))

    def paused(self) -> str:
        """Why the service is paused; '' if it is not."""
        return next(iter(self.told(beat.PAUSED_ATTRIBUTE)), "")

    def in_states(self, wanted: Iterable[str]) -> list[tuple[str, str]]:
        """Path and state of every record in one of these states."""
        found = self._session.query(Collection.name, DataObject.name, DataObjectMeta.value).filter(
            Like(Collection.name, f"{self.collection}/%"),
            Criterion("=", DataObjectMeta.name, record.STATE),
            In(DataObjectMeta.value, sorted(wanted)),
        )
        return [(f"{row[Collection.name]}/{row[DataObject.name]}", row[DataObjectMeta.value]) for row in found]

    def remove(self, path: str) -> None:
        """Remove the record at a path, and its results before it."""
        for one in (_results_path(path), path):
            if self._session.data_objects.exists(one):
                self._session.data_objects.unlink(one, force=True)

    def make_root(self) -> None:
        """The ledger collection and that of the jobs, readable by everybody (what is in them is not)."""
        from irods.access import iRODSAccess

        for above in (self.collection, f"{self.collection}/jobs", f"{self.collection}/shards"):
            if not self._session.collections.exists(above):
                self._create_collection(above)
                self._session.acls.set(iRODSAccess("read", above, "public", self._session.zone))

    def _apply(self, path: str, remove: Iterable[Avu], add: Iterable[Avu]) -> None:
        operations = [AVUOperation("remove", _meta(avu)) for avu in remove]
        operations += [AVUOperation("add", _meta(avu)) for avu in add]
        if operations:
            self._session.metadata.apply_atomic_operations(DataObject, path, *operations)

    def _make_collection(self, path: str, user: str) -> None:
        """A user's collection below the ledger: readable by the user alone, and what is made in it as well."""
        if self._session.collections.exists(path):
            return
        from irods.access import iRODSAccess

        self.make_root()
        self._create_collection(path)
        name, _, zone = user.partition("#")
        if (name, zone) != (self._session.username, self._session.zone):  # its own right to write is not to be lowered
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


def seconds_since(told: str) -> float:
    """Seconds since a time as ``now`` tells it, as far as clocks can be believed."""
    return abs(time.time() - timegm(time.strptime(told, "%Y-%m-%dT%H:%M:%SZ")))


def _results_path(path: str) -> str:
    return path.removesuffix(".json") + ".results.jsonl"


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _meta(avu: Avu) -> iRODSMeta:
    attribute, value, unit = avu
    return iRODSMeta(attribute, value, unit or None)
