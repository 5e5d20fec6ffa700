"""Users, groups, passwords: APIs 701 and 714."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from embedded_zone.agent import Agent
from embedded_zone.api import general_admin as api_general
from embedded_zone.api import user_admin as api_user
from embedded_zone.wire import obfuscation
from tests.zone.admin_zone import Zone, code_of

SIGNATURE = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    made = Zone(tmp_path)
    made.rods.session_signature = SIGNATURE
    return made


def numbered(args: tuple[str, ...]) -> dict[str, Any]:
    return {f"arg{i}": value for i, value in enumerate(args)}


def iadmin(agent: Agent, *args: str) -> None:
    """Call API 701 with arg0, arg1 …"""
    api_general.general_admin(agent, numbered(args), b"")


def iuser(agent: Agent, *args: str) -> None:
    """Call API 714 with arg0, arg1 …"""
    api_user.user_admin(agent, numbered(args), b"")


def groups_of(zone: Zone, name: str) -> set[str]:
    rows = zone.db.all(
        """select G.user_name from R_USER_GROUP M join R_USER_MAIN U on M.user_id = U.user_id
        join R_USER_MAIN G on M.group_user_id = G.user_id where U.user_name = ?""",
        (name,),
    )
    return {row[0] for row in rows}


def scrambled(new: str, current: str = "rods") -> str:
    """A new password as a client sends it."""
    return obfuscation.scramble_v2(obfuscation.pad_password(new), current, SIGNATURE)


def password_of(zone: Zone, name: str) -> str | None:
    sql = "select rcat_password from R_USER_PASSWORD P join R_USER_MAIN U on P.user_id = U.user_id where user_name = ?"
    stored = zone.db.value(sql, (name,))
    return None if stored is None else obfuscation.unscramble(stored)


def test_a_new_user_has_home_trash_and_is_in_public(zone: Zone) -> None:
    """iadmin mkuser makes all that rods has too."""
    iadmin(zone.rods, "add", "user", "alice", "rodsuser")

    for path in ("/tempZone/home/alice", "/tempZone/trash/home/alice"):
        row = zone.db.one("select * from R_COLL_MAIN where coll_name = ?", (path,))
        assert row is not None
        assert row["coll_owner_name"] == "alice"
        assert zone.levels(row["coll_id"]) == {"alice": 1200}
    assert groups_of(zone, "alice") == {"alice", "public"}


def test_hooks_of_mkuser(zone: Zone) -> None:
    """The order recorded from a real server."""
    iadmin(zone.rods, "add", "user", "alice", "rodsuser")

    assert [n for n in zone.rods.rules.names if not n.endswith("_post")] == [  # type: ignore[attr-defined]
        "acCreateUser",
        "acPreProcForCreateUser",
        "pep_database_reg_user_re_pre",
        "pep_database_reg_coll_by_admin_pre",
        "pep_database_reg_coll_by_admin_pre",
        "pep_database_mod_group_pre",
        "pep_database_commit_pre",
        "acPostProcForCreateUser",
    ]


def test_groups_get_collections_but_no_membership(zone: Zone) -> None:
    """iadmin mkgroup fires no mod_group."""
    iadmin(zone.rods, "add", "group", "team")

    assert "pep_database_mod_group_pre" not in zone.rods.rules.names  # type: ignore[attr-defined]
    assert zone.db.value("select user_type_name from R_USER_MAIN where user_name = 'team'") == "rodsgroup"
    assert zone.db.value("select 1 from R_COLL_MAIN where coll_name = '/tempZone/home/team'") == 1


def test_anonymous_gets_nothing(zone: Zone) -> None:
    """The user anonymous has no home and is in no group but its own."""
    iadmin(zone.rods, "add", "user", "anonymous", "rodsuser")

    assert groups_of(zone, "anonymous") == {"anonymous"}
    assert zone.db.value("select 1 from R_COLL_MAIN where coll_name = '/tempZone/home/anonymous'") is None


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("add", "user", "rods", "rodsuser"), -809000),
        (("add", "user", "a b", "rodsuser"), -319000),
        (("add", "user", "..", "rodsuser"), -319000),
        (("add", "user", "x" * 64, "rodsuser"), -319000),
        (("add", "user", "x", "wizard"), -1106000 + 1106000 - 824000 + 824000),
        (("add", "user", "x", "rodsgroup"), -169000),
        (("add", "user", "x#nowhere", "rodsuser"), None),
        (("add", "user", "x#a", "rodsuser", "b"), None),
        (("add", "group", "g#other"), -169000),
        (("rm", "user", "nobody"), -827000),
        (("rm", "user", "rods"), -169000),
        (("rm", "group", "nogroup"), None),
        (("modify", "user", "nobody", "comment", "x"), -827000),
        (("modify", "user", "public", "comment", "x"), -169000),
        (("modify", "user", "rods", "type", "rodsuser"), -169000),
        (("modify", "user", "rods", "frob", "x"), -816000),
        (("modify", "group", "public", "add", "nobody"), -827000),
        (("modify", "group", "nogroup", "add", "rods"), None),
        (("modify", "group", "public", "add", "rods"), -809000),
        (("frob", "user"), -816000),
    ],
)
def test_codes_of_failures(zone: Zone, args: tuple[str, ...], code: int | None) -> None:
    """Every failure has the code that a real server answers."""
    from embedded_zone.wire import codes

    by_name = {
        ("add", "user", "x", "wizard"): codes.CAT_INVALID_USER_TYPE,
        ("add", "user", "x#nowhere", "rodsuser"): codes.CAT_INVALID_ZONE,
        ("add", "user", "x#a", "rodsuser", "b"): codes.CAT_INVALID_ZONE,
        ("rm", "group", "nogroup"): codes.CAT_INVALID_GROUP,
        ("modify", "group", "nogroup", "add", "rods"): codes.CAT_INVALID_GROUP,
    }
    zone.rods.version = (5, 0, 2)

    assert code_of(iadmin, zone.rods, *args) == by_name.get(args, code)


def test_a_failed_creation_leaves_nothing(zone: Zone) -> None:
    """When the home cannot be made, there is no user either."""
    zone.add_collection("/tempZone/trash/home/alice")

    assert code_of(iadmin, zone.rods, "add", "user", "alice", "rodsuser") == -809000
    assert zone.db.value("select 1 from R_USER_MAIN where user_name = 'alice'") is None
    assert zone.db.value("select 1 from R_COLL_MAIN where coll_name = '/tempZone/home/alice'") is None


def test_remote_users_keep_their_zone_in_the_home(zone: Zone) -> None:
    """A user of another zone owns /zone/home/name#zone and is found by name and zone."""
    iadmin(zone.rods, "add", "zone", "otherZone", "remote", "host.example.org:1247")
    iadmin(zone.rods, "add", "user", "bob#otherZone", "rodsuser", "otherZone")

    assert zone.db.value("select zone_name from R_USER_MAIN where user_name = 'bob'") == "otherZone"
    home = zone.db.value("select coll_id from R_COLL_MAIN where coll_name = '/tempZone/home/bob#otherZone'")
    assert zone.levels(home) == {"bob": 1200}
    iadmin(zone.rods, "rm", "user", "bob#otherZone")
    assert zone.db.value("select 1 from R_COLL_MAIN where coll_id = ?", (home,)) is None


def test_removing_a_user_takes_all_rows_along(zone: Zone) -> None:
    """No password, membership, access or collection stays behind."""
    iadmin(zone.rods, "add", "user", "alice", "rodsuser")
    iadmin(zone.rods, "modify", "user", "alice", "password", scrambled("secret12"))
    number = zone.agent("alice").client.user_id
    zone.grant(zone.add_object("/tempZone/home/rods/a"), "alice", 1050)

    iadmin(zone.rods, "rm", "user", "alice")

    for table in ("R_USER_MAIN", "R_USER_PASSWORD", "R_USER_GROUP", "R_OBJT_ACCESS"):
        assert zone.db.value(f"select count(*) from {table} where user_id = ?", (number,)) == 0  # noqa: S608
    assert zone.db.value("select count(*) from R_COLL_MAIN where coll_name like '%/alice'") == 0


def test_a_home_with_content_keeps_its_user(zone: Zone) -> None:
    """A user whose home is not empty cannot be removed."""
    iadmin(zone.rods, "add", "user", "alice", "rodsuser")
    zone.add_object("/tempZone/home/alice/a", "alice")

    assert code_of(iadmin, zone.rods, "rm", "user", "alice") == -821000
    assert zone.agent("alice").client.user_id


@pytest.mark.parametrize(
    ("option", "column"), [("comment", "r_comment"), ("info", "user_info"), ("type", "user_type_name")]
)
def test_properties(zone: Zone, option: str, column: str) -> None:
    """iadmin moduser sets comment, info, type."""
    iadmin(zone.rods, "add", "user", "alice", "rodsuser")

    iadmin(zone.rods, "modify", "user", "alice", option, "groupadmin")

    assert zone.db.value(f"select {column} from R_USER_MAIN where user_name = 'alice'") == "groupadmin"  # noqa: S608


def test_authentication_names(zone: Zone) -> None:
    """addAuth is idempotent, rmAuth of a missing one is CAT_SUCCESS_BUT_WITH_NO_INFO."""
    for _ in range(2):
        iadmin(zone.rods, "modify", "user", "rods", "addAuth", "CN=x")
    assert zone.db.value("select count(*) from R_USER_AUTH") == 1

    iadmin(zone.rods, "modify", "user", "rods", "rmAuth", "CN=x")

    assert code_of(iadmin, zone.rods, "modify", "user", "rods", "rmAuth", "CN=x") == -819000


def test_a_password_is_stored_as_it_was_meant(zone: Zone) -> None:
    """The scrambled form is undone with the admin's own password, the policy sees it clear."""
    iadmin(zone.rods, "add", "user", "alice", "rodsuser")

    iadmin(zone.rods, "modify", "user", "alice", "password", scrambled("apass"))
    iadmin(zone.rods, "modify", "user", "alice", "password", scrambled("other"))

    assert password_of(zone, "alice") == "other"
    assert ("acCheckPasswordStrength", "other") in zone.rods.rules.fired  # type: ignore[attr-defined]
    assert ("acPreProcForModifyUser", "alice", "password", "obfuscatedPw") in zone.rods.rules.fired  # type: ignore[attr-defined]


@pytest.mark.parametrize(("length", "code"), [(42, 0), (43, -1)])
def test_the_longest_password_has_42_characters(zone: Zone, length: int, code: int) -> None:
    """What is longer is PASSWORD_EXCEEDS_MAX_SIZE."""
    from embedded_zone.wire import codes

    expected = codes.PASSWORD_EXCEEDS_MAX_SIZE if code else 0
    text = obfuscation.scramble_v2("x" * length, "rods", SIGNATURE)

    assert code_of(iadmin, zone.rods, "modify", "user", "rods", "password", text) == expected


def test_users_change_their_own_password_only(zone: Zone) -> None:
    """ipasswd works for oneself; anything else needs more rights."""
    iadmin(zone.rods, "add", "user", "alice", "rodsuser")
    iadmin(zone.rods, "modify", "user", "alice", "password", scrambled("apass"))
    alice = zone.agent("alice")
    alice.session_signature = SIGNATURE

    iuser(alice, "userpw", "alice", "password", scrambled("fresh", "apass"))

    assert password_of(zone, "alice") == "fresh"
    assert code_of(iuser, alice, "userpw", "rods", "password", scrambled("x" * 5, "fresh")) == -830000
    assert code_of(iuser, alice, "userpw", "alice", "type", "rodsadmin") == -830000
    assert code_of(iuser, alice, "mkuser", "eve", "") == -830000
    assert code_of(iuser, alice, "modify", "group", "public", "add", "alice") == -830000


def test_a_policy_can_refuse_a_weak_password(zone: Zone) -> None:
    """The code of acCheckPasswordStrength is the call's, nothing is changed."""
    rules: Any = zone.rods.rules
    rules.answers = {"acCheckPasswordStrength": -35000}

    assert code_of(iadmin, zone.rods, "modify", "user", "rods", "password", scrambled("abc")) == -35000
    assert password_of(zone, "rods") == "rods"


def test_group_admins(zone: Zone) -> None:
    """A groupadmin makes users with a first password and manages groups that it is in, or that are empty."""
    iadmin(zone.rods, "add", "user", "boss", "groupadmin")
    iadmin(zone.rods, "modify", "user", "boss", "password", scrambled("bpass"))
    iadmin(zone.rods, "add", "group", "foreign")
    iadmin(zone.rods, "modify", "group", "foreign", "add", "rods")
    boss = zone.agent("boss")
    boss.session_signature = SIGNATURE

    iuser(boss, "mkuser", "carl", obfuscation.scramble("cpass", "bpass", ""))
    iuser(boss, "mkgroup", "team", "rodsgroup")
    iuser(boss, "modify", "group", "team", "add", "boss")
    iuser(boss, "modify", "group", "team", "add", "carl")

    assert password_of(zone, "carl") == "cpass"
    assert groups_of(zone, "carl") == {"carl", "public", "team"}
    assert code_of(iuser, boss, "modify", "group", "foreign", "add", "carl") == -830000
    assert code_of(iuser, boss, "userpw", "carl", "password", scrambled("again", "bpass")) == -830000
    assert code_of(iuser, boss, "mkgroup", "sly", "rodsadmin") == -169000
    iuser(boss, "modify", "group", "team", "remove", "carl")
    assert code_of(iuser, boss, "modify", "group", "team", "remove", "carl") < 0
    assert groups_of(zone, "carl") == {"carl", "public"}
