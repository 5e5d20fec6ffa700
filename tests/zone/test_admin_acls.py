"""Access control lists: APIs 707 and 20005."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from embedded_zone.agent import Agent
from embedded_zone.api import acls as api_acls
from embedded_zone.errors import IrodsError
from tests.zone.admin_zone import Zone, code_of

PATH = "/tempZone/home/rods/a"
HOME = "/tempZone/home/rods"


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    return Zone(tmp_path)


def ichmod(agent: Agent, level: str, user: str, path: str, recursive: bool = False, user_zone: str = "") -> None:
    """Call API 707 as ichmod does."""
    request = {"recursiveFlag": int(recursive), "accessLevel": level, "userName": user, "zone": user_zone, "path": path}
    api_acls.mod_access_control(agent, request, b"")


def atomic(agent: Agent, *operations: dict[str, str], path: str = PATH, **more: Any) -> Any:
    """Call API 20005."""
    request = {"logical_path": path, "operations": list(operations), **more}
    return api_acls.atomic_apply_acl_operations(agent, request, b"").body


@pytest.mark.parametrize(
    ("level", "number"),
    [
        ("read", 1050),
        ("read_object", 1050),
        ("read object", 1050),
        ("write", 1120),
        ("own", 1200),
        ("delete_object", 1130),
    ],
)
def test_levels_in_every_spelling(zone: Zone, level: str, number: int) -> None:
    """A level may be given by its short, old or new name."""
    obj = zone.add_object(PATH)
    zone.add_user("alice")

    ichmod(zone.rods, level, "alice", PATH)

    assert zone.levels(obj) == {"rods": 1200, "alice": number}


def test_null_takes_the_level_away(zone: Zone) -> None:
    """Level null leaves no row, also when there was none."""
    obj = zone.add_object(PATH)
    zone.add_user("alice")
    zone.grant(obj, "alice")

    ichmod(zone.rods, "null", "alice", PATH)
    ichmod(zone.rods, "null", "alice", PATH)

    assert zone.levels(obj) == {"rods": 1200}


def test_recursive_reaches_all_below_and_nothing_beside(zone: Zone) -> None:
    """Names that LIKE would take for patterns are matched literally."""
    zone.add_user("alice")
    inside = [
        zone.add_collection(f"{HOME}/c_1"),
        zone.add_collection(f"{HOME}/c_1/d"),
        zone.add_object(f"{HOME}/c_1/d/x"),
    ]
    outside = [zone.add_collection(f"{HOME}/cX1"), zone.add_collection(f"{HOME}/cX1/d")]

    ichmod(zone.rods, "own", "alice", f"{HOME}/c_1", recursive=True)

    assert [zone.levels(i).get("alice") for i in inside + outside] == [1200, 1200, 1200, None, None]


def test_hooks_of_a_data_object_end_with_except(zone: Zone) -> None:
    """As recorded from 5.0.2: the except hook fires although ichmod succeeds."""
    zone.add_object(PATH)
    zone.add_user("alice")

    ichmod(zone.rods, "read", "alice", PATH)

    assert zone.rods.rules.fired == [  # type: ignore[attr-defined]
        ("acPreProcForModifyAccessControl", "0", "read", "alice", "", PATH),
        ("pep_database_mod_access_control_pre", 0, "read", "alice", "", PATH),
        ("pep_database_mod_access_control_except", 0, "read", "alice", "", PATH),
        ("acPostProcForModifyAccessControl", "0", "read", "alice", "", PATH),
    ]


def test_hooks_of_a_recursive_change_end_with_post(zone: Zone) -> None:
    """ichmod -r ends with the post hook."""
    zone.add_user("alice")

    ichmod(zone.rods, "read", "alice", HOME, recursive=True)

    assert zone.rods.rules.names[2] == "pep_database_mod_access_control_post"  # type: ignore[attr-defined]


@pytest.mark.parametrize(("word", "value"), [("inherit", "1"), ("admin:inherit", "1"), ("noinherit", "0")])
def test_inheritance(zone: Zone, word: str, value: str) -> None:
    """Inheritance is a property of the collection; -r sets it on all below."""
    zone.add_collection(f"{HOME}/c")

    ichmod(zone.rods, word, "", HOME, recursive=True)

    rows = zone.db.all("select coll_inheritance from R_COLL_MAIN where coll_name in (?, ?)", (HOME, f"{HOME}/c"))
    assert [row[0] for row in rows] == [value, value]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("read", "nobody", PATH), -827000),
        (("frob", "alice", PATH), -816000),
        (("read", "alice", PATH + "x"), -816000),
        (("read", "alice", PATH, True), -816000),
        (("inherit", "", PATH), -818000),
        (("read", "alice", "relative"), -317000 + 0),
        (("resource:read", "alice", "demoResc"), 0),
        (("resource:read", "alice", "none"), -815000 + 0),
        (("resource:curate", "alice", "demoResc"), -816000),
    ],
)
def test_codes_of_failures(zone: Zone, args: tuple[Any, ...], code: int) -> None:
    """Every failure has the code that a real server answers."""
    from embedded_zone.wire import codes

    zone.add_object(PATH)
    zone.add_user("alice")
    renamed = {-317000: codes.SYS_INVALID_FILE_PATH, -815000: codes.CAT_UNKNOWN_RESOURCE}

    assert code_of(ichmod, zone.rods, *args) == renamed.get(code, code)


def test_only_owners_and_admins_in_admin_mode_change_a_list(zone: Zone) -> None:
    """Write is not enough; a rodsadmin has to say so; a user may not."""
    obj = zone.add_object(PATH)
    alice = zone.add_user("alice")
    hers = zone.add_object("/tempZone/home/alice/h", "alice")
    zone.grant(obj, "alice", 1120)

    assert code_of(ichmod, alice, "own", "alice", PATH) == -818000
    assert code_of(ichmod, alice, "admin:own", "alice", PATH) == -818000
    assert alice.r_error[-1][1] == "You must be the admin to use the -M admin mode"
    assert code_of(ichmod, zone.rods, "own", "rods", "/tempZone/home/alice/h") == -818000
    assert code_of(ichmod, zone.rods, "admin:own", "rods", "/tempZone/home/alice/h") == 0
    assert zone.levels(hers) == {"alice": 1200, "rods": 1200}


def test_rights_come_through_groups_too(zone: Zone) -> None:
    """A member of a group that owns the object is an owner."""
    obj = zone.add_object(PATH)
    alice = zone.add_user("alice")
    now = zone.db.now()
    public = zone.db.value("select user_id from R_USER_MAIN where user_name = 'public'")
    zone.db.execute("insert into R_USER_GROUP values (?,?,?,?)", (public, alice.client.user_id, now, now))
    zone.grant(obj, "public")

    assert code_of(ichmod, alice, "read", "alice", PATH) == 0


def test_a_failing_post_hook_does_not_matter(zone: Zone) -> None:
    """acPostProcForModifyAccessControl cannot turn success into failure."""
    zone.add_object(PATH)
    rules: Any = zone.rods.rules
    rules.answers = {"acPostProcForModifyAccessControl": -1}

    assert code_of(ichmod, zone.rods, "read", "public", PATH) == 0


def test_atomic_changes_several_levels(zone: Zone) -> None:
    """Insert, update and removal in one call; an operation that fails undoes all."""
    obj = zone.add_object(PATH)
    zone.add_user("alice")
    zone.add_user("bob")
    zone.grant(obj, "bob")

    atomic(
        zone.rods,
        {"entity_name": "alice", "acl": "read"},
        {"entity_name": "public", "acl": "write", "zone": "tempZone"},
        {"entity_name": "bob", "acl": "null"},
    )
    with pytest.raises(IrodsError) as caught:
        atomic(zone.rods, {"entity_name": "alice", "acl": "own"}, {"entity_name": "alice", "acl": "frob"})

    assert zone.levels(obj) == {"rods": 1200, "alice": 1050, "public": 1120}
    assert caught.value.code == -130000
    assert caught.value.reply["operation_index"] == 1


def test_atomic_rights(zone: Zone) -> None:
    """Only owners, or admins in admin mode; what one cannot see does not exist."""
    zone.add_object(PATH)
    alice = zone.add_user("alice")
    read = {"entity_name": "public", "acl": "read"}

    assert code_of(atomic, alice, read) == -358000
    assert code_of(atomic, alice, read, path="/tempZone/home/alice") == 0
    assert code_of(atomic, zone.rods, read, path="/tempZone/home/alice") == -818000
    assert code_of(atomic, zone.rods, read, path="/tempZone/home/alice", admin_mode=True) == 0
    assert code_of(atomic, alice, read, path="/tempZone/home/alice", admin_mode=True) == -830000
    assert code_of(atomic, zone.rods, {"entity_name": "nobody", "acl": "read"}) == -130000
