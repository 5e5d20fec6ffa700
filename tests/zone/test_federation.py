"""Data of another zone: what works through the own zone, what does not and its codes (observed facts 9.2, 9.4)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import irods.keywords as kw
import pytest
from irods import exception as errors
from irods.access import iRODSAccess
from irods.meta import AVUOperation, iRODSMeta
from irods.models import Collection, User
from irods.rule import Rule
from irods.session import iRODSSession
from irods.ticket import Ticket

from embedded_zone.client import ZoneClient
from embedded_zone.config import NATIVE_ENGINE, PYTHON_ENGINE
from embedded_zone.server.home import update_config
from embedded_zone.testing import FederatedZones
from tests.stack.waiting import until
from tests.zone.federation_zone import HERE, THERE, federation, read, session, write

MIB = 1 << 20


# A hook that queues a rule, and the rule, which tells as whom it runs.
QUEUEING = """
import os
def acPostProcForPut(rule_args, callback, rei):
    callback.delayExec("<INST_NAME>{instance}</INST_NAME>", "callback.tells_who()", "")
def _who(user):
    return f"{{user.userName}}#{{user.rodsZone}}/{{user.authInfo.authFlag}}"
def tells_who(rule_args, callback, rei):
    with open("{mark}.new", "w") as file:
        file.write(_who(rei.uoic) + " " + _who(rei.uoip))
    os.replace("{mark}.new", "{mark}")
"""


@pytest.fixture(scope="module")
def zones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FederatedZones]:
    with federation(tmp_path_factory.mktemp("zones")) as running:
        yield running


@pytest.fixture
def alice(zones: FederatedZones) -> Iterator[iRODSSession]:
    with session(zones.local) as opened:
        yield opened


@pytest.fixture
def place(alice: iRODSSession) -> str:
    """A new collection of alice in the other zone."""
    path = f"{THERE}/{uuid.uuid4().hex[:8]}"
    alice.collections.create(path)
    return path


@pytest.fixture
def near(alice: iRODSSession) -> str:
    """A new collection of alice in her own zone."""
    path = f"{HERE}/{uuid.uuid4().hex[:8]}"
    alice.collections.create(path)
    return path


# --- data


def test_what_was_put_there_comes_back(alice: iRODSSession, place: str, tmp_path: Path) -> None:
    """put and get with threads and without: 50 MB go through two parallel connections, each with its own link."""
    file = tmp_path / "big"
    file.write_bytes(bytes(range(256)) * (50 * MIB // 256))

    alice.data_objects.put(str(file), f"{place}/big")
    alice.data_objects.get(f"{place}/big", str(tmp_path / "back"))

    assert (tmp_path / "back").read_bytes() == file.read_bytes()


@pytest.mark.parametrize(("mode", "expected"), [("w", b"new"), ("a", b"first+new"), ("r+", b"newst+")])
def test_an_object_there_is_written_in_every_mode(alice: iRODSSession, place: str, mode: str, expected: bytes) -> None:
    """open w, a and r+ do what they do within a zone."""
    path = write(alice, f"{place}/modes", b"first+")

    write(alice, path, b"new", mode)

    assert read(alice, path) == expected


@pytest.mark.parametrize("size", [0, 1, 4 * MIB, 9 * MIB + 1])
def test_copies_cross_zones_both_ways(alice: iRODSSession, place: str, near: str, size: int) -> None:
    """From here to there, there to there, and back; the bytes are the same at every size around the block."""
    data = b"x" * size
    write(alice, f"{near}/a", data)

    alice.data_objects.copy(f"{near}/a", f"{place}/b")
    alice.data_objects.copy(f"{place}/b", f"{place}/c")
    alice.data_objects.copy(f"{place}/c", f"{near}/d")

    assert read(alice, f"{near}/d") == data
    assert alice.data_objects.get(f"{place}/b").replicas[0].status == "1"


def test_a_copy_registers_the_other_zones_checksum(alice: iRODSSession, place: str, near: str) -> None:
    """REG_CHKSUM on a copy is made over there, and equals the one from here."""
    write(alice, f"{near}/sum", b"content")

    alice.data_objects.copy(f"{near}/sum", f"{place}/sum", **{kw.REG_CHKSUM_KW: ""})

    assert alice.data_objects.get(f"{place}/sum").checksum == alice.data_objects.chksum(f"{near}/sum")


def test_objects_there_are_moved_removed_and_described(alice: iRODSSession, place: str) -> None:
    """Rename, truncate, AVUs, unlink into the other zone's trash."""
    write(alice, f"{place}/old", b"12345")
    alice.data_objects.move(f"{place}/old", f"{place}/new")
    alice.data_objects.truncate(f"{place}/new", 3)
    alice.data_objects.get(f"{place}/new").metadata.set("k", "v")

    assert read(alice, f"{place}/new") == b"123"
    assert [avu.name for avu in alice.data_objects.get(f"{place}/new").metadata.items()] == ["k"]

    alice.data_objects.unlink(f"{place}/new")
    assert not alice.data_objects.exists(f"{place}/new")
    trash = place.replace("/home/", "/trash/home/")
    assert alice.data_objects.exists(f"{trash}/new")

    alice.collections.remove(place, recurse=True, force=True)
    assert not alice.collections.exists(place)


def test_synchronizing_copies_only_what_differs(
    zones: FederatedZones, alice: iRODSSession, place: str, near: str
) -> None:
    """irsync i: to i: (API 628) makes the copy, and does nothing the second time."""
    write(alice, f"{near}/s", b"one")
    user = ("alice", "tempZone")
    request = {
        "objPath": f"{near}/s",
        "KeyValPair_PI": {"rsyncMode": "IRODS_TO_IRODS", "rsyncDestPath": f"{place}/s"},
    }
    with ZoneClient("127.0.0.1", zones.local.port, user, "secret-a") as client:
        for _ in range(2):
            assert client.call(628, request, request_type="DataObjInp_PI").status == 0
            modified = alice.data_objects.get(f"{place}/s").modify_time
    assert read(alice, f"{place}/s") == b"one"
    assert alice.data_objects.get(f"{place}/s").modify_time == modified
    assert alice.data_objects.get(f"{place}/s").checksum.startswith("sha2:")


def test_a_large_put_goes_on_with_a_descriptor(zones: FederatedZones, alice: iRODSSession, place: str) -> None:
    """iput of more than 32 MB: the reply names a descriptor, writes follow on it, 626 ends it."""
    request = {"objPath": f"{place}/iput", "dataSize": 6, "openFlags": 2, "KeyValPair_PI": {"dataType": "generic"}}
    with ZoneClient("127.0.0.1", zones.local.port, ("alice", "tempZone"), "secret-a") as client:
        answer = client.call(606, request, request_type="DataObjInp_PI", reply_type="PortalOprOut_PI")
        number = answer.body["l1descInx"]
        opened = {"l1descInx": number, "len": 6, "KeyValPair_PI": {}}
        assert client.call(676, opened, b"abcdef", request_type="OpenedDataObjInp_PI").status == 6
        client.call(626, {"myInt": number}, request_type="INT_PI")

    assert read(alice, f"{place}/iput") == b"abcdef"


# --- queries


def test_queries_follow_a_path_or_a_hint_and_nothing_else(alice: iRODSSession) -> None:
    """GenQuery1: a condition on a collection's name, or the keyword; other queries are about the own zone."""
    there = alice.query(Collection.name).filter(Collection.name == THERE).all()
    hinted = alice.query(User.name, User.zone).add_keyword("zone", "otherZone").all()
    here = {row[User.name] for row in alice.query(User.name).all()}

    assert [row[Collection.name] for row in there] == [THERE]
    assert "carol" in {row[User.name] for row in hinted}
    assert "carol" not in here


def test_an_unknown_hint_is_refused(alice: iRODSSession) -> None:
    """SYS_INVALID_ZONE_NAME."""
    with pytest.raises(errors.SYS_INVALID_ZONE_NAME):
        alice.query(User.name).add_keyword("zone", "nowhere").all()


def test_genquery2_follows_the_zone_argument_only(alice: iRODSSession) -> None:
    """A path of the other zone gives silence, the argument an answer."""
    text = f"select COLL_NAME where COLL_NAME = '{THERE}'"

    assert alice.genquery2(text) == []
    assert alice.genquery2(text, zone="otherZone") == [[THERE]]


# --- what does not work


def _atomic(alice: iRODSSession, place: str, near: str) -> Any:
    item = alice.data_objects.get(write(alice, f"{place}/x"))
    return item.metadata.apply_atomic_operations(AVUOperation(operation="add", avu=iRODSMeta("a", "b")))


def _move(alice: iRODSSession, source: str, target: str) -> Any:
    return alice.data_objects.move(write(alice, f"{source}/m"), f"{target}/m")


def _copy_existing(alice: iRODSSession, place: str, near: str) -> Any:
    write(alice, f"{near}/o"), write(alice, f"{place}/o")
    return alice.data_objects.copy(f"{near}/o", f"{place}/o")


def _touch_after_write(alice: iRODSSession, place: str, near: str) -> Any:
    write(alice, f"{place}/before")
    return alice.data_objects.touch(f"{place}/before")


Attempt = Callable[[iRODSSession, str, str], Any]
REFUSED: dict[str, tuple[type[Exception], Attempt]] = {
    "move to there": (errors.SYS_CROSS_ZONE_MV_NOT_SUPPORTED, lambda s, there, here: _move(s, here, there)),
    "move to here": (errors.SYS_CROSS_ZONE_MV_NOT_SUPPORTED, lambda s, there, here: _move(s, there, here)),
    "atomic metadata": (errors.CAT_NO_ACCESS_PERMISSION, _atomic),
    "touch after a write": (errors.INPUT_ARG_NOT_WELL_FORMED_ERR, _touch_after_write),
    "ticket": (errors.CAT_UNKNOWN_COLLECTION, lambda s, there, here: Ticket(s).issue("read", there)),
    "copy onto existing": (errors.OVERWRITE_WITHOUT_FORCE_FLAG, _copy_existing),
    "copy of nothing": (
        errors.USER_INPUT_PATH_ERR,
        lambda s, there, here: s.data_objects.copy(f"{there}/no", f"{here}/n"),
    ),
    "read of nothing": (errors.OBJ_PATH_DOES_NOT_EXIST, lambda s, there, here: read(s, f"{there}/nothing")),
    "write without right": (
        errors.CAT_NO_ACCESS_PERMISSION,
        lambda s, there, here: write(s, "/otherZone/home/carol/x"),
    ),
    "a user without zone": (
        errors.CAT_INVALID_USER,
        lambda s, there, here: s.acls.set(iRODSAccess("read", there, "alice")),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_two_real_zones_refuse_is_refused_with_their_code(
    alice: iRODSSession, place: str, near: str, what: str
) -> None:
    """Section 9.2's list of what does not work."""
    error, attempt = REFUSED[what]

    with pytest.raises(error):
        attempt(alice, place, near)


def test_touch_works_on_a_fresh_connection(alice: iRODSSession, place: str, zones: FederatedZones) -> None:
    """Only after a write on the same connection PRC's JSON does not arrive."""
    with session(zones.local) as fresh:
        fresh.data_objects.touch(f"{place}/fresh")

    assert alice.data_objects.exists(f"{place}/fresh")


def test_rights_are_given_to_the_other_zones_users(alice: iRODSSession, place: str, zones: FederatedZones) -> None:
    """A user without a zone is one of theirs; carol reads then what alice wrote there."""
    path = write(alice, f"{place}/shared", b"for carol")
    alice.acls.set(iRODSAccess("read", path, "carol"))
    alice.acls.set(iRODSAccess("read", place, "carol"))

    with session(zones.remote, user="carol", password="secret-c", zone="otherZone") as carol:
        assert read(carol, path) == b"for carol"


# --- who one is


def test_an_administrator_is_none_in_the_other_zone(zones: FederatedZones, alice: iRODSSession, place: str) -> None:
    """rods of tempZone has no rights there, and may not use the admin flag."""
    path = write(alice, f"{place}/private")
    with iRODSSession(**zones.local.session_arguments()) as rods:
        with pytest.raises(errors.OBJ_PATH_DOES_NOT_EXIST):
            read(rods, path)
        with pytest.raises(errors.CAT_NO_ACCESS_PERMISSION):
            rods.acls.set(iRODSAccess("own", place, "carol"), admin=True)


def test_an_unknown_user_sees_nothing_but_may_connect(zones: FederatedZones) -> None:
    """bob has no row there: names of users yes, homes no, writing no."""
    with session(zones.local, "bob") as bob:
        names = {row[User.name] for row in bob.query(User.name).add_keyword("zone", "otherZone").all()}
        assert "carol" in names
        assert not bob.collections.exists(THERE)
        with pytest.raises(errors.CAT_NO_ACCESS_PERMISSION):
            write(bob, "/otherZone/home/public/x")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({}, None),
        ({"password": "wrong"}, errors.CAT_INVALID_AUTHENTICATION),
        ({"zone": "nowhere"}, errors.CAT_INVALID_USER),
    ],
)
def test_users_log_in_directly_with_their_own_zones_password(
    zones: FederatedZones, changes: dict[str, str], error: type[Exception] | None
) -> None:
    """otherZone asks tempZone (API 705); there, atomic metadata and tickets work."""
    with session(zones.remote, **changes) as direct:
        if error is not None:
            with pytest.raises(error):
                direct.collections.exists(THERE)
            return
        collection = direct.collections.get(THERE)
        collection.metadata.apply_atomic_operations(AVUOperation(operation="add", avu=iRODSMeta("direct", "1")))
        Ticket(direct).issue("read", THERE)
        assert collection.metadata["direct"].value == "1"


@pytest.mark.parametrize(("side", "changed"), [("local", {"zone_key": "another"}), ("remote", {"federation": []})])
def test_a_zone_that_does_not_know_its_key_is_not_believed(tmp_path: Path, side: str, changed: dict[str, Any]) -> None:
    """REMOTE_SERVER_AUTHENTICATION_FAILURE: for another key than agreed, and where none was agreed."""
    with federation(tmp_path) as zones:
        server = getattr(zones, side)
        server.stop()
        update_config(server.config, **changed)
        server.start()
        with session(zones.remote) as direct, pytest.raises(errors.iRODSException) as caught:
            direct.collections.exists(THERE)
    assert caught.value.code == -910000


def test_the_other_zones_server_may_not_act_for_our_users_here(zones: FederatedZones) -> None:
    """Paths of tempZone through otherZone, as a user of tempZone: SYS_PROXYUSER_NO_PRIV (facts 9.2)."""
    with session(zones.remote) as direct, pytest.raises(errors.SYS_PROXYUSER_NO_PRIV):
        direct.data_objects.open(f"{HERE}/x", "r")


# --- rules


def remote(body: str, host: str = "127.0.0.1", zone: str = "otherZone") -> str:
    return f'remote("{host}", "<ZONE>{zone}</ZONE>") {{ {body} }}'


def run(opened: iRODSSession, text: str) -> Any:
    return Rule(opened, body=text, instance_name=NATIVE_ENGINE, output="ruleExecOut").execute()


def test_any_user_runs_rules_in_the_other_zone(zones: FederatedZones) -> None:
    """Even bob, whom otherZone does not know: the block runs there, with its rules."""
    core = zones.remote.config.etc / "core.py"
    core.write_text("def leaves_a_mark(rule_args, callback, rei):\n    open(rule_args[0], 'w').write('x')\n")
    mark = zones.remote.home / "mark"
    with session(zones.local, "bob") as bob:
        run(bob, remote(f'leaves_a_mark("{mark}");'))

    assert mark.exists()


@pytest.mark.parametrize(
    ("host", "zone", "code"), [("elsewhere", "otherZone", -147000), ("127.0.0.1", "nowhere", -26000)]
)
def test_remote_needs_the_registered_host(zones: FederatedZones, host: str, zone: str, code: int) -> None:
    """ZONE_KEY_SIGNATURE_MISMATCH for another host, SYS_INVALID_ZONE_NAME for another zone."""
    # python-irodsclient has no exception for -147000: a KeyError then.
    with session(zones.local, "bob") as bob, pytest.raises((errors.iRODSException, KeyError)) as caught:
        run(bob, remote('writeLine("serverLog", "x");', host, zone))
    assert getattr(caught.value, "code", caught.value.args[0]) == code


def test_a_hook_there_queues_rules_as_the_remote_user(zones: FederatedZones, alice: iRODSSession, place: str) -> None:
    """The delayed rule runs there as alice#tempZone with privilege 2, behind rods#tempZone with 4 (facts 9.4)."""
    core, mark = zones.remote.config.etc / "core.py", zones.remote.home / "queued"
    core.write_text(QUEUEING.format(instance=PYTHON_ENGINE, mark=str(mark)))
    with session(zones.local) as fresh:
        write(fresh, f"{place}/queues")
    until(lambda: mark.exists() or None, "the delayed rule", 30)
    core.write_text("")

    assert mark.read_text() == "alice#tempZone/2 rods#tempZone/4"


def test_a_rule_base_sees_and_refuses_what_comes_from_elsewhere(zones: FederatedZones) -> None:
    """pep_api_exec_my_rule_pre over there sees the zone and the remExec form."""
    core = zones.remote.config.etc / "core.py"
    core.write_text(
        "def pep_api_exec_my_rule_pre(rule_args, callback, rei):\n"
        "    given = rule_args[2]\n"
        "    told = given['myRule'].startswith('remExec{') and given['addr_zoneName'] == 'otherZone'\n"
        "    callback.writeLine('serverLog', 'told ' + str(told))\n"
        "    return -13000\n"
    )
    with session(zones.local, "bob") as bob, pytest.raises(errors.SYS_NO_API_PRIV):
        run(bob, remote('writeLine("serverLog", "x");'))
    core.write_text("")
    assert "told True" in (zones.remote.config.log / "zone.jsonl").read_text()
