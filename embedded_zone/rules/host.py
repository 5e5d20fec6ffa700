"""The rule host of one connection: which engine has a rule, hooks around operations, calls by name.

An operation's hooks (``around``) follow ``apiHandler.hpp``: a failing or skipping ``_pre``, then the operation, then
``_post`` or ``_except``, always ``_finally``. A call by name (``execute``) follows ``irods_re_plugin.hpp``: the engines
in their configured order until one answers with something else than "continue", else the microservices.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from embedded_zone.agent import Agent
from embedded_zone.config import NATIVE_ENGINE, PYTHON_ENGINE
from embedded_zone.errors import IrodsError, SkipOperation
from embedded_zone.rules import arguments, execution, process
from embedded_zone.rules.context import PluginContext, make_rei
from embedded_zone.rules.errors import RULE_ENGINE_CONTINUE, RULE_ENGINE_SKIP_OPERATION
from embedded_zone.rules.frame import Frame
from embedded_zone.rules.microservices import run_microservice
from embedded_zone.rules.native.engine import NativeEngine
from embedded_zone.rules.parameters import Parameters
from embedded_zone.rules.python_engine import PythonEngine
from embedded_zone.structures.types import MsParam, irods_type
from embedded_zone.wire.codes import SYS_INVALID_ZONE_NAME, SYS_NOT_SUPPORTED

MakeArgs = Callable[[str], Sequence[Any]]
_CONTINUE = (RULE_ENGINE_CONTINUE, SYS_NOT_SUPPORTED)
# The regular expression of the Python engine covers only these two; the native engine's adds the others.
_PYTHON_PHASES = ("pre", "post")


@dataclass
class ServerReply:
    """What ``server_call`` answers where a handler gave only a status."""

    status: int = 0
    body: Any = None
    stream: bytes = b""


class RuleHost:
    """What the rest of the zone sees of policies; one per agent.

    ``operations`` is the API table by number; the API layer puts it here, so that no import points upwards.
    """

    operations: ClassVar[Mapping[int, Any]] = {}

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        process.prepare()
        makers: dict[str, Callable[[], Any]] = {
            PYTHON_ENGINE: lambda: PythonEngine(self, agent.config.etc),
            NATIVE_ENGINE: lambda: NativeEngine(self, agent.config.etc),
        }
        self.engines = [makers[name]() for name in agent.config.rule_engines if name in makers]
        self._all_phases = NATIVE_ENGINE in agent.config.rule_engines
        self._doi: Any = None
        self._doinp: Any = None

    # Looking up -------------------------------------------------------------------------------------------------

    @property
    def load_error(self) -> int:
        """0, or -1828000 when core.py cannot be imported: a real server then refuses every connection."""
        try:
            self._has("acPreConnect")
        except IrodsError as error:
            return error.code
        return 0

    def has(self, name: str) -> bool:
        """Whether any engine defines this hook or rule; False when core.py is broken."""
        try:
            return self._has(name)
        except IrodsError:
            return False

    def _has(self, name: str) -> bool:
        return any(engine.has(name) for engine in self.engines)

    # Static hooks -----------------------------------------------------------------------------------------------

    def set_data_object(self, doi: Mapping[str, Any] | None = None, doinp: Mapping[str, Any] | None = None) -> None:
        """What ``rei.doi`` and ``rei.doinp`` of the static hooks to come show (DataObjInfo and DataObjInp fields)."""
        self._doi = None if doi is None else irods_type("DataObjInfo", doi)
        self._doinp = None if doinp is None else irods_type("DataObjInp", arguments.plain_struct(doinp))

    def fire(self, name: str, *args: str) -> int:
        """Run a static hook; its status, negative for a refusal, 0 when no engine defines it."""
        return self.fire_out(name, *args)[0]

    def fire_out(self, name: str, *args: str) -> tuple[int, list[str]]:
        """As ``fire``, and the arguments as the hook left them."""
        values = list(args)
        try:
            if not self._has(name):
                return 0, values
            code = self.execute(name, values, self.hook_frame())
        except IrodsError as error:
            return error.code, values
        return 0 if code in _CONTINUE else code, values

    def hook_frame(self) -> Frame:
        """A new execution for a hook: rei with the connection and the data object at hand."""
        rei = make_rei(self.agent, {})
        rei.doi, rei.doinp = self._doi, self._doinp
        collection = self.agent.scratch.get("coi")
        rei.coi = None if collection is None else irods_type("CollInfo", collection)
        return Frame(rei, interactive=False)

    # Dynamic hooks ----------------------------------------------------------------------------------------------

    @contextmanager
    def around_api(self, operation: Any, request: Any, stream: bytes = b"") -> Iterator[arguments.ApiCall]:
        """The hooks of an API call; set ``call.reply`` inside the block. Raises IrodsError or SkipOperation."""
        call = arguments.ApiCall(operation, request, stream)
        if not operation.pep or self._within_portal(operation.name):
            yield call
            return
        self._check_login(operation.name, request)
        with self.around(operation.pep, call.hook_arguments), call.failing():
            call.adopt_changes()
            yield call

    def _within_portal(self, operation: str) -> bool:
        """Whether a call is a block of a transfer that a real server makes beside its APIs."""
        return operation in ("data_obj_read", "data_obj_write") and "portal" in self.agent.scratch

    def _check_login(self, operation: str, request: Any) -> None:
        step = request.get("next_operation") if isinstance(request, Mapping) else None
        if operation != "auth_response" and step != "auth_agent_auth_response":
            return
        if any(self.has(f"pep_database_check_auth_{phase}") for phase in _PYTHON_PHASES):
            # Its arguments are binary text, which the plugin cannot decode: the one hook that locks everybody out.
            self.log_error("pep_database_check_auth is defined: UnicodeDecodeError, nobody can log in")
            raise IrodsError(-1, "pep_database_check_auth")

    @contextmanager
    def around(self, op: str, make_args: MakeArgs) -> Iterator[None]:
        """Fire ``pep_<op>_pre``, then after the block _post or _except, and always _finally."""
        try:
            if self._phase(op, "pre", make_args) == RULE_ENGINE_SKIP_OPERATION:
                self._phase(op, "post", make_args)
                raise SkipOperation
            yield
            self._phase(op, "post", make_args)
        except IrodsError:
            self._quiet(op, "except", make_args)
            raise
        finally:
            self._quiet(op, "finally", make_args)

    def _quiet(self, op: str, phase: str, make_args: MakeArgs) -> None:
        try:
            self._phase(op, phase, make_args)
        except IrodsError as error:
            self.log_error(f"pep_{op}_{phase} failed: {error}")

    def _phase(self, op: str, phase: str, make_args: MakeArgs) -> int:
        name = f"pep_{op}_{phase}"
        if (phase not in _PYTHON_PHASES and not self._all_phases) or not self.has(name):
            return 0
        values = self._hook_values(op, list(make_args(phase)))
        code = self.execute(name, values, self.hook_frame(), direct=True)
        return 0 if code in _CONTINUE else code

    def _hook_values(self, op: str, values: list[Any]) -> list[Any]:
        if len(values) > 1 and isinstance(values[1], PluginContext):
            return values
        kind = op.split("_", 1)[0]
        if kind == "resource":
            extra = values[1] if len(values) > 1 and isinstance(values[1], dict) else {}
            rest = values[2:] if len(values) > 1 and isinstance(values[1], dict) else values[1:]
            return [values[0] if values else "", PluginContext(self.agent, extra), *(rest or [""])]
        if kind == "database":
            return ["postgres", PluginContext(self.agent), "", *values]
        return ["api_instance", PluginContext(self.agent), *values]

    # Calls by name ----------------------------------------------------------------------------------------------

    def call(self, name: str, args: list[Any]) -> int:
        """Run a rule or microservice by name for the connection's user; ``args`` is updated in place."""
        return self.execute(name, args, self.hook_frame())

    def execute(self, name: str, values: list[Any], frame: Frame, *, direct: bool = False) -> int:
        """Run a rule or microservice within ``frame``; raises IrodsError for a negative status.

        ``direct`` hands the values to Python rules as they are (hooks); otherwise only strings survive the way
        from one rule to another and anything else arrives as an opaque MsParam.
        """
        answered: int | None = None
        for engine in self.engines:
            if not engine.has(name):
                continue
            code = self._run(engine, name, values, frame, direct)
            if code not in _CONTINUE:
                return code
            answered = code
        return answered if answered is not None else run_microservice(self, frame, name, values)

    def _run(self, engine: Any, name: str, values: list[Any], frame: Frame, direct: bool) -> int:
        passed = list(values) if direct else [v if isinstance(v, str) else MsParam("", v) for v in values]
        try:
            code = engine.run(name, passed, frame)
        except IrodsError as error:
            if error.code not in _CONTINUE:
                raise
            code = error.code
        for index, value in enumerate(passed):
            if isinstance(values[index], str) and isinstance(value, str):
                values[index] = value
        return code

    # Text and the delay queue -----------------------------------------------------------------------------------

    def exec_rule(
        self, text: str, instance: str, parameters: Parameters, output: str, keywords: Mapping[str, str] | None = None
    ) -> Parameters:
        """EXEC_MY_RULE; see ``execution.exec_my_rule``."""
        return execution.exec_my_rule(self, text, instance, parameters, output, keywords or {})

    def exec_expression(self, text: str, instance: str, context: str) -> int:
        """A delayed rule; see ``execution.exec_expression``."""
        return execution.exec_expression(self, text, instance, context)

    def submit(self, hints: str, text: str, frame: Frame, variables: Mapping[str, Any]) -> int:
        """delay() and delayExec; see ``execution.submit``."""
        return execution.submit(self, hints, text, frame, variables)

    def remote_execute(self, host: str, hints: str, text: str, parameters: Parameters, frame: Frame) -> int:
        """remote() and remoteExec for rodsadmins; see ``execution.remote``."""
        return execution.remote(self, host, hints, text, parameters)

    def federated_rule(self, zone: str, host: str, hints: str, text: str, parameters: Parameters) -> int:
        """remote() to another zone; SYS_INVALID_ZONE_NAME unless the federation part has put a way there."""
        forward = self.agent.scratch.get("federated_rule")
        if forward is None:
            raise IrodsError(SYS_INVALID_ZONE_NAME, f"zone {zone} is not federated")
        return int(forward(zone, host, hints, text, parameters))

    # The server's own operations --------------------------------------------------------------------------------

    def server_call(self, number: int, request: Any, stream: bytes = b"") -> ServerReply:
        """Run an API for a microservice, without its API hooks; raises IrodsError for a negative status."""
        operation = self.operations.get(number)
        if operation is None:
            raise IrodsError(SYS_NOT_SUPPORTED, f"API {number} is not provided by the embedded zone")
        answer = operation.handler(self.agent, request, stream)
        if answer is None or isinstance(answer, int):
            answer = ServerReply(answer or 0)
        if answer.status < 0:
            raise IrodsError(answer.status, operation.name)
        return answer

    def fire_or_fail(self, name: str, *args: str) -> None:
        """A static hook that may refuse; raises IrodsError with its code."""
        code = self.fire(name, *args)
        if code < 0:
            raise IrodsError(code, f"{name} refused")

    # Logging ----------------------------------------------------------------------------------------------------

    def log_error(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        """One record of category rule_engine in the zone's log."""
        self._log(logging.ERROR, message, fields)

    def log_debug(self, message: str) -> None:
        """A record that is seen only at log level debug."""
        self._log(logging.DEBUG, message, None)

    def log_info(self, message: str) -> None:
        """What writeLine('serverLog', …) leaves."""
        self._log(logging.INFO, message, None)

    def log_exception(self, text: str) -> None:
        """The traceback of a policy, under the key that the real plugin uses."""
        self.log_error("caught python exception", {"rule_engine_plugin": "python", "python_exception": text})

    def _log(self, level: int, message: str, fields: Mapping[str, str] | None) -> None:
        self.agent.log.log(level, "%s", message, extra={"log_category": "rule_engine", **(fields or {})})


class NullHost:
    """A host without policies, for tests of other parts."""

    load_error = 0

    def has(self, name: str) -> bool:
        return False

    def fire(self, name: str, *args: str) -> int:
        return 0

    def fire_out(self, name: str, *args: str) -> tuple[int, list[str]]:
        return 0, list(args)

    def set_data_object(self, doi: Any = None, doinp: Any = None) -> None:
        return None

    @contextmanager
    def around(self, op: str, make_args: MakeArgs) -> Iterator[None]:
        yield

    @contextmanager
    def around_api(self, operation: Any, request: Any, stream: bytes = b"") -> Iterator[arguments.ApiCall]:
        yield arguments.ApiCall(operation, request, stream)
