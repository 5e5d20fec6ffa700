"""The routes of jobs: a few lines each; what they promise stands in ``openapi.OPERATIONS``."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from apiflask import APIBlueprint
from flask import Response, request, url_for

from api_shim import forwarding, reading
from api_shim.exchange import answer, asked, require_json
from api_shim.problems import Problem
from api_shim.service import Service, caller, require_caller, service
from python_rules import names
from python_rules.jobs import model, states
from python_rules.jobs.errors import JobError

blueprint = APIBlueprint("jobs", __name__, url_prefix="/api/v1", tag="jobs")
blueprint.before_request(require_caller)
# A comment line now and then keeps proxies from closing a quiet stream, in seconds.
_KEEP_ALIVE = 15.0
_END = "end"  # the id of the last event
_WAIT = re.compile(r"wait\s*=\s*(\d{1,4})")


@blueprint.post("/jobs")
@blueprint.doc(operation_id="submitJob")
def submit() -> Response:
    """Submit a job."""
    require_json()
    wanted = forwarding.request_of(request.get_data(), request.headers.get("Idempotency-Key"))
    done = forwarding.submit(service(), caller(), wanted, _patience())
    if done.job is None:
        return _accepted(done.job_id, wanted)
    return _job(done.job, 200 if done.repeated else 201)


@blueprint.get("/jobs")
@blueprint.doc(operation_id="listJobs")
def list_jobs() -> Response:
    """List your jobs, the newest first."""
    return answer(reading.jobs(service(), caller(), reading.Filter.of(request.args.to_dict())))


@blueprint.get("/jobs/<job_id>")
@blueprint.doc(operation_id="getJob")
def get_job(job_id: str) -> Response:
    """Show a job."""
    return answer(reading.job(service(), caller(), job_id))


@blueprint.post("/jobs/<job_id>/cancel")
@blueprint.doc(operation_id="cancelJob")
def cancel(job_id: str) -> Response:
    """Cancel a job that has not ended."""
    return _act(names.CANCEL, job_id)


@blueprint.post("/jobs/<job_id>/retry")
@blueprint.doc(operation_id="retryJob")
def retry(job_id: str) -> Response:
    """Queue a job again that did not succeed; only what failed is redone."""
    return _act(names.RETRY, job_id)


@blueprint.get("/jobs/<job_id>/results")
@blueprint.doc(operation_id="getResults")
def results(job_id: str) -> Response:
    """Read what became of each object of a job."""
    return Response(reading.results(service(), caller(), job_id), content_type="application/x-ndjson")


@blueprint.get("/jobs/<job_id>/events")
@blueprint.doc(operation_id="watchJob")
def events(job_id: str) -> Response:
    """Watch a job as server-sent events until it has ended."""
    shared, user = service(), caller()
    first = reading.job(shared, user, job_id)
    known = request.headers.get("Last-Event-ID", "")
    if known == _END and first["state"] in states.FINAL:
        return Response(status=204)  # a browser that comes back has seen all: this keeps it from coming again
    if not shared.streams.acquire(blocking=False):
        raise Problem(
            "too_many_streams", "all event streams are taken", remedy="poll the job", headers={"Retry-After": "5"}
        )
    stream = Response(
        _events(shared, user, first, known), content_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )
    stream.call_on_close(shared.streams.release)
    return stream


@blueprint.get("/methods")
@blueprint.doc(operation_id="listMethods", tags=["service"])
def methods() -> Response:
    """List the operations and methods that the zone knows."""
    return answer(asked(names.METHODS))


def _events(shared: Service, user: str, job: dict[str, Any], said: str) -> Iterator[str]:
    """Each change of the job as an event ``job``; a last event ``end`` or ``problem``.

    An event tells the whole job, so one that comes back with the last id that it saw (``said``) misses nothing.
    """
    quiet_since = time.monotonic()
    while True:
        text = json.dumps(job)
        mark = hashlib.sha256(text.encode()).hexdigest()[:16]
        if mark != said:
            said, quiet_since = mark, time.monotonic()
            yield f"id: {mark}\nevent: job\ndata: {text}\n\n"
        elif time.monotonic() - quiet_since > _KEEP_ALIVE:
            quiet_since = time.monotonic()
            yield ": still here\n\n"
        if job["state"] in states.FINAL:
            yield f"id: {_END}\nevent: end\ndata: {json.dumps(job['state'])}\n\n"
            return
        time.sleep(shared.settings.http.events_seconds)
        try:
            job = reading.job(shared, user, job["id"])
        except JobError as error:
            yield f"event: problem\ndata: {json.dumps(error.public())}\n\n"
            return


def _act(rule: str, job_id: str) -> Response:
    if not model.is_job_id(job_id):
        raise reading.not_found()
    zone = reading.found(service(), caller(), job_id)[0] if service().zones.others else service().zone
    done = forwarding.act(service(), zone, caller(), rule, job_id, _patience())
    if done.job is None:
        return _job(reading.job(service(), caller(), job_id), 202)
    return _job(done.job, 200)


def _accepted(job_id: str, wanted: model.JobRequest) -> Response:
    return _job(forwarding.not_yet(caller(), replace(wanted, id=job_id), forwarding.now()), 202)


def _job(job: dict[str, Any], status: int) -> Response:
    headers = {"Location": url_for("jobs.get_job", job_id=job["id"])}
    if status == 202:
        headers["Retry-After"] = "1"
    return answer(job, status, headers)


def _patience() -> float:
    """How long the caller and the settings let a request wait, in seconds (RFC 7240)."""
    longest = service().settings.http.wait_seconds
    wishes = ",".join(request.headers.getlist("Prefer")).lower()
    if "respond-async" in wishes:
        return 0.0
    wish = _WAIT.search(wishes)
    return min(longest, float(wish.group(1))) if wish else longest
