"""``SluiceClient``: the API as Python calls.

with SluiceClient("http://127.0.0.1:8080", "alice", password) as sluice:
    job = sluice.submit("compress_encrypt", "/tempZone/home/alice/data", key="project-1")
    for job in sluice.watch(job["id"]):
        print(job["state"], job["progress"]["bytes_done"])
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

Job = dict[str, Any]
FINAL = frozenset({"succeeded", "partial", "failed", "cancelled"})
# What passes by itself: the request is sent again (submits carry an idempotency key, so that is harmless).
_PASSING = frozenset({429, 502, 503, 504})
_TRIES, _PAUSE = 4, 0.5
_CHAIN_SECONDS = 1.0
# A stream says something at least every 15 seconds.
_QUIET_SECONDS = 60.0


class SluiceError(Exception):
    """What the service said: status (0: it did not answer), code, text, field, remedy."""

    def __init__(self, status: int, code: str, text: str, field: str | None = None, remedy: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text
        self.field = field
        self.remedy = remedy


class SluiceClient:
    """A connection to the service as one user; every method raises SluiceError."""

    def __init__(self, url: str, user: str = "", password: str = "", timeout: float = 60.0, *, token: str = "") -> None:
        """``token``: a bearer token, instead of user and password."""
        self._http = httpx.Client(base_url=f"{url.rstrip('/')}/api/v1", timeout=timeout)
        if token:
            self._http.headers["Authorization"] = f"Bearer {token}"
        else:
            self._http.auth = httpx.BasicAuth(user, password)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._http.close()

    def submit(self, operation: str, source: str, *, idempotency_key: str = "", **options: Any) -> Job:
        """Ask for a job; options are target, compression, level, encryption, key, existing, original, objects."""
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return self._json("POST", "/jobs", json=_request(operation, source, options), headers=headers)

    def plan(self, operation: str, source: str, **options: Any) -> dict[str, Any]:
        """What such a job would do and need; nothing is created."""
        return self._json("POST", "/plans", json=_request(operation, source, options))

    def job(self, job_id: str) -> Job:
        """A job as it is now."""
        return self._json("GET", _path(job_id))

    def jobs(self, *, limit: int | None = None, **wanted_only: str) -> Iterator[Job]:
        """Your jobs from the newest, at most ``limit``; pages are fetched as they are needed.

        Further names are filters: state, operation, path, user, since, until.
        """
        given = {**wanted_only, "limit": min(limit or 100, 100)}
        wanted = {name: value for name, value in given.items() if value}
        left = limit
        while left is None or left > 0:
            page = self._json("GET", "/jobs", params=wanted)
            found = page["jobs"][:left]
            yield from found
            left = None if left is None else left - len(found)
            if not page["next"]:
                return
            wanted["cursor"] = page["next"]

    def cancel(self, job_id: str) -> Job:
        """End a job that has not ended."""
        return self._json("POST", f"{_path(job_id)}/cancel")

    def retry(self, job_id: str) -> Job:
        """Queue a job again that did not succeed."""
        return self._json("POST", f"{_path(job_id)}/retry", tries=1)  # a second one would be refused

    def results(self, job_id: str) -> Iterator[dict[str, Any]]:
        """What became of each object."""
        with self._stream(f"{_path(job_id)}/results") as lines:
            for line in lines.iter_lines():
                if line.strip():
                    yield json.loads(line)

    def watch(self, job_id: str) -> Iterator[Job]:
        """The job at every change, until it has ended; goes on after a broken connection."""
        failures = 0
        while True:
            try:
                for job in self._events(job_id):
                    failures = 0
                    yield job
                    if job["state"] in FINAL:
                        return
            except SluiceError as error:
                failures += 1
                if failures > _TRIES or error.status not in {0, *_PASSING}:
                    raise
            time.sleep(_PAUSE * 2**failures)

    def wait(self, job_id: str) -> Job:
        """The job when it has ended."""
        job: Job = {}
        for job in self.watch(job_id):  # noqa: B007 - the last one counts
            pass
        return job

    def submit_chain(self, steps: list[Any], *, idempotency_key: str = "") -> Job:
        """Ask for jobs one after the other: each step is a request as a dict, or a list of those that run at once."""
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        return self._json("POST", "/chains", json={"steps": steps}, headers=headers)

    def chain(self, chain_id: str) -> Job:
        """A chain as it is now."""
        return self._json("GET", _path(chain_id, "chains"))

    def chains(self) -> list[Job]:
        """Your chains of the last days, the newest first."""
        return list(self._json("GET", "/chains")["chains"])

    def cancel_chain(self, chain_id: str) -> Job:
        """Cancel the jobs of the present step and begin no further one."""
        return self._json("POST", f"{_path(chain_id, 'chains')}/cancel")

    def watch_chain(self, chain_id: str) -> Iterator[Job]:
        """The chain every second, until it has ended."""
        while (chain := self.chain(chain_id))["state"] not in FINAL:
            yield chain
            time.sleep(_CHAIN_SECONDS)
        yield chain

    def methods(self) -> dict[str, Any]:
        """The operations and methods that the zone knows."""
        return self._json("GET", "/methods")

    def systems(self) -> dict[str, Any]:
        """The systems that you may stage from and to."""
        return self._json("GET", "/systems")

    def check_system(self, name: str) -> dict[str, Any]:
        """Whether a system works."""
        return self._json("GET", f"/systems/{quote(name, safe='')}")

    def keys(self) -> dict[str, Any]:
        """The keys that you may use or manage."""
        return self._json("GET", "/keys")

    def key(self, name: str) -> dict[str, Any]:
        """One key with its versions and grants."""
        return self._json("GET", f"/keys/{quote(name, safe='')}")

    def create_key(self, name: str, owner: str = "") -> dict[str, Any]:
        """Make a key; administrators only."""
        return self._json("POST", "/keys", tries=1, json={"name": name, "owner": owner})

    def change_key(self, name: str, action: str, **values: Any) -> dict[str, Any]:
        """grant, revoke, rotate, disable, enable, destroy or recover; the key as it is then."""
        chosen = {field: value for field, value in values.items() if value not in (None, "")}
        return self._json("POST", f"/keys/{quote(name, safe='')}/{action}", tries=1, json=chosen)

    def share(self, path: str, reader: str) -> dict[str, Any]:
        """A header of one sealed object for the owner of a Crypt4GH public key."""
        return self._json("POST", "/shares", json={"path": path, "reader": reader})

    def _events(self, job_id: str) -> Iterator[Job]:
        with self._stream(f"{_path(job_id)}/events") as stream:
            for event, data in _parsed(stream.iter_lines()):
                if event == "job":
                    yield json.loads(data)
                elif event == "problem":
                    shown = json.loads(data)
                    raise SluiceError(503, shown["code"], shown["text"], shown["field"], shown["remedy"])

    def _stream(self, path: str) -> _Stream:
        return _Stream(self._http, path)

    def _json(self, method: str, path: str, tries: int = _TRIES, **options: Any) -> dict[str, Any]:
        for attempt in range(tries):
            try:
                response = self._http.request(method, path, **options)
            except httpx.TransportError as error:
                failure = _unreachable(self._http, error)
            else:
                if response.is_success:
                    return dict(response.json())
                failure = _told(response)
            passing = failure.status == 0 or (failure.status in _PASSING and failure.code != "zone_error")
            if not passing or attempt == tries - 1:
                raise failure
            time.sleep(_PAUSE * 2**attempt)
        raise AssertionError  # the last attempt returned or raised


class _Stream:
    """A streamed answer whose failures are SluiceErrors, also in the middle."""

    def __init__(self, http: httpx.Client, path: str) -> None:
        self._http = http
        timeout = httpx.Timeout(http.timeout.connect, read=_QUIET_SECONDS)
        self._request = http.build_request("GET", path, timeout=timeout)

    def __enter__(self) -> Self:
        try:
            self._response = self._http.send(self._request, stream=True)
            if not self._response.is_success:
                self._response.read()
        except httpx.TransportError as error:
            raise _unreachable(self._http, error) from error
        if not self._response.is_success:
            raise _told(self._response)
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()

    def iter_lines(self) -> Iterator[str]:
        """The lines of the answer."""
        try:
            yield from self._response.iter_lines()
        except httpx.TransportError as error:
            raise _unreachable(self._http, error) from error


def _parsed(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Server-sent events as (event, data)."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in fields:
                yield fields.get("event", "message"), fields["data"]
            fields = {}
            continue
        name, _, value = line.partition(":")
        fields[name] = value.removeprefix(" ")


def _request(operation: str, source: str, options: dict[str, Any]) -> dict[str, Any]:
    chosen = {name: value for name, value in options.items() if value not in (None, "")}
    return {"operation": operation, "source": source, **chosen}


def _path(given: str, noun: str = "jobs") -> str:
    try:
        return f"/{noun}/{uuid.UUID(given)}"
    except ValueError:
        remedy = "see: sluice " + {"jobs": "ls", "chains": "chains"}[noun]
        raise SluiceError(400, "bad_value", f"{given!r} is not an id", "id", remedy) from None


def _told(response: httpx.Response) -> SluiceError:
    try:
        shown = response.json()
        return SluiceError(response.status_code, shown["code"], shown["detail"], shown.get("field"), shown["remedy"])
    except (ValueError, KeyError, TypeError):
        text = f"the answer was {response.status_code} {response.reason_phrase}, and not Sluice's"
        return SluiceError(response.status_code, "not_sluice", text, None, "check the address")


def _unreachable(http: httpx.Client, error: Exception) -> SluiceError:
    where = str(http.base_url).removesuffix("/").removesuffix("/api/v1")
    text = f"the service at {where} does not answer ({type(error).__name__})"
    return SluiceError(0, "unreachable", text, None, "check the address (SLUICE_URL) and that the service runs")
