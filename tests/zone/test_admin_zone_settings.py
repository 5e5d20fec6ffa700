"""Zones, resources, quotas, tokens, queries, tickets, settings and what the server says about itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from embedded_zone.agent import Agent
from embedded_zone.api import load_all
from embedded_zone.api import misc as api_misc
from embedded_zone.api import settings as api_settings
from embedded_zone.api import tickets as api_tickets
from embedded_zone.wire import codes
from tests.zone.admin_zone import Zone, code_of
from tests.zone.test_admin_users import iadmin


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    return Zone(tmp_path)


def parent_of(zone: Zone, name: str) -> str:
    return zone.db.value(
        "select coalesce((select P.resc_name from R_RESC_MAIN P where P.resc_id = C.resc_parent), '')"
        " from R_RESC_MAIN C where C.resc_name = ?",
        (name,),
    )


def resource(zone: Zone, name: str) -> Any:
    return zone.db.one("select * from R_RESC_MAIN where resc_name = ?", (name,))


# --- resources


def test_a_new_resource(zone: Zone) -> None:
    """Host and vault path come from one argument; hooks see seven."""
    iadmin(zone.rods, "add", "resource", "r1", "unixfilesystem", "myhost:/vault", "k=v", "")

    row = resource(zone, "r1")
    assert (row["resc_net"], row["resc_def_path"], row["resc_context"]) == ("myhost", "/vault", "k=v")
    assert zone.rods.rules.fired[0] == (  # type: ignore[attr-defined]
        "acPreProcForCreateResource", "r1", "unixfilesystem", "cache", "myhost", "/vault", "k=v", "",
    )  # fmt: skip


def test_coordinating_resources_have_placeholders(zone: Zone) -> None:
    """Without a location, or with PRC's placeholders, host and path are the placeholders."""
    iadmin(zone.rods, "add", "resource", "r1", "passthru", "", "", "")
    iadmin(zone.rods, "add", "resource", "r2", "passthru", "EMPTY_RESC_HOST:EMPTY_RESC_PATH", "", "")

    for name in ("r1", "r2"):
        assert resource(zone, name)["resc_net"] == "EMPTY_RESC_HOST"
        assert resource(zone, name)["resc_def_path"] == "EMPTY_RESC_PATH"


def test_trees(zone: Zone) -> None:
    """Children get a parent and a context, and lose both."""
    for name in ("top", "middle", "leaf"):
        iadmin(zone.rods, "add", "resource", name, "passthru", "", "", "")

    iadmin(zone.rods, "add", "childtoresc", "top", "middle", "ctx")
    iadmin(zone.rods, "add", "childtoresc", "middle", "leaf", "")

    assert (parent_of(zone, "middle"), resource(zone, "middle")["resc_parent_context"]) == ("top", "ctx")
    assert code_of(iadmin, zone.rods, "add", "childtoresc", "leaf", "top") == codes.HIERARCHY_ERROR
    assert code_of(iadmin, zone.rods, "add", "childtoresc", "leaf", "leaf") == codes.HIERARCHY_ERROR
    assert code_of(iadmin, zone.rods, "rm", "resource", "middle") == codes.CHILD_EXISTS
    assert code_of(iadmin, zone.rods, "rm", "childfromresc", "top", "leaf") == codes.CAT_INVALID_CHILD
    iadmin(zone.rods, "rm", "childfromresc", "middle", "leaf")
    assert (parent_of(zone, "leaf"), resource(zone, "leaf")["resc_parent_context"]) == ("", "")
    iadmin(zone.rods, "rm", "resource", "leaf")
    assert resource(zone, "leaf") is None


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("add", "resource", "demoResc", "unixfilesystem", "h:/p"), "CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME"),
        (("add", "resource", "a b", "unixfilesystem", "h:/p"), "CAT_INVALID_RESOURCE_NAME"),
        (("add", "resource", "-a", "unixfilesystem", "h:/p"), "SYS_INVALID_INPUT_PARAM"),
        (("add", "resource", "a--b", "unixfilesystem", "h:/p"), "SYS_INVALID_INPUT_PARAM"),
        (("add", "resource", "", "unixfilesystem", "h:/p"), "CAT_INVALID_RESOURCE_NAME"),
        (("add", "resource", "a", "", "h:/p"), "CAT_INVALID_RESOURCE_TYPE"),
        (("add", "resource", "a", "unixfilesystem", "h:/"), "CAT_INVALID_RESOURCE_VAULT_PATH"),
        (("add", "resource", "a", "unixfilesystem", "h:/p", "", "other"), "CAT_INVALID_ZONE"),
        (("add", "childtoresc", "demoResc", "none"), "CHILD_NOT_FOUND"),
        (("add", "childtoresc", "none", "demoResc"), "CAT_INVALID_RESOURCE"),
        (("add", "childtoresc", "bundleResc", "demoResc", "a;b"), "SYS_INVALID_INPUT_PARAM"),
        (("rm", "childfromresc", "none", "demoResc"), "SYS_RESC_DOES_NOT_EXIST"),
        (("rm", "resource", "none"), "CAT_NO_ROWS_FOUND"),
        (("rm", "resource", "bundleResc"), "CAT_PSEUDO_RESC_MODIFY_DISALLOWED"),
        (("rm", "resource", "demoResc", "--dryrun"), "CAT_RESOURCE_NOT_EMPTY"),
        (("modify", "resource", "none", "comment", "x"), "CAT_INVALID_RESOURCE"),
        (("modify", "resource", "demoResc", "frob", "x"), "CAT_INVALID_ARGUMENT"),
        (("modify", "resource", "demoResc", "info", ""), "CAT_INVALID_ARGUMENT"),
        (("modify", "resource", "demoResc", "path", "/"), "CAT_INVALID_RESOURCE_VAULT_PATH"),
        (("modify", "resource", "demoResc", "name", "a b"), "CAT_INVALID_RESOURCE_NAME"),
        (("modify", "resourcedatapaths", "demoResc", "/a", "/b/"), "CAT_INVALID_ARGUMENT"),
    ],
)
def test_codes_of_resource_failures(zone: Zone, args: tuple[str, ...], code: str) -> None:
    """Every failure has the code that a real server answers."""
    zone.add_object("/tempZone/home/rods/a")

    assert code_of(iadmin, zone.rods, *args) == getattr(codes, code)


@pytest.mark.parametrize(
    ("option", "value", "column"),
    [
        ("comment", "", "r_comment"),
        ("info", "x", "resc_info"),
        ("host", "h", "resc_net"),
        ("type", "random", "resc_type_name"),
        ("status", "down", "resc_status"),
        ("context", "a=b", "resc_context"),
        ("path", "/new", "resc_def_path"),
        ("free_space", "100", "free_space"),
    ],
)
def test_resource_properties(zone: Zone, option: str, value: str, column: str) -> None:
    """iadmin modresc sets each property."""
    iadmin(zone.rods, "modify", "resource", "demoResc", option, value)

    assert resource(zone, "demoResc")[column] == value


def test_a_new_vault_path_tells_the_old_one(zone: Zone) -> None:
    """iadmin prints the previous path."""
    old = resource(zone, "demoResc")["resc_def_path"]

    iadmin(zone.rods, "modify", "resource", "demoResc", "path", "/new")

    assert zone.rods.r_error == [(0, f"Previous resource path: {old}")]


def test_free_space_can_be_changed_by_a_difference(zone: Zone) -> None:
    """A sign in front adds or subtracts."""
    for value in ("100", "+20", "-5"):
        iadmin(zone.rods, "modify", "resource", "demoResc", "freespace", value)

    assert resource(zone, "demoResc")["free_space"] == "115"


def test_a_dry_run_removes_nothing(zone: Zone) -> None:
    """rmresc --dryrun of an empty resource succeeds and leaves it."""
    iadmin(zone.rods, "rm", "resource", "demoResc", "--dryrun")

    assert resource(zone, "demoResc") is not None


def test_vault_paths_can_be_moved(zone: Zone) -> None:
    """modrescdatapaths replaces the beginning of the physical paths."""
    obj = zone.add_object("/tempZone/home/rods/a")

    iadmin(zone.rods, "modify", "resourcedatapaths", "demoResc", "/vault/", "/moved/", "rods")

    assert zone.db.value("select data_path from R_DATA_MAIN where data_id = ?", (obj,)).startswith("/moved/")


# --- zones


def test_remote_zones(zone: Zone) -> None:
    """A remote zone has a row and a root collection, can be changed, renamed, removed."""
    iadmin(zone.rods, "add", "zone", "other", "remote", "h:1247", "text")
    iadmin(zone.rods, "modify", "zone", "other", "conn", "h2:1")
    iadmin(zone.rods, "modify", "zone", "other", "name", "third")

    assert tuple(
        zone.db.one("select zone_name, zone_conn_string, r_comment from R_ZONE_MAIN where zone_name != 'tempZone'")
    ) == ("third", "h2:1", "text")  # type: ignore[arg-type]
    assert zone.db.value("select 1 from R_COLL_MAIN where coll_name = '/third'") == 1
    iadmin(zone.rods, "rm", "zone", "third")
    assert zone.db.value("select count(*) from R_ZONE_MAIN") == 1
    assert zone.db.value("select 1 from R_COLL_MAIN where coll_name = '/third'") is None


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("add", "zone", "x", "local"), "CAT_INVALID_ARGUMENT"),
        (("add", "zone", "a b", "remote"), "SYS_INVALID_INPUT_PARAM"),
        (("add", "zone", "x", "remote", "host"), "CAT_INVALID_ARGUMENT"),
        (("add", "zone", "x", "remote", ":12"), "CAT_HOSTNAME_INVALID"),
        (("add", "zone", "tempZone", "remote"), "CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME"),
        (("rm", "zone", "tempZone"), "CAT_INVALID_ARGUMENT"),
        (("rm", "zone", "none"), "CAT_INVALID_ZONE"),
        (("modify", "zone", "none", "comment", "x"), "CAT_INVALID_ZONE"),
        (("modify", "zone", "tempZone", "name", "x"), "CAT_INVALID_ARGUMENT"),
        (("modify", "zonecollacl", "read", "public", "/tempZone/home"), "CAT_INVALID_ARGUMENT"),
        (("modify", "zonecollacl", "read", "public", "/tempZone"), ""),
    ],
)
def test_codes_of_zone_failures(zone: Zone, args: tuple[str, ...], code: str) -> None:
    """Every failure has the code that a real server answers."""
    assert code_of(iadmin, zone.rods, *args) == (getattr(codes, code) if code else 0)


# --- quotas, tokens, queries, unused AVUs


def test_quotas_compare_usage_with_the_limits_of_groups(zone: Zone) -> None:
    """Excess is negative while there is room; groups count their members' replicas."""
    iadmin(zone.rods, "add", "group", "team")
    iadmin(zone.rods, "modify", "group", "team", "add", "rods")
    zone.db.execute(
        "update R_DATA_MAIN set data_size = 70 where data_id = ?", (zone.add_object("/tempZone/home/rods/a"),)
    )

    iadmin(zone.rods, "set-quota", "group", "team", "total", "100")
    iadmin(zone.rods, "set-quota", "group", "team", "demoResc", "50")
    iadmin(zone.rods, "calculate-usage")

    over = {row["quota_limit"]: row["quota_over"] for row in zone.db.all("select * from R_QUOTA_MAIN")}
    assert over == {100: -30, 50: 20}
    iadmin(zone.rods, "set-quota", "group", "team", "total", "0")
    assert zone.db.value("select count(*) from R_QUOTA_MAIN") == 1


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("user", "rods", "total", "0"), ""),
        (("user", "rods", "total", "5"), "SYS_NOT_ALLOWED"),
        (("user", "public", "total", "0"), "CAT_INVALID_USER"),
        (("group", "rods", "total", "5"), "CAT_INVALID_GROUP"),
        (("group", "public", "none", "5"), "CAT_INVALID_RESOURCE"),
        (("group", "public", "total", "many"), "SYS_INVALID_INPUT_PARAM"),
        (("planet", "public", "total", "5"), "CAT_INVALID_ARGUMENT"),
    ],
)
def test_codes_of_quota_failures(zone: Zone, args: tuple[str, ...], code: str) -> None:
    """Users' quotas can only be removed."""
    assert code_of(iadmin, zone.rods, "set-quota", *args) == (getattr(codes, code) if code else 0)


def test_tokens(zone: Zone) -> None:
    """A data type can be added once and removed once."""
    iadmin(zone.rods, "add", "token", "data_type", "sluice pack", "x")

    assert code_of(iadmin, zone.rods, "add", "token", "data_type", "sluice pack") == codes.CAT_INVALID_ARGUMENT
    assert code_of(iadmin, zone.rods, "add", "token", "nonsense", "x") == codes.CAT_INVALID_ARGUMENT
    iadmin(zone.rods, "rm", "token", "data_type", "sluice pack")
    assert code_of(iadmin, zone.rods, "rm", "token", "data_type", "sluice pack") == codes.CAT_INVALID_ARGUMENT


def test_specific_queries(zone: Zone) -> None:
    """An alias is taken once; removing works by alias or by text."""
    iadmin(zone.rods, "add", "specificQuery", "select 1 from R_ZONE_MAIN", "one")

    assert code_of(iadmin, zone.rods, "add", "specificQuery", "select 2", "one") == codes.CAT_INVALID_ARGUMENT
    assert zone.rods.r_error == [(0, "Alias is not unique")]
    iadmin(zone.rods, "rm", "specificQuery", "one")
    assert code_of(iadmin, zone.rods, "rm", "specificQuery", "one") == codes.CAT_SUCCESS_BUT_WITH_NO_INFO


def test_unused_avus_are_removed_and_others_stay(zone: Zone) -> None:
    """iadmin rum deletes what nothing carries."""
    from tests.zone.test_admin_metadata import imeta

    imeta(zone.rods, "add", "-R", "demoResc", "a", "1")
    imeta(zone.rods, "add", "-R", "demoResc", "b", "1")
    imeta(zone.rods, "rm", "-R", "demoResc", "b", "1")

    iadmin(zone.rods, "rm", "unusedAVUs")

    assert [row[0] for row in zone.db.all("select meta_attr_name from R_META_MAIN")] == ["a"]


def test_resource_types_are_printed(zone: Zone) -> None:
    """iadmin lt resc_type answers with a text for standard output."""
    iadmin(zone.rods, "lt", "resc_type")

    status, text = zone.rods.r_error[0]
    assert status == 1000000
    assert "unixfilesystem\n" in text


# --- tickets


def iticket(agent: Agent, *args: str, **keywords: str) -> None:
    """Call API 723 with arg1, arg2 …"""
    request: dict[str, Any] = {f"arg{i}": value for i, value in enumerate(args, 1)}
    api_tickets.ticket_admin(agent, request | {"KeyValPair_PI": keywords}, b"")


def ticket(zone: Zone, name: str = "t1") -> Any:
    return zone.db.one("select * from R_TICKET_MAIN where ticket_string = ?", (name,))


def test_a_new_ticket_has_the_servers_defaults(zone: Zone) -> None:
    """Kind and object type are found out; limits are the schema's."""
    obj = zone.add_object("/tempZone/home/rods/a")

    iticket(zone.rods, "create", "t1", "write", "/tempZone/home/rods/a")
    iticket(zone.rods, "create", "t2", "read", "/tempZone/home/rods")

    row = ticket(zone)
    assert (row["object_id"], row["ticket_type"], row["object_type"]) == (obj, "write", "data")
    assert (row["uses_limit"], row["write_file_limit"], row["write_byte_limit"]) == (0, 10, 0)
    assert ticket(zone, "t2")["object_type"] == "collection"
    assert zone.rods.rules.names[:2] == ["pep_database_mod_ticket_pre", "pep_database_mod_ticket_post"]  # type: ignore[attr-defined]


def test_tickets_can_be_limited_and_deleted(zone: Zone) -> None:
    """Uses, files, bytes, expiry and the three lists."""
    iticket(zone.rods, "create", "t1", "write", "/tempZone/home/rods")
    for what, value in (("uses", "5"), ("write-file", "6"), ("write-bytes", "7"), ("expire", "2030-01-02.03:04:05")):
        iticket(zone.rods, "mod", "t1", what, value)
    for kind, member in (("host", "127.0.0.1"), ("user", "rods"), ("group", "public")):
        iticket(zone.rods, "mod", "t1", "add", kind, member)

    row = ticket(zone)
    assert (row["uses_limit"], row["write_file_limit"], row["write_byte_limit"]) == (5, 6, 7)
    assert row["ticket_expiry_ts"] == "01893553445"
    assert zone.db.value("select host from R_TICKET_ALLOWED_HOSTS") == "127.0.0.1"
    iticket(zone.rods, "mod", "t1", "expire", "0")
    iticket(zone.rods, "mod", "t1", "remove", "user", "rods")
    assert code_of(iticket, zone.rods, "mod", "t1", "remove", "user", "rods") == codes.CAT_SUCCESS_BUT_WITH_NO_INFO
    assert ticket(zone)["ticket_expiry_ts"] == ""
    iticket(zone.rods, "delete", str(row["ticket_id"]))
    for table in ("R_TICKET_MAIN", "R_TICKET_ALLOWED_HOSTS", "R_TICKET_ALLOWED_GROUPS"):
        assert zone.db.value(f"select count(*) from {table}") == 0  # noqa: S608


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("create", "123", "read", "/tempZone/home/rods"), "CAT_TICKET_INVALID"),
        (("create", "t1", "read", "/tempZone/home/rods"), "CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME"),
        (("create", "t2", "read", "/tempZone/home/none"), "CAT_UNKNOWN_COLLECTION"),
        (("mod", "none", "uses", "1"), "CAT_TICKET_INVALID"),
        (("mod", "t1", "uses", "many"), "CAT_SQL_ERR"),
        (("mod", "t1", "expire", "soon"), "SYS_INTERNAL_ERR"),
        (("mod", "t1", "add", "user", "nobody"), "CAT_INVALID_USER"),
        (("mod", "t1", "add", "group", "rods"), "CAT_INVALID_GROUP"),
        (("mod", "t1", "add", "planet", "x"), "CAT_INVALID_ARGUMENT"),
        (("delete", "none"), "CAT_TICKET_INVALID"),
        (("frob", "t1"), "CAT_INVALID_ARGUMENT"),
    ],
)
def test_codes_of_ticket_failures(zone: Zone, args: tuple[str, ...], code: str) -> None:
    """Every failure has the code that a real server answers."""
    iticket(zone.rods, "create", "t1", "read", "/tempZone/home/rods")

    assert code_of(iticket, zone.rods, *args) == getattr(codes, code)


def test_others_tickets_need_admin_mode(zone: Zone) -> None:
    """A ticket is its maker's; an admin may change any by saying so; a user may not say so."""
    alice = zone.add_user("alice")
    iticket(alice, "create", "t1", "read", "/tempZone/home/alice")

    assert code_of(iticket, zone.rods, "mod", "t1", "uses", "1") == codes.CAT_TICKET_INVALID
    assert code_of(iticket, alice, "mod", "t1", "uses", "1", irodsAdmin="") == -830000
    iticket(zone.rods, "delete", "t1", irodsAdmin="")
    assert ticket(zone) is None


def test_a_session_remembers_its_ticket_if_the_policy_lets_it(zone: Zone) -> None:
    """Whether the ticket is good is not asked; acTicketPolicy is."""
    iticket(zone.rods, "session", "anything")
    rules: Any = zone.rods.rules
    rules.answers = {"acTicketPolicy": -35000}

    assert code_of(iticket, zone.rods, "session", "other") == -35000
    assert zone.rods.ticket == "anything"


# --- settings and reports


def test_grid_configuration(zone: Zone) -> None:
    """Options can be read and changed; the delay server's and the schema's are protected."""

    def change(namespace: str, option: str, value: str) -> None:
        request = {"name_space": namespace, "option_name": option, "option_value": value}
        api_settings.set_grid_configuration_value(zone.rods, request, b"")

    def read(namespace: str, option: str) -> str:
        request = {"name_space": namespace, "option_name": option}
        return api_settings.get_grid_configuration_value(zone.rods, request, b"").body["option_value"]

    change("authentication", "password_min_time", "5")

    assert read("authentication", "password_min_time") == "5"
    assert code_of(read, "authentication", "none") == codes.CAT_NO_ROWS_FOUND
    assert code_of(change, "delay_server", "leader", "x") == codes.SYS_NOT_ALLOWED
    assert code_of(change, "database", "schema_version", "x") == codes.SYS_NOT_ALLOWED
    api_settings.set_delay_server_migration_info(zone.rods, {"leader": "a", "successor": "ignore"}, b"")
    iadmin(zone.rods, "set_delay_server", "b")
    assert (read("delay_server", "leader"), read("delay_server", "successor")) == ("a", "b")


class NoDescriptors(list[int]):
    """A connection's open files, as switch_user needs them."""

    def abandon(self) -> None:
        self.clear()


def test_switching_users(zone: Zone) -> None:
    """The client changes, the proxy only when asked; a ticket does not outlive the switch."""
    alice = zone.add_user("alice")
    zone.rods.descriptors = NoDescriptors([3])  # type: ignore[assignment]
    zone.rods.ticket = "t1"

    def switch(name: str, agent: Agent = zone.rods, **options: str) -> None:
        request = {"username": name, "zone": "tempZone", "KeyValPair_PI": options}
        api_settings.switch_user(agent, request, b"")

    assert code_of(switch, "alice") == codes.SYS_NOT_ALLOWED
    switch("alice", close_open_replicas="")
    assert (zone.rods.client.name, zone.rods.client.auth_flag, zone.rods.proxy.name) == ("alice", 3, "rods")
    assert zone.rods.ticket == ""
    assert code_of(switch, "nobody") == codes.CAT_INVALID_USER
    assert code_of(switch, "rods", alice) == codes.SYS_PROXYUSER_NO_PRIV
    switch("rods", switch_proxy_user="")
    assert (zone.rods.client.auth_flag, zone.rods.proxy.auth_flag) == (5, 5)


def report(call: Any, agent: Agent) -> Any:
    return json.loads(call(agent, None, b"").body["buf"])


def test_reports(zone: Zone) -> None:
    """Hints, zone report, features and server info have what clients look for."""
    hints = report(api_misc.client_hints, zone.rods)
    assert {"hash_scheme", "match_hash_policy", "plugins", "rules", "specific_queries"} <= set(hints)
    assert "ls" in hints["specific_queries"]
    zones = report(api_misc.zone_report, zone.rods)["zones"]
    assert [r["name"] for r in zones[0]["servers"][0]["resources"]] == ["bundleResc", "demoResc"]
    features = json.loads(api_misc.get_library_features(zone.rods, None, b"").body["myStr"])
    assert features["IRODS_LIBRARY_FEATURE_GENQUERY2"] == 202404
    info = api_misc.get_misc_svr_info(zone.rods, None, b"").body
    assert (info["relVersion"], info["rodsZone"]) == ("rods5.0.2", "tempZone")
    processes = api_misc.proc_stat(zone.rods, {}, b"").body
    assert (processes["rowCnt"], processes["attriCnt"]) == (1, 9)


def test_administration_is_for_administrators(zone: Zone) -> None:
    """The privileges are those of iRODS's API table."""
    operations = load_all()

    assert [operations[n].client_privilege for n in (701, 714, 723, 706, 10205, 10215, 801)] == [5, 2, 2, 2, 5, 2, 0]
