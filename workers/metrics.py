"""What shim and workers count for Prometheus; each program shows its own on a port of its own."""

from __future__ import annotations

from typing import Any

from prometheus_client import Counter, Gauge, Histogram, start_http_server

_KIND = ("operation", "codec", "zone")
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15)
_JOB_SECONDS = (1, 3, 10, 30, 100, 300, 1000, 3600, 10_000, 36_000, 86_400)

REQUESTS = Counter("sluice_http_requests", "Requests answered", ("route", "method", "status"))
REQUEST_SECONDS = Histogram("sluice_http_request_seconds", "Time to an answer", ("route",), buckets=_SECONDS)
ACCEPTED = Counter("sluice_jobs_accepted", "Requests that were owed to a zone", _KIND)
ENDED = Counter("sluice_jobs_ended", "Jobs that a worker saw end", (*_KIND, "outcome"))
BYTES = Counter("sluice_job_bytes", "Plain bytes of the jobs that ended", _KIND)
SECONDS = Histogram("sluice_job_seconds", "From submit to end", _KIND, buckets=_JOB_SECONDS)
TASKS = Counter("sluice_tasks", "Tasks that a worker did", ("task", "outcome"))
OWED = Gauge("sluice_owed_requests", "Requests that the zone has not answered")
OWED_AGE = Gauge("sluice_owed_seconds", "Age of the oldest of them")
OPEN = Gauge("sluice_open_jobs", "Jobs at the zone that had not ended when they were last seen")
ROUND_SECONDS = Histogram("sluice_watch_round_seconds", "Time of a watch round's steps", ("step",), buckets=_SECONDS)
STALLED = Gauge("sluice_zone_stalled", "1: the zone's delay queue does not run what is due", ("zone",))
DELIVERIES = Counter("sluice_webhooks", "Attempts to deliver a notification", ("outcome",))


def serve(port: int, address: str) -> None:
    """Show the numbers at http://address:port/metrics; nothing if the port is 0."""
    if port:
        start_http_server(port, addr=address)


def kind_of(job: dict[str, Any], zone: str) -> tuple[str, str, str]:
    """The labels of a job: a small, fixed number of each."""
    codec = "+".join(filter(None, (job.get("compression"), job.get("encryption"))))
    return str(job.get("operation", "")), codec or "none", zone


def ended(job: dict[str, Any], zone: str, seconds: float) -> None:
    """Count a job that has ended."""
    kind = kind_of(job, zone)
    ENDED.labels(*kind, job["state"]).inc()
    BYTES.labels(*kind).inc(job["progress"]["bytes_done"])
    SECONDS.labels(*kind).observe(max(0.0, seconds))
