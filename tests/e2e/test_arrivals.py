"""Data reach a policy however they arrive, from whatever client: one job for each content, and the user never waits."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import irods.keywords as kw
import pytest
from irods.access import iRODSAccess
from irods.exception import iRODSException
from irods.password_obfuscation import encode
from irods.rule import Rule
from irods.session import iRODSSession

from embedded_zone.client import ZoneClient
from python_rules import config
from python_rules.config import NATIVE_INSTANCE
from tests.e2e.jobs import Bench, bench
from tests.stack.shared import shared_folder
from tests.stack.site import Account, EmbeddedSite
from tests.stack.waiting import until

TEXT = b"landing zone\n" * 3000
QUIET = 1
BIG = 1100  # times TEXT: 43 MB, over several connections


@dataclass
class Arrival:
    """One action of a client: what it does, and what is in the landing collection when all is done."""

    act: Callable[[Client, str], None]
    names: tuple[str, ...] = ("in",)
    by_admin: bool = False  # who registers files must be a rodsadmin


@dataclass
class Client:
    """A user's clients, with local files ``in`` and ``folder/a``, ``folder/b``."""

    account: Account
    session: iRODSSession
    files: Path

    def run(self, *command: str, stdin: bytes | None = None) -> None:
        """An icommand of this user."""
        environment = {**os.environ, "IRODS_ENVIRONMENT_FILE": str(self.files / "irods_environment.json")}
        environment["IRODS_AUTHENTICATION_FILE"] = str(self.files / ".irodsA")
        done = subprocess.run(command, env=environment, input=stdin, capture_output=True, check=False)
        assert done.returncode == 0, (command, done.stderr)

    def elsewhere(self, content: bytes = TEXT) -> str:
        """A data object outside every policy."""
        path = f"{self.account.home}/{uuid.uuid4().hex}"
        with self.session.data_objects.open(path, "w") as stream:
            stream.write(content)
        return path


def _python_put(client: Client, landing: str) -> None:
    client.session.data_objects.put(str(client.files / "in"), f"{landing}/in")


def _python_parallel(client: Client, landing: str) -> None:
    client.session.data_objects.put(str(client.files / "big"), f"{landing}/in")


def _python_stream(client: Client, landing: str) -> None:
    with client.session.data_objects.open(f"{landing}/in", "w") as stream:
        for start in range(0, len(TEXT), 8000):
            stream.write(TEXT[start : start + 8000])


def _python_copy(client: Client, landing: str) -> None:
    client.session.data_objects.copy(client.elsewhere(), f"{landing}/in")


def _python_move(client: Client, landing: str) -> None:
    client.session.data_objects.move(client.elsewhere(), f"{landing}/in")


def _python_register(client: Client, landing: str) -> None:
    client.session.data_objects.register(str(client.files / "in"), f"{landing}/in")


def _small_put(client: Client, landing: str) -> None:
    """API 606 with the data in the call, as iput does for small files."""
    with raw(client.account) as zone:
        request = inp(f"{landing}/in", len(TEXT), dataIncluded="", dataType="generic")
        zone.call(606, request, TEXT, request_type="DataObjInp_PI", reply_type="PortalOprOut_PI")


def _replica_stream(client: Client, landing: str) -> None:
    """APIs 20003, 675 and 20004, as istream does."""
    with raw(client.account) as zone:
        request = inp(f"{landing}/in", flags=os.O_WRONLY | os.O_CREAT)
        descriptor = zone.call(20003, request, request_type="DataObjInp_PI", reply_type="BinBytesBuf_PI").status
        opened = {"l1descInx": descriptor, "len": len(TEXT), "whence": 0, "oprType": 0, "offset": 0, "bytesWritten": 0}
        zone.call(675, {**opened, "KeyValPair_PI": {}}, TEXT, request_type="OpenedDataObjInp_PI")
        zone.call(20004, {"fd": descriptor}, request_type="json")


def _iput(client: Client, landing: str) -> None:
    client.run("iput", str(client.files / "in"), f"{landing}/in")


def _iput_parallel(client: Client, landing: str) -> None:
    client.run("iput", "-N", "4", str(client.files / "big"), f"{landing}/in")


def _iput_bulk(client: Client, landing: str) -> None:
    client.run("iput", "-b", "-r", str(client.files / "folder"), f"{landing}/folder")


def _icp(client: Client, landing: str) -> None:
    client.run("icp", client.elsewhere(), f"{landing}/in")


def _imv(client: Client, landing: str) -> None:
    client.run("imv", client.elsewhere(), f"{landing}/in")


def _ireg(client: Client, landing: str) -> None:
    client.run("ireg", str(client.files / "in"), f"{landing}/in")


def _ireg_folder(client: Client, landing: str) -> None:
    client.run("ireg", "-r", str(client.files / "folder"), f"{landing}/folder")


def _istream(client: Client, landing: str) -> None:
    client.run("istream", "write", f"{landing}/in", stdin=TEXT)


def _irsync(client: Client, landing: str) -> None:
    client.run("irsync", str(client.files / "in"), f"i:{landing}/in")


def _irsync_in_zone(client: Client, landing: str) -> None:
    client.run("irsync", f"i:{client.elsewhere()}", f"i:{landing}/in")


def _touched_then_written(client: Client, landing: str) -> None:
    """An empty object is content too; what follows within the quiet period is the same arrival."""
    client.session.data_objects.touch(f"{landing}/in")
    _python_stream(client, landing)


FOLDER = ("folder/a", "folder/b")
ARRIVALS: dict[str, Arrival] = {
    "put by python-irodsclient": Arrival(_python_put),
    "parallel put by python-irodsclient": Arrival(_python_parallel),
    "open, write, close": Arrival(_python_stream),
    "copy": Arrival(_python_copy),
    "move": Arrival(_python_move),
    "register": Arrival(_python_register, by_admin=True),
    "touch, then write": Arrival(_touched_then_written),
}
if shutil.which("iput"):
    ARRIVALS |= {
        "iput": Arrival(_iput),
        "iput -N 4": Arrival(_iput_parallel),
        "iput -b": Arrival(_iput_bulk, FOLDER),
        "icp": Arrival(_icp),
        "imv": Arrival(_imv),
        "ireg": Arrival(_ireg, by_admin=True),
        "ireg -r": Arrival(_ireg_folder, FOLDER, by_admin=True),
        "istream": Arrival(_istream),
        "irsync from outside": Arrival(_irsync),
        "irsync within the zone": Arrival(_irsync_in_zone),
    }
else:  # the calls that those programs send
    ARRIVALS |= {"put in one call": Arrival(_small_put), "replica stream": Arrival(_replica_stream)}


def inp(path: str, size: int = 0, flags: int = 0, **keywords: str) -> dict[str, Any]:
    """A DataObjInp."""
    shape = {"createMode": 0o600, "openFlags": flags, "offset": 0, "dataSize": size, "numThreads": 0, "oprType": 1}
    return {"objPath": path, **shape, "SpecColl_PI": None, "KeyValPair_PI": keywords}


def raw(account: Account) -> ZoneClient:
    """A connection without a client library."""
    return ZoneClient(account.host, account.port, (account.name, account.zone), account.password)


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("arrivals")) as made:
        yield made


@pytest.fixture(scope="module")
def files() -> Iterator[Path]:
    """Local files that the server can read too."""
    with shared_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def landed(zone: Bench, files: Path) -> Iterator[dict[str, str]]:
    """Every arrival has taken place, each in a landing collection of its own."""
    with clients(zone, files) as (user, admin):
        places = {}
        for name, arrival in ARRIVALS.items():
            places[name] = landing = zone.place()
            who = admin if arrival.by_admin else user
            user.session.acls.set(iRODSAccess("own", landing, who.account.name, who.account.zone))
            zone.ask("sluice_policy_set", landing, json.dumps({"operation": "compress", "quiet_seconds": QUIET}))
        with clients(zone, files) as (user, admin):  # new connections: agents remember policies a little
            for name, arrival in ARRIVALS.items():
                arrival.act(admin if arrival.by_admin else user, places[name])
            yield places
            for name, arrival in ARRIVALS.items():
                if arrival.by_admin:  # what lies outside the vault would keep its owner from being removed
                    for _, _, found in admin.session.collections.get(places[name]).walk():
                        for data_object in found:
                            data_object.unlink(force=True)


class clients:  # noqa: N801 - a context manager
    """Clients of the user and of the administrator, with local files that the server can read too."""

    def __init__(self, zone: Bench, files: Path) -> None:
        self._zone, self._files = zone, files

    def __enter__(self) -> tuple[Client, Client]:
        user, admin = self._zone.user, self._admin()
        self._sessions = [user.session(), admin.session()]
        return tuple(  # type: ignore[return-value]
            Client(account, session, self._made(account))
            for account, session in zip((user, admin), self._sessions, strict=True)
        )

    def __exit__(self, *_: object) -> None:
        for session in self._sessions:
            session.cleanup()

    def _admin(self) -> Account:
        with self._zone.site.admin() as session:
            account = session.pool.account
            return Account(account.proxy_user, account.proxy_zone, account.password, account.host, account.port)

    def _made(self, account: Account) -> Path:
        home = self._files / account.name
        (home / "folder").mkdir(parents=True, exist_ok=True)
        for name in ("in", "folder/a", "folder/b"):
            (home / name).write_bytes(TEXT)
        (home / "big").write_bytes(TEXT * BIG)
        environment = {"irods_host": account.host, "irods_port": account.port, "irods_user_name": account.name}
        environment |= {"irods_zone_name": account.zone, "irods_client_server_policy": "CS_NEG_REFUSE"}
        (home / "irods_environment.json").write_text(json.dumps(environment))
        (home / ".irodsA").write_text(encode(account.password))
        (home / ".irodsA").chmod(0o600)
        return home


SOURCES: dict[str, str] = {}  # of each job that was looked at; an existing zone may hold very many


def jobs_of(zone: Bench, place: str) -> list[dict[str, Any]]:
    """All jobs whose source is this collection, whoever's they are."""
    ids = [job["id"] for job in zone.ask_as_admin("sluice_list", "limit=200")["jobs"]]
    for new in set(ids) - SOURCES.keys():
        SOURCES[new] = zone.ask_as_admin("sluice_status", new)["source"]
    return [zone.ask_as_admin("sluice_status", one) for one in ids if SOURCES[one] == place]


@pytest.mark.long
@pytest.mark.parametrize("name", ARRIVALS)
def test_each_content_makes_one_job(zone: Bench, landed: dict[str, str], name: str) -> None:
    """What arrived is worked on once; neither the original nor our own result comes round again."""
    arrival, landing = ARRIVALS[name], landed[name]
    folder = f"{landing}/{arrival.names[0].rpartition('/')[0]}".rstrip("/")
    names = [one.rpartition("/")[2] for one in arrival.names]

    zone.until_names(folder, [*names, *(f"{one}.zst" for one in names)], 120)

    def ended() -> list[dict[str, Any]] | None:
        found = jobs_of(zone, landing)
        return found if {job["state"] for job in found} == {"succeeded"} else None

    found = until(ended, f"the end of the jobs of {name}", 60)
    assert len(found) == 1, [(job["id"], job["progress"]) for job in found]
    assert found[0]["progress"]["objects_total"] == len(names)


def test_a_replica_is_no_new_content(zone: Bench) -> None:
    """irepl and its kin bring no arrival: nothing that was not there before."""
    place = zone.place()
    zone.write(f"{place}/in", TEXT)
    zone.ask("sluice_policy_set", place, '{"operation": "compress", "quiet_seconds": 0}')
    with zone.user.session() as session:
        session.data_objects.replicate(f"{place}/in", "demoResc", **{kw.UPDATE_REPL_KW: ""})
        zone.write(f"{place}/later", TEXT)

    zone.until_names(place, ["in", "later", "later.zst"])


def test_a_hook_that_fails_does_not_fail_the_user(tmp_path: Path) -> None:
    """With settings that cannot be read every put, move and removal works as if there were no Sluice."""
    site = EmbeddedSite(tmp_path / "zone")
    try:
        alone = Bench(site, site.make_user("alice"))
        place = alone.place()
        alone.ask("sluice_policy_set", place, "operation=compress;quiet_seconds=0")
        settings = Path(site.server.config.etc) / config.FILE_NAME
        whole = settings.read_text()
        settings.write_text("{")

        alone.write(f"{place}/in", TEXT)
        with alone.user.session() as session:
            session.data_objects.move(f"{place}/in", f"{place}/moved")

        settings.write_text(whole)
        alone.write(f"{place}/later", TEXT)
        alone.until_names(place, ["later", "later.zst", "moved"])
    finally:
        site.close()


def _called(zone: Bench, policy: str, parameters: object, configuration: object = None) -> str:
    """Call a policy of the composition framework as an event handler does; what it says went wrong."""
    texts = [json.dumps(parameters), json.dumps(configuration or {})]
    with zone.user.session() as session:
        rule = Rule(
            session,
            body=f"{policy}(*parameters, *configuration, *out)",
            params={"*parameters": texts[0], "*configuration": texts[1], "*out": ""},
            output="*out%ruleExecOut",
            instance_name=NATIVE_INSTANCE,
        )
        outputs = rule.execute(session_cleanup=False)
    found = {one.label: one.inOutStruct for one in outputs.MsParam_PI}
    return str(found["*out"].myStr)


def test_an_event_handler_does_the_same(tmp_path: Path) -> None:
    """Where the hooks are off, irods_policy_sluice_arrived marks what arrived; a second event brings no second job."""
    site = EmbeddedSite(tmp_path / "zone")
    try:
        path = Path(site.server.config.etc) / config.FILE_NAME
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "hooks": {"arrivals": "off"}, "patrol": {"seconds": 600}}))
        alone = Bench(site, site.make_user("alice"))
        place = alone.place()
        alone.ask("sluice_policy_set", place, "operation=compress;quiet_seconds=1")
        alone.write(f"{place}/unseen", TEXT)
        alone.write(f"{place}/in", TEXT)
        for event in ("CREATE", "PUT"):
            _called(alone, "irods_policy_sluice_arrived", {"obj_path": f"{place}/in", "event": event})

        alone.until_names(place, ["in", "in.zst", "unseen"])
        assert len(jobs_of(alone, place)) == 1
    finally:
        site.close()


def test_policy_composition_submits_and_checks(zone: Bench) -> None:
    """A job from configuration and event; a wrong request, or a wrong policy, is refused with its reason."""
    place = zone.place()
    zone.write(f"{place}/in", TEXT)

    _called(zone, "irods_policy_sluice_job", {"logical_path": f"{place}/in"}, {"operation": "compress"})
    zone.until_names(place, ["in", "in.zst"])

    wrong = {"attribute": "sluice::policy", "value": '{"operation": "shred"}', "operation": "add"}
    for policy, parameters, configuration in (
        ("irods_policy_sluice_job", {"logical_path": f"{place}/in"}, {"operation": "shred"}),
        ("irods_policy_sluice_job", {}, {"operation": "compress"}),
        ("irods_policy_sluice_checked", {"logical_path": place, "metadata": wrong}, {}),
    ):
        with pytest.raises((iRODSException, KeyError)):
            _called(zone, policy, parameters, configuration)
