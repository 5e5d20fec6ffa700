"""One attempt at a job: from its record to its final state, objects in parallel, progress in the catalogue."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from typing import Any, TypeVar

from irods.exception import NetworkException, iRODSException

from python_rules.config import Config
from python_rules.engine import identity, lease, leftovers, sessions, shards
from python_rules.engine.again import try_again
from python_rules.engine.convert import Converted, Tools, Watch, target_looked_at
from python_rules.engine.group import groups
from python_rules.engine.lease import Lease
from python_rules.engine.ledger import Entry, Ledger, now
from python_rules.engine.meter import Meter
from python_rules.engine.operations import table as operations
from python_rules.engine.parallel import Workers
from python_rules.engine.staging import cleaning, stage
from python_rules.engine.threads import Zones
from python_rules.engine.transfer.zone import Listing, SourceObject
from python_rules.engine.undoing import undone_by
from python_rules.jobs import methods, record, states
from python_rules.jobs.errors import PASSING, JobError

log = logging.getLogger("sluice.engine")
T = TypeVar("T")

STOP_SECONDS = 0.2  # for threads of a stopped attempt to come to an end by themselves
LOOK_SECONDS = 0.25  # how often an attempt looks whether it is to end; a cancel takes effect within two seconds
STOPPED = ("cancelled", "lease_lost")  # not an object's failure


def run(config: Config, job_id: str, user: str) -> int:
    """Run the job if it may start; 0 unless it ended ``failed``. Raises JobError if it is not the user's.

    ``user`` is '' where the service account itself queued the job.
    """
    with sessions.as_service(config) as service:
        book = Ledger(service, config.ledger)
        entry = book.get(job_id)
        if user and entry.body.user != user:
            raise JobError("not_permitted", f"job {job_id} is not one of {user}")
        if entry.status.state not in states.STARTABLE:
            log.info("job %s is %s: nothing to start", job_id, entry.status.state)
            return 0
        if paused := book.paused():
            book.replace(entry, [(record.WAITING, paused, "")])  # whoever resumes the service queues it again
            return 0
        held = lease.take(book, entry)
        if held is None:
            log.info("job %s is another engine's", job_id)
            return 0
        return Attempt(config, book, entry, held).run()


class Attempt:
    """One attempt; the thread that calls ``run`` alone writes to the ledger, the others work on objects."""

    def __init__(self, config: Config, book: Ledger, entry: Entry, held: Lease) -> None:
        self._config = config
        self._book = book
        self._entry = entry
        self._request = entry.body.request
        self._lease = held
        self._actor = f"engine@{held.host}:{held.pid}"
        self._meter = Meter()
        self._stop = threading.Event()
        self._paused = ""
        self._all_begun = False
        self._running: set[Future[Any]] = set()
        self._abandoned = False
        self._reported: set[str] = set()  # sources that an earlier attempt told of as done
        self._failures: list[JobError] = []
        self._lines: list[str] = []

    def run(self) -> int:
        """Do the work and record how it ended; 0 unless the job failed."""
        number = (record.ATTEMPT, str(self._lease.number), "")
        self._transition(states.RUNNING, [number, self._lease.avu(), self._progress(), (record.WAITING, "", "")])
        try:
            self._check_deadline()
            self._work()
            return self._finished()
        except JobError as error:
            return self._finished() if error.code == "cancelled" else self._failed(error)
        except NetworkException as error:
            return self._failed(JobError("zone_unavailable", f"the zone went away: {error}", remedy="retry the job"))
        except iRODSException as error:
            return self._failed(JobError("zone_error", f"the zone answered {type(error).__name__}"))
        except Exception as error:
            log.exception("job %s", self._entry.body.id)
            text = f"the engine failed: {type(error).__name__}"
            return self._failed(JobError("engine_failed", text, remedy="the engine's log has the details"))

    def _work(self) -> None:
        if shards.count(self._entry):  # an earlier attempt split the job
            self._reported = self._book.mend_results(self._entry)
        else:
            self._work_on_objects()
        if shards.count(self._entry):
            self._gather()

    def _work_on_objects(self) -> None:
        """The objects, or no more than the parts they are split into."""
        opened = ExitStack()  # workers' sessions are closed by this thread, after theirs have ended
        zones = Zones(self._config, self._entry.body, self._lease.number, opened)
        pool = ThreadPoolExecutor(self._config["engine.connections"], "object")
        try:
            with undone_by(self._stop.set):
                listing = self._awaited(pool.submit(self._prepared, zones))
                if (number := self._parts(listing)) > 1:
                    return shards.split(self._book, self._entry, listing, number)
                body = self._entry.body
                keys = identity.keys_for(self._config, self._book.session, body.user, body.id)
                tools = Tools(Workers(self._config["engine.threads"]), keys)
                self._objects(pool, zones, listing, tools)
                self._awaited(pool.submit(self._closing, zones, listing))
        finally:
            self._leave(pool, opened)

    def _parts(self, listing: Listing) -> int:
        whole = self._entry.body.parent or not operations.can_be_split(self._request)
        return 1 if whole else shards.number_for(self._config, listing)

    def _gather(self) -> None:
        """See all parts of the job to their ends."""
        parts = shards.Gathering(self._config, self._book, self._entry)
        told = json.loads(self._entry.values_of(record.SHARDS)[0][1])
        self._meter.total(told["objects"], told["bytes"])
        try:
            shards.begin(self._config, self._book, self._entry)
            while not parts.ended() and not (self._paused and parts.is_idle):
                self._meter.is_at(parts.progress)
                if self._stop.is_set():
                    shards.cancel(self._book, self._entry, self._actor)
                elif not self._paused:
                    parts.help()
                parts.wait(LOOK_SECONDS)
                self._look()
        except JobError as error:
            if error.code != "lease_lost":
                shards.cancel(self._book, self._entry, self._actor)
            raise
        self._all_begun = parts.ended()
        self._meter.is_at(parts.progress)
        if self._all_begun:
            self._failures = parts.failures()
            self._lines += parts.results(self._reported)

    def _leave(self, pool: ThreadPoolExecutor, opened: ExitStack) -> None:
        """Close what was opened. Of a stopped attempt threads may be in the middle of a block: they are given a
        moment, then left behind, and end with the process."""
        pool.shutdown(wait=False, cancel_futures=True)
        self._abandoned = bool(wait(self._running, STOP_SECONDS).not_done)
        if not self._abandoned:
            opened.close()

    def _awaited(self, future: Future[T]) -> T:
        """The result of another thread's work, with heartbeats meanwhile."""
        self._running = {future}
        while not future.done():
            wait([future], LOOK_SECONDS)
            self._look()
            if self._stop.is_set():
                raise JobError("cancelled", "the job was cancelled")
        return future.result()

    def _objects(self, pool: ThreadPoolExecutor, zones: Zones, listing: Listing, tools: Tools) -> None:
        """All objects of the listing, a few of them at a time."""
        # the largest first: the time left is then told well, and small ones fill what is left of the cores
        by_size = sorted(listing.objects, key=lambda source: -source.size)
        todo = groups(by_size, self._config["engine.connections"])
        running: set[Future[None]] = set()
        self._running = running

        def begin(sources: list[SourceObject]) -> Future[None]:
            return pool.submit(self._some, zones, listing, sources, tools)

        while self._fill(running, todo.__next__, begin) and not self._stop.is_set():
            done, _ = wait(running, LOOK_SECONDS, FIRST_COMPLETED)
            running -= done
            for future in done:
                future.result()
            self._look()

    def _prepared(self, zones: Zones) -> Listing:
        """What there is to do; undoes first what earlier attempts left half-made."""
        zone = zones.mine()
        if self._lease.number > 1:
            self._reported = leftovers.undo(self._config, self._entry)
        listing = self._listing(zones)
        listing = operations.remaining(self._request, listing, self._reported)
        operations.prepare(zone, self._request, listing)
        listing = target_looked_at(zone, self._request, listing)
        gone = self._reported - {found.path for found in listing.objects}
        self._meter.total(len(listing.objects) + len(gone), listing.size)
        for _ in gone:
            self._meter.object_done()  # published by an earlier attempt, which removed the original
        return listing

    def _listing(self, zones: Zones) -> Listing:
        number = self._lease.number
        if self._request.operation == methods.STAGE:
            return stage.listing(self._config, zones, self._request, number)
        return leftovers.listing(zones.mine(), zones.session(), self._request, first=number == 1)

    def _fill(
        self,
        running: set[Future[None]],
        following: Callable[[], list[SourceObject]],
        begin: Callable[[list[SourceObject]], Future[None]],
    ) -> bool:
        """Keep a few groups in flight; False when nothing runs and nothing is left, or the service is paused."""
        while len(running) < 2 * self._config["engine.connections"] and not (self._stop.is_set() or self._paused):
            try:
                running.add(begin(following()))
            except StopIteration:
                self._all_begun = True
                break
        return bool(running)

    def _some(self, zones: Zones, listing: Listing, sources: list[SourceObject], tools: Tools) -> None:
        """Work on some objects in a thread of their own; a failure of one is a result, not the job's end."""
        if self._stop.is_set():
            return
        watch = Watch(self._meter.advance, self._stop.is_set, lambda: self._may_publish(zones))
        ended = operations.work_on_some(zones.mine(), self._request, listing, sources, tools, watch)
        for source, outcome in ended:
            if isinstance(outcome, Converted):
                self._note_success(outcome)
            elif outcome.code not in STOPPED:
                self._note_failure(source, outcome)

    def _closing(self, zones: Zones, listing: Listing) -> None:
        """What comes after the last object; it fails as an object does."""
        if self._stop.is_set() or self._failures or not self._all_begun:
            return
        try:
            operations.finish(zones.mine(), self._request, listing)
        except JobError as error:
            self._failures.append(error)
            source = error.object_path or listing.source
            self._lines.append(json.dumps({"state": "failed", "source": source, "error": error.public()}))

    def _may_publish(self, zones: Zones) -> None:
        """Raise JobError unless the record, as it is now, says that this attempt holds the job."""
        status = record.Status.from_avus(zones.book().avus(self._entry.path))
        self._lease.check(status)
        if status.cancel_requested:
            raise JobError("cancelled", "the job was cancelled")

    def _note_success(self, done: Converted) -> None:
        if done.source not in self._reported:
            self._lines.append(json.dumps({"state": "skipped" if done.skipped else "succeeded", **done.as_json()}))
        self._meter.object_done()

    def _note_failure(self, source: SourceObject, error: JobError) -> None:
        self._failures.append(error)
        self._lines.append(json.dumps({"state": "failed", "source": source.path, "error": error.public()}))
        self._meter.object_failed()

    def _look(self) -> None:
        """See whether the attempt is to end, and write a heartbeat when one is due; raises ``lease_lost``.

        A zone that does not answer is asked again, until the lease may have run out: then nothing may go on.
        """
        try:
            self._look_once()
        except (NetworkException, iRODSException, OSError) as error:
            log.warning("job %s: no heartbeat: %s", self._entry.body.id, type(error).__name__)
            if self._meter.since_beat() > self._config["engine.lease_seconds"] / 2:
                raise JobError("lease_lost", "the zone took no heartbeat") from error

    def _look_once(self) -> None:
        self._refresh()
        if self._entry.values_of(record.CANCEL_REQUESTED):
            self._stop.set()
        if self._meter.since_beat() >= self._config["engine.heartbeat_seconds"]:
            self._paused = self._book.paused()
            self._book.replace(self._entry, [self._lease.avu(), self._progress()])
            self._meter.beat()
            self._hand_over_results()
            self._check_deadline()

    def _refresh(self) -> None:
        """Read the record again; raises JobError ``lease_lost`` if the job is another's by now."""
        self._entry.avus = self._book.avus(self._entry.path)
        self._lease.check(self._entry.status)

    def _check_deadline(self) -> None:
        deadline = self._request.deadline
        if deadline and now() > deadline:
            raise JobError("deadline_passed", f"the job was not done by {deadline}", field="deadline")

    def _hand_over_results(self) -> JobError | None:
        """Append what there is to tell of objects; why that cannot be done now, if so: then it is told later."""
        count = len(self._lines)  # other threads go on adding
        try:
            self._book.append_results(self._entry, self._lines[:count])
        except JobError as error:
            log.warning("job %s: %s", self._entry.body.id, error.text)
            return error
        del self._lines[:count]
        return None

    def _finished(self) -> int:
        if self._stop.is_set():
            return self._end(states.CANCELLED, None)
        if self._paused and not self._all_begun:
            return self._end_paused()
        if not self._failures:
            return self._end(states.SUCCEEDED, None)
        passing = next((error for error in self._failures if error.code in PASSING), None)
        if passing and not shards.count(self._entry) and self._entry.status.tries + 1 < self._config["jobs.attempts"]:
            return self._broken_off(passing)
        ended = states.PARTIAL if self._meter.objects_done else states.FAILED
        return self._end(ended, self._failures[0])

    def _failed(self, error: JobError) -> int:
        """End the attempt for a reason that concerns the whole job."""
        self._stop.set()
        try:
            if error.code == "lease_lost":
                log.warning("job %s: %s", self._entry.body.id, error.text)
                return 0
            return self._broken_off(error) if error.code in PASSING else self._end(states.FAILED, error)
        except (JobError, NetworkException, iRODSException) as then:
            # the record cannot be written; when the lease has run out, the patrol goes on from here
            log.warning("job %s: %s, then %s", self._entry.body.id, error.text, type(then).__name__)
            return 1

    def _broken_off(self, error: JobError) -> int:
        self._refresh()
        self._hand_over_results()
        ended = try_again(self._config, self._book.session, self._book, self._entry, error, self._actor)
        log.info("job %s is %s after attempt %d: %s", self._entry.body.id, ended, self._lease.number, error.text)
        return 1 if ended == states.FAILED else 0

    def _end_paused(self) -> int:
        self._refresh()
        self._hand_over_results()
        waiting = [(record.LEASE, "", ""), (record.WAITING, self._paused, ""), self._progress("waiting")]
        self._book.transition(self._entry, states.RETRYING, record.PAUSE_ACTOR, waiting)
        return 0

    def _end(self, state: str, error: JobError | None) -> int:
        self._refresh()
        if untold := self._hand_over_results():
            if untold.code in PASSING:
                raise untold
            if state in (states.SUCCEEDED, states.PARTIAL):  # a retry does nothing again, and tells
                state, error = states.FAILED, untold
        told = (record.ERROR, "", "") if error is None else record.json_value(record.ERROR, error.public())
        ended = [self._progress("done"), (record.LEASE, "", ""), (record.WAITING, "", ""), told, *self._result()]
        self._transition(state, ended)
        log.info("job %s ended %s", self._entry.body.id, state)
        if self._abandoned:  # after the state: a cancel is to be seen at once
            with sessions.as_user(self._config, self._entry.body.user) as user:
                leftovers.clean(self._book.session, user, self._entry.body.id)
        if state != states.SUCCEEDED or self._lease.number > 1:
            cleaning.clean(self._config, self._entry.body)
        return 1 if state == states.FAILED else 0

    def _result(self) -> list[record.Avu]:
        """What the job found out as a whole, if that is what it is for."""
        if self._request.operation not in operations.SUMMARY:
            return []
        found = operations.summary(self._request, self._book.results(self._entry))
        return [record.json_value(record.RESULT, found)]

    def _transition(self, state: str, replace: list[record.Avu]) -> None:
        self._book.transition(self._entry, state, self._actor, replace)

    def _progress(self, phase: str = "working") -> record.Avu:
        return record.json_value(record.PROGRESS, self._meter.progress(phase, now()))
