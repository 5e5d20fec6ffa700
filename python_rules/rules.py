"""The named rules: the same for irule, for the shim and for delayed rules."""

from __future__ import annotations

import sys
import time
from typing import Any, Dict, List, Optional

from python_rules import engine_link, names, policy_rules
from python_rules.dialect import Call, delayed_rule, named_rule, rows
from python_rules.jobs import methods, model, options, record, states
from python_rules.jobs.errors import JobError, RequestError
from python_rules.policy import guard

OPTION_DOORS = {"sluice-shim": "rest"}
_LONG = 600  # seconds that a delayed rule's question may take
_TOLD = (0, 1, 2)  # exit statuses of an engine that wrote down how its job ended, or why it did not begin


def _submit(call: Call, request: str) -> Dict[str, Any]:
    """sluice_submit(*request, *response): accept a job; the request is a JSON text."""
    return _accept(call, model.parse(request))


def _request(call: Call, operation: str, source: str, target: str, chosen: str) -> Dict[str, Any]:
    """sluice_request(*operation, *source, *target, *options, *response): the same with short parameters."""
    values = {"operation": operation, "source": source, "target": target}
    return accept_request(call, {**options.parsed(chosen), **values})


def accept_request(call: Call, values: Dict[str, Any]) -> Dict[str, Any]:
    """Accept a job whose request is JSON values; raises JobError as sluice_submit tells it."""
    return _accept(call, model.from_json(values))


def _accept(call: Call, request: model.JobRequest) -> Dict[str, Any]:
    answer = engine_link.ask("submit", request=request.as_json(), user=call.caller.user, door=_door(call))
    if answer["to_be_queued"]:
        _queue(call, answer["job"]["id"], request.priority)
    return answer["job"]


def _queue(call: Call, job_id: str, priority: int = 0) -> None:
    try:
        queue_delayed(call, guard.run_text(job_id), 0, priority)
    except RuntimeError as error:  # what the plugin raises for every failed callback
        call.log(f"job {job_id} could not be queued: {error}")
        failure = JobError("zone_error", "the zone's delay queue refused the job", remedy="tell the administrator")
        engine_link.ask("fail", id=job_id, error=failure.public(), actor="sluice_submit")
        raise failure from None


def queue_delayed(call: Call, text: str, seconds: float, priority: int = 0) -> None:
    """Queue a delayed rule of ours for the Python engine, due after so many seconds."""
    instance = engine_link.settings()["rules.python_instance"]
    hints = f"<INST_NAME>{instance}</INST_NAME><PLUSET>{max(0, round(seconds))}s</PLUSET>"
    if priority:
        hints += f"<PRIORITY>{priority}</PRIORITY>"
    call.callback.delayExec(hints, text, "")


def is_waiting(call: Call, text: str) -> bool:
    """Whether such a drain of the caller is queued and not yet due: one that is due may have looked already."""
    name = call.caller.user.partition("#")[0]
    condition = f"RULE_EXEC_USER_NAME = '{name}' AND RULE_EXEC_NAME like '%sluice_drain%'"
    if "'" in name:
        return False
    queued = rows(call, "RULE_EXEC_NAME, RULE_EXEC_TIME", condition)
    return any(queued_text == text and float(due or 0) > time.time() for queued_text, due in queued)


def _status(call: Call, job_id: str) -> Dict[str, Any]:
    """sluice_status(*job, *response): a job as its record tells it."""
    if not model.is_job_id(job_id):
        raise RequestError("bad_value", "this is not a job id", field="job", remedy="give the id that submit returned")
    return engine_link.ask("status", id=job_id, user=call.caller.user, admin=call.caller.is_admin)


def _list(call: Call, chosen: str) -> Any:
    """sluice_list(*filter, *response): id and state of the jobs that the caller may see, the newest first.

    The filter is '' or a state; then the answer is a list. Or it is 'state=...;limit=...;after=<job id>', every part
    optional: then the answer is {"jobs": [...], "next": <what to give for after, or null>}.
    """
    given = options.parsed(chosen) if "=" in chosen else {"state": chosen}
    unknown = set(given) - {"state", "limit", "after"}
    if unknown:
        name = sorted(unknown)[0]
        raise RequestError("unknown_field", f"unknown field {name!a}", field=name, remedy="state, limit, after")
    jobs = [job for job in _newest_first(call) if given.get("state", "") in ("", job["state"])]
    return jobs if "=" not in chosen else _page(jobs, given.get("after", ""), given.get("limit", "100"))


def _newest_first(call: Call) -> List[Dict[str, str]]:
    condition = f"META_DATA_ATTR_NAME = '{record.STATE}' AND COLL_NAME like '{engine_link.settings().ledger}/jobs/%'"
    found = rows(call, "DATA_CREATE_TIME, DATA_NAME, META_DATA_ATTR_VALUE", condition)
    known = sorted((row for row in found if row[1].endswith(".json")), key=lambda row: (-int(row[0]), row[1]))
    return [{"id": name[: -len(".json")], "state": value} for _, name, value in known]


def _page(jobs: List[Dict[str, str]], after: str, limit: str) -> Dict[str, Any]:
    most = int(limit) if limit.isdigit() and 0 < int(limit) <= 1000 else 0
    if not most:
        raise RequestError("bad_value", "limit is not 1 to 1000", field="limit", remedy="give 1 to 1000")
    ids = [job["id"] for job in jobs]
    start = ids.index(after) + 1 if after in ids else 0
    page = jobs[start : start + most]
    return {"jobs": page, "next": page[-1]["id"] if start + most < len(jobs) else None}


def _cancel(call: Call, job_id: str) -> Dict[str, Any]:
    """sluice_cancel(*job, *response): end a queued or running job."""
    return _on_job(call, "cancel", job_id)


def _retry(call: Call, job_id: str) -> Dict[str, Any]:
    """sluice_retry(*job, *response): queue a failed, partial or cancelled job again; only what failed is redone."""
    job = _on_job(call, "retry", job_id)
    _queue(call, job_id, job["priority"] or 0)
    return job


def _on_job(call: Call, action: str, job_id: str) -> Dict[str, Any]:
    if not model.is_job_id(job_id):
        raise RequestError("bad_value", "this is not a job id", field="job", remedy="give the id that submit returned")
    return engine_link.ask(action, id=job_id, user=call.caller.user, admin=call.caller.is_admin)


def _plan(call: Call, request: str) -> Dict[str, Any]:
    """sluice_plan(*request, *response): what a job would do and need, and why it would be refused; the dry run.

    ``request`` is as for sluice_submit. REST: POST /api/v1/plans; command: sluice plan.
    """
    wanted = model.parse(request)
    return engine_link.ask("plan", request=wanted.as_json(), user=call.caller.user)


def _plan_file(call: Call, operation: str, source: str, target: str, chosen: str) -> Dict[str, Any]:
    """sluice_plan_request(*operation, *source, *target, *options, *response): the same with short parameters."""
    values = {"operation": operation, "source": source, "target": target}
    wanted = model.from_json({**options.parsed(chosen), **values})
    return engine_link.ask("plan", request=wanted.as_json(), user=call.caller.user)


def _patrol_start(call: Call) -> Dict[str, Any]:
    """sluice_patrol_start(*response): see that the patrol is in the delay queue, once. For administrators."""
    _administrators_only(call)
    return engine_link.ask("start_patrol")


def _pause(call: Call, reason: str) -> Dict[str, Any]:
    """sluice_pause(*reason, *response): no job begins, running ones stop between two objects. For administrators."""
    _administrators_only(call)
    return engine_link.ask("pause", reason=reason, user=call.caller.user)


def _resume(call: Call) -> Dict[str, Any]:
    """sluice_resume(*response): jobs run again. For administrators."""
    _administrators_only(call)
    return engine_link.ask("resume", seconds=_LONG)


def _selfcheck(call: Call) -> Dict[str, Any]:
    """sluice_selfcheck(*response): whether this installation can do its work, part by part. For administrators."""
    _administrators_only(call)
    told = {"server_python": sys.version.split()[0]}
    try:
        return {**told, **engine_link.ask("health")}
    except JobError as error:  # no engine, no parts
        problem = f"{error.text}; {error.remedy}"
        return {**told, "healthy": False, "parts": {"engine": {"problem": problem}}}


def _administrators_only(call: Call) -> None:
    if not call.caller.is_admin:
        raise JobError("not_permitted", "only an administrator of the zone may do this", remedy="ask one")


def _systems(call: Call, chosen: str) -> Dict[str, Any]:
    """sluice_systems(*options, *response): the systems that the caller may stage from and to.

    ``check=<name>``: whether that one works, in one line. REST: GET /api/v1/systems; command: sluice systems.
    """
    given = options.parsed(chosen)
    unknown = sorted(set(given) - {"check"})
    if unknown:
        raise RequestError("unknown_field", f"unknown field {unknown[0]!a}", field=unknown[0], remedy="known is check")
    check = str(given.get("check") or "")
    return engine_link.ask("systems", user=call.caller.user, admin=call.caller.is_admin, check=check)


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
    # what the service account queued is a job that the patrol found, or one to be tried again
    status = engine_link.run(job_id, "" if call.caller.is_admin else call.caller.user)
    if status != 0:
        call.log(f"the engine of job {job_id} ended with status {status}")
    if status not in _TOLD:
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        engine_link.ask("broke_off", id=job_id, reason=f"its engine was ended {how}")


def _drain(call: Call, collection_id: str) -> None:
    """sluice_drain(collection id): make one job of what the calling user put into a policy's collection."""
    again: Optional[float] = 0
    while again == 0:
        answer = engine_link.ask("drain", seconds=_LONG, collection_id=collection_id, user=call.caller.user)
        job, again = answer["job"], answer["again"]
        if job and job["state"] == states.QUEUED:
            _queue(call, job["id"], job["priority"] or 0)
    text = guard.drain_text(collection_id)
    if again is not None and not is_waiting(call, text):
        queue_delayed(call, text, again)


def _patrol(call: Call) -> None:
    """sluice_patrol(): one round of the patrol; what the delay server calls."""
    engine_link.ask("patrol", seconds=_LONG)


def _door(call: Call) -> str:
    if call.caller.zone != engine_link.settings()["zone.name"]:
        return "federation"
    if call.caller.proxy_is_admin:
        for option, door in OPTION_DOORS.items():
            if call.caller.option.startswith(option):
                return door
    return "rule"


RULES = {
    names.SUBMIT: named_rule(_submit),
    names.REQUEST: named_rule(_request),
    names.STATUS: named_rule(_status),
    names.LIST: named_rule(_list),
    names.CANCEL: named_rule(_cancel),
    names.RETRY: named_rule(_retry),
    names.METHODS: named_rule(_methods),
    names.SYSTEMS: named_rule(_systems),
    names.PLAN: named_rule(_plan),
    names.PLAN_REQUEST: named_rule(_plan_file),
    names.PATROL_START: named_rule(_patrol_start),
    names.PAUSE: named_rule(_pause),
    names.RESUME: named_rule(_resume),
    names.SELFCHECK: named_rule(_selfcheck),
    names.RUN: delayed_rule(_run),
    names.DRAIN: delayed_rule(_drain),
    names.PATROL: delayed_rule(_patrol),
    **policy_rules.RULES,
}
