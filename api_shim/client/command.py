"""``sluice``: submit, watch, list and end jobs from a terminal.

The service's address is SLUICE_URL, the user SLUICE_USER; the password is SLUICE_PASSWORD or is asked for. A bearer
token in SLUICE_TOKEN does instead of both.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any

import typer
from rich.console import Console

from api_shim.client import keys as key_commands
from api_shim.client import show
from api_shim.client.http import Job, SluiceClient, SluiceError
from python_rules.jobs import methods as known
from python_rules.jobs import states

ENDED_WELL, ENDED_BADLY = 0, 1
app = typer.Typer(help="Compress and encrypt data inside an iRODS zone.", no_args_is_help=True, rich_markup_mode=None)
out, err = Console(), Console(stderr=True)


@dataclass
class _Options:
    url: str
    user: str
    json: bool
    _client: SluiceClient | None = field(default=None, repr=False)

    @property
    def client(self) -> SluiceClient:
        """The client; asks for what it needs to know when it is first used."""
        if self._client is None and (token := os.environ.get("SLUICE_TOKEN")):
            self._client = SluiceClient(self.url, token=token)
        if self._client is None:
            user = self.user or typer.prompt("iRODS user", err=True)
            password = os.environ.get("SLUICE_PASSWORD") or typer.prompt("Password", hide_input=True, err=True)
            self._client = SluiceClient(self.url, user, password)
        return self._client


def _completing(words: object) -> object:
    """Shell completion from a table of the model."""
    return lambda incomplete: [word for word in sorted(words) if word.startswith(incomplete)]  # type: ignore[call-overload]


JobId = Annotated[str, typer.Argument(metavar="JOB", help="the job's id")]
ChainId = Annotated[str, typer.Argument(metavar="CHAIN", help="the chain's id")]
ChainFile = Annotated[typer.FileText, typer.Argument(metavar="FILE", help="JSON; -: standard input")]
Operation = Annotated[
    str, typer.Argument(help=", ".join(known.OPERATIONS), autocompletion=_completing(known.OPERATIONS))
]
Source = Annotated[str, typer.Argument(help="logical path of a data object or collection")]
Target = Annotated[str, typer.Argument(help="logical path of what to make; default: beside the source")]
Key = Annotated[str, typer.Option(help="name of the key to encrypt under")]
Compression = Annotated[str, typer.Option(help="how to compress", autocompletion=_completing(known.COMPRESSIONS))]
Level = Annotated[int | None, typer.Option(help="compression level; see: sluice methods")]
Encryption = Annotated[str, typer.Option(help="how to encrypt", autocompletion=_completing(known.ENCRYPTIONS))]
Existing = Annotated[str, typer.Option(help="targets that exist: " + ", ".join(known.EXISTING))]
Original = Annotated[str, typer.Option(help="the source afterwards: " + ", ".join(known.ORIGINAL))]
Pack = Annotated[bool, typer.Option("--pack", help="a collection becomes one tar, or such an object a collection")]
Replica = Annotated[str, typer.Option(help="a resource, or a collection elsewhere, for one more of each result")]
NoSuffix = Annotated[bool, typer.Option("--no-suffix", help="encoded names carry no suffixes")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="any other field of a request: preset=lexis, include=*.h5,*.nc"),
]
OnceKey = Annotated[str, typer.Option("--idempotency-key", help="the same key is the same job")]
Watch = Annotated[bool, typer.Option("--watch/--no-watch", "-w", help="stay until the job has ended")]
State = Annotated[str, typer.Option(help="only these states", autocompletion=_completing(states.STATES))]
OfOperation = Annotated[str, typer.Option(help="only these operations", autocompletion=_completing(known.OPERATIONS))]
Below = Annotated[str, typer.Option(help="only sources at or below this path")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="at most so many")]


def _given(pairs: list[str] | None) -> dict[str, Any]:
    """Fields that were written as field=value."""
    given: dict[str, Any] = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"{pair!a} is not FIELD=VALUE")
        is_list = name in ("include", "exclude", "objects")
        given[name] = value.split(",") if is_list else {"true": True, "false": False}.get(value, value)
    return given


@app.callback()
def options(
    context: typer.Context,
    url: Annotated[str, typer.Option(envvar="SLUICE_URL", help="the service")] = "http://127.0.0.1:8080",
    user: Annotated[str, typer.Option(envvar="SLUICE_USER", help="iRODS user, name or name#zone")] = "",
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Compress and encrypt data inside an iRODS zone."""
    context.obj = _Options(url, user, json)


@app.command()
def submit(
    context: typer.Context,
    operation: Operation,
    source: Source,
    target: Target = "",
    key: Key = "",
    compression: Compression = "",
    level: Level = None,
    encryption: Encryption = "",
    existing: Existing = "",
    original: Original = "",
    pack: Pack = False,
    replica: Replica = "",
    no_suffix: NoSuffix = False,
    set: Set = None,
    idempotency_key: OnceKey = "",
    watch: Watch = False,
) -> None:
    """Submit a job."""
    chosen = {"target": target, "key": key, "compression": compression, "level": level, "encryption": encryption}
    chosen |= {"pack": pack or None, "replica": replica, "suffix": False if no_suffix else None, **_given(set)}
    client = _options(context).client
    job = client.submit(
        operation, source, idempotency_key=idempotency_key, existing=existing, original=original, **chosen
    )
    _follow(context, job["id"]) if watch else _show(context, job)


@app.command()
def plan(
    context: typer.Context,
    operation: Operation,
    source: Source,
    target: Target = "",
    key: Key = "",
    compression: Compression = "",
    level: Level = None,
    existing: Existing = "",
    pack: Pack = False,
    replica: Replica = "",
    set: Set = None,
) -> None:
    """Show what a job would do and need; nothing is created."""
    chosen = {"target": target, "key": key, "compression": compression, "level": level, "existing": existing}
    chosen |= {"pack": pack or None, "replica": replica, **_given(set)}
    found = _options(context).client.plan(operation, source, **chosen)
    show.as_json(found) if _options(context).json else out.print_json(data=found)


@app.command()
def watch(context: typer.Context, job: JobId) -> None:
    """Watch a job until it has ended; the exit status tells whether it succeeded."""
    _follow(context, job)


@app.command("ls")
def list_jobs(
    context: typer.Context, state: State = "", operation: OfOperation = "", path: Below = "", limit: Limit = 20
) -> None:
    """List your jobs, the newest first."""
    wanted = {"state": state, "operation": operation, "path": path}
    found = itertools.islice(_options(context).client.jobs(**wanted, limit=limit), limit)
    show.as_json(list(found)) if _options(context).json else out.print(show.job_table(found))


@app.command("show")
def show_job(context: typer.Context, job: JobId) -> None:
    """Show a job."""
    _show(context, _options(context).client.job(job))


@app.command()
def results(context: typer.Context, job: JobId) -> None:
    """Print what became of each object, one JSON line for each."""
    for row in _options(context).client.results(job):
        show.as_json(row)


@app.command()
def cancel(context: typer.Context, job: JobId) -> None:
    """End a job that has not ended."""
    _show(context, _options(context).client.cancel(job))


@app.command()
def retry(context: typer.Context, job: JobId, watch: Watch = False) -> None:
    """Queue a job again that did not succeed; only what failed is redone."""
    again = _options(context).client.retry(job)
    _follow(context, again["id"]) if watch else _show(context, again)


@app.command()
def chain(context: typer.Context, file: ChainFile, idempotency_key: OnceKey = "", watch: Watch = False) -> None:
    """Submit a chain of jobs: {"steps": [request or list of requests, ...]}; a step begins after the one before."""
    client = _options(context).client
    made = client.submit_chain(_steps(file), idempotency_key=idempotency_key)
    if watch:
        made = show.follow_chain(err, client.watch_chain(made["id"]))
    _show_chain(context, made)
    if watch:
        raise typer.Exit(ENDED_WELL if made["state"] == states.SUCCEEDED else ENDED_BADLY)


@app.command("chains")
def list_chains(context: typer.Context) -> None:
    """List your chains of the last days, the newest first."""
    found = _options(context).client.chains()
    show.as_json(found) if _options(context).json else out.print(show.chain_list(found))


@app.command("show-chain")
def show_chain(context: typer.Context, chain: ChainId) -> None:
    """Show a chain with the state of each of its jobs."""
    _show_chain(context, _options(context).client.chain(chain))


@app.command("cancel-chain")
def cancel_chain(context: typer.Context, chain: ChainId) -> None:
    """Cancel the jobs of the present step and begin no further one."""
    _show_chain(context, _options(context).client.cancel_chain(chain))


@app.command()
def methods(context: typer.Context) -> None:
    """Show the operations and methods that the zone knows."""
    found = _options(context).client.methods()
    show.as_json(found) if _options(context).json else out.print_json(data=found)


@app.command()
def systems(
    context: typer.Context, name: Annotated[str, typer.Argument(help="check this one, instead of listing all")] = ""
) -> None:
    """Show the systems that you may stage from and to, or check whether one works."""
    client = _options(context).client
    found = client.check_system(name) if name else client.systems()
    show.as_json(found) if _options(context).json else out.print_json(data=found)
    if name and not found["works"]:
        raise typer.Exit(1)


# such commands have an argparse parser of their own, which also answers --help
PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


@app.command(context_settings=PASSED_ON)
def keys(context: typer.Context) -> None:
    """Show, grant, rotate, destroy keys and share what they seal; see: sluice keys --help."""
    chosen = _options(context)
    print(key_commands.run(context.args, lambda: chosen.client, chosen.json))


def _plugged(found: EntryPoint) -> Callable[[typer.Context], None]:
    def run(context: typer.Context) -> None:
        raise typer.Exit(found.load()([found.name, *context.args]))

    return run


def _add_plugged() -> None:
    """Commands that other installed parts bring, such as the engine's ``open`` and ``seal``: loaded when used."""
    for found in entry_points(group="sluice.commands"):
        about = "files on this machine; see: sluice " + found.name + " --help"
        app.command(found.name, help=about, context_settings=PASSED_ON)(_plugged(found))


_add_plugged()


def main() -> None:
    """The command; a failure is a sentence and a remedy on standard error."""
    try:
        app()
    except SluiceError as error:
        show.failure(err, error)
        sys.exit(ENDED_BADLY)


def _options(context: typer.Context) -> _Options:
    chosen: _Options = context.obj
    return chosen


def _show(context: typer.Context, job: Job) -> None:
    show.as_json(job) if _options(context).json else out.print(show.details(job))


def _show_chain(context: typer.Context, chain: Job) -> None:
    show.as_json(chain) if _options(context).json else out.print(show.chain_details(chain))


def _steps(file: typer.FileText) -> Any:
    try:
        return json.load(file)["steps"]
    except (ValueError, KeyError, TypeError):
        remedy = 'write {"steps": [{"operation": ..., "source": ...}, ...]}'
        raise SluiceError(400, "malformed_json", f"{file.name} is not a chain", None, remedy) from None


def _follow(context: typer.Context, job_id: str) -> None:
    job = show.follow(err, _options(context).client.watch(job_id))
    _show(context, job)
    raise typer.Exit(ENDED_WELL if job["state"] == states.SUCCEEDED else ENDED_BADLY)
