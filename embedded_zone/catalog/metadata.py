"""Attribute-value-unit triples on data objects, collections, resources and users (APIs 706 and 20002).

A triple is one shared row of R_META_MAIN; R_OBJT_METAMAP attaches it. The schema limits attribute and value to
2,700 characters and the unit to 250: longer ones raise CAT_SQL_ERR.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from embedded_zone.agent import Agent
from embedded_zone.catalog import access, entities, hooks
from embedded_zone.catalog.database import Database
from embedded_zone.errors import IrodsError
from embedded_zone.wire import codes

EXACT, WILDCARD, BY_ID = 0, 1, 2  # the option argument of pep_database_del_avu_metadata_*

Keywords = Mapping[str, str]

_FIND = """
    select meta_id from R_META_MAIN
     where meta_attr_name = ? and meta_attr_value = ? and coalesce(meta_attr_unit, '') = ?
"""
_ATTACHED = "select 1 from R_OBJT_METAMAP where object_id = ? and meta_id = ?"
# One row for each attachment, to this object or any other, of the triples of this attribute that it has.
_USES_OF_ATTRIBUTE = """
    select meta_id from R_OBJT_METAMAP where meta_id in
       (select meta_id from R_META_MAIN where meta_attr_name = ? and meta_id in
          (select meta_id from R_OBJT_METAMAP where object_id = ?)) limit 3
"""
_DETACH = "delete from R_OBJT_METAMAP where object_id = ? and meta_id in (select meta_id from R_META_MAIN where {})"
_ATTACHED_TRIPLES = """
    select count(*) from R_OBJT_METAMAP where object_id = ? and meta_id in (select meta_id from R_META_MAIN where {})
"""
_CONDITIONS = {
    EXACT: "meta_attr_name = ? and meta_attr_value = ? and coalesce(meta_attr_unit, '') = ?",
    WILDCARD: "meta_attr_name like ? escape '\\' and meta_attr_value like ? escape '\\'"
    " and coalesce(meta_attr_unit, '') like ? escape '\\'",
}


@dataclass(frozen=True)
class Avu:
    """One triple; an absent unit is ''."""

    attribute: str
    value: str
    unit: str = ""

    def require_filled(self) -> None:
        """Raise CAT_INVALID_ARGUMENT when the attribute or the value is empty."""
        if not self.attribute or not self.value:
            raise IrodsError(codes.CAT_INVALID_ARGUMENT, "an AVU needs an attribute and a value")


@dataclass(frozen=True)
class Target:
    """What carries the triples: a type option (-d, -C, -R, -u) and the name, as a client gives them."""

    type_option: str
    name: str
    keywords: Keywords = field(default_factory=dict)

    def resolve(self, agent: Agent, level: int) -> int:
        """The object id, if the client has ``level`` on it."""
        admin = entities.admin_mode(agent, dict(self.keywords))
        return entities.entity(agent, self.type_option, self.name, level, admin=admin)


def find(db: Database, avu: Avu) -> int | None:
    """The meta_id of a triple, attached or not."""
    found: int | None = db.value(_FIND, (avu.attribute, avu.value, avu.unit))
    return found


def is_attached(db: Database, object_id: int, meta_id: int) -> bool:
    """Whether the object has the triple."""
    return db.value(_ATTACHED, (object_id, meta_id)) is not None


def find_or_insert(db: Database, avu: Avu) -> int:
    """The meta_id of a triple, made when new; raises CAT_SQL_ERR when a part is too long."""
    found = find(db, avu)
    if found is not None:
        return found
    meta_id, now = db.next_id(), db.now()
    db.execute(
        "insert into R_META_MAIN (meta_id, meta_attr_name, meta_attr_value, meta_attr_unit, create_ts, modify_ts)"
        " values (?, ?, ?, ?, ?, ?)",
        (meta_id, avu.attribute, avu.value, avu.unit, now, now),
    )
    return meta_id


def attach(db: Database, object_id: int, avu: Avu) -> None:
    """Give the object the triple; raises CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME when it has it."""
    meta_id, now = find_or_insert(db, avu), db.now()
    db.execute(
        "insert into R_OBJT_METAMAP (object_id, meta_id, create_ts, modify_ts) values (?, ?, ?, ?)",
        (object_id, meta_id, now, now),
    )


def detach(db: Database, object_id: int, avu: Avu, option: int = EXACT) -> None:
    """Take triples from the object; raises CAT_SUCCESS_BUT_WITH_NO_INFO when none matches."""
    sql = _DETACH.format(_CONDITIONS[option])
    _expect_rows(db.execute(sql, (object_id, avu.attribute, avu.value, avu.unit)).rowcount)


def _detach_by_id(db: Database, object_id: int, meta_id: str) -> None:
    _expect_rows(
        db.execute("delete from R_OBJT_METAMAP where object_id = ? and meta_id = ?", (object_id, meta_id)).rowcount
    )


def _require_attached(db: Database, object_id: int, avu: Avu, option: int) -> None:
    sql = _ATTACHED_TRIPLES.format(_CONDITIONS[option])
    _expect_rows(db.value(sql, (object_id, avu.attribute, avu.value, avu.unit)))


def _expect_rows(count: int) -> None:
    if count == 0:
        raise IrodsError(codes.CAT_SUCCESS_BUT_WITH_NO_INFO, "no such AVU")


def add(agent: Agent, target: Target, avu: Avu) -> None:
    """Attach a triple (API 706 ``add``)."""
    with hooks.database(agent, "add_avu_metadata", *_target_args(target, avu), target.keywords):
        avu.require_filled()
        object_id = target.resolve(agent, access.CREATE_METADATA)
        with agent.db.transaction():
            attach(agent.db, object_id, avu)


def remove(agent: Agent, target: Target, avu: Avu, option: int = EXACT) -> None:
    """Detach triples: exactly this one, all that match ``%`` patterns, or by id (``rm``, ``rmw``, ``rmi``)."""
    with _deletion(agent, target, avu, option, nocommit=0) as object_id, agent.db.transaction():
        if option == BY_ID:
            _detach_by_id(agent.db, object_id, avu.attribute)
        else:
            detach(agent.db, object_id, avu, option)


def modify(agent: Agent, target: Target, old: Avu, new: Avu) -> None:
    """Replace a triple by another in one step (``mod``)."""
    arguments = (*_target_args(target, old), f"n:{new.attribute}", f"v:{new.value}", f"u:{new.unit}")
    with hooks.database(agent, "mod_avu_metadata", *arguments, target.keywords):
        _replace(agent, target, old, EXACT, new)


def set_value(agent: Agent, target: Target, avu: Avu) -> None:
    """Make ``avu`` the only triple of its attribute on the object (``set``)."""
    with hooks.database(agent, "set_avu_metadata", *_target_args(target, avu), target.keywords) as outcome:
        object_id = target.resolve(agent, access.CREATE_METADATA)
        avu.require_filled()
        uses = agent.db.all(_USES_OF_ATTRIBUTE, (avu.attribute, object_id))
        outcome.odd = len(uses) != 1
        if not uses:
            add(agent, target, avu)
        elif len(uses) == 1:
            _update_in_place(agent.db, uses[0][0], avu)
        else:
            _replace(agent, target, Avu(avu.attribute, "%", "%"), WILDCARD, avu)


def copy(agent: Agent, source: Target, destination: Target) -> None:
    """Attach all triples of one object to another (``cp``)."""
    arguments = (source.type_option, destination.type_option, source.name, destination.name)
    with hooks.database(agent, "copy_avu_metadata", *arguments, source.keywords):
        from_id = source.resolve(agent, access.READ_METADATA)
        to_id = destination.resolve(agent, access.CREATE_METADATA)
        with agent.db.transaction():
            _copy_rows(agent.db, from_id, to_id)


def remove_unused(agent: Agent) -> int:
    """Delete the triples that nothing carries (``iadmin rum``); returns how many there were."""
    with hooks.database(agent, "del_unused_avus"), agent.db.transaction():
        return agent.db.execute(
            "delete from R_META_MAIN where meta_id not in (select meta_id from R_OBJT_METAMAP)", ()
        ).rowcount


def _target_args(target: Target, avu: Avu) -> tuple[str, ...]:
    return target.type_option, target.name, avu.attribute, avu.value, avu.unit


@contextmanager
def _deletion(agent: Agent, target: Target, avu: Avu, option: int, nocommit: int) -> Iterator[int]:
    """The hooks and checks around a deletion; the body does it, with the object id."""
    arguments = (option, *_target_args(target, avu), nocommit, target.keywords)
    with hooks.database(agent, "del_avu_metadata", *arguments) as outcome:
        outcome.odd = option == BY_ID
        if option != BY_ID:
            avu.require_filled()
        yield target.resolve(agent, access.DELETE_METADATA)


def _replace(agent: Agent, target: Target, old: Avu, option: int, new: Avu) -> None:
    """Detach ``old`` and attach ``new``.

    Both are written only after the hooks of both ran: no hook runs while this process holds the write lock.
    """
    with _deletion(agent, target, old, option, nocommit=1) as object_id:
        _require_attached(agent.db, object_id, old, option)
    with hooks.database(agent, "add_avu_metadata", *_target_args(target, new), target.keywords):
        new.require_filled()
        target.resolve(agent, access.CREATE_METADATA)
        with agent.db.transaction():
            detach(agent.db, object_id, old, option)
            attach(agent.db, object_id, new)


def _update_in_place(db: Database, meta_id: int, avu: Avu) -> None:
    with db.transaction():
        db.execute(
            "update R_META_MAIN set meta_attr_value = ?, meta_attr_unit = ?, modify_ts = ? where meta_id = ?",
            (avu.value, avu.unit, db.now(), meta_id),
        )


def _copy_rows(db: Database, from_id: int, to_id: int) -> None:
    now = db.now()
    db.execute(
        "insert into R_OBJT_METAMAP (object_id, meta_id, create_ts, modify_ts)"
        " select ?, meta_id, ?, ? from R_OBJT_METAMAP where object_id = ?",
        (to_id, now, now, from_id),
    )
