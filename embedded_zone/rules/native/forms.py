"""Forms of the rule language that control evaluation or need the server: ``&&``, ``errorcode``, ``fail``, queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from embedded_zone.errors import IrodsError
from embedded_zone.rules.native import syntax as s
from embedded_zone.rules.native.parser import parse_block, parse_expression
from embedded_zone.rules.native.values import KeyValPair, integer, new_pairs, text_of, truth, type_error
from embedded_zone.rules.output import Output
from embedded_zone.structures import types
from embedded_zone.wire import codes
from embedded_zone.wire.codes import FAIL_ACTION_ENCOUNTERED_ERR

if TYPE_CHECKING:
    from embedded_zone.rules.native.interpreter import Interpreter, Scope

Form = Callable[["Interpreter", tuple[s.Node, ...], "Scope"], Any]
CUT_MARK = " cut"  # no variable can have this name
CONDITION_FAILED = codes.RULE_FAILED_ERR  # the next alternative is tried


def _and(run: Interpreter, args: tuple[s.Node, ...], scope: Scope) -> bool:
    return truth(run.evaluate(args[0], scope)) and truth(run.evaluate(args[1], scope))


def _or(run: Interpreter, args: tuple[s.Node, ...], scope: Scope) -> bool:
    return truth(run.evaluate(args[0], scope)) or truth(run.evaluate(args[1], scope))


def _errorcode(run: Interpreter, args: tuple[s.Node, ...], scope: Scope) -> int:
    return _caught(run, args[0], scope)


def _errormsg(run: Interpreter, args: tuple[s.Node, ...], scope: Scope) -> int:
    run.messages.clear()
    code = _caught(run, args[0], scope)
    run.bind(args[1], "".join(run.messages), scope)
    run.messages.clear()
    return code


def _caught(run: Interpreter, node: s.Node, scope: Scope) -> int:
    try:
        value = run.evaluate(node, scope)
    except IrodsError as error:
        return error.code
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _fail(run: Interpreter, args: tuple[s.Node, ...], scope: Scope) -> Any:
    code = integer(run.evaluate(args[0], scope)) if args else FAIL_ACTION_ENCOUNTERED_ERR
    message = text_of(run.evaluate(args[1], scope)) if len(args) > 1 else "fail action encountered"
    raise run.failed(code, message)


def _succeed(run: Interpreter, args: tuple[s.Node, ...], scope: Scope) -> Any:
    from embedded_zone.rules.native.interpreter import Succeed

    raise Succeed


def _break(run: Interpreter, args: tuple[s.Node, ...], scope: Scope) -> Any:
    from embedded_zone.rules.native.interpreter import Break

    raise Break


def _cut(run: Interpreter, args: tuple[s.Node, ...], scope: Scope) -> int:
    scope.locals[CUT_MARK] = True
    return 0


def _error_number(run: Interpreter, args: tuple[s.Node, ...], scope: Scope) -> int:
    name = text_of(run.evaluate(args[0], scope))
    return getattr(codes, name, 0) if name.isupper() else 0


def _eval(run: Interpreter, args: tuple[s.Node, ...], scope: Scope) -> Any:
    node, _ = parse_expression(text_of(run.evaluate(args[0], scope)))
    return run.evaluate(node, scope)


def _evalrule(run: Interpreter, args: tuple[s.Node, ...], scope: Scope) -> Any:
    return run.evaluate(parse_block(text_of(run.evaluate(args[0], scope))), scope)


def _do(run: Interpreter, args: tuple[s.Node, ...], scope: Scope) -> Any:
    return run.evaluate(args[0], scope)


def _stream(which: str) -> Form:
    def read(run: Interpreter, args: tuple[s.Node, ...], scope: Scope) -> int:
        outer = run.frame.parameters.pop("ruleExecOut", None)
        try:
            code = _caught(run, args[0], scope)
            made = run.frame.parameters.get("ruleExecOut")
        finally:
            run.frame.parameters["ruleExecOut"] = outer
        text = getattr(made, which).data.decode("utf-8", "replace") if isinstance(made, Output) else ""
        run.bind(args[1], text, scope)
        return code

    return read


def _write(end: str) -> Form:
    def write(run: Interpreter, args: tuple[s.Node, ...], scope: Scope) -> Any:
        target, value = (run.evaluate(argument, scope) for argument in args)
        values = [text_of(target), text_of(value) + end]
        return run.invoke("writeString", values, scope)

    return write


def _temporary(run: Interpreter, args: tuple[s.Node, ...], scope: Scope) -> Any:
    return run.host.agent.scratch.setdefault("temporaryStorage", new_pairs({}))


def _delay_exec(run: Interpreter, args: tuple[s.Node, ...], scope: Scope) -> Any:
    hints, text, _recovery = (text_of(run.evaluate(a, scope)) for a in args)
    return run.host.submit(hints, text, run.frame, scope.everything())


def _remote_exec(run: Interpreter, args: tuple[s.Node, ...], scope: Scope) -> Any:
    host, hints, text, _recovery = (text_of(run.evaluate(a, scope)) for a in args)
    return run.engine.remote(host, hints, text, run.frame, scope)


FORMS: dict[str, Form] = {
    "&&": _and,
    "||": _or,
    "%%": _or,
    "errorcode": _errorcode,
    "errorcodea": _errorcode,
    "errormsg": _errormsg,
    "errormsga": _errormsg,
    "fail": _fail,
    "failmsg": _fail,
    "succeed": _succeed,
    "break": _break,
    "cut": _cut,
    "nop": lambda run, args, scope: 0,
    "null": lambda run, args, scope: 0,
    "error": _error_number,
    "state": lambda run, args, scope: {"RULE_ENGINE_CONTINUE": 5000000, "RULE_ENGINE_SKIP_OPERATION": 5001000}.get(
        text_of(run.evaluate(args[0], scope)), 0
    ),
    "eval": _eval,
    "evalrule": _evalrule,
    "do": _do,
    "getstdout": _stream("stdout"),
    "getstderr": _stream("stderr"),
    "writeLine": _write("\n"),
    "writeString": _write(""),
    "temporaryStorage": _temporary,
    "delayExec": _delay_exec,
    "remoteExec": _remote_exec,
}


# Iteration and queries ------------------------------------------------------------------------------------------


def items_of(run: Interpreter, source: Any) -> Iterator[Any]:
    """What a foreach goes over: a list, the keys of a KeyValPair, or the rows of a query with all its pages."""
    if isinstance(source, list):
        yield from source
    elif isinstance(source, KeyValPair):
        yield from source._plain()
    elif isinstance(source, types.GenQueryOut):
        yield from _rows(source)
    elif isinstance(source, tuple) and len(source) == 2:
        yield from _all_rows(run, *source)
    elif isinstance(source, str):
        yield from source.split(",")
    else:
        raise type_error("error: foreach needs a list")


def _rows(page: types.GenQueryOut) -> Iterator[Any]:
    from embedded_zone.rules.microservices.query import column_name

    names = [column_name(column.attriInx) for column in page.sqlResult]
    for index in range(page.rowCnt):
        yield new_pairs({n: c.row(index) for n, c in zip(names, page.sqlResult, strict=True)})


def _all_rows(run: Interpreter, request: Any, page: types.GenQueryOut) -> Iterator[Any]:
    while True:
        yield from _rows(page)
        if page.continueInx <= 0:
            return
        values = [request, page, 0]
        run.engine.call_outside("msiGetMoreRows", values, run.frame)
        page = values[1]


def run_query(run: Interpreter, node: s.Query, scope: Scope) -> Any:
    """``select …`` as a value: the request and its first page, which foreach follows."""
    where = " and ".join(_condition(run, condition, scope) for condition in node.conditions)
    made: list[Any] = [", ".join(node.columns), where, None]
    run.engine.call_outside("msiMakeGenQuery", made, run.frame)
    executed: list[Any] = [made[2], None]
    run.engine.call_outside("msiExecGenQuery", executed, run.frame)
    return made[2], executed[1] if executed[1] is not None else types.GenQueryOut()


def _condition(run: Interpreter, condition: s.Condition, scope: Scope) -> str:
    tests = [_test(run, operator, values, scope) for operator, values in condition.tests]
    return f"{condition.column} " + f" {condition.junction} ".join(tests)


def _test(run: Interpreter, operator: str, values: tuple[s.Node, ...], scope: Scope) -> str:
    texts = [text_of(run.evaluate(value, scope)) for value in values]
    if operator == "in":
        items = ",".join(f"'{part}'" for part in texts[0].replace("'", "").split(","))
        return f"in ({items})"
    return f"{operator} " + " ".join(f"'{text}'" for text in texts)
