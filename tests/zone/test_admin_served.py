"""The administrative calls through a running zone, in both body protocols, with a rule base that notes every hook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded_zone.api import load_all
from embedded_zone.client import Answer, ZoneClient
from embedded_zone.errors import IrodsError
from embedded_zone.server.supervisor import EmbeddedZone
from embedded_zone.wire import obfuscation
from embedded_zone.wire.packing import Protocol

HOME = "/tempZone/home/rods"
ADMIN = ("rods", "tempZone")

# Calls and the hooks that a real 5.0.2 server fired for them (hook-traces.json), without pep_api_*.
RECORDED: list[tuple[str, int, tuple[str, ...], list[str]]] = [
    (
        "ichmod -r", 707, ("1", "own", "alice", "", HOME),
        ["acPreProcForModifyAccessControl/5", "pep_database_mod_access_control_pre/8",
         "pep_database_mod_access_control_post/8", "acPostProcForModifyAccessControl/5"],
    ),
    (
        "ichmod inherit", 707, ("0", "inherit", "", "", HOME),
        ["acPreProcForModifyAccessControl/5", "pep_database_mod_access_control_pre/8",
         "pep_database_mod_access_control_except/8", "acPostProcForModifyAccessControl/5"],
    ),
    (
        "imeta add", 706, ("add", "-C", HOME, "k", "v2", "u"),
        ["acPreProcForModifyAVUMetadata/6", "pep_database_add_avu_metadata_pre/9",
         "pep_database_add_avu_metadata_post/9", "acPostProcForModifyAVUMetadata/6"],
    ),
    (
        "imeta mod", 706, ("mod", "-C", HOME, "k", "v2", "u", "v:v3"),
        ["acPreProcForModifyAVUMetadata/9", "pep_database_mod_avu_metadata_pre/12",
         "pep_database_del_avu_metadata_pre/11", "pep_database_del_avu_metadata_post/11",
         "pep_database_add_avu_metadata_pre/9", "pep_database_add_avu_metadata_post/9",
         "pep_database_mod_avu_metadata_post/12", "acPostProcForModifyAVUMetadata/9"],
    ),
    (
        "imeta rm", 706, ("rm", "-C", HOME, "k", "v3", "u"),
        ["acPreProcForModifyAVUMetadata/6", "pep_database_del_avu_metadata_pre/11",
         "pep_database_del_avu_metadata_post/11", "acPostProcForModifyAVUMetadata/6"],
    ),
    (
        "iadmin mkgroup", 701, ("add", "group", "g1"),
        ["acCreateUser/0", "acPreProcForCreateUser/0", "pep_database_reg_user_re_pre/4",
         "pep_database_reg_user_re_post/4", "pep_database_reg_coll_by_admin_pre/4",
         "pep_database_reg_coll_by_admin_post/4", "pep_database_reg_coll_by_admin_pre/4",
         "pep_database_reg_coll_by_admin_post/4", "pep_database_commit_pre/3", "pep_database_commit_post/3",
         "acPostProcForCreateUser/0"],
    ),
    (
        "iadmin atg", 701, ("modify", "group", "g1", "add", "alice"),
        ["acPreProcForModifyUserGroup/4", "pep_database_mod_group_pre/7", "pep_database_mod_group_post/7",
         "acPostProcForModifyUserGroup/4"],
    ),
    (
        "iadmin modresc comment", 701, ("modify", "resource", "demoResc", "comment", "hello"),
        ["acPreProcForModifyResource/3", "pep_database_mod_resc_pre/6", "pep_database_mod_resc_post/6",
         "acPostProcForModifyResource/3"],
    ),
    (
        "iticket create", 723, ("create", "tick1", "read", HOME),
        ["pep_database_mod_ticket_pre/9", "pep_database_mod_ticket_post/9"],
    ),
]  # fmt: skip


class Caller:
    """Calls APIs by number with the structures of the API table."""

    def __init__(self, zone: EmbeddedZone, protocol: Protocol, user: tuple[str, str] = ADMIN) -> None:
        self.connection = ZoneClient("127.0.0.1", zone.port, ADMIN, "rods", client=user, protocol=protocol)

    def __call__(self, number: int, request: Any = None) -> Answer:
        operation = load_all()[number]
        types = {"request_type": operation.request or "", "reply_type": operation.reply or ""}
        return self.connection.call(number, request, **types)

    def numbered(self, number: int, *args: str) -> Answer:
        """A call whose structure is a list of arguments."""
        if number == 707:
            names: tuple[str, ...] = ("recursiveFlag", "accessLevel", "userName", "zone", "path")
            return self(number, dict(zip(names, (int(args[0]), *args[1:]), strict=True)))
        first = 1 if number == 723 else 0
        filled = (*args, *[""] * (10 - len(args)))
        return self(number, {f"arg{i}": value for i, value in enumerate(filled, first)} | {"KeyValPair_PI": {}})


def tracing_rules(trace: Path) -> str:
    """A core.py that writes name and argument count of every hook of ours to a file."""
    names = {entry.partition("/")[0] for recorded in RECORDED for entry in recorded[3]}
    note = (
        "def note(name, args):\n"
        f"    with open({str(trace)!r}, 'a') as f:\n"
        "        print(name, len(args), sep='/', file=f)\n"
    )
    hooks = [
        f"def {name}(rule_args, callback, rei):\n    note({name!r}, rule_args)\n    return 5000000\n"
        for name in sorted(names | {"pep_database_mod_access_control_except"})
    ]
    return "\n".join([note, *hooks])


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trace") / "hooks"


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory, trace: Path) -> Iterator[EmbeddedZone]:
    made = EmbeddedZone(tmp_path_factory.mktemp("zone") / "home", "rods", host="127.0.0.1")
    made.config.etc.joinpath("core.py").write_text(tracing_rules(trace), encoding="utf-8")
    with made:
        Caller(made, Protocol.XML_PROT).numbered(701, "add", "user", "alice", "rodsuser")
        yield made


@pytest.fixture(params=list(Protocol), ids=lambda protocol: protocol.name)
def call(request: pytest.FixtureRequest, zone: EmbeddedZone) -> Iterator[Caller]:
    caller = Caller(zone, request.param)
    yield caller
    caller.connection.close()


def test_hooks_are_those_of_a_real_server(zone: EmbeddedZone, trace: Path) -> None:
    """Names, order and argument counts for each recorded call."""
    caller = Caller(zone, Protocol.NATIVE_PROT)
    for name, number, args, expected in RECORDED:
        trace.write_text("", encoding="utf-8")
        caller.numbered(number, *args)
        assert trace.read_text(encoding="utf-8").split() == expected, name


def test_reports_are_json(call: Caller) -> None:
    """Hints and reports arrive whole in both protocols."""
    for number in (10215, 10204, 10205):
        assert json.loads(call(number).body["buf"])
    assert json.loads(call(801).body["myStr"])
    assert call(700).body["relVersion"] == "rods5.0.2"
    assert call(690, {"addr": "", "rodsZone": "", "KeyValPair_PI": {}}).body["rowCnt"] == 1


def test_settings(call: Caller) -> None:
    """The structures of the setting APIs are known to both protocols."""
    request = {"name_space": "authentication", "option_name": "password_min_time", "option_value": "122"}
    call(20010, request)

    assert call(20009, request | {"option_value": ""}).body == {"option_value": "122"}
    call(20011, {"leader": "ignore", "successor": "other"})


def test_a_failed_atomic_call_carries_its_explanation(call: Caller) -> None:
    """The JSON body comes with the negative status."""
    operations = [{"operation": "add", "attribute": "a", "value": "b" * 2701}]
    with pytest.raises(IrodsError) as caught:
        call(20002, {"entity_name": HOME, "entity_type": "collection", "operations": operations})

    assert caught.value.code == -167000
    assert caught.value.reply["operation_index"] == 0


def test_switching_the_user_takes_the_privileges_away(zone: EmbeddedZone, call: Caller) -> None:
    """After switch_user an administrator's call is refused with SYS_NO_API_PRIV."""
    call(20012, {"username": "alice", "zone": "tempZone", "KeyValPair_PI": {}})

    with pytest.raises(IrodsError) as caught:
        call.numbered(701, "add", "group", "mine")
    assert caught.value.code == -13000


def test_a_changed_password_logs_in(zone: EmbeddedZone, call: Caller) -> None:
    """What an admin sets is what the user needs."""
    for password in ("first", "second"):
        pad = obfuscation.pad_password(password)
        text = obfuscation.scramble_v2(pad, "rods", call.connection.signature)
        call.numbered(701, "modify", "user", "alice", "password", text)

    ZoneClient("127.0.0.1", zone.port, ("alice", "tempZone"), "second").close()
    with pytest.raises(IrodsError) as caught:
        ZoneClient("127.0.0.1", zone.port, ("alice", "tempZone"), "first")
    assert caught.value.code == -826000
