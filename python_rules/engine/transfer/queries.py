"""What the catalogue knows of objects and collections, as the session's user may see it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import irods.keywords as kw
from irods.api_number import api_number
from irods.column import Column, Criterion, In
from irods.connection import Connection
from irods.exception import CAT_NO_ROWS_FOUND
from irods.message import GenQueryResponse, iRODSMessage
from irods.models import Collection, DataAccess, DataObject, DataObjectMeta, User
from irods.query import Query
from irods.results import ResultSet
from irods.session import iRODSSession

from python_rules.jobs.paths import is_within, split

GOOD = "1"  # replica status; 0 stale, 2 intermediate, 4 locked

# GenQuery splits conditions at || and && even inside quotes (quotes themselves it takes: first and last count), and
# LIKE has wildcards and an escape of its own. '_' matches any one character; rows are compared exactly afterwards.
_UNSAFE = str.maketrans(dict.fromkeys("'|&\\%_", "_"))

Row = dict[Column, Any]


class Replica(NamedTuple):
    """One replica of a data object; size in bytes, checksum as the catalogue has it ('' for none)."""

    data_id: int
    collection: str
    name: str
    size: int
    status: str
    checksum: str
    modified: str

    @property
    def path(self) -> str:
        return f"{self.collection}/{self.name}"


_REPLICA = (
    DataObject.id,
    Collection.name,
    DataObject.name,
    DataObject.size,
    DataObject.replica_status,
    DataObject.checksum,
    DataObject.modify_time,
    DataObject.replica_number,
)


def replicas(session: iRODSSession, path: str) -> list[Replica]:
    """All replicas of one data object; none if it does not exist."""
    collection, name = split(path)
    wanted = session.query(*_REPLICA).filter(equal(Collection.name, collection), equal(DataObject.name, name))
    return [found for found in map(_replica, rows(session, wanted)) if found.path == path]


def replica_numbers(session: iRODSSession, path: str) -> list[tuple[int, str]]:
    """Number and status of each replica of one data object."""
    collection, name = split(path)
    wanted = session.query(Collection.name, DataObject.name, DataObject.replica_number, DataObject.replica_status)
    found = rows(session, wanted.filter(equal(Collection.name, collection), equal(DataObject.name, name)))
    same = (row for row in found if f"{row[Collection.name]}/{row[DataObject.name]}" == path)
    return [(row[DataObject.replica_number], row[DataObject.replica_status]) for row in same]


def replicas_of(session: iRODSSession, ids: Iterable[int], zone: str) -> list[Replica]:
    """All replicas of the data objects with these ids in a zone."""
    wanted = session.query(*_REPLICA).filter(_among(DataObject.id, ids))
    return [_replica(row) for row in rows(session, in_zone(wanted, zone))]


def replicas_named(session: iRODSSession, names: Iterable[str], zone: str) -> list[Replica]:
    """All replicas of all data objects with these names, which hold nothing that a query could mistake."""
    wanted = session.query(*_REPLICA).filter(_among(DataObject.name, names))
    return [_replica(row) for row in rows(session, in_zone(wanted, zone))]


def replicas_below(session: iRODSSession, collection: str, name_begins: str = "") -> Iterator[Replica]:
    """All replicas of all data objects in a collection and below it, whose names begin so."""
    named = [begins(DataObject.name, name_begins)] if name_begins else []
    for place in (equal(Collection.name, collection), begins(Collection.name, collection + "/")):
        for row in rows(session, session.query(*_REPLICA).filter(place, *named)):
            found = _replica(row)
            if is_within(found.collection, collection) and found.name.startswith(name_begins):
                yield found


def collection_exists(session: iRODSSession, path: str) -> bool:
    """Whether there is such a collection."""
    wanted = session.query(Collection.name).filter(equal(Collection.name, path))
    return any(row[Collection.name] == path for row in rows(session, wanted))


def collections_below(session: iRODSSession, path: str) -> list[str]:
    """The paths of all collections below one, sorted."""
    wanted = session.query(Collection.name).filter(begins(Collection.name, path + "/"))
    found = (row[Collection.name] for row in rows(session, wanted))
    return sorted(name for name in found if name.startswith(path + "/"))


def attributes(session: iRODSSession, data_id: int, zone: str) -> list[tuple[str, str, str]]:
    """The AVUs of a data object: attribute, value, unit."""
    return attributes_of(session, [data_id], zone)[data_id]


def attributes_of(session: iRODSSession, ids: Iterable[int], zone: str) -> dict[int, list[tuple[str, str, str]]]:
    """The AVUs of data objects, by id."""
    columns = (DataObjectMeta.name, DataObjectMeta.value, DataObjectMeta.units)
    found: dict[int, list[tuple[str, str, str]]] = {data_id: [] for data_id in ids}
    wanted = session.query(DataObject.id, *columns).filter(_among(DataObject.id, found))
    for row in rows(session, in_zone(wanted, zone)):
        found[row[DataObject.id]].append((row[columns[0]], row[columns[1]], row[columns[2]] or ""))
    return found


def accesses(session: iRODSSession, data_id: int, zone: str) -> dict[int, int]:
    """Who may do what with a data object: access type (1050 read, 1200 own, ...) by user or group id."""
    return accesses_of(session, [data_id], zone)[data_id]


def accesses_of(session: iRODSSession, ids: Iterable[int], zone: str) -> dict[int, dict[int, int]]:
    """Who may do what with data objects, by id."""
    columns = (DataAccess.data_id, DataAccess.user_id, DataAccess.type)
    found: dict[int, dict[int, int]] = {data_id: {} for data_id in ids}
    wanted = session.query(*columns).filter(_among(DataAccess.data_id, found))
    for row in rows(session, in_zone(wanted, zone)):
        found[row[columns[0]]][row[columns[1]]] = row[columns[2]]
    return found


def user_named(session: iRODSSession, user_id: int, zone: str) -> tuple[str, str] | None:
    """Name and zone of a user or group; None if it is gone."""
    wanted = session.query(User.name, User.zone).filter(Criterion("=", User.id, user_id))
    found = rows(session, in_zone(wanted, zone))
    return next(((row[User.name], row[User.zone]) for row in found), None)


def in_zone(query: Query, zone: str) -> Query:
    """The query put to a zone's catalogue: without a path among its conditions it would stay in the session's own,
    where an id names something else."""
    return query.add_keyword(kw.ZONE_KW, zone)


def _among(column: Column, values: Iterable[object]) -> Criterion:
    """A condition that any of these values meets; they are numbers, or names that Sluice made."""
    known = [str(value) for value in values]
    return Criterion("=", column, known[0]) if len(known) == 1 else In(column, known)


def equal(column: Column, text: str) -> Criterion:
    """A condition that the text itself meets, whatever is in it; others may too: compare the rows."""
    splits = "||" in text or "&&" in text
    return Criterion("like", column, text.translate(_UNSAFE)) if splits else Criterion("=", column, text)


def begins(column: Column, text: str) -> Criterion:
    """A condition that all texts meet which begin so; others may too: compare the rows."""
    return Criterion("like", column, text.translate(_UNSAFE) + "%")


def rows(session: iRODSSession, query: Query) -> Iterator[Row]:
    """All rows, page after page.

    Pages must come over the connection that began the query: python-irodsclient's own iteration takes any idle one
    for each page, and so mixes up the queries of a session that has several.
    """
    with session.pool.get_connection() as connection:
        continued = 0
        while True:
            page = _page(connection, query.continue_index(continued))
            if page is None:
                return
            yield from page.rows
            continued = page.continue_index
            if continued <= 0:
                return


def _page(connection: Connection, query: Query) -> ResultSet | None:
    """One page of rows; None if there are none."""
    connection.send(iRODSMessage("RODS_API_REQ", msg=query._message(), int_info=api_number["GEN_QUERY_AN"]))
    try:
        return ResultSet(connection.recv().get_main_message(GenQueryResponse))
    except CAT_NO_ROWS_FOUND:
        return None


def _replica(row: Row) -> Replica:
    return Replica(
        row[DataObject.id],
        row[Collection.name],
        row[DataObject.name],
        row[DataObject.size],
        row[DataObject.replica_status],
        row[DataObject.checksum] or "",
        str(row[DataObject.modify_time]),
    )
