"""Small objects of a job, a few at a time: what is asked of the catalogue is asked for all of them at once.

An object costs six calls of its own (open, read, close; put; AVUs; rename), a group of them five more: AVUs and access
rights of the sources before; what was stored, whether the sources are unchanged, and whether the job is still this
attempt's, after all of them were written. Only then the first one gets its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from python_rules.engine import rekey
from python_rules.engine.blocks import MIB
from python_rules.engine.convert import Conversion, Converted, Made, Tools
from python_rules.engine.transfer.zone import Listing, SourceObject, Zone
from python_rules.engine.undoing import undone_by
from python_rules.engine.watch import UNWATCHED, Watch
from python_rules.jobs.errors import JobError
from python_rules.jobs.model import JobRequest

SMALL = MIB  # bytes; for larger ones the calls do not matter
MOST = 16  # objects of a group: what a crash makes a later attempt do again

Outcome = tuple[SourceObject, Converted | JobError]


def groups(sources: Iterable[SourceObject], connections: int) -> Iterator[list[SourceObject]]:
    """The sources in groups: large ones alone, small ones together, as long as every connection has something."""
    small: list[SourceObject] = []
    for source in sources:
        if source.size > SMALL:
            yield [source]
        else:
            small.append(source)
    size = max(1, min(MOST, len(small) // max(1, connections)))
    for start in range(0, len(small), size):
        yield small[start : start + size]


def convert_group(
    zone: Zone,
    request: JobRequest,
    listing: Listing,
    sources: list[SourceObject],
    tools: Tools,
    watch: Watch = UNWATCHED,
) -> list[Outcome]:
    """Do a conversion, or a rekey, on small objects; how each of them ended."""
    return _Group(zone, request, listing, tools, watch).run(sources)


class _Group:
    """The steps of a group, in their order."""

    def __init__(self, zone: Zone, request: JobRequest, listing: Listing, tools: Tools, watch: Watch) -> None:
        self._zone = zone
        self._watch = watch
        self._kind = rekey.kind_of(request)
        self._parts = (zone, request, listing)
        self._shared = (tools, watch)
        self._ended: list[Outcome] = []

    def run(self, sources: list[SourceObject]) -> list[Outcome]:
        """All of it."""
        usable = [source for source in sources if not source.trouble]
        self._ended = [(source, source.trouble) for source in sources if source.trouble]
        written: list[tuple[Conversion, Made]] = []
        try:
            with undone_by(lambda: self._discard(written)):
                if usable:
                    self._zone.learn(usable)
                for source in usable:
                    written += self._begun(source)
                self._publish(written)
        except JobError as error:  # it is about all of them
            told = {source.path for source, _ in self._ended}
            self._ended += [
                (source, JobError.from_public(error.public())) for source in usable if source.path not in told
            ]
        for source, outcome in self._ended:
            if isinstance(outcome, JobError):
                outcome.object_path = outcome.object_path or source.path
        return self._ended

    def _begun(self, source: SourceObject) -> Iterator[tuple[Conversion, Made]]:
        """The object as it waits to be published, if it does."""
        conversion = self._kind(*self._parts, source, *self._shared)
        try:
            self._watch.check()
            begun = conversion.begin()
            if isinstance(begun, Made):
                yield conversion, begun
                return
            conversion.dispose_of_original(begun)
        except JobError as error:
            self._ended.append((source, error))
        else:
            self._ended.append((source, begun))

    def _publish(self, written: list[tuple[Conversion, Made]]) -> None:
        """Check all of them, then give each its name; takes out of ``written`` what needs no removal any more."""
        if not written:
            return
        wrong = self._zone.check([(made.hidden, made.passed, made.source) for _, made in written])
        self._watch.check()
        self._watch.publishing()
        while written:
            conversion, made = written[0]
            try:
                self._watch.check()
                if made.hidden in wrong:
                    raise wrong[made.hidden]
                done = conversion.publish(made)
            except JobError as error:
                self._zone.discard(made.hidden)
                self._ended.append((made.source, error))
            else:
                self._ended.append((made.source, self._disposed(conversion, done)))
            del written[0]

    def _disposed(self, conversion: Conversion, done: Converted) -> Converted | JobError:
        try:
            conversion.dispose_of_original(done)
        except JobError as error:
            return error
        return done

    def _discard(self, written: list[tuple[Conversion, Made]]) -> None:
        for _, made in written:
            self._zone.discard(made.hidden)
