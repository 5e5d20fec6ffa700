"""One attempt at a job: from its record to its final state, objects in parallel, progress in the catalogue."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack

from irods.exception import NetworkException, iRODSException

from python_rules.config import Config
from python_rules.engine import sessions
from python_rules.engine.convert import Converted, Tools, Watch, convert_object, prepare_target
from python_rules.engine.keys import Keyring
from python_rules.engine.ledger import Entry, Ledger, now
from python_rules.engine.meter import Meter
from python_rules.engine.parallel import Workers
from python_rules.engine.transfer.zone import Listing, SourceObject, Zone
from python_rules.jobs import record, states
from python_rules.jobs.errors import JobError

log = logging.getLogger("sluice.engine")


def run(config: Config, job_id: str, user: str) -> int:
    """Run the job if it may start; 0 unless it ended ``failed``. Raises JobError if it is not the user's."""
    with sessions.as_service(config) as service:
        book = Ledger(service, config.ledger)
        entry = book.get(job_id)
        if entry.body.user != user:
            raise JobError("not_permitted", f"job {job_id} is not one of {user}")
        if entry.status.state not in states.STARTABLE:
            log.info("job %s is %s: nothing to start", job_id, entry.status.state)
            return 0
        return Attempt(config, book, entry).run()


class Attempt:
    """One attempt; the thread that calls ``run`` alone talks to the ledger, the others work on objects."""

    def __init__(self, config: Config, book: Ledger, entry: Entry) -> None:
        self._config = config
        self._book = book
        self._entry = entry
        self._request = entry.body.request
        self._number = entry.status.attempt + 1
        self._actor = f"engine@{socket.gethostname()}:{os.getpid()}"
        self._meter = Meter()
        self._stop = threading.Event()
        self._failures: list[JobError] = []
        self._lines: list[str] = []

    def run(self) -> int:
        """Do the work and record how it ended; 0 unless the job failed."""
        self._transition(states.RUNNING, [(record.ATTEMPT, str(self._number), ""), self._lease(), self._progress()])
        try:
            self._work()
        except JobError as error:
            return self._failed(error)
        except NetworkException as error:
            return self._failed(JobError("zone_unavailable", f"the zone went away: {error}", remedy="retry the job"))
        except iRODSException as error:
            return self._failed(JobError("zone_error", f"the zone answered {type(error).__name__}"))
        except Exception as error:
            log.exception("job %s", self._entry.body.id)
            text = f"the engine failed: {type(error).__name__}"
            return self._failed(JobError("engine_failed", text, remedy="the engine's log has the details"))
        return self._finished()

    def _work(self) -> None:
        with ExitStack() as opened:
            # workers' sessions are closed by this thread, after the pool has ended
            zones = _Zones(self._config, self._entry.body, opened)
            listing = self._prepared(zones.mine())
            tools = Tools(Workers(self._config["engine.threads"]), Keyring.of(self._config))
            with ThreadPoolExecutor(self._config["engine.connections"], "object") as pool:
                todo = iter(listing.objects)
                running: set[Future[None]] = set()
                while self._fill(pool, running, todo, zones, listing, tools):
                    done, running = wait(running, self._config["engine.heartbeat_seconds"], FIRST_COMPLETED)
                    for future in done:
                        future.result()
                    self._heartbeat_if_due()

    def _prepared(self, zone: Zone) -> Listing:
        listing = zone.list(self._request.source, only=self._request.objects)
        prepare_target(zone, self._request, listing)
        self._meter.total(len(listing.objects), listing.size)
        self._heartbeat()
        return listing

    def _fill(self, pool, running, todo, zones, listing, tools) -> bool:  # type: ignore[no-untyped-def]
        """Keep a few objects in flight; False when nothing runs and nothing is left."""
        while len(running) < 2 * self._config["engine.connections"] and not self._stop.is_set():
            source = next(todo, None)
            if source is None:
                break
            running.add(pool.submit(self._one, zones, listing, source, tools))
        return bool(running)

    def _one(self, zones: _Zones, listing: Listing, source: SourceObject, tools: Tools) -> None:
        """Work on one object in a thread of its own; its failure is a result, not the job's end."""
        if self._stop.is_set():
            return
        watch = Watch(self._meter.advance, self._stop.is_set)
        try:
            done = convert_object(zones.mine(), self._request, listing, source, tools, watch)
        except JobError as error:
            if error.code != "cancelled":
                self._note_failure(source, error)
        else:
            self._note_success(done)

    def _note_success(self, done: Converted) -> None:
        self._lines.append(json.dumps({"state": "skipped" if done.skipped else "succeeded", **done.as_json()}))
        self._meter.object_done()

    def _note_failure(self, source: SourceObject, error: JobError) -> None:
        self._failures.append(error)
        self._lines.append(json.dumps({"state": "failed", "source": source.path, "error": error.public()}))
        self._meter.object_failed()

    def _heartbeat_if_due(self) -> None:
        if self._meter.since_beat() >= self._config["engine.heartbeat_seconds"]:
            self._heartbeat()

    def _heartbeat(self) -> None:
        """Write lease and progress, hand over results, and see whether somebody asked for an end."""
        self._meter.beat()
        self._entry.avus = self._book.avus(self._entry.path)
        self._book.replace(self._entry, [self._lease(), self._progress()])
        self._hand_over_results()
        if self._entry.values_of(record.CANCEL_REQUESTED):
            self._stop.set()

    def _hand_over_results(self) -> None:
        lines, self._lines = self._lines, []
        self._book.append_results(self._entry, lines)

    def _finished(self) -> int:
        if self._stop.is_set():
            return self._end(states.CANCELLED, None)
        if not self._failures:
            return self._end(states.SUCCEEDED, None)
        ended = states.PARTIAL if self._meter.objects_done else states.FAILED
        return self._end(ended, self._failures[0])

    def _failed(self, error: JobError) -> int:
        self._stop.set()
        return self._end(states.FAILED, error)

    def _end(self, state: str, error: JobError | None) -> int:
        self._hand_over_results()
        self._meter.beat()
        told = (record.ERROR, "", "") if error is None else record.json_value(record.ERROR, error.public())
        self._entry.avus = self._book.avus(self._entry.path)
        self._transition(state, [self._progress("done"), (record.LEASE, "", ""), told])
        log.info("job %s ended %s", self._entry.body.id, state)
        return 1 if state == states.FAILED else 0

    def _transition(self, state: str, replace: list[record.Avu]) -> None:
        self._book.transition(self._entry, state, self._actor, replace)

    def _lease(self) -> record.Avu:
        held = {"host": socket.gethostname(), "pid": os.getpid(), "fence": self._number, "heartbeat": now()}
        return record.json_value(record.LEASE, held)

    def _progress(self, phase: str = "working") -> record.Avu:
        return record.json_value(record.PROGRESS, self._meter.progress(phase, now()))


class _Zones:
    """A zone connection for each thread, as the job's user; closed with ``opened``."""

    def __init__(self, config: Config, body: record.Body, opened: ExitStack) -> None:
        self._config = config
        self._body = body
        self._opened = opened
        self._lock = threading.Lock()
        self._local = threading.local()

    def mine(self) -> Zone:
        """The calling thread's."""
        zone: Zone | None = getattr(self._local, "zone", None)
        if zone is None:
            with self._lock:
                session = self._opened.enter_context(sessions.as_user(self._config, self._body.user))
            zone = self._local.zone = Zone(session, self._body.id)
        return zone
