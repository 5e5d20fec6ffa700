"""Who is told when a job ends: CloudEvents, signed, posted until somebody took them.

An event is a row of the result backend from before the job's own row shows the end until it was delivered, so
neither a killed worker nor a receiver that is away loses one. Its id is the same at every try and after a repeated
watch round: who has seen the id, and refuses old timestamps, is safe from replays (https://www.standardwebhooks.com).
"""

from __future__ import annotations

import base64
import hmac
import json
import logging
import time
from pathlib import Path
from typing import Any

import httpx

from python_rules.jobs.errors import JobError
from workers import metrics
from workers.rows import Row, Rows
from workers.settings import WebhookSettings

NOTIFY = "NOTIFY"  # the state of an event's row
PREFIX = "sluice:event:"
_TIMEOUT = 5.0
_LEASE = 60.0  # a delivery that a killed worker had begun is begun again after so many seconds
_SHORTEST_SECRET = 24
_LONGEST_PAUSE = 6 * 3600.0
log = logging.getLogger(__name__)


def event_of(job_id: str, job: dict[str, Any], zone: str) -> dict[str, Any]:
    """The CloudEvent (1.0, structured JSON) of a job that has ended."""
    last = (job.get("transitions") or [{"number": "0", "time": ""}])[-1]
    return _event(zone, f"{job_id}.{last['number']}", "job", job_id, last["time"], job)


def event_of_chain(chain_id: str, chain: dict[str, Any], zone: str) -> dict[str, Any]:
    """The same of a chain that has ended."""
    return _event(zone, f"{chain_id}.end", "chain", chain_id, chain["finished"], chain)


def remember(rows: Rows, settings: WebhookSettings, event: dict[str, Any]) -> None:
    """Owe an event to each configured receiver."""
    for name in settings.urls:
        content = {"to": name, "event": event, "tries": 0, "due": 0.0}
        rows.keep(f"{PREFIX}{name}:{event['id']}", content, NOTIFY)


def due(rows: Rows) -> list[Row]:
    """The events to deliver now; each is put off meanwhile, so that no other round takes it too."""
    now = time.time()
    found = [row for row in rows.in_state(NOTIFY) if row.content["due"] <= now]
    for row in found:
        rows.keep(row.job_id, {**row.content, "due": now + _LEASE}, NOTIFY)
    return found


def deliver(rows: Rows, settings: WebhookSettings, row_id: str) -> None:
    """Post an event once; what was not taken is tried again later, a bounded number of times."""
    row = rows.find(row_id)
    if row is None:
        return
    event, tries = row.content["event"], row.content["tries"] + 1
    url = settings.urls.get(row.content["to"])
    outcome = _post(url, event, secret(settings)) if url else "forgotten"
    metrics.DELIVERIES.labels(outcome).inc()
    log.info("job %s: webhook %s: %s", event["subject"], row.content["to"], outcome)
    if outcome in ("taken", "forgotten") or tries >= settings.attempts:
        rows.drop(row_id)
        return
    pause = min(_LONGEST_PAUSE, settings.first_pause_seconds * 2 ** (tries - 1))
    rows.keep(row_id, {**row.content, "tries": tries, "due": time.time() + pause}, NOTIFY)


def signature(key: bytes, event_id: str, timestamp: str, body: bytes) -> str:
    """What the header webhook-signature says: HMAC-SHA256 over id, timestamp and body."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def secret(settings: WebhookSettings) -> bytes:
    """The key that signs; raises JobError ``configuration``."""
    try:
        text = Path(settings.secret_file).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        raise _wrong("cannot be read") from None
    if len(text) < _SHORTEST_SECRET:
        raise _wrong(f"has fewer than {_SHORTEST_SECRET} characters")
    return text.encode()


def _event(zone: str, event_id: str, noun: str, subject: str, at: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": f"urn:sluice:{zone}",
        "type": f"sluice.{noun}.{data['state']}",
        "subject": subject,
        "time": at,
        "datacontenttype": "application/json",
        "data": data,
    }


def _post(url: str, event: dict[str, Any], key: bytes) -> str:
    body, timestamp = json.dumps(event).encode(), str(int(time.time()))
    headers = {
        "Content-Type": "application/cloudevents+json",
        "webhook-id": event["id"],
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(key, event["id"], timestamp, body),
    }
    try:
        answer = httpx.post(url, content=body, headers=headers, timeout=_TIMEOUT, follow_redirects=False)
    except httpx.HTTPError as error:
        return type(error).__name__
    return "taken" if answer.is_success else str(answer.status_code)


def _wrong(what: str) -> JobError:
    return JobError("configuration", f"webhooks.secret_file {what}", remedy="an administrator must correct it")
