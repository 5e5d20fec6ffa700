"""The named rules: the same for irule, for the shim and for delayed rules."""

from __future__ import annotations

import json
from typing import Any, Dict, List

from python_rules import engine_link, names
from python_rules.dialect import Call, delayed_rule, named_rule, rows
from python_rules.jobs import methods, model, record
from python_rules.jobs.errors import JobError, RequestError
from python_rules.policy import guard

OPTION_DOORS = {"sluice-shim": "rest"}


def _submit(call: Call, request: str) -> Dict[str, Any]:
    """sluice_submit(*request, *response): accept a job; the request is a JSON text."""
    return _accept(call, model.parse(request))


def _request(call: Call, operation: str, source: str, target: str, options: str) -> Dict[str, Any]:
    """sluice_request(*operation, *source, *target, *options, *response): the same with short parameters."""
    values = {"operation": operation, "source": source, "target": target}
    return _accept(call, model.from_json({**_parsed_options(options), **values}))


def _accept(call: Call, request: model.JobRequest) -> Dict[str, Any]:
    answer = engine_link.ask("submit", request=request.as_json(), user=call.caller.user, door=_door(call))
    if answer["to_be_queued"]:
        _queue(call, answer["job"]["id"])
    return answer["job"]


def _queue(call: Call, job_id: str) -> None:
    try:
        queue_delayed(call, guard.run_text(job_id), 0)
    except RuntimeError as error:  # what the plugin raises for every failed callback
        call.log(f"job {job_id} could not be queued: {error}")
        failure = JobError("zone_error", "the zone's delay queue refused the job", remedy="tell the administrator")
        engine_link.ask("fail", id=job_id, error=failure.public(), actor="sluice_submit")
        raise failure from None


def queue_delayed(call: Call, text: str, seconds: float) -> None:
    """Queue a delayed rule of ours for the Python engine, due after so many seconds."""
    instance = engine_link.settings()["rules.python_instance"]
    hints = f"<INST_NAME>{instance}</INST_NAME><PLUSET>{max(0, round(seconds))}s</PLUSET>"
    call.callback.delayExec(hints, text, "")


def _status(call: Call, job_id: str) -> Dict[str, Any]:
    """sluice_status(*job, *response): a job as its record tells it."""
    if not model.is_job_id(job_id):
        raise RequestError("bad_value", "this is not a job id", field="job", remedy="give the id that submit returned")
    return engine_link.ask("status", id=job_id, user=call.caller.user, admin=call.caller.is_admin)


def _list(call: Call, state: str) -> List[Dict[str, str]]:
    """sluice_list(*state, *response): id and state of the caller's jobs; '' for every state."""
    condition = f"META_DATA_ATTR_NAME = '{record.STATE}' AND COLL_NAME like '{engine_link.settings().ledger}/jobs/%'"
    found = rows(call, "DATA_NAME, META_DATA_ATTR_VALUE", condition)
    jobs = [{"id": name[: -len(".json")], "state": value} for name, value in found if name.endswith(".json")]
    return [job for job in jobs if state in ("", job["state"])]


def _cancel(call: Call, job_id: str) -> Dict[str, Any]:
    """sluice_cancel(*job, *response): end a queued or running job."""
    return _on_job(call, "cancel", job_id)


def _retry(call: Call, job_id: str) -> Dict[str, Any]:
    """sluice_retry(*job, *response): queue a failed, partial or cancelled job again; only what failed is redone."""
    job = _on_job(call, "retry", job_id)
    _queue(call, job_id)
    return job


def _on_job(call: Call, action: str, job_id: str) -> Dict[str, Any]:
    if not model.is_job_id(job_id):
        raise RequestError("bad_value", "this is not a job id", field="job", remedy="give the id that submit returned")
    return engine_link.ask(action, id=job_id, user=call.caller.user, admin=call.caller.is_admin)


def _methods(call: Call) -> Dict[str, Any]:
    """sluice_methods(*response): operations and methods that this zone knows."""
    return {
        "operations": {name: operation.does for name, operation in methods.OPERATIONS.items()},
        "compressions": {name: method._asdict() for name, method in methods.COMPRESSIONS.items()},
        "encryptions": {name: method._asdict() for name, method in methods.ENCRYPTIONS.items()},
    }


def _run(call: Call, job_id: str) -> None:
    """sluice_run(job id): what the delay server calls; the engine does the work in a child process."""
    if not model.is_job_id(job_id):
        raise JobError("bad_value", "sluice_run was given something that is not a job id")
    status = engine_link.run(job_id, call.caller.user)
    if status != 0:
        call.log(f"the engine of job {job_id} ended with status {status}")


def _drain(call: Call, collection_id: str) -> None:
    """sluice_drain(collection id): make one job of what the calling user put into a policy's collection."""
    answer = engine_link.ask("drain", collection_id=collection_id, user=call.caller.user)
    if answer["job"]:
        _queue(call, answer["job"]["id"])


def _door(call: Call) -> str:
    if call.caller.zone != engine_link.settings()["zone.name"]:
        return "federation"
    if call.caller.proxy_is_admin:
        for option, door in OPTION_DOORS.items():
            if call.caller.option.startswith(option):
                return door
    return "rule"


def _parsed_options(options: str) -> Dict[str, Any]:
    """Options of a rule file, either JSON or 'name=value;name=value'."""
    if not options.strip():
        return {}
    if options.lstrip().startswith("{"):
        values = json.loads(options) if _is_json(options) else None
        if not isinstance(values, dict):
            raise RequestError("malformed_json", "options is not a JSON object", field="options", remedy="see rules/")
        return values
    pairs = [pair.partition("=") for pair in options.split(";") if pair.strip()]
    return {name.strip(): value.strip() for name, _, value in pairs}


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


RULES = {
    names.SUBMIT: named_rule(_submit),
    names.REQUEST: named_rule(_request),
    names.STATUS: named_rule(_status),
    names.LIST: named_rule(_list),
    names.CANCEL: named_rule(_cancel),
    names.RETRY: named_rule(_retry),
    names.METHODS: named_rule(_methods),
    names.RUN: delayed_rule(_run),
    names.DRAIN: delayed_rule(_drain),
}
