"""What a hook costs the user who puts data, and how soon a job follows: ``python -m tests.benchmarks.hooks``.

    python -m tests.benchmarks.hooks                                                   # an embedded zone
    python -m tests.benchmarks.hooks --real irods_environment.json --etc /etc/irods    # an existing one

Hooks are timed from inside, by a few lines that are added to the zone's core.py and taken out again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from irods.exception import iRODSException
from irods.models import RuleExec
from irods.rule import Rule
from irods.session import iRODSSession

from python_rules.config import NATIVE_INSTANCE, PYTHON_INSTANCE
from tests.e2e.jobs import Bench
from tests.stack.shared import shared_folder
from tests.stack.site import EmbeddedSite, ExistingSite, Site
from tests.stack.waiting import until

_BEGIN = "# --- timing of hooks: begin"
_TIMING = f"""{_BEGIN}
def _timed(name, hook):
    import json, time
    def timed(rule_args, callback, rei):
        began = time.perf_counter()
        try:
            return hook(rule_args, callback, rei)
        finally:
            context = getattr(rule_args[1], "map", dict)()
            context = dict(context.asDict() if hasattr(context, "asDict") else context)
            with open({{path!r}}, "a") as file:
                row = [name, context.get("logical_path", ""), (time.perf_counter() - began) * 1000]
                file.write(json.dumps(row) + "\\n")
    return timed

pep_resource_modified_post = _timed("pep_resource_modified_post", pep_resource_modified_post)
pep_database_reg_rule_exec_pre = _timed("pep_database_reg_rule_exec_pre", pep_database_reg_rule_exec_pre)
"""
ROW = "| {} | {:.2f} | {:.2f} | {:.2f} | {} |"


@contextmanager
def timed(etc: Path, log: Path) -> Iterator[None]:
    """The zone's hooks write their times to a file."""
    core = etc / "core.py"
    whole = core.read_text()
    log.touch()
    log.chmod(0o666)
    core.write_text(whole + _TIMING.replace("{path!r}", repr(str(log))))
    try:
        yield
    finally:
        core.write_text(whole)


def shown(what: str, times: list[float]) -> None:
    """A line: median, 99th part of a hundred, worst, in milliseconds."""
    ordered = sorted(times)
    p99 = ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))]
    print(ROW.format(what, statistics.median(ordered), p99, ordered[-1], len(ordered)), flush=True)


def puts(session: iRODSSession, place: str, count: int) -> list[float]:
    """Milliseconds of each of so many puts of 1 KiB over one connection."""
    took = []
    for number in range(count):
        began = time.perf_counter()
        with session.data_objects.open(f"{place}/{number:04}", "w") as stream:
            stream.write(b"x" * 1024)
        took.append((time.perf_counter() - began) * 1000)
    return took


def refused(session: iRODSSession) -> None:
    """Queue Python as a user; the guard refuses it, so that nothing is left in the queue."""
    text = f'delayExec("<INST_NAME>{PYTHON_INSTANCE}</INST_NAME><PLUSET>1h</PLUSET>", "pass", "");'
    with suppress(iRODSException, KeyError):
        Rule(session, body=text, instance_name=NATIVE_INSTANCE, output="ruleExecOut").execute(session_cleanup=False)
        raise AssertionError("the guard is off")


def follows(zone: Bench, rounds: int) -> None:
    """From the beginning of a put to its drain rule in the queue, to the drain's run, to the job's result."""
    queued, drained, done = [], [], []
    for _ in range(rounds):
        place = zone.place()
        zone.ask("sluice_policy_set", place, '{"operation": "compress", "quiet_seconds": 0}')
        number = _id_of(zone, place)
        with zone.user.session() as session, zone.site.admin() as admin:
            session.collections.get(place), _in_queue(admin, number)  # both are connected
            began = time.perf_counter()
            puts(session, place, 1)
            assert _in_queue(admin, number)
            queued.append((time.perf_counter() - began) * 1000)
            until(lambda a=admin, n=number: None if _in_queue(a, n) else True, "the drain's end", 60)
            drained.append((time.perf_counter() - began) * 1000)
            until(lambda s=session, p=place: s.data_objects.exists(f"{p}/0000.zst") or None, "the result", 60)
            done.append((time.perf_counter() - began) * 1000)
    shown("from a put's beginning until its drain rule is in the queue", queued)
    shown("... until the drain has run and its job is queued", drained)
    shown("... until the result has its name", done)


def _id_of(zone: Bench, place: str) -> int:
    with zone.user.session() as session:
        return int(session.collections.get(place).id)


def _in_queue(admin: iRODSSession, number: int) -> bool:
    return any(f"sluice_drain('{number}')" in row[RuleExec.name] for row in admin.query(RuleExec.name))


def measure(site: Site, etc: Path, log: Path, count: int, rounds: int) -> None:
    """All of it; one table in Markdown."""
    zone = Bench(site, site.make_user(f"bench-{uuid.uuid4().hex[:6]}"))
    plain, landing = zone.place(), zone.place()
    policy = {"operation": "compress", "pattern": "*", "quiet_seconds": 3600}
    zone.ask("sluice_policy_set", landing, json.dumps(policy))
    print("| what | median ms | p99 ms | worst ms | n |\n|---|---|---|---|---|")
    with zone.user.session() as session:
        shown("put of 1 KiB, no policy near", puts(session, plain, count))
        shown("put of 1 KiB into a policy's collection", puts(session, landing, count))
    with timed(etc, log), zone.user.session() as session:
        for place in (plain, landing):
            session.collections.create(f"{place}/again")
            puts(session, f"{place}/again", count)
        for _ in range(count // 5):
            refused(session)
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    for what, place in (("no policy near", plain), ("in a policy's collection", landing)):
        own = [row[2] for row in rows if row[0] == "pep_resource_modified_post" and row[1].startswith(place)]
        shown(f"the hook itself, {what}", own)
    guarded = [row[2] for row in rows if row[0] == "pep_database_reg_rule_exec_pre" and row[2]]
    shown("the guard itself", guarded)
    zone.ask("sluice_policy_set", landing, "")
    follows(zone, rounds)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, help="irods_environment.json of an administrator of an existing zone")
    parser.add_argument("--etc", type=Path, default=Path("/etc/irods"), help="where its core.py lies")
    parser.add_argument("--puts", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=10)
    given = parser.parse_args()
    if given.real:
        site: Site = ExistingSite(given.real, "demo")
        try:
            with shared_folder() as folder:
                measure(site, given.etc, folder / "hooks.jsonl", given.puts, given.rounds)
        finally:
            site.close()
        return
    with tempfile.TemporaryDirectory() as folder:
        embedded = EmbeddedSite(Path(folder) / "zone")
        try:
            log = Path(folder) / "hooks.jsonl"
            measure(embedded, Path(embedded.server.config.etc), log, given.puts, given.rounds)
        finally:
            embedded.close()


if __name__ == "__main__":
    main()
