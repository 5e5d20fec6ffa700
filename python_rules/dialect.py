"""The only code that knows how a rule engine calls Python: rule_args, callback, rei, irods_types.

A named rule is a function of texts that returns JSON values; ``named_rule`` makes it a rule that hands
``{"ok": ...}`` or ``{"error": {code, text, field, remedy}}`` back in its last argument, because a real server
drops both the text of a raised error and every output of a rule that raised. A hook is a function of facts;
``hook`` refuses calls that were not made by the server (any user may call any name of core.py).
"""

from __future__ import annotations

import json
import traceback
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Optional

from python_rules.jobs.errors import JobError

RULE_ENGINE_CONTINUE = 5000000
SYS_NO_API_PRIV = -13000
ADMIN_FLAG = 5  # LOCAL_PRIV_USER_AUTH: a rodsadmin of this zone, as user or as proxy
DELAY_SERVER_OPTION = "irodsDelayServer"

Rule = Callable[[List[Any], Any, Any], Optional[int]]


@dataclass(frozen=True)
class Caller:
    """Who called: the client user as name#zone, and what the connection says of itself."""

    user: str
    zone: str
    is_admin: bool
    proxy_is_admin: bool
    option: str

    @property
    def is_delay_server(self) -> bool:
        """Whether this agent serves the zone's delay server (a plain user cannot be its proxy)."""
        return self.proxy_is_admin and self.option.startswith(DELAY_SERVER_OPTION)


@dataclass(frozen=True)
class Call:
    """What a rule was called with, beside its arguments."""

    caller: Caller
    callback: Any

    def log(self, text: str) -> None:
        """A line in the server's log."""
        self.callback.writeLine("serverLog", "sluice: " + text)


def caller(rei: Any) -> Caller:
    """The caller as the rule execution info tells it."""
    connection = rei.rsComm
    user = connection.clientUser
    return Caller(
        user=f"{user.userName}#{user.rodsZone}",
        zone=str(user.rodsZone),
        is_admin=int(user.authInfo.authFlag) >= ADMIN_FLAG,
        proxy_is_admin=int(connection.proxyUser.authInfo.authFlag) >= ADMIN_FLAG,
        option=str(connection.option),
    )


def named_rule(work: Callable[..., Any]) -> Rule:
    """A rule whose last argument receives the JSON answer; ``work(call, *texts)`` gets the others."""

    def rule(rule_args: List[Any], callback: Any, rei: Any) -> Optional[int]:
        call = Call(caller(rei), callback)
        rule_args[-1] = json.dumps(_answer(work, call, rule_args[:-1]), ensure_ascii=True)
        return None

    rule.__doc__ = work.__doc__
    return rule


def _answer(work: Callable[..., Any], call: Call, given: List[Any]) -> Dict[str, Any]:
    wanted = work.__code__.co_argcount - 1
    if len(given) != wanted or not all(isinstance(text, str) for text in given):
        return _refusal("bad_value", f"the rule takes {wanted} texts and a variable for its answer", "see docs/jobs.md")
    try:
        return {"ok": work(call, *given)}
    except JobError as error:
        return {"error": error.public()}
    except Exception:  # the outermost loop of the zone's side: whatever it is, the caller gets an answer
        call.log("unexpected: " + traceback.format_exc())
        return _refusal("zone_error", "an unexpected error; the server's log has it", "tell the administrator")


def _refusal(code: str, text: str, remedy: str) -> Dict[str, Any]:
    return {"error": JobError(code, text, remedy=remedy).public()}


def delayed_rule(work: Callable[..., None]) -> Rule:
    """A rule that only the delay server may call; anyone else is refused with SYS_NO_API_PRIV."""

    def rule(rule_args: List[Any], callback: Any, rei: Any) -> Optional[int]:
        call = Call(caller(rei), callback)
        if not call.caller.is_delay_server or len(rule_args) != work.__code__.co_argcount - 1:
            return SYS_NO_API_PRIV
        try:
            work(call, *map(str, rule_args))
        except JobError as error:
            call.log(f"{error.code}: {error.text}")
        return None

    rule.__doc__ = work.__doc__
    return rule


def hook(work: Callable[[Call, Dict[str, str], List[Any]], Optional[int]]) -> Rule:
    """A policy hook: ``work(call, context, arguments)``; its None lets the other engines see the hook too."""

    def rule(rule_args: List[Any], callback: Any, rei: Any) -> Optional[int]:
        if len(rule_args) < 2 or type(rule_args[1]).__name__ != "PluginContext":
            return SYS_NO_API_PRIV
        answer = work(Call(caller(rei), callback), context(rule_args[1]), rule_args[2:])
        return RULE_ENGINE_CONTINUE if answer is None else answer

    rule.__doc__ = work.__doc__
    return rule


def quiet_hook(work: Callable[[Call, Dict[str, str], List[Any]], None]) -> Rule:
    """A hook after the fact: whatever goes wrong in it is logged, and what the user did stands."""

    def attempt(call: Call, facts: Dict[str, str], arguments: List[Any]) -> None:
        try:
            work(call, facts, arguments)
        except Exception:  # an outermost loop: the user's action has succeeded, and ours is not to undo that
            call.log("unexpected: " + traceback.format_exc())

    return hook(attempt)


def context(plugin_context: Any) -> Dict[str, str]:
    """The hook's context; ``map()`` is a plain dict on some servers and a wrapped map on others."""
    mapping = plugin_context.map()
    return dict(mapping.asDict() if hasattr(mapping, "asDict") else mapping)


def keywords(cond_input: Any) -> Dict[str, str]:
    """A KeyValPair structure as a dict."""
    return {str(cond_input.key[i]): str(cond_input.value[i]) for i in range(cond_input.len)}


def rows(call: Call, columns: str, condition: str) -> Iterator[List[str]]:
    """The rows of a GenQuery as the calling user; every value in ``condition`` must be one that we made."""
    import genquery  # lies beside the server's core.py

    yield from genquery.row_iterator(columns, condition, genquery.AS_LIST, call.callback)


def quotable(text: str) -> bool:
    """Whether a text may stand between quotes in a condition of ``rows`` and mean itself."""
    return not set("'|&\\") & set(text)
