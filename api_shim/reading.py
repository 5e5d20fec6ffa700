"""Jobs as the catalogue tells them to a user: the zone's access control decides what is there."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from irods.session import iRODSSession

from api_shim.forwarding import not_yet
from api_shim.service import Service
from python_rules.jobs import methods, model, paths, record, states
from python_rules.jobs.errors import JobError, RequestError
from workers import catalogue
from workers.rows import ACCEPTED, REFUSED
from workers.zone import LoginRefused, Zone

LARGEST_PAGE, PAGE = 100, 20
_PARAMETERS = ("state", "operation", "path", "user", "zone", "since", "until", "limit", "cursor")


class Filter(NamedTuple):
    """Which jobs to list."""

    states: frozenset[str]
    operations: frozenset[str]
    limit: int
    before: tuple[int, str] | None
    path: str
    user: str
    zone: str
    since: int
    until: int

    @classmethod
    def of(cls, given: dict[str, str]) -> Filter:
        """The filter in query parameters; raises RequestError that names the parameter."""
        for name in given:
            if name not in _PARAMETERS:
                raise _bad(name, "unknown parameter", f"known are {', '.join(_PARAMETERS)}", "unknown_field")
        return cls(
            _words(given, "state", states.STATES),
            _words(given, "operation", frozenset(methods.OPERATIONS)),
            _limit(given.get("limit", "")),
            _before(given.get("cursor", "")),
            paths.checked(given["path"], "path") if "path" in given else "",
            given.get("user", ""),
            given.get("zone", ""),
            _seconds(given, "since", 0),
            _seconds(given, "until", 1 << 33),
        )

    def takes(self, listed: catalogue.Listed, body: record.Body) -> bool:
        """Whether a job is one of those that are asked for."""
        if self.operations and body.request.operation not in self.operations:
            return False
        if self.path and not paths.is_within(body.request.source, self.path):
            return False
        return self.since <= listed.created < self.until


def job(service: Service, user: str, job_id: str) -> dict[str, Any]:
    """One of the user's jobs; raises JobError ``job_not_found`` or what the zone said when it refused it."""
    return found(service, user, job_id)[1]


def found(service: Service, user: str, job_id: str) -> tuple[Zone, dict[str, Any]]:
    """The job and the zone that has it or is to get it; raises as ``job`` does."""
    if not model.is_job_id(job_id):
        raise not_found()
    shown = _shown(service, service.zone, user, job_id)
    return (service.zone, shown) if shown else _elsewhere(service, user, job_id)


def _elsewhere(service: Service, user: str, job_id: str) -> tuple[Zone, dict[str, Any]]:
    """The job in another zone, or as it is owed; a zone that is away matters only if no other one has the job."""
    away: JobError | None = None
    for zone in service.zones.others:
        try:
            shown = _shown(service, zone, user, job_id)
        except JobError as error:
            away = error if error.code == "zone_unavailable" else away  # the user may be unknown there
            continue
        if shown:
            return zone, shown
    try:
        return _owed(service, user, job_id)
    except JobError as error:
        raise away if away and error.code == "job_not_found" else error from None


def _shown(service: Service, zone: Zone, user: str, job_id: str) -> dict[str, Any] | None:
    collection = record.collection(zone.ledger, user)

    def look(session: iRODSSession) -> dict[str, Any] | None:
        status = catalogue.status_of(session, collection, job_id)
        return record.public(_body(service, session, zone, user, job_id), status) if status else None

    return zone.work(user, look)


def jobs(service: Service, user: str, wanted: Filter) -> dict[str, Any]:
    """A page of jobs from the newest, and the cursor of the next page; the zone decides what the user may see."""
    owner = _owner(service, wanted.user or user)
    zone = _zone(service, wanted.zone)
    collection = record.collection(zone.ledger, owner)

    def look(session: iRODSSession) -> dict[str, Any]:
        page, more = _page(_bodies(service, session, zone, owner, wanted), wanted.limit)
        statuses = catalogue.statuses_of(session, collection, [body.id for _, body in page])
        shown = [record.public(body, statuses[body.id]) for _, body in page if body.id in statuses]
        last = page[-1][0] if more and page else None
        return {"jobs": shown, "next": _cursor(last) if last else None}

    return zone.work(user, look)


def results(service: Service, user: str, job_id: str) -> Iterator[bytes]:
    """The per-object results, JSON lines; none yet is an empty text. Raises ``job_not_found``."""
    zone, _ = found(service, user, job_id)
    blocks = zone.read(user, record.results_path(zone.ledger, user, job_id))
    # The first block now: what goes wrong is still an answer of its own.
    return _chained(next(blocks, b""), blocks)


def not_found() -> JobError:
    """Also for a job of somebody else: whether it exists is not told."""
    return JobError("job_not_found", "there is no such job of yours", field="id", remedy="list your jobs")


def _owed(service: Service, user: str, job_id: str) -> tuple[Zone, dict[str, Any]]:
    row = service.celery.rows.find(job_id)
    if row is None or row.user != user:
        raise not_found()
    if row.content.get("state") == REFUSED:
        raise JobError.from_public(row.content["error"])
    if row.state != ACCEPTED:  # the zone has answered since it was asked above
        zone = service.zones.of(user, row.content)
        shown = _shown(service, zone, user, job_id)
        if shown is None:
            raise not_found()
        return zone, shown
    asked = model.parse(row.content["request"])
    return service.zones.of(user, asked.as_json()), not_yet(user, asked, row.content["submitted"])


def _body(service: Service, session: iRODSSession, zone: Zone, user: str, job_id: str) -> record.Body:
    known = service.bodies.get((user, job_id))
    if known:
        return known
    try:
        body = catalogue.body_of(session, zone.ledger, user, job_id)
    except (ValueError, KeyError):
        raise JobError("zone_error", f"the record of job {job_id} cannot be read", remedy="upgrade the shim") from None
    service.bodies.put((user, job_id), body)
    return body


def _bodies(
    service: Service, session: iRODSSession, zone: Zone, user: str, wanted: Filter
) -> Iterator[tuple[catalogue.Listed, record.Body]]:
    collection = record.collection(zone.ledger, user)
    for listed in catalogue.newest_first(session, collection, wanted.states, wanted.before):
        if listed.created < wanted.since:
            return  # the newest come first
        body = _body(service, session, zone, user, listed.job_id)
        if wanted.takes(listed, body):
            yield listed, body


def _page(
    found: Iterator[tuple[catalogue.Listed, record.Body]], limit: int
) -> tuple[list[tuple[catalogue.Listed, record.Body]], bool]:
    page: list[tuple[catalogue.Listed, record.Body]] = []
    for entry in found:
        if len(page) == limit:
            return page, True
        page.append(entry)
    return page, False


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _cursor(last: catalogue.Listed) -> str:
    text = json.dumps([last.created, last.job_id], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _before(cursor: str) -> tuple[int, str] | None:
    if not cursor:
        return None
    try:
        created, job_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, binascii.Error):
        created, job_id = None, ""
    if type(created) is not int or not 0 <= created < 1 << 33 or not isinstance(job_id, str):
        raise _bad("cursor", "this is not a cursor", "give the next of an earlier answer")
    return created, job_id


def _owner(service: Service, user: str) -> str:
    try:
        return service.zone.full_name(user)
    except LoginRefused:
        raise _bad("user", "this is not a user's name", "give name#zone") from None


def _zone(service: Service, name: str) -> Zone:
    """The zone of that name; the own one unless it is named."""
    known = {zone.name: zone for zone in service.zones}
    if name and name not in known:
        raise _bad("zone", "unknown zone", f"known are {', '.join(known)}")
    return known.get(name, service.zone)


def _seconds(given: dict[str, str], name: str, default: int) -> int:
    """A time of the query in seconds since 1970."""
    if name not in given:
        return default
    try:
        return int(datetime.strptime(given[name], model.TIME_FORMAT).replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise _bad(name, f"{name} is not a time", "give UTC as 2026-11-22T12:00:00Z") from None


def _limit(text: str) -> int:
    if not text:
        return PAGE
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:6]) <= LARGEST_PAGE:
        raise _bad("limit", "limit is out of range", f"give 1 to {LARGEST_PAGE}")
    return int(text)


def _words(given: dict[str, str], name: str, known: frozenset[str]) -> frozenset[str]:
    words = frozenset(given[name].split(",") if name in given else ())
    if words - known:
        raise _bad(
            name, f"unknown {name} {ascii(sorted(words - known)[0])[:80]}", f"known are {', '.join(sorted(known))}"
        )
    return words


def _bad(field: str, text: str, remedy: str, code: str = "bad_value") -> RequestError:
    return RequestError(code, text, field=field[:64], remedy=remedy)
