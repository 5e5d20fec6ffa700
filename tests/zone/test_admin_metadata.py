"""AVU operations against a catalogue: APIs 706 and 20002."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from embedded_zone.agent import Agent
from embedded_zone.api import metadata as api_metadata
from embedded_zone.errors import IrodsError
from tests.zone.admin_zone import Zone, code_of

PATH = "/tempZone/home/rods/a"


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    return Zone(tmp_path)


@pytest.fixture
def obj(zone: Zone) -> int:
    return zone.add_object(PATH)


def imeta(agent: Agent, *args: str, **keywords: str) -> None:
    """Call API 706 as imeta does."""
    request: dict[str, Any] = {f"arg{i}": value for i, value in enumerate(args)}
    api_metadata.mod_avu_metadata(agent, request | {"KeyValPair_PI": keywords}, b"")


def atomic(agent: Agent, *operations: dict[str, str], name: str = PATH, kind: str = "data_object", **more: Any) -> Any:
    """Call API 20002."""
    request = {"entity_name": name, "entity_type": kind, "operations": list(operations), **more}
    return api_metadata.atomic_apply_metadata_operations(agent, request, b"").body


def test_add_attaches_a_triple(zone: Zone, obj: int) -> None:
    """A triple added to a data object is there."""
    imeta(zone.rods, "add", "-d", PATH, "k", "v", "u")

    assert zone.avus(obj) == [("k", "v", "u")]


def test_add_fires_the_hooks_of_a_real_server_in_order(zone: Zone, obj: int) -> None:
    """imeta add fires the static pair around the database pair."""
    imeta(zone.rods, "add", "-d", PATH, "k", "v", "u")

    fired = zone.rods.rules.fired  # type: ignore[attr-defined]
    assert [entry[:6] for entry in fired] == [
        ("acPreProcForModifyAVUMetadata", "add", "-d", PATH, "k", "v"),
        ("pep_database_add_avu_metadata_pre", "-d", PATH, "k", "v", "u"),
        ("pep_database_add_avu_metadata_post", "-d", PATH, "k", "v", "u"),
        ("acPostProcForModifyAVUMetadata", "add", "-d", PATH, "k", "v"),
    ]
    assert type(fired[1][6]).__name__ == "KeyValPair"


def test_mod_fires_removal_and_addition_inside(zone: Zone, obj: int) -> None:
    """imeta mod is a deletion and an addition within one modification."""
    imeta(zone.rods, "add", "-d", PATH, "k", "v2", "u")
    zone.rods.rules.fired.clear()  # type: ignore[attr-defined]

    imeta(zone.rods, "mod", "-d", PATH, "k", "v2", "u", "v:v3")

    assert zone.rods.rules.fired[0][1:] == ("mod", "-d", PATH, "k", "v2", "u", "", "v:v3", "")  # type: ignore[attr-defined]
    assert zone.rods.rules.names[1:-1] == [  # type: ignore[attr-defined]
        "pep_database_mod_avu_metadata_pre",
        "pep_database_del_avu_metadata_pre",
        "pep_database_del_avu_metadata_post",
        "pep_database_add_avu_metadata_pre",
        "pep_database_add_avu_metadata_post",
        "pep_database_mod_avu_metadata_post",
    ]
    assert zone.avus(obj) == [("k", "v3", "u")]


@pytest.mark.parametrize(
    ("args", "left"),
    [
        (("mod", "-d", PATH, "k", "v", "", "n:k2"), ("k2", "v", "")),
        (("mod", "-d", PATH, "k", "v", "u:x"), ("k", "v", "x")),
        (("mod", "-d", PATH, "k", "v", "n:a", "v:b", "u:c"), ("a", "b", "c")),
    ],
)
def test_mod_replaces_the_named_parts(zone: Zone, obj: int, args: tuple[str, ...], left: tuple[str, str, str]) -> None:
    """Parts that are not named stay; the first may stand where the old unit would be."""
    imeta(zone.rods, "add", "-d", PATH, "k", "v")

    imeta(zone.rods, *args)

    assert zone.avus(obj) == [left]


@pytest.mark.parametrize("new", [(), ("n:a", "n:b"), ("x",)])
def test_mod_wants_each_new_part_once(zone: Zone, obj: int, new: tuple[str, ...]) -> None:
    """Nothing new, or the same part twice, is CAT_INVALID_ARGUMENT and changes nothing."""
    imeta(zone.rods, "add", "-d", PATH, "k", "v")

    assert code_of(imeta, zone.rods, "mod", "-d", PATH, "k", "v", *new) == -816000
    assert zone.avus(obj) == [("k", "v", "")]


def test_set_replaces_all_values_of_an_attribute(zone: Zone, obj: int) -> None:
    """After set there is one triple of the attribute, others are untouched."""
    for value in ("1", "2"):
        imeta(zone.rods, "add", "-d", PATH, "k", value)
    imeta(zone.rods, "add", "-d", PATH, "other", "1")

    imeta(zone.rods, "set", "-d", PATH, "k", "3", "u")

    assert zone.avus(obj) == [("k", "3", "u"), ("other", "1", "")]


def test_set_does_not_change_a_triple_shared_with_another_object(zone: Zone, obj: int) -> None:
    """A triple that two objects have is not updated in place."""
    other = zone.add_object("/tempZone/home/rods/b")
    imeta(zone.rods, "add", "-d", PATH, "k", "v")
    imeta(zone.rods, "add", "-d", "/tempZone/home/rods/b", "k", "v")

    imeta(zone.rods, "set", "-d", PATH, "k", "new")

    assert zone.avus(obj) == [("k", "new", "")]
    assert zone.avus(other) == [("k", "v", "")]


def test_set_in_place_ends_with_the_post_hook(zone: Zone, obj: int) -> None:
    """The one case in which a real server reports set as a success to hooks is the update in place."""
    imeta(zone.rods, "add", "-d", PATH, "k", "v")
    zone.rods.rules.fired.clear()  # type: ignore[attr-defined]

    imeta(zone.rods, "set", "-d", PATH, "k", "new")

    assert zone.rods.rules.names[1:3] == [  # type: ignore[attr-defined]
        "pep_database_set_avu_metadata_pre",
        "pep_database_set_avu_metadata_post",
    ]


def test_removal_by_triple_pattern_and_id(zone: Zone, obj: int) -> None:
    """rm takes the exact triple, rmw a pattern, rmi an id."""
    for value in ("x1", "x2", "y", "z"):
        imeta(zone.rods, "add", "-d", PATH, "k", value, "u")
    meta_id = zone.db.value("select meta_id from R_META_MAIN where meta_attr_value = 'z'")

    imeta(zone.rods, "rm", "-d", PATH, "k", "y", "u")
    imeta(zone.rods, "rmw", "-d", PATH, "k", "x%", "%")
    imeta(zone.rods, "rmi", "-d", PATH, str(meta_id))

    assert zone.avus(obj) == []


def test_copy_attaches_the_same_triples_elsewhere(zone: Zone, obj: int) -> None:
    """imeta cp copies between types."""
    imeta(zone.rods, "add", "-d", PATH, "k", "v")

    imeta(zone.rods, "cp", "-d", "-R", PATH, "demoResc")

    assert zone.avus(zone.db.value("select resc_id from R_RESC_MAIN where resc_name = 'demoResc'")) == [("k", "v", "")]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("add", "-d", PATH, "k", "v", ""), -809000),
        (("rm", "-d", PATH, "k", "missing", ""), -819000),
        (("rmi", "-d", PATH, "1"), -819000),
        (("mod", "-d", PATH, "k", "missing", "", "v:x"), -819000),
        (("add", "-d", PATH + "x", "k", "v"), -817000),
        (("add", "-C", PATH, "k", "v"), -814000),
        (("add", "-R", "none", "k", "v"), -831000),
        (("add", "-u", "none", "k", "v"), -827000),
        (("add", "-u", "a b", "k", "v"), -319000),
        (("add", "-x", PATH, "k", "v"), -816000),
        (("add", "-d", PATH, "", "v"), -816000),
        (("add", "-d", PATH, "k", ""), -816000),
        (("frob", "-d", PATH, "k", "v"), -816000),
        (("add", "-d", PATH, "k" * 2701, "v"), -806000),
        (("add", "-d", PATH, "k", "v" * 2701), -806000),
        (("add", "-d", PATH, "k", "v", "u" * 251), -806000),
        (("add", "-d", PATH, "k" * 2700, "v" * 2700, "u" * 250), 0),
    ],
)
def test_codes_of_failures(zone: Zone, obj: int, args: tuple[str, ...], code: int) -> None:
    """Every failure has the code that a real server answers."""
    imeta(zone.rods, "add", "-d", PATH, "k", "v")

    assert code_of(imeta, zone.rods, *args) == code


def test_a_reader_may_not_change_metadata_and_an_admin_only_in_admin_mode(zone: Zone, obj: int) -> None:
    """Reading is not enough, write is; being rodsadmin alone is nothing."""
    alice = zone.add_user("alice")
    zone.grant(obj, "alice", 1050)
    hers = zone.add_object("/tempZone/home/alice/h", "alice")

    assert code_of(imeta, alice, "add", "-d", PATH, "k", "v") == -818000
    assert code_of(imeta, zone.rods, "add", "-d", "/tempZone/home/alice/h", "k", "v") == -818000
    assert code_of(imeta, zone.rods, "add", "-d", "/tempZone/home/alice/h", "k", "v", irodsAdmin="") == 0
    assert code_of(imeta, alice, "add", "-d", PATH, "k", "v", irodsAdmin="") == -830000
    assert code_of(imeta, alice, "add", "-u", "alice", "k", "v") == -830000
    assert zone.avus(hers) == [("k", "v", "")]


def test_a_refusing_hook_stops_the_change(zone: Zone, obj: int) -> None:
    """The code of acPreProcForModifyAVUMetadata or of the database hook is the call's code."""
    rules: Any = zone.rods.rules
    for hook in ("acPreProcForModifyAVUMetadata", "pep_database_add_avu_metadata_pre"):
        rules.answers = {hook: -35000}
        assert code_of(imeta, zone.rods, "add", "-d", PATH, "k", "v") == -35000
    assert zone.avus(obj) == []


def test_atomic_operations_are_all_or_none(zone: Zone, obj: int) -> None:
    """An over-long second triple undoes the first; the answer names the operation."""
    good = {"operation": "add", "attribute": "a", "value": "b", "units": "c"}
    bad = {"operation": "add", "attribute": "a", "value": "b" * 2701}

    with pytest.raises(IrodsError) as caught:
        atomic(zone.rods, good, bad)

    assert caught.value.code == -167000
    assert caught.value.reply["operation_index"] == 1
    assert zone.avus(obj) == []


def test_atomic_add_and_remove_tolerate_what_is_there(zone: Zone, obj: int) -> None:
    """Adding twice and removing what is missing are no errors."""
    add = {"operation": "add", "attribute": "a", "value": "b", "units": "c"}

    assert atomic(zone.rods, add, add, {"operation": "remove", "attribute": "x", "value": "y"}) == {}
    assert zone.avus(obj) == [("a", "b", "c")]
    assert zone.rods.rules.fired == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("operation", "more", "code"),
    [
        ({"operation": "frob", "attribute": "a", "value": "b"}, {}, -169000 + 0),
        ({"operation": "add", "value": "b"}, {}, -170000 + 0),
        ({"operation": "add", "attribute": "a", "value": "b"}, {"name": "/tempZone/none"}, -130000),
        ({"operation": "add", "attribute": "a", "value": "b"}, {"kind": "planet"}, -130000),
    ],
)
def test_atomic_failures_explain_themselves(
    zone: Zone, obj: int, operation: dict[str, str], more: dict[str, Any], code: int
) -> None:
    """A failure carries a JSON error message."""
    with pytest.raises(IrodsError) as caught:
        atomic(zone.rods, operation, **more)

    assert caught.value.reply["error_message"]
    from embedded_zone.wire import codes

    names = {-169000: codes.INVALID_OPERATION, -170000: codes.JSON_VALIDATION_ERROR}
    assert caught.value.code == names.get(code, code)


def test_atomic_rights(zone: Zone, obj: int) -> None:
    """An object one cannot see does not exist; one that is read-only may not be changed; admin mode needs an admin."""
    alice = zone.add_user("alice")
    add = {"operation": "add", "attribute": "a", "value": "b"}

    assert code_of(atomic, alice, add) == -130000
    zone.grant(obj, "alice", 1050)
    zone.grant(zone.db.value("select coll_id from R_COLL_MAIN where coll_name = '/tempZone/home/rods'"), "alice", 1050)
    assert code_of(atomic, alice, add) == -818000
    assert code_of(atomic, alice, add, admin_mode=True) == -830000
    assert code_of(atomic, zone.rods, add, name="/tempZone/home/alice", kind="collection") == -818000
    assert code_of(atomic, zone.rods, add, name="/tempZone/home/alice", kind="collection", admin_mode=True) == 0
