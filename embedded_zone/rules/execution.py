"""Running rule text: EXEC_MY_RULE, delayed rules, submissions to the delay queue, remote()."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from embedded_zone.agent import REMOTE_PRIV_USER_AUTH
from embedded_zone.errors import IrodsError
from embedded_zone.rules import hints as h
from embedded_zone.rules import queue, saved
from embedded_zone.rules.context import make_rei
from embedded_zone.rules.frame import Frame
from embedded_zone.rules.parameters import KEEP_ALL, Parameters, selected
from embedded_zone.wire.codes import SYS_INVALID_INPUT_PARAM, SYS_NO_API_PRIV, ZONE_KEY_SIGNATURE_MISMATCH

if TYPE_CHECKING:
    from embedded_zone.rules.host import RuleHost

_QUIET_ERRORS = (-1201000, -1828000)  # RE_PARSER_ERROR, RULE_ENGINE_ERROR: another engine's language


def _engine(host: RuleHost, instance: str) -> Any:
    for engine in host.engines:
        if engine.name == instance:
            return engine
    raise IrodsError(SYS_INVALID_INPUT_PARAM, f"instance not found [{instance}]")


def exec_my_rule(
    host: RuleHost, text: str, instance: str, parameters: Parameters, description: str, keywords: Mapping[str, str]
) -> Parameters:
    """Run a client's rule text; the outputs that it asked for.

    Without an instance name every engine is tried in order and errors are swallowed, as on a real server.
    Raises IrodsError (with an instance name only); outputs are lost then.
    """
    frame = Frame(make_rei(host.agent, keywords, "execMyRule"), parameters)
    if instance:
        _engine(host, instance).run_text(text, description, frame)
    else:
        for engine in host.engines:
            _tried(host, engine.name, lambda e=engine: e.run_text(text, description, frame))
        host.agent.r_error.clear()
    return selected(frame.parameters, description)


def _tried(host: RuleHost, name: str, run: Any) -> None:
    try:
        run()
    except IrodsError as error:
        level = host.log_debug if error.code in _QUIET_ERRORS else host.log_error
        level(f"Rule Engine Plugin returned [{error.code}]: {name}: {error.message}")


def exec_expression(host: RuleHost, text: str, instance: str, context: str) -> int:
    """Run a delayed rule's text under its saved context; raises IrodsError when its engine fails."""
    frame = Frame(make_rei(host.agent), interactive=False)
    saved.restore(frame, context)
    if instance:
        return int(_engine(host, instance).run_expression(text, frame))
    for engine in host.engines:
        _tried(host, engine.name, lambda e=engine: e.run_expression(text, frame))
    return 0


def submit(host: RuleHost, hint_text: str, text: str, frame: Frame, variables: Mapping[str, Any]) -> int:
    """Put a rule into the delay queue (delay, delayExec); 0. Raises as ``parse_hints`` and ``queue.register``."""
    tags = h.tagged_values(hint_text)
    frame.instance_name = tags.get("INST_NAME", frame.instance_name)
    context = saved.save(frame, variables)
    user = str(frame.rei.uoic.userName) or host.agent.client.name
    queue.register(host.agent, text, h.parse_hints(hint_text), context, user)
    return 0


def remote(host: RuleHost, address: str, hint_text: str, text: str, parameters: Parameters) -> int:
    """remote(): an EXEC_MY_RULE of its own, here; ``parameters`` is updated. Other zones are the federation's."""
    tags = h.tagged_values(hint_text)
    zone = tags.get("ZONE", host.agent.config.zone_name)
    if zone != host.agent.config.zone_name:
        return host.federated_rule(zone, address, hint_text, text, parameters)
    if address not in (host.agent.config.host, "localhost", "127.0.0.1", ""):
        raise IrodsError(ZONE_KEY_SIGNATURE_MISMATCH, f"{address} is not a server of zone {zone}")
    if host.agent.client.auth_flag < REMOTE_PRIV_USER_AUTH:
        raise IrodsError(SYS_NO_API_PRIV, "remote execution in the own zone needs a rodsadmin")
    request = {"execCondition": hint_text}
    parameters.update(exec_my_rule(host, text, tags.get("INST_NAME", ""), parameters, KEEP_ALL, request))
    parameters.pop(KEEP_ALL, None)  # where the Python engine left its output
    return 0
