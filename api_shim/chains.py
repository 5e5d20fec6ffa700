"""The routes of chains: jobs one after the other, in one zone or several; ``workers.chains`` says how they last."""

from __future__ import annotations

import uuid
from typing import Any

from apiflask import APIBlueprint
from flask import Response, request, url_for

from api_shim import forwarding
from api_shim.exchange import answer, parsed, require_json
from api_shim.service import caller, require_caller, service
from python_rules.jobs import model
from python_rules.jobs.errors import JobError, RequestError
from workers import chains
from workers.rows import CHAIN, CHAIN_ENDED, Row

blueprint = APIBlueprint("chains", __name__, url_prefix="/api/v1", tag="chains")
blueprint.before_request(require_caller)
MOST_STEPS, MOST_JOBS, PAGE = 20, 100, 100  # steps of a chain, jobs of all its steps, chains on the list
_LONGEST_KEY = 255
# The same idempotency key of the same user is the same chain.
_NAMESPACE = uuid.UUID("c1f4d1f0-5a0b-5f0e-8f3a-0d6f1f7b9a55")


@blueprint.post("/chains")
@blueprint.doc(operation_id="submitChain")
def submit() -> Response:
    """Submit a chain: each step begins when every job of the one before has succeeded."""
    require_json()
    steps = _steps(request.get_data())
    chain_id = _chain_id(request.headers.get("Idempotency-Key", ""))
    row = service().celery.rows.find(chain_id)
    if row and _asked(row) != [[_plain(job.as_json()) for job in step] for step in steps]:
        raise RequestError(
            "job_exists",
            "another chain has this idempotency key",
            field="idempotency_key",
            remedy="use a new one for a new chain",
        )
    shown = chains.begin(service().celery, chain_id, caller(), steps, forwarding.now())
    return answer(shown, 200 if row else 201, {"Location": url_for("chains.show", chain_id=chain_id)})


@blueprint.get("/chains")
@blueprint.doc(operation_id="listChains")
def list_chains() -> Response:
    """List your chains of the last days, the newest first."""
    if request.args:
        unknown = sorted(request.args)[0]
        raise RequestError("unknown_field", "unknown parameter", field=unknown[:64], remedy="leave it out")
    rows = [row for state in (CHAIN, CHAIN_ENDED) for row in service().celery.rows.in_state(state)]
    own = sorted((row for row in rows if row.user == caller()), key=_newest)
    return answer({"chains": [chains.shown(service().celery, row) for row in own[:PAGE]]})


@blueprint.get("/chains/<chain_id>")
@blueprint.doc(operation_id="getChain")
def show(chain_id: str) -> Response:
    """Show a chain with the state of each of its jobs."""
    return answer(chains.shown(service().celery, _row(chain_id)))


@blueprint.post("/chains/<chain_id>/cancel")
@blueprint.doc(operation_id="cancelChain")
def cancel(chain_id: str) -> Response:
    """Cancel the jobs of the present step and begin no further one."""
    return answer(chains.cancel(service().celery, _row(chain_id)))


def _row(chain_id: str) -> Row:
    row = service().celery.rows.find(chain_id) if model.is_job_id(chain_id) else None
    if row is None or row.state not in (CHAIN, CHAIN_ENDED) or row.user != caller():
        raise JobError("job_not_found", "there is no such chain of yours", field="id", remedy="list your chains")
    return row


def _steps(text: bytes) -> list[list[model.JobRequest]]:
    """The checked requests of a body {"steps": [request or list of requests, ...]}."""
    given = parsed(text)
    if not isinstance(given, dict) or set(given) != {"steps"}:
        raise RequestError("malformed_json", "the body is not an object with steps alone", remedy='{"steps": [...]}')
    steps = given["steps"]
    if not isinstance(steps, list) or not 1 <= len(steps) <= MOST_STEPS:
        raise RequestError("bad_value", "steps is not a list", field="steps", remedy=f"give 1 to {MOST_STEPS} steps")
    found = [_step(step, f"steps[{number}]") for number, step in enumerate(steps)]
    if sum(map(len, found)) > MOST_JOBS:
        raise RequestError("bad_value", "too many jobs", field="steps", remedy=f"at most {MOST_JOBS} in a chain")
    return found


def _step(given: Any, field: str) -> list[model.JobRequest]:
    several = given if isinstance(given, list) else [given]
    if not several:
        raise RequestError("bad_value", "a step without jobs", field=field, remedy="leave it out")
    return [_job(one, f"{field}[{n}]" if isinstance(given, list) else field) for n, one in enumerate(several)]


def _job(given: Any, field: str) -> model.JobRequest:
    """One request; what is wrong with it is told with the step's place before the field's name."""
    try:
        return _without_id(model.from_json(given))
    except RequestError as error:
        place = f"{field}.{error.field}" if error.field else field
        raise RequestError(error.code, error.text, field=place, remedy=error.remedy) from None


def _without_id(asked: model.JobRequest) -> model.JobRequest:
    """The service makes the ids, of the chain's own."""
    for name in ("id", "idempotency_key"):
        if getattr(asked, name):
            raise RequestError("bad_value", f"{name} does not go with a chain", field=name, remedy="leave it out")
    return asked


def _asked(row: Row) -> list[list[dict[str, Any]]]:
    if row.user != caller() or "steps" not in row.content:
        return []
    return [[_plain(asked) for asked in step] for step in row.content["steps"]]


def _plain(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if name != "id"}


def _newest(row: Row) -> tuple[int, str]:
    return -int("".join(filter(str.isdigit, row.content["submitted"]))), row.job_id


def _chain_id(idempotency_key: str) -> str:
    if len(idempotency_key) > _LONGEST_KEY:
        remedy = f"at most {_LONGEST_KEY} characters"
        raise RequestError("bad_value", "the key is too long", field="idempotency_key", remedy=remedy)
    return str(uuid.uuid5(_NAMESPACE, f"{caller()}\n{idempotency_key}") if idempotency_key else uuid.uuid4())
