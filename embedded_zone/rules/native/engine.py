"""The native rule engine: rule text of clients, delayed native rules, and the rule bases ``etc/*.re``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedded_zone.config import NATIVE_ENGINE
from embedded_zone.errors import IrodsError
from embedded_zone.rules.frame import Frame
from embedded_zone.rules.microservices import MICROSERVICES, run_microservice
from embedded_zone.rules.native import syntax as s
from embedded_zone.rules.native.interpreter import Cut, Interpreter, Scope, Succeed
from embedded_zone.rules.native.parser import parse_block, parse_expression, parse_rules
from embedded_zone.rules.native.values import UNSET, Unset
from embedded_zone.rules.output import Output
from embedded_zone.rules.parameters import RULE_EXEC_OUT, add_missing
from embedded_zone.wire.codes import (
    NO_RULE_OR_MSI_FUNCTION_FOUND_ERR,
    RE_PARSER_ERROR,
    RE_RUNTIME_ERROR,
    RE_TYPE_ERROR,
    RE_UNPARSED_SUFFIX,
)

if TYPE_CHECKING:
    from embedded_zone.rules.host import RuleHost

_EXTERNAL = "@external\n"


def _by_name(rules: tuple[s.Rule, ...]) -> dict[str, list[s.Rule]]:
    found: dict[str, list[s.Rule]] = {}
    for rule in rules:
        found.setdefault(rule.name, []).append(rule)
    return found


class NativeEngine:
    """Rules come from the request's own text first, then from the rule bases."""

    name = NATIVE_ENGINE

    def __init__(self, host: RuleHost, etc: Path) -> None:
        self.host = host
        self._etc = etc
        self._base: dict[str, list[s.Rule]] | None = None

    def base(self) -> dict[str, list[s.Rule]]:
        """The rules of ``etc/*.re``, read once per agent; a file that does not parse is logged and left out."""
        if self._base is None:
            self._base = {}
            for path in sorted(self._etc.glob("*.re")):
                self._base.update(self._read(path))
        return self._base

    def _read(self, path: Path) -> dict[str, list[s.Rule]]:
        try:
            return _by_name(parse_rules(path.read_text(encoding="utf-8")))
        except IrodsError as error:
            self.host.log_error(f"{path}: {error}")
            return {}

    def has(self, name: str) -> bool:
        """Whether a rule base defines the name."""
        return name in self.base()

    def run(self, name: str, args: list[Any], frame: Frame) -> int:
        """A rule of the rule base, for another engine or a hook; only strings come back."""
        values = [a if isinstance(a, str) else "<unconvertible>" for a in args]
        result: Any = 0
        runner = Interpreter(self, frame, self.base())
        with self._reported(runner, hidden=name.startswith("pep_")):
            result = runner.invoke(name, values, Scope({}))
        for index, (old, new) in enumerate(zip(args, values, strict=True)):
            if isinstance(old, str) and isinstance(new, str):
                args[index] = new
        return result if isinstance(result, int) else 0

    # Text -------------------------------------------------------------------------------------------------------

    def run_text(self, text: str, description: str, frame: Frame) -> int:
        """EXEC_MY_RULE: the first rule of the text runs; parameters and declared outputs are its globals."""
        add_missing(frame.parameters, description)
        runner = Interpreter(self, frame, dict(self.base()))
        globals_: dict[str, Any] = {}
        with self._reported(runner):
            globals_.update(self._globals(text, frame))
            rules = parse_rules(_without_marker(text))
            if not rules:
                raise IrodsError(RE_PARSER_ERROR, "no rule in the text")
            runner.rules.update(_by_name(rules))
            runner.run_rule(rules[0], [UNSET] * len(rules[0].parameters), globals_)
        self._keep(globals_, frame)
        return 0

    def _globals(self, text: str, frame: Frame) -> dict[str, Any]:
        given = {k: v for k, v in frame.parameters.items() if k != RULE_EXEC_OUT}
        if not text.startswith(_EXTERNAL):
            return given
        if any(isinstance(value, Output) for value in frame.parameters.values()):
            # The Python engine ran before and declared the output: the native engine then cannot evaluate the
            # inputs of a rule file and gives up, on a real server silently (observed facts 8).
            raise IrodsError(RE_TYPE_ERROR, "rule file without an instance name while the Python engine is first")
        return {k: self._expression(v, frame) for k, v in given.items()}

    def _expression(self, value: Any, frame: Frame) -> Any:
        if not isinstance(value, str):
            return value
        node, complete = parse_expression(value)
        if not complete:
            raise IrodsError(RE_UNPARSED_SUFFIX, "error: unparsed suffix")
        return Interpreter(self, frame, self.base()).evaluate(node, Scope({}))

    def _keep(self, globals_: dict[str, Any], frame: Frame) -> None:
        for name, value in globals_.items():
            frame.parameters[name] = None if isinstance(value, Unset) else value

    def run_expression(self, text: str, frame: Frame) -> int:
        """A delayed rule: statements, with the variables that were captured at submission."""
        scope = Scope({k: v for k, v in frame.parameters.items() if k != RULE_EXEC_OUT})
        runner = Interpreter(self, frame, self.base())
        with self._reported(runner):
            runner.evaluate(parse_block(text), scope)
        return 0

    @contextmanager
    def _reported(self, runner: Interpreter, *, hidden: bool = False) -> Iterator[None]:
        """Turn what leaves the interpreter into IrodsError and tell the client's error stack, as logErrMsg does."""
        try:
            yield
        except Succeed:
            return
        except Cut as cut:
            raise cut.args[0] from None
        except RecursionError:
            raise IrodsError(RE_RUNTIME_ERROR, "rule text nested too deeply: a real agent crashes") from None
        except IrodsError as error:
            if not hidden:
                self.host.agent.r_error.append((error.code, "DEBUG: " + "".join(runner.messages) + "\n"))
            raise

    # Out of the language ----------------------------------------------------------------------------------------

    def call_outside(self, name: str, values: list[Any], frame: Frame, messages: list[str] | None = None) -> Any:
        """Another engine's rule (strings only) or a microservice; ``values`` is updated.

        ``messages`` collects what the client's error stack will show: nothing of what another engine said.
        """
        messages = [] if messages is None else messages
        if all(isinstance(value, str) for value in values):
            return self.host.execute(name, values, frame)
        if name not in MICROSERVICES:
            text = f'error: cannot find rule for action "{name}" available: {len(self.base())}.'
            messages.append(f"{text}\n")
            raise IrodsError(NO_RULE_OR_MSI_FUNCTION_FOUND_ERR, text)
        plain = [None if isinstance(value, Unset) else value for value in values]
        try:
            code = run_microservice(self.host, frame, name, plain, strict=False)
        except IrodsError:
            messages.append("execMicroService3: error when executing microservice\n")
            raise
        values[:] = [UNSET if value is None else value for value in plain]
        return code

    def remote(self, host: str, hints: str, text: str, frame: Frame, scope: Scope) -> int:
        """``remote(host, hints) { text }``: as an EXEC_MY_RULE of its own; variables come back."""
        parameters = {**scope.everything(), RULE_EXEC_OUT: frame.parameters.get(RULE_EXEC_OUT)}
        code = self.host.remote_execute(host, hints, f"remExec{{{text}}}", parameters, frame)
        frame.parameters[RULE_EXEC_OUT] = parameters.get(RULE_EXEC_OUT)
        for name, value in parameters.items():
            if name in scope.locals or name in scope.globals:
                scope.set(name, value)
        return code


def _without_marker(text: str) -> str:
    if text.startswith(_EXTERNAL):
        return text[len(_EXTERNAL) :]
    return text[len("@external") :] if text.startswith("@external ") else text
