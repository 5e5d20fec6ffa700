"""The zone as a tool for others: started in one line, as pytest fixtures, traced, and with faults in between."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from irods import exception as errors
from irods.session import iRODSSession

from embedded_zone.config import ConfigError
from embedded_zone.server.embedding import EmbeddedZone
from embedded_zone.testing import FaultyProxy, Trace
from embedded_zone.testing.faults import TO_CLIENT
from embedded_zone.testing.rule_files import link_rules

CORE = """
def acPostProcForPut(rule_args, callback, rei):
    callback.writeLine("serverLog", "MINE " + str(rei.doi.objPath))
"""
OTHERS_TESTS = """
from irods.session import iRODSSession

def put(zone, path):
    with iRODSSession(**zone.session_arguments()) as session:
        with session.data_objects.open(path, "w") as stream:
            stream.write(b"x")

def test_my_policy(zone, zone_trace):
    put(zone, "/tempZone/home/rods/x")
    assert "acPostProcForPut" in zone_trace.hooks()
    assert "data_obj_close" in zone_trace.apis()
    assert "MINE" in (zone.config.log / "zone.jsonl").read_text()

def test_others_are_not_in_my_trace(zone_trace):
    assert zone_trace.hooks() == []

def test_two_zones(federated_zones, federated_trace):
    federated_zones.make_user("ann", "secret")
    user = {"user": "ann", "password": "secret"}
    with iRODSSession(**{**federated_zones.local.session_arguments(), **user}) as session:
        session.collections.create(federated_zones.home("ann") + "/new")
    assert "coll_create" in federated_trace.apis("otherZone")

def test_faults(zone, faults):
    proxy = faults(zone)
    put(zone, "/tempZone/home/rods/y")
    assert proxy.port != zone.port
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedZone]:
    with EmbeddedZone(tmp_path_factory.mktemp("zone") / "home", "a password", trace=True) as zone:
        yield zone


def session(zone: EmbeddedZone, port: int) -> iRODSSession:
    return iRODSSession(**{**zone.session_arguments(), "port": port})


@pytest.fixture
def proxy(running: EmbeddedZone) -> Iterator[FaultyProxy]:
    with FaultyProxy("127.0.0.1", running.port) as made:
        yield made


# --- one line


def started(*options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "embedded_zone", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def told(zone: subprocess.Popen[str], lines: int) -> list[str]:
    assert zone.stdout is not None
    return [zone.stdout.readline() for _ in range(lines)]


def test_one_line_starts_a_zone_and_says_how_to_reach_it(tmp_path: Path) -> None:
    """Shell lines with the environment file, and the new password; the rules hold; nothing is left."""
    (tmp_path / "core.py").write_text(CORE)
    zone = started("--rules", str(tmp_path / "core.py"))
    environment, secret, password = told(zone, 3)
    file, hidden = (line.strip().removeprefix("export ").partition("=")[2] for line in (environment, secret))

    with iRODSSession(irods_env_file=file, irods_authentication_file=hidden) as opened:
        opened.data_objects.open("/tempZone/home/rods/x", "w").close()
    log = Path(file).parents[1] / "log" / "zone.jsonl"
    seen = log.read_text()
    zone.send_signal(signal.SIGTERM)
    rest, complaints = zone.communicate(timeout=30)

    assert re.fullmatch(r"# administrator rods, password \S{12,}\n", password)
    assert "MINE" in seen
    assert (rest, complaints, zone.returncode) == ("", "", 0)
    assert not log.exists()


def test_a_zone_is_made_started_and_stopped_in_little_time(tmp_path: Path) -> None:
    """Counted as processor time, which other work on the machine does not change much: alone it is a second's half."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    zone = started("--home", str(tmp_path / "home"), "--password", "given")
    lines = told(zone, 2)
    zone.send_signal(signal.SIGINT)
    rest, _ = zone.communicate(timeout=30)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    assert lines[0].startswith("export IRODS_ENVIRONMENT_FILE=")
    assert rest == ""
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2.0


def test_rules_without_a_core_py_are_refused(tmp_path: Path) -> None:
    """The message names the directory; the exit code is 1."""
    zone = started("--rules", str(tmp_path))

    _, complaint = zone.communicate(timeout=30)

    assert zone.returncode == 1
    assert str(tmp_path) in complaint


def test_rules_are_linked_so_that_edits_count(tmp_path: Path) -> None:
    """A directory's files appear in etc as links; a file appears as core.py."""
    rules, etc = tmp_path / "rules", tmp_path / "etc"
    rules.mkdir(), etc.mkdir()
    for name in ("core.py", "helper.py"):
        (rules / name).write_text("before")
    link_rules(rules, etc)
    (rules / "helper.py").write_text("after")

    assert (etc / "helper.py").read_text() == "after"
    link_rules(rules / "helper.py", etc)
    assert os.readlink(etc / "core.py") == str(rules / "helper.py")
    with pytest.raises(ConfigError):
        link_rules(etc / "nothing", etc)


# --- pytest


def test_the_plugin_gives_zones_traces_and_faults_to_others(tmp_path: Path) -> None:
    """A stranger's test file, run by pytest with the plug-in and a rule base."""
    (tmp_path / "core.py").write_text(CORE)
    (tmp_path / "test_others.py").write_text(OTHERS_TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "embedded_zone.testing.plugin", "-p", "no:cacheprovider"]

    answer = subprocess.run(
        [*command, "--zone-rules", str(tmp_path / "core.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )

    assert "4 passed" in answer.stdout, answer.stdout + answer.stderr


# --- traces


def test_a_trace_tells_who_and_in_which_call(running: EmbeddedZone) -> None:
    """Each entry has zone, application, users with their privileges, and the API's number."""
    trace = Trace([running])

    with session(running, running.port) as opened:
        opened.collections.create("/tempZone/home/rods/traced")

    entry = next(entry for entry in trace.entries() if entry.hook == "pep_api_coll_create_pre")
    assert (entry.zone, entry.option, entry.client, entry.api) == (
        "tempZone",
        "python-irodsclient",
        "rods#tempZone/5",
        681,
    )
    assert "coll_create" in trace.apis("tempZone")
    trace.clear()
    assert trace.entries() == []


# --- faults


Fault = Callable[[FaultyProxy], object]


@pytest.mark.parametrize(
    "fault",
    [
        FaultyProxy.cut,
        lambda proxy: proxy.cut_after(10),
        lambda proxy: proxy.cut_after(10, TO_CLIENT),
        lambda proxy: proxy.corrupt(),
        lambda proxy: (proxy.refuse(), proxy.cut()),
    ],
)
def test_a_fault_ends_a_call_and_a_healed_connection_works(
    running: EmbeddedZone, proxy: FaultyProxy, fault: Fault
) -> None:
    """The client fails at once, whatever was done to its bytes; after heal a new session is as good as any."""
    with session(running, proxy.port) as opened:
        assert opened.collections.exists("/tempZone/home/rods")
        fault(proxy)
        with pytest.raises((errors.NetworkException, errors.iRODSException, OSError)):
            [opened.collections.get("/tempZone/home/rods") for _ in range(2)]
    proxy.heal()
    with session(running, proxy.port) as again:
        assert again.collections.exists("/tempZone/home/rods")


def test_delay_and_freeze_hold_bytes_back_and_lose_none(running: EmbeddedZone, proxy: FaultyProxy) -> None:
    """A delayed call takes longer; a frozen one ends when it is thawed."""
    with session(running, proxy.port) as opened:
        assert opened.collections.exists("/tempZone/home/rods")
        proxy.delay(0.3)
        begun = time.monotonic()
        assert opened.collections.exists("/tempZone/home/rods")
        assert time.monotonic() - begun >= 0.3

        proxy.delay(0)
        proxy.freeze()
        threading.Timer(0.2, proxy.thaw).start()
        assert opened.collections.exists("/tempZone/home/rods")
