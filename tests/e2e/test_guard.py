"""Who may run Python in the zone: every known way round the guard, as an ordinary user."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from irods.exception import iRODSException
from irods.models import RuleExec
from irods.rule import Rule

from embedded_zone.client import ZoneClient
from embedded_zone.errors import IrodsError
from python_rules import config, core
from python_rules.config import NATIVE_INSTANCE, PYTHON_INSTANCE
from tests.e2e.jobs import Bench, bench
from tests.stack.shared import shared_folder
from tests.stack.site import EmbeddedSite
from tests.stack.waiting import until

EXEC_RULE_EXPRESSION, DELAY_RULE_INFO = 1206, 20013
SYS_NO_API_PRIV = -13000
PYTHON = f"<INST_NAME>{PYTHON_INSTANCE}</INST_NAME>"
NATIVE = f"<INST_NAME>{NATIVE_INSTANCE}</INST_NAME>"
DUE = "<PLUSET>0s</PLUSET>"


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("guard")) as made:
        yield made


@pytest.fixture
def mark() -> Iterator[Path]:
    """A file that Python would make, where the service account may make one."""
    with shared_folder() as folder:
        yield folder / uuid.uuid4().hex


def native(zone: Bench, text: str) -> str:
    """Run rule text as the user; the name of the error, '' if there was none."""
    with zone.user.session() as session:
        try:
            Rule(session, body=text, instance_name=NATIVE_INSTANCE, output="ruleExecOut").execute()
        except (iRODSException, KeyError) as error:
            return type(error).__name__
        return ""


def queued(zone: Bench, text: str) -> list[str]:
    """The rules of the queue whose text holds this."""
    with zone.site.admin() as session:
        return [row[RuleExec.name] for row in session.query(RuleExec.name) if text in row[RuleExec.name]]


WAYS = {
    "delay": 'delay("{python}{due}") {{ {text}; }}',
    "delay that calls back": 'delay("{python}{due}") {{ callback.writeLine("serverLog", "x"); {text}; }}',
    "delay without an instance": 'delay("{due}") {{ {text}; }}',
    "delay with a repeat": 'delay("{python}{due}<EF>1s REPEAT FOR EVER</EF>") {{ {text}; }}',
    "delayExec": 'delayExec("{python}{due}", "{text}", "");',
    "delayExec without an instance": 'delayExec("{due}", "{text}", "");',
    "our own form and more": 'delayExec("{python}{due}", "callback.sluice_patrol(); {text}", "");',
    "our own form on a line of its own": 'delayExec("{python}{due}", "callback.sluice_patrol()\n{text}", "");',
    "our own form for ever": 'delayExec("{python}{due}<EF>1s REPEAT FOR EVER</EF>", "callback.sluice_patrol()", "");',
}


@pytest.mark.parametrize("way", WAYS)
def test_a_users_python_is_refused_when_it_is_queued(zone: Bench, mark: Path, way: str) -> None:
    """SYS_NO_API_PRIV, and nothing enters the queue."""
    text = WAYS[way].format(python=PYTHON, native=NATIVE, due=DUE, text=f"open('{mark}', 'w')")

    assert native(zone, text) != ""
    assert queued(zone, str(mark)) == []
    assert not mark.exists()


@pytest.mark.parametrize("first", [PYTHON + NATIVE, NATIVE + PYTHON])
def test_of_two_instances_none_runs_python(zone: Bench, mark: Path, first: str) -> None:
    """Whichever the server takes: it is the one that the guard saw."""
    native(zone, f'delayExec("{first}{DUE}", "open(\'{mark}\', \'w\')", "");')

    until(lambda: queued(zone, str(mark)) == [] or None, "the rule's run, if it was let in", 30)
    assert not mark.exists()


@pytest.mark.parametrize("inner", ["delay", "delay without an instance", "delayExec"])
def test_a_delayed_rule_cannot_queue_python_either(zone: Bench, mark: Path, inner: str) -> None:
    """Text that the rule language engine runs later is still the user's, though the delay server runs it."""
    python = WAYS[inner].format(python=PYTHON, due=DUE, text=f"open('{mark}', 'w')")

    assert native(zone, f'delay("{NATIVE}{DUE}") {{ {python} }}') == ""

    until(lambda: queued(zone, str(mark)) == [] or None, "the outer rule's run", 30)
    assert not mark.exists()


def test_what_is_not_python_is_left_alone(zone: Bench) -> None:
    """A user's delayed rule of the rule language is nobody's business but the user's."""
    name = f"note-{uuid.uuid4().hex}"

    assert native(zone, f'delay("{NATIVE}<PLUSET>1h</PLUSET>") {{ writeLine("serverLog", "{name}"); }}') == ""

    assert len(queued(zone, name)) == 1
    with zone.site.admin() as session:
        for row in session.query(RuleExec.id, RuleExec.name):
            if name in row[RuleExec.name]:
                Rule(session).remove_by_id(row[RuleExec.id])


@pytest.mark.parametrize("instance", [NATIVE_INSTANCE, PYTHON_INSTANCE])
def test_the_api_that_the_delay_server_uses_is_refused(zone: Bench, mark: Path, instance: str) -> None:
    """A user who took an execution context from somewhere cannot hand rule text over for execution (API 1206)."""
    name = uuid.uuid4().hex
    native(zone, f'delay("{NATIVE}<PLUSET>1h</PLUSET>") {{ writeLine("serverLog", "{name}"); }}')
    with zone.site.admin() as session:
        number = next(r[RuleExec.id] for r in session.query(RuleExec.id, RuleExec.name) if name in r[RuleExec.name])
        account = session.pool.account
        with ZoneClient(account.host, account.port, (account.proxy_user, account.proxy_zone), account.password) as rods:
            request = {"myStr": str(number)}
            told = rods.call(DELAY_RULE_INFO, request, request_type="STR_PI", reply_type="json").body
        Rule(session).remove_by_id(number)
    texts = (told["exe_context"].replace(NATIVE_INSTANCE, instance) + "\0", f"open('{mark}', 'w')\0")
    buffers = [{"buflen": len(text.encode()), "buf": text.encode()} for text in texts]
    request = {"BytesBuf_PI": buffers, "MsParamArray_PI": None}

    user = zone.user
    with (
        ZoneClient(user.host, user.port, (user.name, user.zone), user.password) as client,
        pytest.raises(IrodsError) as caught,
    ):
        client.call(EXEC_RULE_EXPRESSION, request, request_type="ExecRuleExpression_PI")

    assert caught.value.code == SYS_NO_API_PRIV
    assert not mark.exists()


ARGUMENTS = {
    "none": "",
    "one": '"x"',
    "two": '"x", "y"',
    "three": '"api_instance", "x", "y"',
    "a path that is not the user's": '"/{zone}/home/rods", "", *r',
    "JSON": '\'{{"logical_path": "/{zone}/home/rods/x"}}\', "{{}}", *r',
    "many": '"1", "2", "3", "4", "5", "6", "7", "8"',
}


@pytest.mark.parametrize("name", sorted(core.__all__))
def test_every_exported_name_stands_made_up_arguments(zone: Bench, name: str) -> None:
    """Whatever an ordinary user calls it with: the agent lives, nothing is queued, no administrator's rule answers."""
    with zone.site.admin() as session:
        before = {row[RuleExec.id] for row in session.query(RuleExec.id)}
    calls = [f"{name}({given.format(zone=zone.user.zone)});" for given in ARGUMENTS.values()]
    text = "".join(f'*r = ""; *code = errorcode({{ {call} }}); writeLine("stdout", "*code *r");' for call in calls)

    with zone.user.session() as session:
        rule = Rule(session, body=text, instance_name=NATIVE_INSTANCE, output="ruleExecOut")
        output = rule.execute(session_cleanup=False).MsParam_PI[0].inOutStruct.stdoutBuf.buf
        lines = output.rstrip(b"\0").decode().splitlines()
        assert session.collections.exists(zone.user.home)

    assert len(lines) == len(ARGUMENTS), output
    if name.startswith("pep_") or name in ("sluice_run", "sluice_drain", "sluice_patrol"):
        assert not any(line.startswith("0 ") for line in lines), lines
    with zone.site.admin() as session:
        after = [
            row[RuleExec.name] for row in session.query(RuleExec.id, RuleExec.name) if row[RuleExec.id] not in before
        ]
    assert [text for text in after if "sluice_patrol" not in text] == []


def test_a_users_own_job_cannot_be_run_by_the_user(zone: Bench) -> None:
    """sluice_run answers the delay server alone, also for a job that is queued and the caller's own."""
    place = zone.place()
    zone.write(f"{place}/in", b"x" * 1000)
    zone.ask_as_admin("sluice_pause", "so that it stays queued")
    try:
        job_id = zone.submit(operation="compress", source=f"{place}/in")
        assert native(zone, f'sluice_run("{job_id}");') != ""
        assert zone.status(job_id)["attempt"] == 0
    finally:
        zone.ask_as_admin("sluice_resume")
    zone.ended(job_id)


def test_the_guard_can_be_switched_off_and_stays_on_without_settings(tmp_path: Path, mark: Path) -> None:
    """guard.delayed_rules lets everything pass; a sluice.json that cannot be read changes nothing."""
    site = EmbeddedSite(tmp_path / "zone")
    try:
        alone = Bench(site, site.make_user("alice"))
        path = Path(site.server.config.etc) / config.FILE_NAME
        whole = json.loads(path.read_text())
        python = f"delay(\"{PYTHON}{DUE}\") {{ open('{mark}', 'w'); }}"
        path.write_text("{")
        assert native(alone, python) != ""
        assert native(alone, f'delay("{NATIVE}<PLUSET>1h</PLUSET>") {{ writeLine("serverLog", "x"); }}') == ""
        path.write_text(json.dumps({**whole, "guard": {"delayed_rules": "off"}}))
        assert native(alone, python) == ""
        until(lambda: mark.exists() or None, "the user's Python", 30)
    finally:
        site.close()
