"""The Python rule engine: rules are the attributes of ``core.py``, called as ``rule(rule_args, callback, rei)``."""

from __future__ import annotations

import builtins
import importlib
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from embedded_zone.agent import REMOTE_PRIV_USER_AUTH
from embedded_zone.config import PYTHON_ENGINE
from embedded_zone.errors import IrodsError
from embedded_zone.rules import errors
from embedded_zone.rules.callback import Callback
from embedded_zone.rules.frame import Frame
from embedded_zone.rules.output import Output
from embedded_zone.structures import types
from embedded_zone.wire.codes import RULE_ENGINE_ERROR, SYS_NO_API_PRIV, SYS_UNKNOWN_ERROR

if TYPE_CHECKING:
    from embedded_zone.rules.host import RuleHost

_CODE = re.compile(r"\[iRods__Error__Code:([^\]]*)\]")
_EXTERNAL = "@external\n"
_folders: list[str] = []
_EXTERNAL_RULE = "@external rule"


def install_modules() -> None:
    """Provide ``irods_types``, ``irods_errors``, ``genquery`` and ``session_vars`` under those names."""
    types.install()
    errors.install()
    for name in ("genquery", "session_vars"):
        sys.modules[name] = importlib.import_module(f"embedded_zone.rules.{name}")


class PythonEngine:
    """Loads ``core.py`` from the zone's ``etc`` once per agent, at the first look for a rule."""

    name = PYTHON_ENGINE

    def __init__(self, host: RuleHost, etc: Path) -> None:
        self._host = host
        self._etc = etc
        self._core: ModuleType | None = None
        self._failed = False
        self._main: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}

    def core(self) -> ModuleType:
        """The rule base; raises IrodsError RULE_ENGINE_ERROR when it cannot be imported."""
        if self._core is None:
            self._core = self._load()
        return self._core

    def _load(self) -> ModuleType:
        if self._failed:
            raise IrodsError(RULE_ENGINE_ERROR, "core.py cannot be imported")
        self._enter()
        sys.modules.pop("core", None)
        importlib.invalidate_caches()
        try:
            return importlib.import_module("core")
        except BaseException:  # noqa: BLE001  sys.exit() at import counts as a broken core too
            self._failed = True
            self._host.log_exception(traceback.format_exc())
            raise IrodsError(RULE_ENGINE_ERROR, "core.py cannot be imported") from None

    def _enter(self) -> None:
        """Make this zone's ``etc`` the last entry of sys.path: the standard library wins, as on a real server."""
        while _folders:
            sys.path.remove(_folders.pop())  # of another host in this process: tests have several, agents one
        _folders.append(str(self._etc))
        sys.path.append(str(self._etc))
        install_modules()

    def has(self, name: str) -> bool:
        """Whether core.py has any attribute of that name, function or not."""
        return hasattr(self.core(), name)

    def run(self, name: str, args: list[Any], frame: Frame) -> int:
        """Call a rule; strings that it assigned in ``rule_args`` are put back into ``args``."""
        core = self.core()
        core.__dict__["irods_types"] = sys.modules["irods_types"]
        core.__dict__["irods_errors"] = sys.modules["irods_errors"]
        rule_args = list(args)
        try:
            code = _status(getattr(core, name)(rule_args, Callback(self._host, frame), frame.rei))
            _copy_back(args, rule_args)
        except BaseException:  # noqa: BLE001  the plugin turns any exception, SystemExit included, into a code
            text = traceback.format_exc()
            self._host.log_exception(text)
            raise IrodsError(_code_in(text), "rule raised") from None
        return _raised_if_negative(code)

    def run_text(self, text: str, description: str, frame: Frame) -> int:
        """EXEC_MY_RULE: source with a ``main``, or the name of one rule; rodsadmins only."""
        self._require_admin(frame)
        frame.parameters.setdefault(description, Output())  # addMsParam leaves an existing label alone
        return self._guarded(lambda: self._text_function(text, frame)([], Callback(self._host, frame), frame.rei))

    def _require_admin(self, frame: Frame) -> None:
        flags = (frame.rei.uoic.authInfo.authFlag, frame.rei.uoip.authInfo.authFlag)
        if min(flags) < REMOTE_PRIV_USER_AUTH:
            raise IrodsError(SYS_NO_API_PRIV, "Insufficient privileges to run irule in Python rule engine plugin")

    def _text_function(self, text: str, frame: Frame) -> Callable[..., Any]:
        variables = _rule_variables(frame)
        if text.startswith(_EXTERNAL):
            self._prepare_main(variables)
            exec(text[len(_EXTERNAL) :], self._main)  # noqa: S102  running policy text is what this engine is for
            return self._main["main"]
        if text.startswith(_EXTERNAL_RULE):
            vars(builtins)["irods_rule_vars"] = variables
            self.core().__dict__["global_vars"] = variables
            return getattr(self.core(), text[17:].split(" ", 1)[0])
        raise IrodsError(RULE_ENGINE_ERROR, "Improperly formatted rule_text")

    def _prepare_main(self, variables: dict[str, Any]) -> None:
        self._enter()
        vars(builtins)["irods_rule_vars"] = variables
        self._main["global_vars"] = variables
        self._main["irods_types"] = sys.modules["irods_types"]
        self._main["irods_errors"] = sys.modules["irods_errors"]

    def run_expression(self, text: str, frame: Frame) -> int:
        """A delayed rule: ``text`` is the body of a function; core.py's names are not in scope."""
        return self._guarded(lambda: self._expression(text, frame)([], Callback(self._host, frame), frame.rei))

    def _expression(self, text: str, frame: Frame) -> Callable[..., Any]:
        self._prepare_main(_rule_variables(frame))
        source = f"def expressionFcn(rule_args, callback, rei):\n{text}".replace("\n", "\n ")
        exec(source, self._main)  # noqa: S102
        return self._main["expressionFcn"]

    def _guarded(self, call: Callable[[], Any]) -> int:
        try:
            code = _status(call())
        except IrodsError:
            raise
        except BaseException:  # noqa: BLE001
            self._host.log_exception(traceback.format_exc())
            raise IrodsError(RULE_ENGINE_ERROR, "rule text raised") from None
        return _raised_if_negative(code)


def _rule_variables(frame: Frame) -> dict[str, Any]:
    return {k: v for k, v in frame.parameters.items() if v is None or isinstance(v, str | int | float)}


def _status(result: Any) -> int:
    # The plugin asks "is it an int?": None, a str or a float is success, True is 1, False is 0.
    if not isinstance(result, int):
        return 0
    if not -(2**31) <= result < 2**31:
        raise OverflowError("Python int too large to convert to C int")
    return int(result)


def _raised_if_negative(code: int) -> int:
    if code < 0:
        raise IrodsError(code, "")
    return code


def _copy_back(args: list[Any], rule_args: list[Any]) -> None:
    for index, old in enumerate(args):
        new = rule_args[index]  # IndexError if the rule shortened the list: the plugin fails alike
        if isinstance(old, str) and isinstance(new, str):
            args[index] = new


def _code_in(text: str) -> int:
    match = _CODE.search(text)
    if match is None:
        return -1
    try:
        return int(match.group(1))
    except ValueError:
        return SYS_UNKNOWN_ERROR
