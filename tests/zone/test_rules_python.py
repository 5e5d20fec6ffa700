"""Python rules: the plugin's calling convention, with its traps."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from embedded_zone.config import NATIVE_ENGINE, PYTHON_ENGINE
from embedded_zone.errors import IrodsError, SkipOperation
from embedded_zone.structures.types import irods_type
from embedded_zone.wire import codes
from tests.zone.rules_fixtures import MakeAgent, make_agent  # noqa: F401

RULES = """
import json, threading
from json import dumps
def status(rule_args, callback, rei): return json.loads(rule_args[0])
def echo(rule_args, callback, rei): rule_args[1] = rule_args[0]
def kind(rule_args, callback, rei): rule_args[0] = type(rule_args[0]).__name__
def shorten(rule_args, callback, rei): del rule_args[0]
def raises(rule_args, callback, rei): raise ValueError(rule_args[0])
def leaves(rule_args, callback, rei): raise SystemExit(3)
def who(rule_args, callback, rei):
    rule_args[0] = '%s %d %s' % (rei.uoic.userName, rei.uoip.authInfo.authFlag, rei.rsComm.clientUser.rodsZone)
def ask(rule_args, callback, rei):
    got = []
    for name, args in json.loads(rule_args[0]):
        try:
            answer = getattr(callback, name)(*args)
            got.append([answer['code'], answer['status'], answer['arguments']])
        except RuntimeError as error: got.append(str(error)[:40])
    rule_args[1] = dumps(got)
def threaded(rule_args, callback, rei):
    def work():
        try: callback.status('0')
        except RuntimeError as error: rule_args[0] = str(error)
    thread = threading.Thread(target=work); thread.start(); thread.join()
"""


def call(agent: Any, name: str, *args: str) -> list[str]:
    """The arguments of a rule after its call by name."""
    values = list(args)
    agent.rules.call(name, values)
    return values


@pytest.mark.parametrize(("given", "code"), [("null", 0), ("7", 7), ("true", 1), ("false", 0), ('"x"', 0), ("1.5", 0)])
def test_what_a_rule_returns_is_its_status(make_agent: MakeAgent, given: str, code: int) -> None:  # noqa: F811
    """An int is the status (True is 1); None, text and floats are success."""
    assert make_agent(RULES).rules.call("status", [given]) == code


FAILURES = [
    ("status", "-35000", -35000),
    ("raises", "[iRods__Error__Code:-818000] text", -818000),
    ("raises", "anything", -1),
    ("leaves", "", -1),
    ("shorten", "", -1),
    ("json", "a", -1),  # modules are found too
    ("nosuch", "a", codes.NO_MICROSERVICE_FOUND_ERR),
]


@pytest.mark.parametrize(("name", "argument", "code"), FAILURES)
def test_failures_become_codes(make_agent: MakeAgent, name: str, argument: str, code: int) -> None:  # noqa: F811
    """A negative status, the code in an exception's text, or -1; SystemExit is caught."""
    with pytest.raises(IrodsError) as caught:
        make_agent(RULES).rules.call(name, [argument])

    assert caught.value.code == code


def test_assigned_strings_come_back(make_agent: MakeAgent) -> None:  # noqa: F811
    """rule_args is the way out, also from native text into its variables, with NUL and a megabyte."""
    agent = make_agent(RULES)
    text = "a\0b" + "x" * 1_000_000

    assert call(agent, "echo", text, "") == [text, text]
    assert agent.rules.exec_rule('@external rule { echo("hello", *o) }', NATIVE_ENGINE, {"*o": ""}, "*o") == {
        "*o": "hello"
    }


def test_only_strings_pass_from_one_rule_to_another(make_agent: MakeAgent) -> None:  # noqa: F811
    """Numbers arrive as an opaque MsParam; None and lists cannot be passed at all."""
    agent = make_agent(
        RULES + "\ndef chain(rule_args, callback, rei): rule_args[0] = str(callback.kind(5)['arguments'][0])"
    )

    assert call(agent, "chain", "") == ["5"]
    assert json.loads(call(agent, "ask", json.dumps([["kind", [None]], ["kind", [[1]]]]), "")[1])[0].startswith(
        "iRODS Exception"
    )


def test_callback_answers_code_status_and_arguments(make_agent: MakeAgent) -> None:  # noqa: F811
    """A rule's positive status comes back, an unknown name raises with its code in the text."""
    asked = [["status", ["7"]], ["msiStrlen", ["abc", ""]], ["nosuch", ["a"]], ["msiStrlen", ["abc", 0]]]

    got = json.loads(call(make_agent(RULES), "ask", json.dumps(asked), "")[1])

    assert got[:2] == [[7, True, ["7"]], [0, True, ["abc", "3"]]]
    assert got[2].startswith("[iRods__Error__Code:-1102000] ")
    assert got[3] == [0, True, ["abc", 0]]  # a string result has no way into an int placeholder


def test_a_string_placeholder_cannot_take_a_structure(make_agent: MakeAgent) -> None:  # noqa: F811
    """An output needs a placeholder of its type, else INVALID_ANY_CAST."""
    got = json.loads(call(make_agent(RULES), "ask", json.dumps([["msiString2KeyValPair", ["a=b", ""]]]), "")[1])

    assert got[0].startswith("[iRods__Error__Code:-1822000]")


def test_a_callback_from_a_second_thread_fails_instead_of_hanging(make_agent: MakeAgent, caplog: Any) -> None:  # noqa: F811
    """A real agent deadlocks; here the call raises, and the log says why."""
    with caplog.at_level(logging.ERROR, "test.rules"):
        said = call(make_agent(RULES), "threaded", "")[0]

    assert "second thread waits for it for ever" in said
    assert "callback from a second thread" in caplog.text


def test_the_identity_of_the_caller_is_in_rei(make_agent: MakeAgent) -> None:  # noqa: F811
    """rei shows client, proxy and connection."""
    assert call(make_agent(RULES, flag=3), "who", "") == ["alice 3 tempZone"]


def test_a_broken_core_counts_as_no_hooks_and_an_error(make_agent: MakeAgent) -> None:  # noqa: F811
    """Dynamic hooks are skipped silently, calls and static hooks fail with -1828000."""
    agent = make_agent("import no_such_module")

    assert (agent.rules.has("pep_x_pre"), agent.rules.load_error, agent.rules.fire("acPreConnect", "x")) == (
        False,
        -1828000,
        -1828000,
    )
    with pytest.raises(IrodsError):
        agent.rules.call("anything", [])


def test_core_is_found_after_the_standard_library(make_agent: MakeAgent) -> None:  # noqa: F811
    """etc is appended to sys.path: a module there cannot replace one of Python's own."""
    agent = make_agent("import colorsys\ndef where(rule_args, callback, rei): rule_args[0] = colorsys.__file__")
    (agent.config.etc / "colorsys.py").write_text("raise ImportError('shadowed')")

    assert str(agent.config.etc) not in call(agent, "where", "")[0]


TEXT = "@external\ndef main(rule_args, callback, rei):\n    callback.writeLine('stdout', irods_rule_vars['*a'])\n"


def test_python_text_is_for_administrators(make_agent: MakeAgent) -> None:  # noqa: F811
    """A rodsadmin's source runs with its inputs; an ordinary user gets SYS_NO_API_PRIV."""
    output = make_agent().rules.exec_rule(TEXT, PYTHON_ENGINE, {"*a": '"v"'}, "ruleExecOut")["ruleExecOut"]
    with pytest.raises(IrodsError) as refused:
        make_agent(flag=3).rules.exec_rule(TEXT, PYTHON_ENGINE, {"*a": "v"}, "ruleExecOut")

    assert output.stdout.data == b'"v"\n'
    assert refused.value.code == codes.SYS_NO_API_PRIV


@pytest.mark.parametrize("body", ["raise ValueError('[iRods__Error__Code:-818000]')", "(", "callback.nosuch('a')"])
def test_failing_python_text_is_always_rule_engine_error(make_agent: MakeAgent, body: str) -> None:  # noqa: F811
    """The code in an exception of Python text is not used."""
    with pytest.raises(IrodsError) as caught:
        make_agent().rules.exec_rule(f"@external\ndef main(a, callback, c):\n    {body}\n", PYTHON_ENGINE, {}, "")

    assert caught.value.code == codes.RULE_ENGINE_ERROR


def test_without_an_instance_name_errors_are_swallowed(make_agent: MakeAgent) -> None:  # noqa: F811
    """Every engine is tried; nothing is raised, not even for a rule that does not exist."""
    assert make_agent(flag=3).rules.exec_rule('@external rule { nosuch("a") }', "", {}, "ruleExecOut") == {
        "ruleExecOut": None
    }


def test_a_native_rule_file_without_instance_name_is_lost_behind_python(make_agent: MakeAgent) -> None:  # noqa: F811
    """The trap of observed facts 8: with the Python engine first an administrator's rule file has no effect."""
    text = '@external\nmain { writeLine("stdout", "x"); }'
    first = make_agent().rules.exec_rule(text, "", {}, "ruleExecOut")["ruleExecOut"]
    second = make_agent(engines=(NATIVE_ENGINE, PYTHON_ENGINE)).rules.exec_rule(text, "", {}, "ruleExecOut")[
        "ruleExecOut"
    ]

    assert (first.stdout.data, second.stdout.data) == (b"", b"x\n")


HOOKS = """
import json
seen = []
def note(phase, code=None):
    def hook(rule_args, callback, rei):
        seen.append([phase, [type(a).__name__ for a in rule_args]])
        return code
    return hook
def told(rule_args, callback, rei): rule_args[0] = json.dumps(seen)
pep_resource_create_pre = note('pre', %s)
pep_resource_create_post = note('post', %s)
pep_resource_create_except = note('except')
pep_resource_create_finally = note('finally')
"""


@pytest.mark.parametrize(
    ("pre", "post", "raised", "phases"),
    [
        (None, None, None, ["pre", "body", "post", "finally"]),
        (-818000, None, -818000, ["pre", "except", "finally"]),
        (None, -35000, -35000, ["pre", "body", "post", "except", "finally"]),
        (5000000, None, None, ["pre", "body", "post", "finally"]),
        (5001000, None, SkipOperation, ["pre", "post", "finally"]),
    ],
)
def test_hooks_around_an_operation(make_agent: MakeAgent, pre: Any, post: Any, raised: Any, phases: list[str]) -> None:  # noqa: F811
    """A pre hook may refuse or skip, a post hook may fail; except and finally follow as in apiHandler.hpp."""
    agent = make_agent(HOOKS % (pre, post))
    result = None
    try:
        with agent.rules.around("resource_create", lambda phase: ["demoResc", {"logical_path": "/x"}, ""]):
            agent.rules.engines[0].core().seen.append(["body", []])
    except IrodsError as error:
        result = error.code
    except SkipOperation:
        result = SkipOperation

    seen = json.loads(call(agent, "told", "")[0])
    assert (result, [phase for phase, _ in seen]) == (raised, phases)
    assert seen[0][1] == ["str", "PluginContext", "str"]


def test_structures_are_as_awkward_as_the_plugins(make_agent: MakeAgent) -> None:  # noqa: F811
    """Text is no str, numbers and text cannot be assigned, characters can; KeyValPair raises KeyError."""
    request = irods_type("DataObjInp", {"objPath": "/z/a", "openFlags": 577, "condInput": {"forceFlag": ""}})

    assert (str(request.objPath), len(request.objPath), request.objPath == "/z/a") == ("/z/a", 1088, False)
    assert not hasattr(request.objPath, "startswith")
    with pytest.raises(AttributeError):
        request.openFlags = 0
    with pytest.raises(AttributeError):
        request.objPath = "/z/b"
    request.objPath[3] = "b"
    assert str(request.objPath) == "/z/b"
    assert (request.condInput["forceFlag"], request.condInput.len, str(request.condInput.key[0])) == (
        "",
        1,
        "forceFlag",
    )
    with pytest.raises(KeyError):
        request.condInput["nope"]


def test_static_hooks_see_the_data_object(make_agent: MakeAgent) -> None:  # noqa: F811
    """rei.doi is what the operation set; an undefined hook is 0, a refusal its code, an argument comes back."""
    agent = make_agent(
        "def acPostProcForPut(rule_args, callback, rei): return -int(rei.doi.dataSize)\n"
        "def acPreConnect(rule_args, callback, rei): rule_args[0] = 'CS_NEG_REFUSE'\n"
    )
    agent.rules.set_data_object({"objPath": "/z/a", "dataSize": 5})

    assert (agent.rules.fire("acPostProcForPut"), agent.rules.fire("acTrashPolicy")) == (-5, 0)
    assert agent.rules.fire_out("acPreConnect", "CS_NEG_DONT_CARE") == (0, ["CS_NEG_REFUSE"])
