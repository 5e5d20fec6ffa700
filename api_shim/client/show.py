"""How ``sluice`` shows jobs on a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from rich.console import Console, Group
from rich.filesize import decimal
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from api_shim.client.http import FINAL, Job, SluiceError

COLOURS = {"succeeded": "green", "partial": "yellow", "failed": "red", "cancelled": "magenta", "running": "cyan"}
_DETAILS = (
    "id",
    "operation",
    "source",
    "target",
    "key",
    "state",
    "waiting",
    "submitted",
    "started",
    "finished",
    "user",
)


def as_json(value: Any) -> None:
    """One JSON text on standard output, for programs."""
    print(json.dumps(value))


def job_line(job: Job) -> str:
    """A job in one line: for logs and pipes."""
    return f"{job['id']} {job['state']} {job['operation']} {amounts(job)}"


def amounts(job: Job) -> str:
    """Bytes and objects done and total."""
    progress = job["progress"]
    moved = f"{decimal(progress['bytes_done'])} of {decimal(progress['bytes_total'])}"
    return f"{moved}, {progress['objects_done']} of {progress['objects_total']} objects"


def pace(job: Job) -> str:
    """Rate and time left, as far as they are known."""
    if job["state"] in FINAL:
        return ""
    left = job["progress"]["seconds_left"]
    rate = job["progress"]["rate"]
    return f"{decimal(int(rate))}/s" + (f", {duration(left)} left" if left is not None else "") if rate else ""


def duration(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    minutes, whole = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{whole:02}"


def state(name: str) -> str:
    """A state in its colour, as rich markup."""
    return f"[{COLOURS.get(name, 'default')}]{name}[/]"


def job_table(jobs: Iterable[Job]) -> Table:
    """Jobs as a table."""
    table = Table("job", "state", "operation", "source", "done", "submitted")
    for job in jobs:
        shown = (job["operation"], escape(job["source"]), amounts(job), job["submitted"])
        table.add_row(job["id"], state(job["state"]), *shown)
    return table


def details(job: Job) -> Table:
    """Everything about a job that a person asks for."""
    table = Table.grid(padding=(0, 2))
    for name in _DETAILS:
        if job[name]:
            table.add_row(f"[bold]{name}", state(job[name]) if name == "state" else escape(str(job[name])))
    table.add_row("[bold]done", amounts(job))
    if job["error"]:
        table.add_row("[bold]error", f"[red]{escape(error_text(job['error']))}")
    return table


def chain_details(chain: Job) -> Group:
    """A chain, its steps and their jobs, and what went wrong."""
    table = Table.grid(padding=(0, 2))
    failures = []
    for number, step in enumerate(chain["steps"]):
        for job in step["jobs"]:
            table.add_row(f"step {number}", state(job["state"]), job["operation"], job["zone"], escape(job["source"]))
            if job["error"]:
                failures.append(f"[red]step {number}, job {job['id']}: {escape(error_text(job['error']))}")
    return Group(f"[bold]chain[/] {chain['id']} {state(chain['state'])}", table, *failures)


def chain_list(chains: Iterable[Job]) -> Table:
    """Chains as a table."""
    table = Table("chain", "state", "steps done", "submitted")
    for chain in chains:
        done = sum(step["state"] == "succeeded" for step in chain["steps"])
        table.add_row(chain["id"], state(chain["state"]), f"{done} of {len(chain['steps'])}", chain["submitted"])
    return table


def follow_chain(console: Console, chains: Iterable[Job]) -> Job:
    """A line for each change of a chain's steps, as they come; the last one."""
    chain: Job = {}
    said: list[str] = []
    for chain in chains:
        told = [step["state"] for step in chain["steps"]]
        if told != said:
            said = told
            console.print(f"{chain['id']} {chain['state']}: {', '.join(told)}", highlight=False, soft_wrap=True)
    return chain


def error_text(shown: dict[str, Any]) -> str:
    """An error as a job or a problem shows it: what, where, what to do."""
    where = f" ({shown['object']})" if shown.get("object") else ""
    remedy = f"; {shown['remedy']}" if shown.get("remedy") else ""
    return f"{shown['code']}: {shown['text']}{where}{remedy}"


def failure(console: Console, error: SluiceError) -> None:
    """A failed command, on standard error."""
    field = f" (field {error.field})" if error.field else ""
    console.print(f"[red]sluice:[/] {escape(error.text)}{escape(field)}", highlight=False)
    if error.remedy:
        console.print(f"  {escape(error.remedy)}", highlight=False)


def follow(console: Console, jobs: Iterable[Job]) -> Job:
    """Show jobs as they come: a bar on a terminal, a line for each change of state elsewhere; the last one."""
    return _with_bar(console, jobs) if console.is_terminal else _with_lines(console, jobs)


def _with_bar(console: Console, jobs: Iterable[Job]) -> Job:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[amounts]} {task.fields[pace]}"))
    job: Job = {}
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", amounts="", pace="", total=None)
        for job in jobs:
            _move(progress, bar, job)
    return job


def _move(progress: Progress, bar: TaskID, job: Job) -> None:
    done = job["progress"]
    waiting = f" ({job['waiting']})" if job["waiting"] else ""
    progress.update(
        bar,
        description=state(job["state"]) + escape(waiting),
        total=done["bytes_total"] or None,
        completed=done["bytes_done"],
        amounts=amounts(job),
        pace=pace(job),
    )


def _with_lines(console: Console, jobs: Iterable[Job]) -> Job:
    job: Job = {}
    said = ""
    for job in jobs:
        if job["state"] != said:
            said = job["state"]
            console.print(job_line(job), highlight=False, soft_wrap=True)
    return job
