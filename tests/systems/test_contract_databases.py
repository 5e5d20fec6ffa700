"""The sentences of the contract that hold for databases, whose files have a form: see ``test_contract``."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from python_rules.engine.systems.place import FILE, Place
from python_rules.jobs.errors import JobError
from tests.systems.objects import got, place_of, put, sha2
from tests.systems.servers_databases import Couch, Postgres

pytestmark = pytest.mark.long


@dataclass
class Database:
    """A place whose files have one form; ``content(n)`` is such a file, ``name`` a new one."""

    open: Callable[[], Place]
    folder: str
    ending: str
    content: Callable[[int], bytes]

    def name(self) -> str:
        return f"{self.folder}t{uuid.uuid4().hex[:8]}{self.ending}"


@pytest.fixture(scope="module", params=["postgresql", "couchdb"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    if request.param == "couchdb":
        with Couch() as couch:
            couch.start()
            yield Database(lambda: place_of("couchdb", address=couch.url), "", ".jsonl", _documents)
        return
    with Postgres() as postgres:
        postgres.start()
        there = {"address": f"127.0.0.1:{postgres.port}", "base": "postgres", "user": "sluice", "tls": "disable"}
        yield Database(lambda: place_of("postgresql", listed="csv", **there), "public/", ".csv", _table)


def _documents(count: int) -> bytes:
    rows = (f'{{"_id":"{number:04}","_rev":"1-{number:032x}","n":{number}}}\n' for number in range(count))
    return "".join(rows).encode()


def _table(count: int) -> bytes:
    return ("n::integer,t::text\n" + "".join(f"{number},x\n" for number in range(count))).encode()


@pytest.fixture
def place(database: Database) -> Iterator[Place]:
    opened = database.open()
    yield opened
    opened.close()


def test_what_was_written_is_read(database: Database, place: Place) -> None:
    """A file comes back with all its rows, and is told of as a file."""
    name, data = database.name(), database.content(50)

    put(place, name, data)

    found = place.find(name)
    assert found is not None
    assert found.kind == FILE
    assert len(got(place, name).splitlines()) == len(data.splitlines())
    assert name in [item.path for item in place.walk("")]


def test_what_is_not_there_is_told(database: Database, place: Place) -> None:
    """A missing name is None to ``find`` and an error to ``read``; removing it is no error."""
    name = database.name()

    assert place.find(name) is None
    with pytest.raises(JobError) as caught:
        got(place, name)
    assert caught.value.code == "source_not_found"
    place.remove(name)


@pytest.mark.parametrize("path", ["../outside", "a/../../b", "/etc/passwd", "a//b", ".", "nul\0"])
def test_no_path_leaves_the_base(place: Place, path: str) -> None:
    """'..' and their like are refused before the server is asked."""
    for verb in (place.find, place.read, place.write, place.remove):
        with pytest.raises(JobError) as caught:
            verb(path)
        assert caught.value.code == "bad_path"


def test_nothing_is_seen_before_it_is_published(database: Database, place: Place) -> None:
    """While a file is written, and after it was given up, its name shows nothing, to others as well."""
    name, other = database.name(), database.open()
    outgoing = place.write(name)
    outgoing.write(database.content(10))

    seen = other.find(name)
    outgoing.abandon()

    assert (seen, other.find(name)) == (None, None)
    other.close()


def test_what_was_not_sent_whole_is_not_published(database: Database, place: Place) -> None:
    """Another hash than that of what arrived is an error, and what had the name keeps it."""
    name, old = database.name(), database.content(3)
    put(place, name, old)

    outgoing = place.write(name)
    outgoing.write(database.content(4))
    with pytest.raises(JobError) as caught:
        outgoing.publish(len(database.content(4)), sha2(b"something else"))
    outgoing.abandon()

    assert caught.value.code == "verification_failed"
    assert len(got(place, name).splitlines()) == len(old.splitlines())


def test_a_lost_attempt_publishes_nothing(database: Database, place: Place) -> None:
    """The fence is asked before the name is given; if it says no, what had the name keeps it."""
    name, old, new = database.name(), database.content(3), database.content(4)
    put(place, name, old)

    def lost() -> None:
        raise JobError("lease_lost", "the job is another attempt's")

    outgoing = place.write(name)
    outgoing.write(new)
    with pytest.raises(JobError) as caught:
        outgoing.publish(len(new), sha2(new), None, lost)
    outgoing.abandon()

    assert caught.value.code == "lease_lost"
    assert len(got(place, name).splitlines()) == len(old.splitlines())


def test_publishing_replaces_and_removing_removes(database: Database, place: Place) -> None:
    """A second file of the same name takes the place of the first."""
    name = database.name()
    put(place, name, database.content(3))

    put(place, name, database.content(5))
    lines = len(got(place, name).splitlines())
    place.remove(name)

    assert lines == len(database.content(5).splitlines())
    assert place.find(name) is None


def test_check_says_in_one_line_that_it_works(place: Place) -> None:
    """The line has no line break."""
    assert "\n" not in place.check()
