"""Policies as data: what is set, refused, shown, inherited; what arrives is worked on once, however it came."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import irods.keywords as kw
import pytest
from irods.api_number import api_number
from irods.exception import iRODSException
from irods.message import MetadataRequest, iRODSMessage
from irods.meta import AVUOperation, iRODSMeta
from irods.models import Collection
from irods.session import iRODSSession

from python_rules.engine import sessions
from python_rules.engine.keys import Keyring, grants
from python_rules.engine.ledger import Ledger
from tests.e2e.jobs import Bench, bench
from tests.stack import rulecall
from tests.stack.site import EmbeddedSite
from tests.stack.waiting import until

TEXT = b"landing zone\n" * 3000


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("policies")) as made:
        yield made


@pytest.fixture
def landing(zone: Bench) -> str:
    """A collection whose policy compresses what arrives, as soon as it can."""
    place = zone.place()
    zone.ask("sluice_policy_set", place, '{"operation": "compress", "quiet_seconds": 0}')
    return place


def jobs_of(zone: Bench, place: str) -> list[dict[str, Any]]:
    """The user's jobs whose source is this collection."""
    jobs = [zone.status(job["id"]) for job in zone.ask("sluice_list", "")]
    return [job for job in jobs if job["source"] == place]


def test_a_policy_is_set_shown_and_taken_away(zone: Bench) -> None:
    """What was set is told with every default, for the collection and for what lies below it."""
    place = zone.place()
    zone.ask("sluice_policy_set", place, f"operation=compress_encrypt;key={zone.site.key};pattern=*.csv;largest=1000")

    shown = zone.ask("sluice_policy_show", f"{place}/sub/data.csv")
    assert (shown["collection"], shown["inherited"]) == (place, True)
    assert (shown["policy"]["key"], shown["policy"]["pattern"]) == (zone.site.key, ["*.csv"])
    assert (shown["policy"]["largest"], shown["policy"]["existing"]) == (1000, "replace")

    assert zone.ask("sluice_policy_set", place, "")["collection"] is None


def test_the_nearest_collection_decides(zone: Bench) -> None:
    """A sub-collection overrides what is above it, also with 'none'; what was overridden is named."""
    place = zone.place()
    zone.write(f"{place}/quiet/x", b"x")
    zone.ask("sluice_policy_set", place, "operation=compress")
    zone.ask("sluice_policy_set", f"{place}/quiet", "operation=none")

    shown = zone.ask("sluice_policy_show", f"{place}/quiet/deeper/file")

    assert (shown["collection"], shown["overridden"]) == (f"{place}/quiet", [place])
    assert shown["policy"]["operation"] == "none"


@pytest.mark.parametrize(
    ("policy", "code", "field"),
    [
        ("{", "malformed_json", "policy"),
        ('{"operation": "shred"}', "unknown_operation", "operation"),
        ('{"operation": "compress", "colour": 1}', "unknown_field", "colour"),
        ('{"operation": "compress", "source": "/x/y"}', "bad_value", "source"),
        ('{"operation": "compress", "largest": -1}', "bad_value", "largest"),
        ('{"operation": "compress", "pattern": 3}', "bad_value", "pattern"),
        ('{"operation": "none", "key": "k"}', "bad_value", "operation"),
        ('{"operation": "encrypt", "key": "no-such-key"}', "key_not_found", "key"),
        ('{"operation": "replicate", "replica": "no-such-resource"}', "resource_not_found", "replica"),
        ('{"operation": "compress", "replica": "/noZone/home/x"}', "zone_not_found", "replica"),
        ('{"operation": "compress", "target": "/noZone/home/x"}', "zone_not_found", "target"),
        ('{"operation": "compress", "suffix": false}', "bad_value", "suffix"),
    ],
)
def test_a_wrong_policy_is_refused_with_a_reason(zone: Bench, policy: str, code: str, field: str) -> None:
    """The rule says what is wrong; nothing is set."""
    place = zone.place()

    error = zone.refused("sluice_policy_set", place, policy)

    assert (error["code"], error["field"]) == (code, field)
    assert zone.ask("sluice_policy_show", place)["collection"] is None


def _imeta(session: iRODSSession, place: str, value: str) -> None:
    session.metadata.add(Collection, place, iRODSMeta("sluice::policy", value))


def _imeta_set(session: iRODSSession, place: str, value: str) -> None:
    session.metadata.set(Collection, place, iRODSMeta("sluice::policy", value))


def _atomic(session: iRODSSession, place: str, value: str) -> None:
    operation = AVUOperation(operation="add", avu=iRODSMeta("sluice::policy", value))
    session.metadata.apply_atomic_operations(Collection, place, operation)


WRONG = (
    '{"operation": "shred"}',
    '{"operation": "encrypt", "key": "no-such-key"}',
    '{"operation": "compress", "replica": "no-such-resource"}',
)


@pytest.mark.parametrize("how", [_imeta, _imeta_set, _atomic])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_policy_cannot_be_set_as_metadata(
    zone: Bench, how: Callable[[iRODSSession, str, str], None], wrong: str
) -> None:
    """imeta and atomic operations refuse it with INPUT_ARG_NOT_WELL_FORMED; a right one passes."""
    place = zone.place()
    with zone.user.session() as session:
        with pytest.raises(iRODSException) as caught:
            how(session, place, wrong)
        how(session, place, '{"operation": "compress"}')

    assert caught.value.code == -1084000
    assert zone.ask("sluice_policy_show", place)["policy"]["operation"] == "compress"


def test_another_attribute_does_not_become_a_wrong_policy(zone: Bench) -> None:
    """imeta mod can give an AVU a new name and a new value at once."""
    place = zone.place()

    def modify(session: iRODSSession, value: str) -> None:
        request = MetadataRequest("mod", "-C", place, "other", "x", "n:sluice::policy", f"v:{value}")
        message = iRODSMessage("RODS_API_REQ", msg=request, int_info=api_number["MOD_AVU_METADATA_AN"])
        with session.pool.get_connection() as connection:
            connection.send(message)
            connection.recv()

    with zone.user.session() as session:
        session.metadata.add(Collection, place, iRODSMeta("other", "x"))
        with pytest.raises(iRODSException) as caught:
            modify(session, '{"operation": "shred"}')
        modify(session, '{"operation": "compress"}')

    assert caught.value.code == -1084000
    assert zone.ask("sluice_policy_show", place)["policy"]["operation"] == "compress"


def test_a_policy_says_where_results_and_their_replicas_go(zone: Bench) -> None:
    """A target without suffixes, and a copy of each result in an archive."""
    place = zone.place()
    landing, made = f"{place}/landing", f"{place}/made"
    zone.write(f"{landing}/before", b"x")
    zone.write(f"{made}/before", b"x")
    policy = {"operation": "compress", "target": made, "suffix": False, "replica": f"{place}/archive"}
    zone.ask("sluice_policy_set", landing, json.dumps({**policy, "pattern": "*.txt", "quiet_seconds": 0}))

    shown = [zone.ask("sluice_policy_show", f"{landing}/{name}")["applies"] for name in ("in.txt", "in.csv")]
    zone.write(f"{landing}/in.txt", TEXT)

    zone.until_names(f"{place}/archive", ["in.txt"])
    assert shown == [True, False]
    assert zone.names(made) == ["before", "in.txt"]


def _put(session: iRODSSession, path: str, folder: Path) -> None:
    (folder / "in").write_bytes(TEXT)
    session.data_objects.put(str(folder / "in"), path)


def _open(session: iRODSSession, path: str, folder: Path) -> None:
    with session.data_objects.open(path, "w") as stream:
        stream.write(TEXT)


def _copy(session: iRODSSession, path: str, folder: Path) -> None:
    elsewhere = f"{path.rsplit('/', 2)[0]}/{uuid.uuid4().hex}"
    _open(session, elsewhere, folder)
    session.data_objects.copy(elsewhere, path)


def _move(session: iRODSSession, path: str, folder: Path) -> None:
    elsewhere = f"{path.rsplit('/', 2)[0]}/{uuid.uuid4().hex}"
    _open(session, elsewhere, folder)
    session.data_objects.move(elsewhere, path)


def _move_collection(session: iRODSSession, path: str, folder: Path) -> None:
    collection, name = path.rsplit("/", 1)
    elsewhere = f"{collection.rsplit('/', 1)[0]}/{uuid.uuid4().hex}"
    session.collections.create(elsewhere)
    _open(session, f"{elsewhere}/{name}", folder)
    session.collections.move(elsewhere, f"{collection}/moved")


def _parallel(session: iRODSSession, path: str, folder: Path) -> None:
    (folder / "big").write_bytes(TEXT * 1100)  # 43 MB: python-irodsclient uses several connections
    session.data_objects.put(str(folder / "big"), path)


def _overwrite(session: iRODSSession, path: str, folder: Path) -> None:
    with session.data_objects.open(path, "w", **{kw.FORCE_FLAG_KW: ""}) as stream:
        stream.write(TEXT)


@pytest.mark.parametrize("how", [_put, _open, _copy, _move, _move_collection, _parallel])
def test_data_is_seen_however_it_arrives(
    zone: Bench, landing: str, tmp_path: Path, how: Callable[[iRODSSession, str, Path], None]
) -> None:
    """Put, stream, parallel put, copy, move of an object or of a collection: one job, done once."""
    with zone.user.session() as session:
        how(session, f"{landing}/in", tmp_path)
    place = f"{landing}/moved" if how is _move_collection else landing

    zone.until_names(place, ["in", "in.zst"], 90)

    until(lambda: True if [job["state"] for job in jobs_of(zone, landing)] == ["succeeded"] else None, "one job", 60)


def test_the_same_name_again_is_new_content(zone: Bench, landing: str) -> None:
    """An object that is overwritten arrives again, and its result is replaced."""
    zone.write(f"{landing}/in", b"first" * 1000)
    zone.until_names(landing, ["in", "in.zst"])
    first = zone.read(f"{landing}/in.zst")
    zone.write(f"{landing}/in", b"second" * 1000)

    until(lambda: True if zone.read(f"{landing}/in.zst") != first else None, "the second result", 60)


@pytest.mark.long
def test_only_what_is_meant_is_worked_on(zone: Bench) -> None:
    """Name pattern and sizes decide; what is not meant is left, without a mark."""
    place = zone.place()
    zone.ask("sluice_policy_set", place, "operation=compress;pattern=*.csv;largest=5000;smallest=10;quiet_seconds=0")
    for name, size in (("a.csv", 1000), ("b.txt", 1000), ("huge.csv", 6000), ("tiny.csv", 1)):
        zone.write(f"{place}/{name}", b"x" * size)

    wanted = ["a.csv", "a.csv.zst", "b.txt", "huge.csv", "tiny.csv"]
    zone.until_names(place, wanted)

    assert jobs_of(zone, place)[0]["progress"]["objects_total"] == 1


@pytest.mark.long
def test_what_came_while_hooks_were_off_is_found(zone: Bench, landing: str) -> None:
    """The patrol sees an object that no hook marked: here one that the engine's own name hid."""
    if not isinstance(zone.site, EmbeddedSite):
        pytest.skip("a zone with usual settings is scanned every ten minutes")
    zone.write(f"{landing}/seen", TEXT)
    zone.until_names(landing, ["seen", "seen.zst"])

    with zone.site.admin() as session:
        number = str(session.collections.get(landing).id)
        ledger = f"/{zone.site.zone}/sluice"

        def is_scanned() -> bool:
            told = session.collections.get(ledger).metadata.get_all("sluice::scanned")
            return number in {item.value for item in told}

        until(lambda: is_scanned() or None, "the first scan of the collection", 30)
        _hidden_write(zone, f"{landing}/unseen")
        zone.until_names(landing, ["seen", "seen.zst", "unseen", "unseen.zst"], 90)

        zone.ask("sluice_policy_set", landing, "")
        until(lambda: not is_scanned() or None, "that the scan is forgotten with its policy", 30)


def _hidden_write(zone: Bench, path: str) -> None:
    """Write as the user by way of the service account under the engine's name: hooks leave that alone."""
    values = {"application_name": "sluice-engine", "client_user": zone.user.name, "client_zone": zone.user.zone}
    secret = str(zone.site.environment.with_name(".irodsA"))
    with (
        iRODSSession(irods_env_file=str(zone.site.environment), irods_authentication_file=secret, **values) as session,
        session.data_objects.open(path, "w") as stream,
    ):
        stream.write(TEXT)


@pytest.mark.long
def test_what_a_policy_asks_for_in_vain_is_a_job_that_failed(zone: Bench) -> None:
    """Its key was disabled after it was set: somebody sees it, and a retry does it when the key is there again."""
    if not isinstance(zone.site, EmbeddedSite):
        pytest.skip("makes a key")
    place, keyring = zone.place(), Keyring.of(zone.site.settings)
    keyring.create("season")
    with keyring.rows() as rows:
        grants.added(rows["season"], zone.user.qualified, (grants.SEAL,))
    zone.ask("sluice_policy_set", place, "operation=encrypt;key=season;quiet_seconds=0")
    keyring.set_status("season", "disabled")
    zone.write(f"{place}/in", TEXT)

    job = until(lambda: next(iter(jobs_of(zone, place)), None), "a job", 60)
    assert job["state"] == "failed", job
    assert "season" in job["error"]["text"]
    keyring.set_status("season", "enabled")
    zone.ask("sluice_retry", job["id"])
    zone.until_names(place, ["in", "in.tink"])
    assert len(jobs_of(zone, place)) == 1


def test_only_one_gathers_at_a_time(zone: Bench) -> None:
    """Two rules that look at the same marks would make two jobs of them; one that was killed is not waited for."""
    if not isinstance(zone.site, EmbeddedSite):
        pytest.skip("works as the service account")
    with sessions.as_service(zone.site.settings) as service:
        book = Ledger(service, zone.site.settings.ledger)
        first = book.hold("gather.1", lambda age: age < 60)
        assert (first, book.hold("gather.1", lambda age: age < 60)) == ("gather.1.1", "")
        assert book.hold("gather.1", lambda age: False) == "gather.1.2"
        assert book.claims_of("gather.1") == ["gather.1.2"]
        book.release("gather.1.2")
        assert book.hold("gather.1", lambda age: age < 60) == first
        book.release(first)


def test_rule_files_for_policies(zone: Bench) -> None:
    """rules/policy_set.r and policy_show.r do the same for irule."""
    place = zone.place()
    with zone.user.session() as session:
        assert "ok" in rulecall.call_file(session, "policy_set.r", collection=place, policy="operation=compress")
        shown = rulecall.call_file(session, "policy_show.r", path=place)

    assert shown["ok"]["policy"]["operation"] == "compress"
    assert json.dumps(shown)
