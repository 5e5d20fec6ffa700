"""Runs the syntax tree of the rule language within one execution frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from embedded_zone.errors import IrodsError
from embedded_zone.rules.frame import Frame
from embedded_zone.rules.native import forms
from embedded_zone.rules.native import syntax as s
from embedded_zone.rules.native.functions import FUNCTIONS
from embedded_zone.rules.native.session import session_value
from embedded_zone.rules.native.values import UNSET, KeyValPair, Unset, new_pairs, text_of, truth, type_error
from embedded_zone.wire.codes import (
    ACTION_ARG_COUNT_MISMATCH,
    NO_RULE_OR_MSI_FUNCTION_FOUND_ERR,
    RE_PATTERN_NOT_MATCHED,
    RE_RUNTIME_ERROR,
    RE_UNABLE_TO_READ_LOCAL_VAR,
    UNMATCHED_KEY_OR_INDEX,
)

if TYPE_CHECKING:
    from embedded_zone.rules.native.engine import NativeEngine

MAX_DEPTH = 150  # nested rule calls; a real agent dies of a deeper recursion


class Succeed(Exception):
    """``succeed``: leave the rule with status 0."""


class Break(Exception):
    """``break``: leave the innermost loop."""


class Cut(Exception):
    """``cut`` was passed and the rule failed: no alternative is tried."""


class Scope:
    """Variables of one rule above the globals (the request's parameters), which every rule of the text sees."""

    def __init__(self, globals_: dict[str, Any], locals_: dict[str, Any] | None = None, depth: int = 0) -> None:
        self.globals = globals_
        self.locals = {} if locals_ is None else locals_
        self.depth = depth

    def get(self, name: str) -> Any:
        """The value, or UNSET."""
        value = self.locals.get(name, self.globals.get(name, UNSET))
        return UNSET if value is None else value

    def set(self, name: str, value: Any) -> None:
        """Assign where the name lives already, else locally."""
        target = self.globals if name not in self.locals and name in self.globals else self.locals
        target[name] = value

    def everything(self) -> dict[str, Any]:
        """What a delayed rule keeps."""
        return {k: v for k, v in {**self.globals, **self.locals}.items() if not isinstance(v, Unset)}


class Interpreter:
    """One run of native text: the rules that the text defines, the frame, and the engine behind it."""

    def __init__(self, engine: NativeEngine, frame: Frame, rules: dict[str, list[s.Rule]]) -> None:
        self.engine = engine
        self.host = engine.host
        self.frame = frame
        self.rules = rules
        self.messages: list[str] = []

    # Terms ------------------------------------------------------------------------------------------------------

    def evaluate(self, node: s.Node, scope: Scope) -> Any:
        """The value of a term; raises IrodsError."""
        return _EVALUATORS[type(node)](self, node, scope)

    def _constant(self, node: s.Constant, scope: Scope) -> Any:
        return node.value

    def _text(self, node: s.Text, scope: Scope) -> str:
        return "".join(p if isinstance(p, str) else text_of(self.evaluate(p, scope)) for p in node.parts)

    def _variable(self, node: s.Variable, scope: Scope) -> Any:
        value = scope.get(node.name)
        if isinstance(value, Unset):
            raise self.failed(RE_UNABLE_TO_READ_LOCAL_VAR, f"error: unable to read local variable {node.name}.")
        return value

    def _session(self, node: s.SessionVariable, scope: Scope) -> Any:
        return session_value(self.host.agent, self.frame.rei, node.name)

    def _member(self, node: s.Member, scope: Scope) -> Any:
        pairs, key = self.evaluate(node.base, scope), text_of(self.evaluate(node.key, scope))
        if not isinstance(pairs, KeyValPair):
            raise type_error(f"error: {text_of(pairs)!r} has no keys")
        try:
            return pairs[key]
        except KeyError:
            raise self.failed(UNMATCHED_KEY_OR_INDEX, f"unmatched key {key}") from None

    def _sequence(self, node: s.Sequence, scope: Scope) -> Any:
        return tuple(self.evaluate(item, scope) for item in node.items)

    def _assign(self, node: s.Assign, scope: Scope) -> int:
        self.bind(node.target, self.evaluate(node.value, scope), scope)
        return 0

    def bind(self, target: s.Node, value: Any, scope: Scope) -> None:
        """Match ``value`` against a pattern: variable, member, tuple or constant."""
        if isinstance(target, s.Variable):
            scope.set(target.name, value)
        elif isinstance(target, s.Member):
            self._bind_member(target, value, scope)
        elif isinstance(target, s.Sequence):
            if not isinstance(value, tuple) or len(value) != len(target.items):
                raise self.failed(RE_PATTERN_NOT_MATCHED, "pattern not matched")
            for item, part in zip(target.items, value, strict=True):
                self.bind(item, part, scope)
        elif self.evaluate(target, scope) != value:
            raise self.failed(RE_PATTERN_NOT_MATCHED, "pattern not matched")

    def _bind_member(self, target: s.Member, value: Any, scope: Scope) -> None:
        if not isinstance(target.base, s.Variable):
            raise type_error("error: only a variable's keys can be assigned")
        held = scope.get(target.base.name)
        items = held._plain() if isinstance(held, KeyValPair) else {}
        items[text_of(self.evaluate(target.key, scope))] = text_of(value)
        scope.set(target.base.name, new_pairs(items))

    # Calls ------------------------------------------------------------------------------------------------------

    def _call(self, node: s.Call, scope: Scope) -> Any:
        form = forms.FORMS.get(node.name)
        if form is not None:
            return form(self, node.arguments, scope)
        function = FUNCTIONS.get(node.name)
        if function is not None and node.name not in self.rules:
            return self._apply(node, function, scope)
        values = [self._argument(a, scope) for a in node.arguments]
        code = self.invoke(node.name, values, scope)
        for argument, value in zip(node.arguments, values, strict=True):
            if isinstance(argument, s.Variable | s.Member) and not isinstance(value, Unset):
                self._write_back(argument, value, scope)
        return code

    def _write_back(self, argument: s.Node, value: Any, scope: Scope) -> None:
        if isinstance(argument, s.Member):
            self._bind_member(argument, value, scope)
        else:
            self.bind(argument, value, scope)

    def _apply(self, node: s.Call, function: Callable[..., Any], scope: Scope) -> Any:
        values = [self.evaluate(argument, scope) for argument in node.arguments]
        try:
            return function(*values)
        except IrodsError as error:
            raise self.failed(error.code, error.message) from None
        except (TypeError, AttributeError) as error:
            raise self.failed(RE_RUNTIME_ERROR, f"error: {node.name}: {error}") from None

    def _argument(self, node: s.Node, scope: Scope) -> Any:
        return scope.get(node.name) if isinstance(node, s.Variable) else self.evaluate(node, scope)

    def invoke(self, name: str, values: list[Any], scope: Scope) -> Any:
        """Call a rule of the text, of the rule base, of another engine, or a microservice; updates ``values``."""
        if name in self.rules:
            return self._call_rule(name, values, scope)
        return self.engine.call_outside(name, values, self.frame, self.messages)

    def _call_rule(self, name: str, values: list[Any], scope: Scope) -> Any:
        candidates = [rule for rule in self.rules[name] if len(rule.parameters) == len(values)]
        if not candidates:
            raise self.failed(NO_RULE_OR_MSI_FUNCTION_FOUND_ERR, f'error: cannot find rule for action "{name}".')
        if scope.depth >= MAX_DEPTH:
            raise self.failed(RE_RUNTIME_ERROR, "error: rules nested too deeply")
        last = IrodsError(ACTION_ARG_COUNT_MISMATCH, "no alternative of the rule applied")
        for rule in candidates:
            try:
                return self.run_rule(rule, values, scope.globals, scope.depth + 1)
            except Cut as cut:
                raise cut.args[0] from None
            except IrodsError as error:
                last = error
        raise last

    def run_rule(self, rule: s.Rule, values: list[Any], globals_: dict[str, Any], depth: int = 0) -> Any:
        """One definition: bind, check its condition, run, hand parameters back."""
        scope = Scope(globals_, {}, depth)
        for parameter, value in zip(rule.parameters, values, strict=True):
            self._bind_parameter(parameter, value, scope)
        if not truth(self.evaluate(rule.condition, scope)):
            raise IrodsError(forms.CONDITION_FAILED, "condition of the rule is false")
        result: Any = 0
        try:
            result = self.evaluate(rule.body, scope)
        except Succeed:
            pass
        except IrodsError as error:
            if scope.locals.get(forms.CUT_MARK):
                raise Cut(error) from None
            raise
        for index, parameter in enumerate(rule.parameters):
            if isinstance(parameter, s.Variable):
                values[index] = scope.locals.get(parameter.name, values[index])
        return result if rule.is_function else 0

    def _bind_parameter(self, parameter: s.Node, value: Any, scope: Scope) -> None:
        if isinstance(parameter, s.Variable):
            scope.locals[parameter.name] = value
        else:
            self.bind(parameter, value, scope)

    # Statements -------------------------------------------------------------------------------------------------

    def _block(self, node: s.Block, scope: Scope) -> Any:
        done: list[s.Step] = []
        result: Any = 0
        for step in node.steps:
            done.append(step)
            try:
                result = self.evaluate(step.action, scope)
            except IrodsError:
                self._recover(done, scope)
                raise
        return result

    def _recover(self, steps: list[s.Step], scope: Scope) -> None:
        for step in reversed(steps):
            if step.recovery is not None:
                self.evaluate(step.recovery, scope)

    def _if(self, node: s.If, scope: Scope) -> Any:
        if truth(self.evaluate(node.condition, scope)):
            return self.evaluate(node.then, scope)
        return 0 if node.otherwise is None else self.evaluate(node.otherwise, scope)

    def _while(self, node: s.While, scope: Scope) -> int:
        try:
            while truth(self.evaluate(node.condition, scope)):
                self.evaluate(node.body, scope)
        except Break:
            pass
        return 0

    def _for(self, node: s.For, scope: Scope) -> int:
        self.evaluate(node.init, scope)
        try:
            while truth(self.evaluate(node.condition, scope)):
                self.evaluate(node.body, scope)
                self.evaluate(node.step, scope)
        except Break:
            pass
        return 0

    def _foreach(self, node: s.ForEach, scope: Scope) -> int:
        source = scope.get(node.variable) if node.items is None else self.evaluate(node.items, scope)
        try:
            for item in forms.items_of(self, source):
                scope.set(node.variable, item)
                self.evaluate(node.body, scope)
        except Break:
            pass
        if node.items is None:
            scope.set(node.variable, source)
        return 0

    def _let(self, node: s.Let, scope: Scope) -> Any:
        inner = Scope(scope.globals, dict(scope.locals), scope.depth)
        self.bind(node.target, self.evaluate(node.value, scope), inner)
        return self.evaluate(node.body, inner)

    def _match(self, node: s.Match, scope: Scope) -> Any:
        value = self.evaluate(node.value, scope)
        for pattern, term in node.cases:
            inner = Scope(scope.globals, dict(scope.locals), scope.depth)
            try:
                self.bind(pattern, value, inner)
            except IrodsError:
                continue
            return self.evaluate(term, inner)
        raise self.failed(RE_PATTERN_NOT_MATCHED, "pattern not matched")

    def _delay(self, node: s.Delay, scope: Scope) -> Any:
        hints = text_of(self.evaluate(node.hints, scope))
        return self.host.submit(hints, node.text, self.frame, scope.everything())

    def _remote(self, node: s.Remote, scope: Scope) -> Any:
        host, hints = text_of(self.evaluate(node.host, scope)), text_of(self.evaluate(node.hints, scope))
        return self.engine.remote(host, hints, node.text, self.frame, scope)

    def _query(self, node: s.Query, scope: Scope) -> Any:
        return forms.run_query(self, node, scope)

    def failed(self, code: int, message: str) -> IrodsError:
        """An error whose message ``errormsg`` will show."""
        if message:
            self.messages.append(f"{message}\n")
        return IrodsError(code, message)


_EVALUATORS: dict[type, Callable[[Interpreter, Any, Scope], Any]] = {
    s.Constant: Interpreter._constant,
    s.Text: Interpreter._text,
    s.Variable: Interpreter._variable,
    s.SessionVariable: Interpreter._session,
    s.Member: Interpreter._member,
    s.Sequence: Interpreter._sequence,
    s.Assign: Interpreter._assign,
    s.Call: Interpreter._call,
    s.Block: Interpreter._block,
    s.If: Interpreter._if,
    s.While: Interpreter._while,
    s.For: Interpreter._for,
    s.ForEach: Interpreter._foreach,
    s.Let: Interpreter._let,
    s.Match: Interpreter._match,
    s.Delay: Interpreter._delay,
    s.Remote: Interpreter._remote,
    s.Query: Interpreter._query,
}
