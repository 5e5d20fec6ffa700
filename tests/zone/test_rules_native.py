"""The native rule language: what EXEC_MY_RULE text does, and how it fails."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedded_zone.config import NATIVE_ENGINE
from embedded_zone.errors import IrodsError
from embedded_zone.rules.native.parser import parse_rules
from embedded_zone.rules.output import Output
from embedded_zone.wire import codes
from tests.zone.rules_fixtures import MakeAgent, make_agent  # noqa: F401

OUT = "ruleExecOut"


def run(agent: Any, text: str, output: str = OUT, **parameters: Any) -> dict[str, Any]:
    """The outputs of a rule body."""
    given = {f"*{name}": value for name, value in parameters.items()}
    return agent.rules.exec_rule(f"@external rule {{ {text} }}", NATIVE_ENGINE, given, output)


def printed(agent: Any, text: str, **parameters: Any) -> str:
    """What a rule body wrote to stdout."""
    output = run(agent, text, **parameters)[OUT]
    assert isinstance(output, Output)
    return output.stdout.data.decode()


CASES = [
    ('writeLine("stdout", 1 + 2 * 3)', "7\n"),
    ('writeLine("stdout", str(7 / 2) ++ " " ++ str(8 / 2))', "3.500000 4\n"),
    ('*a = "x"; writeLine("stdout", "*a \\*a \\"q\\" $5 ${a} end$")', 'x *a "q" $5 ${a} end$\n'),
    ("writeLine('stdout', 'single *a')", "single v\n"),
    ('if (1 == 2) { writeString("stdout", "a") } else if (true) { writeString("stdout", "b") }', "b"),
    ('for (*i = 0; *i < 3; *i = *i + 1) { writeString("stdout", str(*i)); }', "012"),
    ('*i = 3; while (*i > 0) { *i = *i - 1; if (*i == 1) { break; } } writeString("stdout", str(*i))', "1"),
    ('foreach (*x in list("a", "b")) { writeString("stdout", *x); }', "ab"),
    ('*k.a = "1"; *k.b = "2"; foreach (*x in *k) { writeString("stdout", "*x=" ++ *k."*x" ++ ";"); }', "a=1;b=2;"),
    ('writeLine("stdout", "abc" like "a*" && "abc" not like "b*")', "true\n"),
    ('writeLine("stdout", "abc" like regex "[a-c]+")', "true\n"),
    ('writeString("stdout", substr("hello", 1, 3) ++ triml("a:b:c", ":") ++ trimr("a:b:c", ":"))', "elb:ca:b"),
    ('writeString("stdout", elem(split("a,,b", ","), 1) ++ str(size(list(1, 2))))', "b2"),
    ('writeString("stdout", type(1) ++ type("") ++ type(1.5) ++ type(true))', "INTEGERSTRINGDOUBLEBOOLEAN"),
    ('*e = errormsg(fail(-7), *m); writeString("stdout", "*e " ++ *m)', "-7 fail action encountered\n"),
    ('*e = errorcode(nosuch("x")); writeString("stdout", str(*e))', "-1102000"),
    ('let *x = 5 in writeString("stdout", str(*x))', "5"),
    ('msiSplitPath("/a/b", *c, *n); writeString("stdout", "*c *n")', "/a b"),
    ('msiString2KeyValPair("a=1%b=2", *k); msiGetValByKey(*k, "b", *v); writeString("stdout", *v)', "2"),
    (
        "foreach (*r in select COLL_NAME where COLL_NAME = '/tempZone') { writeString('stdout', *r.COLL_NAME); }",
        "/tempZone",
    ),
    ('# a comment $x (: {\nwriteString("stdout", "ok") # }\n', "ok"),
    ('writeString("stdout", "a") ::: writeString("stdout", "undone"); succeed; writeString("stdout", "b")', "a"),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_statements_print(make_agent: MakeAgent, text: str, expected: str) -> None:  # noqa: F811
    """Each construct of the language prints what a real server prints."""
    assert printed(make_agent(), text, a="v") == expected


ERRORS = [
    ("nosuch(*a)", codes.NO_RULE_OR_MSI_FUNCTION_FOUND_ERR),  # an unset variable is not a string
    ('nosuch("a")', codes.NO_MICROSERVICE_FOUND_ERR),
    ("two(5)", codes.NO_RULE_OR_MSI_FUNCTION_FOUND_ERR),  # only strings pass to another engine
    ('writeLine("stdout", *a)', codes.RE_UNABLE_TO_READ_LOCAL_VAR),
    ("fail", codes.FAIL_ACTION_ENCOUNTERED_ERR),
    ("fail(-5)", -5),
    ("*x = 1 / 0", codes.RE_DIVISION_BY_ZERO),
    ("if (", codes.RE_PARSER_ERROR),
    ('*a = "' + "x" * 1100 + '"', codes.RE_PARSER_ERROR),
    ('msiGetValByKey("a")', codes.ACTION_ARG_COUNT_MISMATCH),
    ('*k.a = "1"; *x = *k.b', codes.UNMATCHED_KEY_OR_INDEX),
]


@pytest.mark.parametrize(("text", "code"), ERRORS)
def test_errors_have_the_code_of_a_real_server(make_agent: MakeAgent, text: str, code: int) -> None:  # noqa: F811
    """A failing text ends with iRODS's own code, and its outputs are lost."""
    with pytest.raises(IrodsError) as caught:
        run(make_agent("def two(rule_args, callback, rei):\n    pass\n"), text)

    assert caught.value.code == code


def test_string_parameters_arrive_exactly(make_agent: MakeAgent) -> None:  # noqa: F811
    """With a rule body, parameters are plain strings: no quoting, no interpolation."""
    value = '"x" it\'s % = \\ $x *a ` <&> \u96ea\n'

    assert run(make_agent(), "*o = *v", "*o", v=value, o="") == {"*o": value}


def test_a_rule_file_parses_its_parameters_as_expressions(make_agent: MakeAgent) -> None:  # noqa: F811
    """In a rule file ``5`` is a number, ``"5"`` a string, and a bare word is a call."""
    agent = make_agent()
    text = '@external\nmain { writeString("stdout", type(*v)); }'

    outputs = [agent.rules.exec_rule(text, NATIVE_ENGINE, {"*v": v}, OUT)[OUT].stdout.data for v in ("5", '"5"')]
    with pytest.raises(IrodsError) as word:
        agent.rules.exec_rule(text, NATIVE_ENGINE, {"*v": "plain"}, OUT)
    with pytest.raises(IrodsError) as suffix:
        agent.rules.exec_rule(text, NATIVE_ENGINE, {"*v": "it's"}, OUT)

    assert outputs == [b"INTEGER", b"STRING"]
    assert (word.value.code, suffix.value.code) == (codes.NO_MICROSERVICE_FOUND_ERR, codes.RE_UNPARSED_SUFFIX)


def test_rules_of_the_text_return_values_through_their_parameters(make_agent: MakeAgent) -> None:  # noqa: F811
    """The first rule runs; the others are there to be called, with variables passed by reference."""
    text = '@external\nmain { double(*a, 4); writeString("stdout", str(*a)); }\ndouble(*out, *n) { *out = *n * 2; }'

    output = make_agent().rules.exec_rule(text, NATIVE_ENGINE, {}, OUT)[OUT]

    assert output.stdout.data == b"8"


def test_the_output_buffer_is_padded_with_nuls(make_agent: MakeAgent) -> None:  # noqa: F811
    """A client gets the whole allocated buffer, 5,440 bytes more than the text needs."""
    wire = run(make_agent(), 'writeString("stdout", "hello")')[OUT].wire()

    assert wire["BinBytesBuf_PI"][0] == {"buflen": 5 + 1 + 5440, "buf": b"hello" + b"\0" * 5441}


def test_only_the_outputs_asked_for_come_back(make_agent: MakeAgent) -> None:  # noqa: F811
    """Labels between percent signs select; a plain ALL selects nothing."""
    agent = make_agent()

    assert run(agent, "*o = *v", "*o%ruleExecOut", v="1", o="") == {"*o": "1", OUT: None}
    assert run(agent, "*o = *v", "ALL", v="1", o="") == {"ALL": None}


def test_alternatives_of_a_rule_are_tried_in_order(make_agent: MakeAgent) -> None:  # noqa: F811
    """A rule base may define a rule several times; the first whose condition holds and that succeeds counts."""
    base = 'pick(*x) { on (*x == "a") { writeString("stdout", "A"); } or { writeString("stdout", "other"); } }'
    agent = make_agent(core_re=base)

    assert printed(agent, 'pick("a"); pick("b")') == "Aother"


def test_failmsg_reaches_the_clients_error_stack(make_agent: MakeAgent) -> None:  # noqa: F811
    """What native text says about its failure stands in the reply; what Python raised does not."""
    agent = make_agent(
        "def boom(rule_args, callback, rei):\n    raise RuntimeError('[iRods__Error__Code:-818000] secret')\n"
    )

    for text in ('failmsg(-2, "code of minus 2")', "boom()"):
        with pytest.raises(IrodsError):
            run(agent, text)

    assert agent.r_error == [(-2, "DEBUG: code of minus 2\n\n"), (-818000, "DEBUG: \n")]


@given(st.text(alphabet="ab*$\"'{}()=+;,.<>&|!0 \n#\\", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """Whatever a client sends, the parser answers with rules or an iRODS error, nothing else."""
    try:
        parse_rules(f"main {{ {text} }}")
    except IrodsError as error:
        assert error.code == codes.RE_PARSER_ERROR  # noqa: PT017


def test_a_text_that_nests_too_deeply_is_an_error(make_agent: MakeAgent) -> None:  # noqa: F811
    """Twenty thousand parentheses end the rule, not the agent."""
    with pytest.raises(IrodsError) as caught:
        run(make_agent(), "*a = " + "(" * 9000 + "1" + ")" * 9000)

    assert caught.value.code == codes.RE_RUNTIME_ERROR


def test_remote_in_the_own_zone_is_for_administrators(make_agent: MakeAgent) -> None:  # noqa: F811
    """remote() runs its block at once; variables and output come back."""
    hints = f"<INST_NAME>{NATIVE_ENGINE}</INST_NAME>"
    text = f'writeString("stdout", "a"); remote("localhost", "{hints}") {{ writeString("stdout", "b*v"); *v = "new"; }}'

    output = run(make_agent(), text + ' writeString("stdout", *v)', v="old")[OUT]
    with pytest.raises(IrodsError) as refused:
        run(make_agent(flag=3), text, v="old")

    assert output.stdout.data == b"aboldnew"
    assert refused.value.code == codes.SYS_NO_API_PRIV
