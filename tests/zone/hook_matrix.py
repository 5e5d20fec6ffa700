"""The hooks of a real iRODS 5.0.2 server, action by action, beside those of the embedded zone.

    python -m tests.zone.hook_matrix            # compare, and write docs/zone/hooks.md
    python -m tests.zone.hook_matrix --record   # first record the calls of the installed icommands (5.0.2) anew

The actions are done in the order of the trace, in one zone, because later ones need what earlier ones made.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.zone import hook_clients, objects_zone
from tests.zone.hook_replay import RECORDING, RecordingProxy, replay, run_icommand
from tests.zone.hook_zone import Hook, HookZone, hook_zone

PAGE = Path(__file__).resolve().parents[2] / "docs" / "zone" / "hooks.md"

# What connecting fires, and a real server's own connections that keep access times: not part of an action.
_LOGIN = (*objects_zone.CONNECTING, "pep_api_authenticate_pre", "pep_api_authenticate_post")
_SERVER_ITSELF = ("get_grid_configuration", "update_replica_access_time")

# Several threads or connections at once: which of them writes how many blocks depends on the machine. Compared is
# the order in which each connection meets each hook for the first time.
PARALLEL = {"iput 50MB", "iget 50MB", "PRC put 50MB parallel", "PRC get 50MB", "icp 50MB", "irepl 50MB"}

# Actions that the embedded zone does not do as a real server: why. The test fails when one of them becomes equal.
_NO_BUNDLES = "structured files (API 665, 666) are not provided: -12000"
_ONE_TAR_LESS = "the object that ibun makes is missing from the list"
DIFFERENT: dict[str, str] = {
    "ibun -c": _NO_BUNDLES,
    "ibun -x": _NO_BUNDLES,
    "ifsck -r": _ONE_TAR_LESS,
    "iscan": _ONE_TAR_LESS,
    "ichksum -r -K": "the objects of a collection come in another order, which no query asked for",
    "izonereport": "there is one server, which is not asked over a second connection",
}

# Actions that are not done here: why.
LEFT_OUT: dict[str, str] = {}


@dataclass
class Row:
    """One action: ``differences`` is empty when all hooks, their order and their argument types are the same."""

    action: str
    command: str
    hooks: int
    differences: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        return not self.differences


def real_actions() -> Iterator[tuple[dict[str, Any], list[list[Hook]]]]:
    """Each action of the trace with the hooks of its connections."""
    traces = objects_zone.golden()
    signatures: list[Hook] = [(name, tuple(types)) for name, types in traces["signatures"]]
    for action in traces["actions"]:
        own = {number for number, option in action["agents"] if option == "irodsServer"}
        agents: dict[int, list[Hook]] = {}
        for number, index in action["hooks"]:
            if number not in own:
                agents.setdefault(number, []).append(signatures[index])
        yield action, list(agents.values())


def significant(agents: Iterable[list[Hook]]) -> list[list[Hook]]:
    """Connections that did something, without what logging in and the server itself fire."""
    return [kept for agent in agents if (kept := [hook for hook in agent if _counts(hook[0])])]


def _counts(name: str) -> bool:
    return name not in _LOGIN and not any(word in name for word in _SERVER_ITSELF)


def compare(action: str, real: list[list[Hook]], ours: list[list[Hook]]) -> list[str]:
    """What differs, in words; empty when nothing does."""
    real, ours = significant(real), significant(ours)
    if action in PARALLEL:
        real, ours = _first_times(real), _first_times(ours)
    if real == ours:
        return []
    ours_flat, real_flat = [hook for agent in ours for hook in agent], [hook for agent in real for hook in agent]
    return [*_missing_and_more(real_flat, ours_flat)] or [_order(real_flat, ours_flat)]


def _first_times(agents: list[list[Hook]]) -> list[list[Hook]]:
    reduced = [list(dict.fromkeys(agent)) for agent in agents]
    return [agent for number, agent in enumerate(reduced) if agent not in reduced[:number]]


def _missing_and_more(real: list[Hook], ours: list[Hook]) -> Iterator[str]:
    missing, more = Counter(real) - Counter(ours), Counter(ours) - Counter(real)
    for word, hooks in (("missing", missing), ("more", more)):
        if hooks:
            yield f"{word}: " + ", ".join(_hook(hook, count) for hook, count in sorted(hooks.items()))


def _hook(hook: Hook, count: int) -> str:
    name, types = hook
    return f"`{name}({', '.join(types)})`" + (f" ×{count}" if count > 1 else "")


def _order(real: list[Hook], ours: list[Hook]) -> str:
    names = [hook[0] for hook in real], [hook[0] for hook in ours]
    for kind, start, end, other, last in difflib.SequenceMatcher(None, *names, autojunk=False).get_opcodes():
        if kind != "equal":
            return f"order: a real server fires {names[0][start:end]} where this one fires {names[1][other:last]}"
    return "connections: the same hooks, spread over other connections"


# --- doing the actions


def replayed(running: HookZone) -> Iterator[Row]:
    """Do every action and compare it; icommands' from the recording."""
    recording = json.loads(RECORDING.read_text(encoding="utf-8"))
    for action, real in real_actions():
        name = action["action"]
        if name in LEFT_OUT:
            continue
        if name == "iqstat":
            running.empty_queue()
        if name in hook_clients.ACTIONS:
            hook_clients.perform(running, name)
        else:
            replay(running, recording[name])
        yield _row(action, real, running.settled())


def recorded(running: HookZone) -> Iterator[Row]:
    """As ``replayed``, with the real icommands; keeps what they asked."""
    recording = {}
    with RecordingProxy(running) as proxy:
        for action, real in real_actions():
            name = action["action"]
            if name in LEFT_OUT:
                continue
            if name == "iqstat":
                running.empty_queue()
            if name in hook_clients.ACTIONS:
                hook_clients.perform(running, name)
            else:
                code = run_icommand(running, proxy.port, action["command"])
                if code != action["rc"]:
                    print(f"{name}: exit code {code}, a real zone's {action['rc']}")
                recording[name] = proxy.taken()
            yield _row(action, real, running.settled())
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(calls)}" for name, calls in recording.items())
    RECORDING.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def _row(action: dict[str, Any], real: list[list[Hook]], ours: list[list[Hook]]) -> Row:
    differences = compare(action["action"], real, ours)
    return Row(action["action"], action["command"], sum(map(len, significant(real))), differences)


# --- the page

_HEAD = """# Hooks: the embedded zone beside a real server

Generated by `python -m tests.zone.hook_matrix` and kept current by `tests/zone/test_hook_matrix.py`. Each action was
done once on a real iRODS 5.0.2 zone (python-irodsclient 3.3.0, icommands 5.0.2) with a rule base that records every
hook and the types of its arguments (`tests/zone/traces/hook-traces.json`). Here the same actions run in the same
order: python-irodsclient's with that client, icommands' by sending the API calls that the real programs sent
(`tests/zone/traces/icommands.json`). *Equal* means the same hooks with the same types of arguments in the same order,
queries and lookups included; only what logging in fires is left out, and what the real server's own connections for
access times fire. Actions of several threads (marked ∥) are compared by when each connection meets each hook first.

**{equal} of {total} actions are equal, {differ} differ, {left} are not reproduced.**

| action | command | hooks | result |
|---|---|---|---|
"""


def page(rows: list[Row]) -> str:
    """The page as Markdown; the same rows give the same text."""
    lines = {row.action: _line(row) for row in rows}
    for action, _real in real_actions():
        name = action["action"]
        if name in LEFT_OUT:
            lines[name] = f"| {name} | {_code(action['command'])} | – | not reproduced: {LEFT_OUT[name]} |\n"
    equal = sum(row.equal for row in rows)
    head = _HEAD.format(equal=equal, total=len(lines), differ=len(rows) - equal, left=len(lines) - len(rows))
    return head + "".join(lines[action["action"]] for action, _real in real_actions())


def _line(row: Row) -> str:
    name = f"{row.action} ∥" if row.action in PARALLEL else row.action
    return f"| {name} | {_code(row.command)} | {row.hooks} | {_result(row)} |\n"


def _result(row: Row) -> str:
    if row.equal:
        return "equal"
    return f"differs: {DIFFERENT.get(row.action, '')} ({'; '.join(row.differences)})"


def _code(command: str) -> str:
    return "`" + command.replace("|", "\\|").replace("\n", "\\n").replace("`", "'") + "`"


def main(arguments: list[str] | None = None) -> int:
    """Compare and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="record the installed icommands' calls anew")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, hook_zone(Path(folder)) as running:
        rows = list((recorded if options.record else replayed)(running))
    PAGE.write_text(page(rows), encoding="utf-8")
    for row in rows:
        if not row.equal:
            print(f"{row.action}: {'; '.join(row.differences)}")
    print(f"{sum(row.equal for row in rows)} of {len(rows)} equal; written: {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
